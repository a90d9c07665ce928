"""The list in the database: whoever changes it, every process compares by the new one from then on."""

import asyncio

import pytest

from starbooth.base.database import Database, sql
from starbooth.domain.prompts.errors import NoSuchPhrase, PhraseRefused
from starbooth.domain.prompts.matching import tidy_entry
from starbooth.domain.prompts.word_list import add_entry, find_in, list_entries, remove_entry, remove_numbered


async def add(database: Database, typed: str, note: str = "") -> str:
    async with database.transaction() as tx:
        return await add_entry(tx, typed=typed, note=note, operator="command:test")


async def remove(database: Database, typed: str) -> str:
    async with database.transaction() as tx:
        return await remove_entry(tx, typed=typed, operator="command:test")


async def held(database: Database, prompt: str) -> str | None:
    async with database.transaction() as tx:
        return await find_in(tx, [prompt])


async def entries(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return [each.entry for each in await list_entries(tx)]


class TestList:
    async def test_a_change_holds_from_the_next_prompt_on_in_every_process(self, database: Database) -> None:
        other = Database(database._url.render_as_string(hide_password=False), connections=1)
        try:
            assert await held(other, "a red dragon") is None
            assert await add(database, "Dragon*", "too hot") == "dragon*"
            assert await held(other, "two red d.r.a.g.o.n.s") == "dragon*"
            await remove(database, "DRAGON*")
            assert await held(other, "a red dragon") is None
        finally:
            await other.aclose()

    async def test_adding_twice_keeps_the_first_and_is_written_down_once(self, database: Database) -> None:
        await add(database, "dragon", "first")
        await add(database, "Dragon", "second")
        async with database.transaction() as tx:
            found = [each for each in await list_entries(tx) if each.entry == "dragon"]
            deeds = await tx.execute(
                sql("SELECT subject FROM starbooth.operator_log WHERE action = 'words_add'")
            )
            assert list(deeds.scalars()) == ["dragon"]
        assert [(each.note, each.operator, each.refusals) for each in found] == [("first", "command:test", 0)]

    async def test_several_operators_at_once_lose_nothing(self, database: Database) -> None:
        names = [f"dragon{number}" for number in range(8)]
        await asyncio.gather(*(add(database, name) for name in names))
        assert set(names) <= set(await entries(database))
        assert [await held(database, f"a {name}") for name in names] == names

    async def test_what_is_not_there_cannot_be_removed(self, database: Database) -> None:
        with pytest.raises(NoSuchPhrase):
            await remove(database, "dragon")
        with pytest.raises(NoSuchPhrase):
            async with database.transaction() as tx:
                await remove_numbered(tx, number=987_654, operator="command:test")

    async def test_a_refused_entry_changes_nothing(self, database: Database) -> None:
        before = await entries(database)
        with pytest.raises(PhraseRefused):
            await add(database, "a*")
        with pytest.raises(PhraseRefused):
            await add(database, "dragon", "x" * 501)
        assert await entries(database) == before


class TestFirstList:
    async def test_it_is_written_as_entries_are_kept(self, database: Database) -> None:
        found = await entries(database)
        assert len(found) >= 5
        assert [tidy_entry(each) for each in found] == found

    @pytest.mark.parametrize(
        "prompt",
        [
            "naked children",
            "Erotic pictures of a s.c.h.o.o.l.g.i.r.l",
            "niñas desnudas",
            "голый ребенок",
            "обнажённые дети",
            "lolicon",
            "undress her",
        ],
    )
    async def test_what_no_booth_should_paint_is_refused(self, database: Database, prompt: str) -> None:
        assert await held(database, prompt) is not None

    @pytest.mark.parametrize(
        "prompt",
        [
            "children playing on a beach at sunset",
            "a nude in the manner of Modigliani",
            "портрет девочки с персиками",
            "голова лошади и дети на лугу",
            "niños jugando al fútbol en el parque",
            "una mujer desnuda, estilo Botero",
            "a sonata in C minor, sheet music on an old piano",
            "kid goats in the mountains",
            "infantry at dawn, black and white photo",
            "a Scottish castle in Middlesex with a class of teenagers",
        ],
    )
    async def test_what_is_harmless_is_not(self, database: Database, prompt: str) -> None:
        assert await held(database, prompt) is None
