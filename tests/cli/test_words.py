"""`starbooth words`, as an operator runs it while the booth is open."""

from pathlib import Path

import pytest

from starbooth.base.database import Database
from starbooth.domain.prompts.errors import PromptRefused
from starbooth.domain.prompts.gate import note_refusal
from tests.cli.commands import starbooth
from tests.make.guests import make_guest


class TestWords:
    def test_an_entry_is_added_tried_listed_and_removed(self, database_url: str, tmp_path: Path) -> None:
        def words(*arguments: str) -> tuple[int, str]:
            said = starbooth("words", *arguments, home=tmp_path, DATABASE_URL=database_url)
            return said.returncode, said.stdout + said.stderr

        assert words("test", "a red dragon") == (0, "Allowed.\n")
        status, said = words("add", "Dragon* | wyvern", "--note", "too hot here")
        assert (status, said) == (0, "Prompts with this are refused from now on: dragon*|wyvern\n")
        assert words("test", "two d.r.a.g.o.n.s") == (1, "Refused, by this entry: dragon*|wyvern\n")
        status, said = words("list")
        assert status == 0
        assert all(
            part in said for part in ("dragon*|wyvern", "too hot here", "command:", "abuse of children")
        )
        assert words("remove", "dragon*|WYVERN") == (0, "Allowed from now on: dragon*|wyvern\n")
        assert words("test", "a red dragon")[0] == 0

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("add", "a*"), "a word has"),
            (("add", "nude +"), "there is nothing in it"),
            (("remove", "dragon"), "no such entry"),
        ],
    )
    def test_what_makes_no_sense_is_told(
        self, database_url: str, tmp_path: Path, arguments: tuple[str, ...], said: str
    ) -> None:
        answered = starbooth("words", *arguments, home=tmp_path, DATABASE_URL=database_url)
        assert answered.returncode == 1
        assert said in answered.stderr
        assert "Traceback" not in answered.stderr


class TestRefusals:
    async def test_guests_are_shown_without_their_words(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        nobody = starbooth("words", "refusals", home=tmp_path, DATABASE_URL=database_url)
        assert nobody.stdout == "No prompt was refused in the last 30 days.\n"
        user_id = await make_guest(database, username="bo")
        refusal = PromptRefused(user_id=user_id, request_key="one", cause="word", detail="dragon")
        async with database.transaction() as tx:
            await note_refusal(tx, refusal)
        shown = starbooth("words", "refusals", home=tmp_path, DATABASE_URL=database_url)
        assert "@bo" in shown.stdout


class TestGenerate:
    def test_the_list_holds_for_operators_too(self, database_url: str, tmp_path: Path) -> None:
        said = starbooth(
            *("generate", "a lolicon", "-o", str(tmp_path / "picture.jpg")),
            home=tmp_path,
            DATABASE_URL=database_url,
        )
        assert said.returncode == 1
        assert "The word list does not allow this prompt" in said.stderr
