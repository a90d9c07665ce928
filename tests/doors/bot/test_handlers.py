"""Updates that no honest client sends, and those that deserve silence: straight into the handlers."""

from datetime import timedelta
from typing import Any

import pytest
from aiogram import Bot
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.generations.request import Limits
from starbooth.domain.users.guests import Language, meet
from starbooth.doors.bot.handlers import Handlers, UpdateNotUnderstood
from starbooth.doors.bot.terms import Terms
from tests.doors.bot.recording import RecordingSession
from tests.doors.bot.updates import message_update, press_update, thing_update

NOBODY = "c" + "0" * 24


@pytest.fixture
def telegram() -> RecordingSession:
    return RecordingSession()


@pytest.fixture
def handlers(database: Database, telegram: RecordingSession) -> Handlers:
    limits = Limits(active_orders=3, deadline=timedelta(seconds=60))
    return Handlers(database, Bot("42:TEST", session=telegram), Terms(welcome_stars=20, limits=limits))


async def count(database: Database, what: str) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM {what}")) or 0)


async def only_order(database: Database) -> str:
    async with database.transaction() as tx:
        return str((await tx.execute(text("SELECT id FROM starbooth.orders"))).scalar_one())


class TestRepeats:
    async def test_a_prompt_handled_twice_is_one_order_and_one_gift(
        self, handlers: Handlers, database: Database
    ) -> None:
        await handlers.handle(message_update(1))
        await handlers.handle(message_update(1))
        assert await count(database, "starbooth.orders") == 1
        assert await count(database, 'public."StarTransaction" WHERE "type" = \'BONUS\'') == 1

    async def test_the_gift_stays_one_when_its_size_changes(
        self, handlers: Handlers, database: Database, telegram: RecordingSession
    ) -> None:
        await handlers.handle(message_update(1, text="/start"))
        limits = Limits(active_orders=3, deadline=timedelta(seconds=60))
        richer = Handlers(database, Bot("42:TEST", session=telegram), Terms(welcome_stars=99, limits=limits))
        await richer.handle(message_update(2, text="/start"))
        assert await count(database, 'public."StarTransaction" WHERE "type" = \'BONUS\'') == 1
        assert "You have 20 stars." in telegram.texts[-1]

    async def test_no_gift_where_the_operator_gives_none(
        self, database: Database, telegram: RecordingSession
    ) -> None:
        limits = Limits(active_orders=3, deadline=timedelta(seconds=60))
        poor = Handlers(database, Bot("42:TEST", session=telegram), Terms(welcome_stars=0, limits=limits))
        await poor.handle(message_update(1, text="/start"))
        assert "You have 0 stars." in telegram.texts[0]

    async def test_who_came_by_another_door_gets_the_gift_at_start(
        self, handlers: Handlers, database: Database, telegram: RecordingSession
    ) -> None:
        async with database.transaction() as tx:
            await meet(tx, telegram_id=7, chat_id=7, username=None, language=Language.ENGLISH)
        await handlers.handle(message_update(1, text="/start"))
        assert "A welcome gift: 20 stars for you." in telegram.texts[0]

    async def test_whatever_comes_first_the_gift_is_not_lost(
        self, handlers: Handlers, database: Database, telegram: RecordingSession
    ) -> None:
        person = {"id": 7, "is_bot": False, "first_name": "Ada"}
        member = {"user": {"id": 42, "is_bot": True, "first_name": "Starbooth"}, "status": "member"}
        change = {
            "chat": {"id": 7, "type": "private", "first_name": "Ada"},
            "from": person,
            "date": 0,
            "old_chat_member": {**member, "status": "kicked", "until_date": 0},
            "new_chat_member": member,
        }
        await handlers.handle({"update_id": 1, "my_chat_member": change})
        await handlers.handle(message_update(2, text="/balance"))
        assert "You have 20 stars." in telegram.texts[0]


class TestStrangers:
    @pytest.mark.parametrize("verb", ["cancel", "again", "like", "retry"])
    async def test_somebody_elses_order_is_as_good_as_none(
        self, handlers: Handlers, database: Database, telegram: RecordingSession, verb: str
    ) -> None:
        await handlers.handle(message_update(1, chat_id=7))
        order_id = await only_order(database)
        for number, known in enumerate((order_id, NOBODY), start=2):
            await handlers.handle(press_update(number, f"{verb}:{known}:3", chat_id=666))
        assert telegram.toasts == ["This is not one of your pictures. Nothing was charged."] * 2
        assert await count(database, "starbooth.orders WHERE state = 'held'") == 1

    @pytest.mark.parametrize(
        "action",
        ["", None, "again", "again:", f"destroy:{NOBODY}", f"again:{NOBODY}:-1", f"again:{NOBODY}:1:1", "🦊"],
    )
    async def test_a_button_that_we_do_not_know_is_answered_politely(
        self, handlers: Handlers, database: Database, telegram: RecordingSession, action: str | None
    ) -> None:
        await handlers.handle(press_update(1, action))
        assert telegram.toasts == ["This button does nothing any more. Nothing was charged."]
        assert await count(database, "starbooth.orders") == 0

    async def test_a_press_under_a_message_that_is_gone_is_still_answered(
        self, handlers: Handlers, database: Database, telegram: RecordingSession
    ) -> None:
        await handlers.handle(message_update(1))
        update = press_update(2, f"cancel:{await only_order(database)}")
        del update["callback_query"]["message"]
        await handlers.handle(update)
        assert telegram.toasts == ["Cancelled. All 3 stars are back with you."]


