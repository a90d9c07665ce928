"""What buttons say fits and is read back; what no button says is nobody's press; each press is answered."""

from datetime import timedelta

import pytest
from aiogram import Bot

from starbooth.base.database import Database
from starbooth.domain.generations.request import Limits
from starbooth.doors.bot.handlers import Handlers
from starbooth.doors.bot.inbox import NOTE
from starbooth.doors.bot.panel_moves import Move, Verb, parse_move, removal_value, weight_value
from starbooth.doors.bot.terms import Terms
from tests.doors.bot.buying import rows
from tests.doors.bot.recording import RecordingSession
from tests.doors.bot.updates import message_update, press_update

ID = "c" + "0" * 24


class TestParseMove:
    @pytest.mark.parametrize(
        ("verb", "value"),
        [
            (Verb.LORA, weight_value(ID, 2.7)),
            (Verb.LORA, removal_value(ID)),
            (Verb.SEED, str(2**63 - 1)),
            (Verb.SHAPE, "landscape_16_9"),
            (Verb.TYPE, "negative"),
            (Verb.ORDER, "999999999"),
            (Verb.RESET, ""),
        ],
    )
    def test_every_button_fits_and_comes_back_as_it_was(self, verb: Verb, value: str) -> None:
        move = Move(draft_id=ID, verb=verb, value=value)
        assert len(str(move).encode()) <= 64
        assert parse_move(str(move)) == move

    @pytest.mark.parametrize(
        "text",
        [
            None,
            "",
            "s:",
            "s:me",
            "s:me:n:0",
            "s:me:n:١",
            "s:me:q:1",
            "s:me:n:5:5",
            f"s:{ID}:f:circle",
            f"s:me:m:{ID}x",
            "s:me:o:3",
            "s:me:z",
            "s:me:b",
            "s:you:r",
            f"s:{ID}:e:{'9' * 20}",
            "s:me:r:1",
        ],
    )
    def test_what_no_button_says_is_nothing(self, text: str | None) -> None:
        assert parse_move(text) is None


class TestAnswering:
    @pytest.fixture
    def telegram(self) -> RecordingSession:
        return RecordingSession()

    @pytest.fixture
    def handlers(self, database: Database, telegram: RecordingSession) -> Handlers:
        limits = Limits(active_orders=3, deadline=timedelta(seconds=60))
        return Handlers(database, Bot("42:TEST", session=telegram), Terms(welcome_stars=20, limits=limits))

    @pytest.mark.parametrize("what", ["o:3", "z", "b", "n:2", "v:h", "w:words"])
    async def test_a_panel_that_is_nobodys_or_gone_is_answered_and_left_alone(
        self, handlers: Handlers, telegram: RecordingSession, what: str
    ) -> None:
        await handlers.handle(press_update(1, f"s:{ID}:{what}"))
        assert telegram.toasts == ["This panel is closed. Nothing was charged."]
        assert len(telegram.calls) == 1

    @pytest.mark.parametrize(
        ("what", "wanted"),
        [
            ("n:9", "I take up to 4 pictures at a time. Nothing was charged."),
            ("d:0", "This model takes values from 0.01 to 1 there. Nothing was charged."),
            (f"e:{'9' * 19}", "A seed is a whole number from 0 to 9223372036854775807."),
            (f"c:{ID}", "That preset is not there any more."),
            ("t:101", ""),
            (f"m:{ID}", ""),
            (f"l:{ID}:10", ""),
            (f"k:{ID}", "Deleted."),
            ("oops", "This button does nothing any more. Nothing was charged."),
        ],
    )
    async def test_what_was_made_up_is_answered_and_changes_nothing(
        self, handlers: Handlers, telegram: RecordingSession, database: Database, what: str, wanted: str
    ) -> None:
        await handlers.handle(press_update(1, f"s:me:{what}"))
        assert (telegram.toasts[0] or "").startswith(wanted)
        assert await rows(database, "SELECT 1 FROM starbooth.remembered WHERE choices <> '{}'") == []

    async def test_a_text_that_opens_a_panel_opens_one_handled_twice(
        self, handlers: Handlers, telegram: RecordingSession, database: Database
    ) -> None:
        await handlers.handle(press_update(1, "s:me:a:1"))
        await handlers.handle(message_update(2))
        await handlers.handle(message_update(2))
        assert await rows(database, "SELECT prompt FROM starbooth.drafts") == [("a red boat",)]
        assert len(telegram.texts) == 1

    async def test_an_answer_handled_once_more_is_shown_again_and_is_no_order(
        self, handlers: Handlers, telegram: RecordingSession, database: Database
    ) -> None:
        await handlers.handle(press_update(1, "s:me:w:seed"))
        await handlers.handle(message_update(2, text="7"))
        await handlers.handle({**message_update(2, text="7"), NOTE: "answer:me:1:h"})
        assert await rows(database, "SELECT choices FROM starbooth.remembered") == [({"seed": 7},)]
        assert await rows(database, "SELECT 1 FROM starbooth.orders") == []
        assert telegram.texts == []
