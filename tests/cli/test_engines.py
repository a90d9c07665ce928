"""`starbooth engines`, as an operator runs it while the booth is open."""

from pathlib import Path

import pytest

from starbooth.base.database import Database
from starbooth.domain.catalog.engines import EngineRow, list_engines, note_trouble, seed_engines
from tests.cli.commands import starbooth


@pytest.fixture
async def two(database: Database) -> None:
    async with database.transaction() as tx:
        await seed_engines(tx, ["darkroom", "fal"], slots=4)


async def engines_of(database: Database) -> list[EngineRow]:
    async with database.transaction() as tx:
        return await list_engines(tx)


@pytest.mark.usefixtures("two")
class TestEngines:
    async def test_the_list_tells_what_is_wrong(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        async with database.transaction() as tx:
            await note_trouble(
                tx, engine="fal", endpoint="fal-ai/flux/dev", cause="exhausted_balance", is_grave=True
            )
        said = starbooth("engines", "list", home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == 0
        assert "fal-ai/flux/dev: exhausted_balance, 3 times; resting until" in said.stdout

    async def test_one_is_switched_off_limited_and_moved(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        said = starbooth(
            *("engines", "set", "fal", "--off", "--slots", "9", "--place", "0"),
            home=tmp_path,
            DATABASE_URL=database_url,
        )
        assert (said.returncode, said.stderr) == (0, "")
        first = (await engines_of(database))[0]
        assert (first.name, first.is_on, first.slots) == ("fal", False, 9)

    async def test_a_worker_that_starts_again_changes_nothing_of_it(self, database: Database) -> None:
        before = await engines_of(database)
        async with database.transaction() as tx:
            await seed_engines(tx, ["darkroom", "fal"], slots=7)
        assert await engines_of(database) == before

    @pytest.mark.parametrize(
        ("arguments", "status", "words"),
        [
            (("mars", "--off"), 1, "There is no engine mars"),
            (("fal", "--slots", "0"), 2, "--slots"),
            (("fal", "--place", "first"), 2, "--place"),
        ],
    )
    async def test_nonsense_is_refused_in_words(
        self,
        database: Database,
        database_url: str,
        tmp_path: Path,
        arguments: tuple[str, ...],
        status: int,
        words: str,
    ) -> None:
        before = await engines_of(database)
        said = starbooth("engines", "set", *arguments, home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == status
        assert words in said.stderr
        assert await engines_of(database) == before
