"""Transactions commit whole or not at all, and a server that went away is Unavailable, never a bug."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from starbooth.base.database import (
    Database,
    is_connection_lost,
    raw_dsn,
)
from starbooth.base.errors import SettingError, Unavailable
from starbooth.base.migration import refuse_old_postgresql

COUNT = text('SELECT count(*) FROM "BaseModel"')
EMPTY = text("DELETE FROM starbooth.offers")


async def end_all_connections(url: str) -> None:
    """What PostgreSQL does to everybody when it is told to stop."""
    connection = await asyncpg.connect(raw_dsn(make_url(url)))
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


class TestTransaction:
    async def test_it_is_kept_when_the_block_ends(self, database: Database) -> None:
        async with database.transaction() as tx:
            await tx.execute(EMPTY)
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.offers")) == 0

    async def test_it_is_undone_when_the_block_raises(self, database: Database) -> None:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as tx:
                await tx.execute(EMPTY)
                raise ZeroDivisionError
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.offers")) == 3

    async def test_times_are_utc_whatever_the_server_thinks(self, database: Database) -> None:
        async with database.transaction() as tx:
            assert await tx.scalar(text("SHOW timezone")) == "UTC"

    async def test_a_connection_cut_in_the_middle_is_unavailable(
        self, database: Database, database_url: str
    ) -> None:
        with pytest.raises(Unavailable):
            async with database.transaction() as tx:
                await tx.execute(EMPTY)
                await end_all_connections(database_url)
                await tx.execute(COUNT)
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.offers")) == 3

    async def test_a_connection_cut_before_the_commit_is_unavailable(
        self, database: Database, database_url: str
    ) -> None:
        with pytest.raises(Unavailable):
            async with database.transaction() as tx:
                await tx.execute(EMPTY)
                await end_all_connections(database_url)

    async def test_the_pool_mends_itself_after_every_connection_was_cut(
        self, database: Database, database_url: str
    ) -> None:
        async def ask() -> None:
            async with database.transaction() as tx:
                await tx.execute(text("SELECT pg_sleep(0.05)"))

        await asyncio.gather(*(ask() for _ in range(5)))
        await end_all_connections(database_url)
        for _ in range(6):
            try:
                await ask()
                break
            except Unavailable:
                continue
        await asyncio.gather(*(ask() for _ in range(5)))

    async def test_a_server_that_is_not_there_is_unavailable(self, tmp_path: Path) -> None:
        database = Database(f"postgresql://postgres@/postgres?host={tmp_path}")
        with pytest.raises(Unavailable):
            async with database.transaction():
                pass
        await database.aclose()

    async def test_a_refused_statement_is_not_unavailable(self, database: Database) -> None:
        with pytest.raises(IntegrityError):
            async with database.transaction() as tx:
                await tx.execute(text("INSERT INTO starbooth.guests VALUES ('nobody', 1, 'en')"))

    async def test_a_wrong_argument_is_a_bug_and_not_unavailable(self, database: Database) -> None:
        with pytest.raises(DBAPIError):
            async with database.transaction() as tx:
                await tx.execute(text("SELECT CAST(:number AS integer)"), {"number": "seven"})

    async def test_a_second_close_is_harmless(self, database_url: str) -> None:
        database = Database(database_url)
        async with database.transaction() as tx:
            await tx.execute(COUNT)
        await database.aclose()
        await database.aclose()


class TestIsConnectionLost:
    def test_misuse_of_the_driver_is_not_a_lost_connection(self) -> None:
        assert not is_connection_lost(asyncpg.InterfaceError("another operation is in progress"))
        assert not is_connection_lost(asyncpg.DataError("invalid input for query argument $1"))

    def test_a_cancelled_statement_is_not_a_lost_connection(self) -> None:
        assert not is_connection_lost(asyncpg.QueryCanceledError("canceling statement"))

    def test_a_closed_connection_is_lost(self) -> None:
        assert is_connection_lost(asyncpg.InterfaceError("connection is closed"))
        assert is_connection_lost(asyncpg.InternalClientError("cannot switch to state 15; another operation"))
        assert not is_connection_lost(asyncpg.InternalClientError("got result for unknown protocol state"))
        assert is_connection_lost(asyncpg.ConnectionDoesNotExistError("closed in the middle"))
        assert is_connection_lost(ConnectionRefusedError())

    def test_the_cause_tells_too(self) -> None:
        wrapped = RuntimeError("wrapped")
        wrapped.__cause__ = asyncpg.AdminShutdownError("terminating connection")
        assert is_connection_lost(wrapped)


class TestListen:
    async def test_what_is_announced_in_a_committed_transaction_is_heard(self, database: Database) -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()
        async with database.listen("starbooth_test", heard.put_nowait):
            async with database.transaction() as tx:
                await tx.execute(text("SELECT pg_notify('starbooth_test', 'kept')"))
            assert await asyncio.wait_for(heard.get(), timeout=5) == "kept"

    async def test_what_is_announced_in_an_undone_transaction_is_not_heard(self, database: Database) -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()
        async with database.listen("starbooth_test", heard.put_nowait):
            with pytest.raises(ZeroDivisionError):
                async with database.transaction() as tx:
                    await tx.execute(text("SELECT pg_notify('starbooth_test', 'undone')"))
                    raise ZeroDivisionError
            async with database.transaction() as tx:
                await tx.execute(text("SELECT pg_notify('starbooth_test', 'kept')"))
            assert await asyncio.wait_for(heard.get(), timeout=5) == "kept"


class TestRefuseOldPostgresql:
    @pytest.mark.parametrize("version", [90624, 130022, 140019])
    def test_a_server_before_fifteen_is_refused_by_the_name_of_the_setting(self, version: int) -> None:
        with pytest.raises(SettingError) as caught:
            refuse_old_postgresql(version)
        assert caught.value.setting == "DATABASE_URL"

    @pytest.mark.parametrize("version", [150000, 160010, 180001])
    def test_a_newer_one_is_taken(self, version: int) -> None:
        refuse_old_postgresql(version)
