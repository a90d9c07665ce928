"""`starbooth promo`, as an operator runs it."""

from pathlib import Path

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from tests.cli.commands import starbooth


async def codes(database: Database) -> list[tuple[str, int, int, bool]]:
    async with database.transaction() as tx:
        rows = await tx.execute(
            text(
                "SELECT code, amount_stars, most_claims, expires_at > now() + interval '6 days 23 h'"
                " FROM starbooth.promo_codes ORDER BY created_at"
            )
        )
    return [tuple(row) for row in rows]


class TestPromo:
    async def test_a_code_is_made_and_listed(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        made = starbooth(
            "promo",
            "add",
            "sum mer",
            "7",
            "--uses",
            "10",
            "--days",
            "7",
            home=tmp_path,
            DATABASE_URL=database_url,
        )
        assert (made.returncode, made.stderr) == (0, "")
        assert "SUMMER gives 7 stars to each of 10 guests until 20" in made.stdout
        assert "/promo SUMMER" in made.stdout
        assert await codes(database) == [("SUMMER", 7, 10, True)]
        listed = starbooth("promo", "list", home=tmp_path, DATABASE_URL=database_url)
        assert listed.returncode == 0
        assert "SUMMER" in listed.stdout
        again = starbooth(
            "promo", "add", "SUMMER", "9", "--uses", "1", home=tmp_path, DATABASE_URL=database_url
        )
        assert again.returncode == 1
        assert "There is a code SUMMER already" in again.stderr
        assert await codes(database) == [("SUMMER", 7, 10, True)]

    async def test_where_there_is_none_it_says_how_to_make_one(
        self, database_url: str, tmp_path: Path
    ) -> None:
        listed = starbooth("promo", "list", home=tmp_path, DATABASE_URL=database_url)
        assert listed.returncode == 0
        assert "promo add CODE STARS" in listed.stdout

    @pytest.mark.parametrize(
        ("arguments", "status", "words"),
        [
            (("ABC", "10abc", "--uses", "1"), 2, "not a valid integer"),
            (("ABC", "1_000", "--uses", "1"), 2, "not a valid integer"),
            (("ABC", "5", "--uses", "1e3"), 2, "not a valid integer"),
            (("ABC", "5", "--uses", "1", "--days", "x"), 2, "not a valid integer"),
            (("ABC", "5"), 2, "--uses"),
            (("ABC", "0", "--uses", "1"), 1, "a code gives 1 to"),
            (("ABC", "-5", "--uses", "1"), 1, "a code gives 1 to"),
            (("ABC", "99999999999", "--uses", "1"), 1, "a code gives 1 to"),
            (("ABC", "5", "--uses", "-1"), 1, "a code has 1 to"),
            (("ABC", "5", "--uses", "1", "--days", "0"), 1, "a code lives 1 to"),
            (("ABC", "5", "--uses", "1", "--days", "999999999999"), 1, "a code lives 1 to"),
            (("A!", "5", "--uses", "1"), 1, "a code is 3 to 32"),
        ],
    )
    async def test_what_is_no_sensible_code_is_refused_in_words(
        self,
        database: Database,
        database_url: str,
        tmp_path: Path,
        arguments: tuple[str, ...],
        status: int,
        words: str,
    ) -> None:
        said = starbooth("promo", "add", *arguments, home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == status
        assert words in said.stderr
        assert "Traceback" not in said.stderr
        assert await codes(database) == []
