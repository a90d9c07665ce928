"""`starbooth grant` and `starbooth audit`, as an operator runs them."""

from pathlib import Path

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.users.guests import Language, meet
from tests.cli.commands import starbooth


@pytest.fixture
async def ada(database: Database) -> str:
    async with database.transaction() as tx:
        guest = await meet(tx, telegram_id=77, chat_id=77, username="ada", language=Language.ENGLISH)
    return guest.user_id


async def balance(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text('SELECT "stars" FROM "User" WHERE "telegramId" = \'77\'')) or 0)


@pytest.mark.usefixtures("ada")
class TestGrant:
    async def test_stars_are_given_by_name_with_a_reason_that_stays(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        said = starbooth("grant", "@ada", "25", "--reason", "sorry", home=tmp_path, DATABASE_URL=database_url)
        assert (said.returncode, said.stderr) == (0, "")
        assert "+25 stars granted; the balance is 25" in said.stdout
        async with database.transaction() as tx:
            facts = await tx.scalar(text('SELECT "metadata" FROM "StarTransaction"'))
        assert facts["reason"] == "sorry"
        assert facts["operator"].startswith("command:")

    async def test_the_same_key_grants_once_and_other_facts_are_refused(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        same = ("grant", "77", "5", "--reason", "prize", "--key", "prize-1")
        first = starbooth(*same, home=tmp_path, DATABASE_URL=database_url)
        again = starbooth(*same, home=tmp_path, DATABASE_URL=database_url)
        other = starbooth(
            "grant",
            "77",
            "6",
            "--reason",
            "prize",
            "--key",
            "prize-1",
            home=tmp_path,
            DATABASE_URL=database_url,
        )
        assert (first.returncode, again.returncode, other.returncode) == (0, 0, 1)
        assert "had been granted before" in again.stdout
        assert "another grant" in other.stderr
        assert await balance(database) == 5

    @pytest.mark.parametrize(
        ("user", "amount", "reason", "status", "words"),
        [
            ("@nobody", "5", "x", 1, "Nobody is known"),
            ("77", "0", "x", 1, "cannot be moved"),
            ("77", "10abc", "x", 2, "valid integer"),
            ("77", "99999999999", "x", 1, "cannot be moved"),
            ("77", "-1", "x", 1, "the balance is 0"),
            ("77", "5", "  ", 1, "Say why"),
        ],
    )
    async def test_what_cannot_be_granted_is_refused_in_words(
        self,
        database: Database,
        database_url: str,
        tmp_path: Path,
        user: str,
        amount: str,
        reason: str,
        status: int,
        words: str,
    ) -> None:
        said = starbooth("grant", user, amount, "--reason", reason, home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == status
        assert words in said.stderr
        assert "Traceback" not in said.stderr
        assert await balance(database) == 0


@pytest.mark.usefixtures("ada")
class TestAudit:
    async def test_a_clean_ledger_is_told_as_such(self, database_url: str, tmp_path: Path) -> None:
        starbooth("grant", "77", "5", "--reason", "x", home=tmp_path, DATABASE_URL=database_url)
        said = starbooth("audit", home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == 0
        assert "1 accounts, 1 ledger rows: every star is accounted for." in said.stdout

    async def test_a_balance_altered_behind_our_back_is_named_with_its_difference(
        self, database: Database, database_url: str, tmp_path: Path, ada: str
    ) -> None:
        async with database.transaction() as tx:
            await tx.execute(text('UPDATE "User" SET "stars" = "stars" + 7'))
        said = starbooth("audit", home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == 1
        assert ada in said.stdout
        assert "+7" in said.stdout