class TestSilence:
    @pytest.mark.parametrize(
        "update",
        [
            {"update_id": 1, "edited_message": message_update(1)["message"]},
            {"update_id": 1, "telepathy": {"thought": "a red boat"}},
            {"update_id": 1},
            thing_update(1, things={"pinned_message": message_update(1)["message"]}),
        ],
    )
    async def test_what_is_no_request_gets_no_answer(
        self, handlers: Handlers, database: Database, telegram: RecordingSession, update: dict[str, Any]
    ) -> None:
        await handlers.handle(update)
        assert telegram.calls == []
        assert await count(database, "starbooth.orders") == 0

    @pytest.mark.parametrize("words", ["a red boat", "/refund x", "/start@another_bot", "hello @other_bot"])
    async def test_talk_in_a_group_is_not_for_us(
        self, handlers: Handlers, database: Database, telegram: RecordingSession, words: str
    ) -> None:
        await handlers.handle(message_update(1, text=words, chat={"id": -5, "type": "group", "title": "Us"}))
        assert telegram.calls == []
        assert await count(database, "starbooth.guests") == 0

    @pytest.mark.parametrize("words", ["/paint a red boat", "@starbooth_bot a red boat"])
    async def test_who_writes_in_the_name_of_a_group_orders_nothing(
        self, handlers: Handlers, database: Database, telegram: RecordingSession, words: str
    ) -> None:
        group = {"id": -5, "type": "supergroup", "title": "Us"}
        await handlers.handle(message_update(1, text=words, chat=group, sender_chat=group))
        assert telegram.texts[0].startswith("I cannot see who you are")
        assert await count(database, "starbooth.guests") == 0

    async def test_a_channel_is_left_alone(
        self, handlers: Handlers, database: Database, telegram: RecordingSession
    ) -> None:
        channel = {"id": -5, "type": "channel", "title": "News"}
        member = {"user": {"id": 42, "is_bot": True, "first_name": "S"}, "status": "member"}
        change = {
            "chat": channel,
            "from": {"id": 7, "is_bot": False, "first_name": "Ada"},
            "date": 0,
            "old_chat_member": {**member, "status": "left"},
            "new_chat_member": member,
        }
        await handlers.handle({"update_id": 1, "my_chat_member": change})
        assert telegram.calls == []

    async def test_an_album_is_answered_once(self, handlers: Handlers, telegram: RecordingSession) -> None:
        video = {"file_id": "x", "file_unique_id": "x", "width": 1, "height": 1, "duration": 1}
        for number in range(1, 4):
            album = {"video": video, "media_group_id": "g"}
            await handlers.handle(thing_update(number, things=album))
        assert len(telegram.texts) == 1


class TestThings:
    @pytest.mark.parametrize(
        ("kind", "thing", "wanted"),
        [
            ("poll", None, "I will not vote"),
            ("video", None, "I cannot watch videos."),
            ("dice", {"emoji": "🎲", "value": 3}, "Charming"),
            ("venue", None, "I cannot travel there"),
        ],
    )
    async def test_other_kinds_are_answered_too(
        self,
        handlers: Handlers,
        telegram: RecordingSession,
        kind: str,
        thing: dict[str, Any] | None,
        wanted: str,
    ) -> None:
        file = {"file_id": "x", "file_unique_id": "x"}
        things: dict[str, Any] = {
            "poll": {
                "id": "1",
                "question": "?",
                "options": [],
                "total_voter_count": 0,
                "is_closed": False,
                "is_anonymous": True,
                "type": "regular",
                "allows_multiple_answers": False,
                "allows_revoting": False,
                "members_only": False,
            },
            "video": {**file, "width": 1, "height": 1, "duration": 1},
            "venue": {"location": {"latitude": 1, "longitude": 1}, "title": "Here", "address": "There"},
        }
        await handlers.handle(thing_update(1, things={kind: thing or things[kind]}))
        assert wanted in telegram.texts[0]
        assert telegram.texts[0].endswith("Nothing was charged.")


class TestApologising:
    async def test_the_guest_is_told_in_their_language(
        self, handlers: Handlers, telegram: RecordingSession
    ) -> None:
        await handlers.apologise(message_update(1, language_code="ru"))
        assert telegram.texts[0].startswith("У нас что-то сломалось")

    async def test_a_press_is_apologised_for_in_the_chat(
        self, handlers: Handlers, telegram: RecordingSession
    ) -> None:
        await handlers.apologise(press_update(1, "again"))
        assert telegram.texts[0].startswith("Something went wrong on our side")

    @pytest.mark.parametrize(
        "update",
        [
            {"update_id": 1},
            {"update_id": 1, "my_chat_member": {"chat": {"id": 7, "type": "private"}, "from": {"id": 7}}},
            message_update(1, chat={"id": -5, "type": "group"}),
        ],
    )
    async def test_where_nobody_waits_nobody_is_told(
        self, handlers: Handlers, telegram: RecordingSession, update: dict[str, Any]
    ) -> None:
        await handlers.apologise(update)
        assert telegram.calls == []


class TestSecrecy:
    async def test_an_update_that_is_not_understood_is_named_without_its_words(
        self, handlers: Handlers
    ) -> None:
        update = message_update(1, text="my secret wish")
        update["message"]["chat"] = "my secret place"
        with pytest.raises(UpdateNotUnderstood) as caught:
            await handlers.handle(update)
        assert str(caught.value) == "message.chat"
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
