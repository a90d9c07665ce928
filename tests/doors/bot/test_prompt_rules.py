"""Refused prompts through the real bot: a calm no in the guest's language, no stars held, and a pause."""

from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from structlog.testing import capture_logs

from starbooth.base.database import Database, sql
from starbooth.base.settings import Settings
from starbooth.domain.prompts.word_list import add_entry
from starbooth.doors.bot.alerts import send_alerts
from starbooth.doors.bot.messenger import BotMessenger
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.panels import choose, open_settings, press
from tests.doors.bot.worker import Worker
from tests.make.checker import MemoryChecker, make_check
from tests.playground.guest import Guest

BAD = "a l.o.l.i.c.o.n of my own"
NO = "The rules of this booth do not allow this picture. Nothing was charged."
PAUSE = "Let us take a short break"


@pytest.fixture
async def at_work(database: Database, settings: Settings, bot: Bot) -> AsyncIterator[None]:
    strict = settings.model_copy(update={"prompt_refusals": 2})
    async with running_bot(database, strict, bot):
        yield


async def count(database: Database, table: str) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(sql(f"SELECT count(*) FROM starbooth.{table}")) or 0)


@pytest.mark.usefixtures("at_work")
class TestRefused:
    async def test_no_star_is_held_no_order_is_written_and_no_word_is_repeated(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        with capture_logs() as logs:
            said = await ada.say(BAD)
            answer = await answer_to(ada, said, "Nothing was charged.")
        assert answer.text == NO
        assert await balance_of(database, ada) == 20
        assert await count(database, "orders") == 0
        assert await count(database, "carts") == 0
        assert await count(database, "prompt_refusals") == 1
        assert "own" not in str(logs)

    @pytest.mark.parametrize(
        ("language", "wanted"), [("es", "Las reglas de este fotomatón"), ("ru", "Правила этой фотобудки")]
    )
    async def test_it_is_said_in_the_language_of_the_guest(
        self, make_guest: MakeGuest, language: str, wanted: str
    ) -> None:
        bo = await make_guest("Bo", language)
        said = await bo.say(BAD)
        await answer_to(bo, said, wanted)

    async def test_after_two_in_an_hour_there_is_a_pause_for_this_guest_alone(
        self, ada: Guest, make_guest: MakeGuest, database: Database, worker: Worker
    ) -> None:
        await start(ada)
        for _ in range(2):
            await answer_to(ada, await ada.say(BAD), NO)
        for prompt in (BAD, "a red boat"):
            paused = await answer_to(ada, await ada.say(prompt), PAUSE)
            assert "again in about 30\u00a0min. Nothing was charged." in paused.text
        assert await balance_of(database, ada) == 20
        bo = await make_guest("Bo")
        await start(bo)
        await bo.say("a red boat")
        await worker.wait_for_order()
        assert await balance_of(database, bo) == 17

    async def test_a_button_under_an_older_picture_is_refused_and_counted_too(
        self, ada: Guest, database: Database, worker: Worker
    ) -> None:
        await start(ada)
        await ada.say("a red dragon")
        await worker.wait_for_order()
        await worker.paint_all()
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        async with database.transaction() as tx:
            await add_entry(tx, typed="dragon", note="", operator="command:test")
        answer = await ada.press(picture, "Again · 3 ⭐")
        assert answer is not None
        assert answer["text"] == NO
        assert await balance_of(database, ada) == 17
        assert await count(database, "prompt_refusals") == 1


class TestChecker:
    async def test_its_no_holds_no_stars_and_its_absence_is_told_to_operators(
        self, ada: Guest, make_guest: MakeGuest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        eve = await make_guest("Eve")
        checker = MemoryChecker("dragon")
        check = make_check(checker, when_away="refuse")
        async with running_bot(database, settings, bot, prompt_check=check):
            await start(ada)
            await start(eve)
            assert (await answer_to(ada, await ada.say("a red dragon"), "Nothing was charged.")).text == NO
            checker.is_away = True
            await answer_to(ada, await ada.say("a red boat"), "I cannot look at new wishes at the moment.")
        assert await balance_of(database, ada) == 20
        assert (await count(database, "orders"), await count(database, "prompt_refusals")) == (0, 1)
        await send_alerts(database, BotMessenger(bot), operators=[eve.user_id])
        told = await eve.wait_for(lambda message: "prompt checker does not answer" in message.text)
        assert "(checker: it is away)" in told.text
        assert "Prompts are refused" in told.text

    async def test_a_panel_asks_it_when_it_is_ordered(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        checker = MemoryChecker("dragon")
        async with running_bot(database, settings, bot, prompt_check=make_check(checker)):
            await start(ada)
            await choose(ada, await open_settings(ada), "Ask me first: off")
            said = await ada.say("a red dragon")
            panel = await ada.wait_for(lambda message: bool(message.labels), after=said)
            assert checker.asked == []
            order = next(label for label in panel.labels if "⭐" in label)
            assert (await press(ada, panel, order))["text"] == NO
        assert await balance_of(database, ada) == 20
        assert (await count(database, "orders"), await count(database, "prompt_refusals")) == (0, 1)
        assert len(checker.asked) == 1
