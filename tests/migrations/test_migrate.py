"""Migrations bear being run twice, at once, and against a table that somebody holds."""

import asyncio
import sys
from asyncio.subprocess import PIPE

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from starbooth.base.database import Database, raw_dsn
from starbooth.base.migration import migrate
from starbooth.domain.catalog.offers import default_offer, seed_offers

HEAD = "0013"
FINGERPRINT = """
    SELECT md5(string_agg(c.relname || a.attname || format_type(a.atttypid, a.atttypmod), ',' ORDER BY 1))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace IN ('public'::regnamespace, 'starbooth'::regnamespace) AND a.attnum > 0
"""


async def fingerprint(url: str) -> str:
    connection = await asyncpg.connect(raw_dsn(make_url(url)))
    try:
        return str(await connection.fetchval(FINGERPRINT))
    finally:
        await connection.close()


class TestMigrate:
    async def test_an_empty_database_is_brought_to_this_release(self, empty_database_url: str) -> None:
        assert await migrate(empty_database_url) == HEAD

    async def test_twice_is_once(self, empty_database_url: str) -> None:
        await migrate(empty_database_url)
        before = await fingerprint(empty_database_url)
        assert await migrate(empty_database_url) == HEAD
        assert await fingerprint(empty_database_url) == before

    async def test_from_three_processes_at_once_is_once(self, empty_database_url: str) -> None:
        script = (
            "import asyncio, sys; from starbooth.base.migration import migrate;"
            "print(asyncio.run(migrate(sys.argv[1])))"
        )
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, empty_database_url, stdout=PIPE, stderr=PIPE
            )
            for _ in range(3)
        ]
        ends = [await asyncio.wait_for(process.communicate(), timeout=60) for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0], ends
        assert [output.decode().strip() for output, _ in ends] == [HEAD] * 3

    async def test_a_table_that_somebody_holds_makes_it_give_up_in_seconds(self, database_url: str) -> None:
        connection = await asyncpg.connect(raw_dsn(make_url(database_url)))
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE starbooth.alembic_version IN ACCESS EXCLUSIVE MODE")
        began = asyncio.get_running_loop().time()
        with pytest.raises(DBAPIError, match="lock timeout"):
            await asyncio.wait_for(migrate(database_url), timeout=30)
        assert asyncio.get_running_loop().time() - began < 20
        await transaction.rollback()
        await connection.close()
        assert await migrate(database_url) == HEAD

    async def test_a_database_with_tables_of_another_program_is_left_as_it_was(
        self, empty_database_url: str
    ) -> None:
        """Whatever fails, fails whole: no half of our tables stays behind."""
        connection = await asyncpg.connect(raw_dsn(make_url(empty_database_url)))
        await connection.execute('CREATE TABLE public."StarTransaction" (id text)')
        with pytest.raises(asyncpg.DuplicateTableError):
            await migrate(empty_database_url)
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert [row["tablename"] for row in tables] == ["StarTransaction"]
        await connection.close()


class TestSeedOffers:
    async def test_twice_and_at_once_seeds_once(self, empty_database_url: str) -> None:
        await migrate(empty_database_url)
        database = Database(empty_database_url)

        async def seed() -> None:
            async with database.transaction() as tx:
                await seed_offers(tx)

        await asyncio.gather(*(seed() for _ in range(4)))
        async with database.transaction() as tx:
            offer = await default_offer(tx)
        await database.aclose()
        assert (offer.kind, offer.endpoint) == ("FLUX", "fal-ai/flux/dev")
