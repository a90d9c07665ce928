"""Refused prompts through the real bot: a calm no in the guest's language, no stars held, and a pause."""

from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from structlog.testing import capture_logs

from starbooth.base.database import Database, sql
from starbooth.base.settings import Settings
from starbooth.domain.prompts.word_list import add_entry
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.worker import Worker
from tests.playground.guest import Guest

pytestmark = pytest.mark.usefixtures("at_work")
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
