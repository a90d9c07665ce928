"""/words through the real bot: operators keep the list; for everybody else there is no such command."""

from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from structlog.testing import capture_logs

from starbooth.base.database import Database, sql
from starbooth.base.settings import Settings
from starbooth.domain.prompts.word_list import add_entry, list_entries, remove_entry
from starbooth.doors.bot.inbox import keep_updates
from starbooth.doors.bot.word_list_screens import PAGE, Turn, parse_turn
from tests.doors.bot.chat import answer_to, start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.updates import press_update
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")
UNKNOWN = "I do not know that command."


@pytest.fixture
async def eve(make_guest: MakeGuest) -> Guest:
    """An operator."""
    return await make_guest("Eve")


@pytest.fixture
async def at_work(database: Database, settings: Settings, bot: Bot, eve: Guest) -> AsyncIterator[None]:
    async with running_bot(database, settings.model_copy(update={"operators": (eve.user_id,)}), bot):
        yield


async def ask(guest: Guest, command: str, wanted: str) -> Message:
    return await answer_to(guest, await guest.say(command), wanted)


async def entries(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return [each.entry for each in await list_entries(tx)]


class TestByWords:
    async def test_an_entry_is_added_tried_and_removed_and_both_are_written_down(
        self, eve: Guest, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        await ask(eve, "/words add Dragon* | wyvern # too hot", "refused from now on: dragon*|wyvern")
        await answer_to(ada, await ada.say("a red d.r.a.g.o.n"), "The rules of this booth do not allow")
        await ask(eve, "/words test two wyverns", "The list allows it.")
        await ask(eve, "/words test a Wyvern", "by this entry: dragon*|wyvern")
        listed = await ask(eve, "/words", "What prompts must not hold")
        assert "dragon*|wyvern · too hot · 1 prompt refused" in listed.text
        assert f"{ada.user_id}: 1 since yesterday, 1 in 30 days" in listed.text
        await ask(eve, "/WORDS remove dragon*|wyvern", "Taken off the list: dragon*|wyvern")
        async with database.transaction() as tx:
            deeds = await tx.execute(
                sql("SELECT operator, action, subject FROM starbooth.operator_log ORDER BY number")
            )
            assert [tuple(row) for row in deeds] == [
                (f"telegram:{eve.user_id}", action, "dragon*|wyvern")
                for action in ("words_add", "words_remove")
            ]

    @pytest.mark.parametrize(
        ("command", "wanted"),
        [
            ("/words add", "Write it like this"),
            ("/words burn dragon", "Write it like this"),
            ("/words add a*", "That cannot stand in the list."),
            ("/words remove dragon", "The list does not have this entry."),
        ],
    )
    async def test_what_makes_no_sense_is_told(self, eve: Guest, command: str, wanted: str) -> None:
        await ask(eve, command, wanted)


class TestByButtons:
    async def test_pages_are_turned_and_an_entry_is_taken_off(self, eve: Guest, database: Database) -> None:
        async with database.transaction() as tx:
            for number in range(PAGE):
                await add_entry(tx, typed=f"dragon{number}", note="", operator="command:test")
        before = await entries(database)
        listed = await ask(eve, "/words", "What prompts must not hold")
        await eve.press(listed, "▶")
        second = await eve.wait_for(
            lambda message: message.message_id == listed.message_id and "dragon5" in message.text
        )
        number = before.index("dragon5") + 1
        await eve.press(second, f"✕ {number}")
        gone = await eve.wait_for(lambda message: "Taken off the list: dragon5" in message.text)
        assert gone.message_id == listed.message_id
        assert await entries(database) == [each for each in before if each != "dragon5"]

    async def test_an_entry_that_another_took_off_is_told_and_the_list_is_shown_as_it_is(
        self, eve: Guest, database: Database
    ) -> None:
        listed = await ask(eve, "/words", "What prompts must not hold")
        async with database.transaction() as tx:
            (first, *others) = [each.entry for each in await list_entries(tx)]
            await remove_entry(tx, typed=first, operator="command:test")
        answer = await eve.press(listed, "✕ 1")
        assert answer is not None
        assert answer["text"] == "The list does not have this entry."
        assert await entries(database) == others
        shown = await eve.wait_for(lambda message: message.message_id == listed.message_id)
        assert f"✕ {len(others) + 1}" not in shown.labels

    async def test_an_empty_list_says_so(self, eve: Guest, database: Database) -> None:
        async with database.transaction() as tx:
            await tx.execute(sql("DELETE FROM starbooth.prompt_words"))
        listed = await ask(eve, "/words", "The list is empty.")
        assert listed.labels == []
        assert "No prompt was refused in the last 30 days." in listed.text


class TestEverybodyElse:
    @pytest.mark.parametrize("command", ["/words", "/words add boat", "/words remove csam"])
    async def test_there_is_no_such_command_for_them(
        self, ada: Guest, database: Database, command: str
    ) -> None:
        before = await entries(database)
        with capture_logs() as logs:
            await ask(ada, command, UNKNOWN)
        assert await entries(database) == before
        (line,) = [log for log in logs if log["event"] == "operators.not_one"]
        assert line["telegram_id"] == ada.user_id

    async def test_a_forged_button_does_nothing(self, ada: Guest, eve: Guest, database: Database) -> None:
        await start(ada)
        async with database.transaction() as tx:
            number = await tx.scalar(sql("SELECT min(id) FROM starbooth.prompt_words"))
            forged = press_update(900_000_000, f"words:0:{number}", chat_id=ada.user_id)
            await keep_updates(tx, [forged])
        before = await entries(database)
        await ask(ada, "/help", "/cancel")  # one chat's updates are handled in turn
        assert await entries(database) == before


class TestTurns:
    @pytest.mark.parametrize("text", [None, "", "words:", "words:x", "words:1:", "words:1:2:3", "words:٣"])
    def test_what_no_button_says_is_not_understood(self, text: str | None) -> None:
        assert parse_turn(text) is None

    @pytest.mark.parametrize("turn", [Turn(page=0), Turn(page=9999, remove=10**17)])
    def test_every_button_is_understood_and_fits(self, turn: Turn) -> None:
        assert parse_turn(str(turn)) == turn
        assert len(str(turn).encode()) <= 64
