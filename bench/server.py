"""A PostgreSQL of the measurement's own, with the house's tables, in a temporary folder.

As `starbooth up` starts it: default settings, so commits reach the disk (fsync) before they are answered.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starbooth.base.database import Database
from starbooth.base.embedded import EmbeddedServer
from starbooth.base.migration import migrate
from starbooth.domain.catalog.offers import seed_offers


@asynccontextmanager
async def own_server() -> AsyncIterator[str]:
    """Start a server, migrate and seed its database, yield the address; stop it and delete it afterwards."""
    home = Path(tempfile.mkdtemp(prefix="starbooth-bench-"))
    server = EmbeddedServer.start(home)
    try:
        await migrate(server.url)
        database = Database(server.url, connections=1)
        async with database.transaction() as tx:
            await seed_offers(tx)
        await database.aclose()
        yield server.url
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
