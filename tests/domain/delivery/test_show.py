"""Showing: one message per order, edited until it is the picture, whatever Telegram says meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from starbooth.base.database import Database, Tx
from starbooth.domain.delivery import owe
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.delivery.show import Look, Showing, find_news, show
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.place import Source
from starbooth.domain.users.guests import Language
from starbooth.outside.storage.store import open_storage
from starbooth.outside.telegram.errors import (
    Blocked,
    MessageGone,
    NotModified,
    TelegramRefused,
    TelegramUnavailable,
    TooMany,
)
from tests.make.guests import make_guest

WAITING = Screen(html="in the queue", rows=((Button(label="Cancel", action="cancel:1"),),))
PAINTING = Screen(html="painting, 40 %")
PICTURE = Screen(html="a red ball", file_key="pictures/corder/0.png")


@dataclass
class Chat:
    """A chat that remembers what was put into it, and can answer badly: one error per call, in order."""

    calls: list[tuple[str, int, str]] = field(default_factory=list)
    answers: list[Exception | None] = field(default_factory=list)
    screens: dict[int, str] = field(default_factory=dict)

    def _answer(self, method: str, message_id: int, screen: Screen) -> None:
        self.calls.append((method, message_id, screen.html))
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            raise error
        self.screens[message_id] = ("photo: " if method == "edit_picture" else "") + screen.html

    async def send_text(
        self, screen: Screen, *, chat_id: int, reply_to_message_id: int | None, thread_id: int | None = None
    ) -> int:
        message_id = 100 + len(self.calls)
        self._answer("send_text", message_id, screen)
        return message_id

    async def edit_text(self, screen: Screen, *, chat_id: int, message_id: int) -> None:
        self._answer("edit_text", message_id, screen)

    async def edit_picture(self, screen: Screen, body: bytes, *, chat_id: int, message_id: int) -> None:
        assert body == b"picture"
        self._answer("edit_picture", message_id, screen)

    async def send_album(
        self,
        pictures: Sequence[bytes],
        *,
        chat_id: int,
        reply_to_message_id: int | None,
        thread_id: int | None = None,
    ) -> Sequence[int]:
        raise AssertionError("an order for one picture has no album")

    async def delete(self, message_ids: Sequence[int], *, chat_id: int) -> None:
        raise AssertionError("nothing of it is ever deleted")


@dataclass
class Scene:
    """One order's delivery and its chat. `look` is what the order looks like just now."""

    database: Database
    order_id: str
    chat: Chat
    showing: Showing
    look: Look

    async def change(self, screen: Screen, *, is_final: bool = False) -> None:
        self.look = Look(screen=screen, is_final=is_final)
        async with self.database.transaction() as tx:
            await owe.owe(tx, self.order_id)

    async def show(self) -> None:
        await show(self.database, self.showing, self.order_id)

    async def make_due(self) -> None:
        """As if the pause that was asked for had passed."""
        async with self.database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.deliveries SET due_at = now(), busy_until = NULL"))

    async def row(self, column: str) -> object:
        async with self.database.transaction() as tx:
            return await tx.scalar(text(f"SELECT {column} FROM starbooth.deliveries"))


async def place_order(database: Database, user_id: str) -> str:
    async with database.transaction() as tx:
        placed = await request_pictures(
            tx,
            PictureRequest(request_key="test:1", user_id=user_id, source=Source.BOT, prompt="a red ball"),
            limits=Limits(active_orders=5, deadline=timedelta(minutes=5)),
            recipient=None,
        )
    return placed.order_id


@pytest.fixture
async def scene(database: Database, tmp_path: Path) -> Scene:
    user_id = await make_guest(database, stars=10, telegram_id=7)
    order_id = await place_order(database, user_id)
    async with database.transaction() as tx:
        await owe.open_delivery(
            tx, order_id, owe.Recipient(chat_id=7, reply_to_message_id=5, language=Language.SPANISH)
        )
    storage = open_storage(f"file://{tmp_path / 'storage'}")
    await storage.put("pictures/corder/0.png", b"picture", "image/png")
    chat = Chat()

    ordered = order_id

    async def look(tx: Tx, order_id: str, language: Language, *, is_shared: bool) -> Look | None:
        assert (order_id, language, is_shared) == (ordered, Language.SPANISH, False)
        return made.look

    showing = Showing(messenger=chat, storage=storage, look=look)
    made = Scene(database, order_id, chat, showing, Look(screen=WAITING, is_final=False))
    return made


class TestTheOrdinaryWay:
    async def test_one_message_is_sent_and_then_edited_until_it_is_the_picture(self, scene: Scene) -> None:
        await scene.show()
        await scene.change(PAINTING)
        await scene.show()
        await scene.change(PICTURE, is_final=True)
        await scene.show()
        assert [call[0] for call in scene.chat.calls] == ["send_text", "edit_text", "edit_picture"]
        assert scene.chat.screens == {100: "photo: a red ball"}
        assert await scene.row("state") == "delivered"

    async def test_nothing_is_said_when_nothing_is_owed(self, scene: Scene) -> None:
        await scene.show()
        await scene.show()
        assert len(scene.chat.calls) == 1

    async def test_an_order_that_looks_the_same_is_not_edited(self, scene: Scene) -> None:
        await scene.show()
        await scene.change(WAITING)
        await scene.show()
        assert len(scene.chat.calls) == 1
        assert await scene.row("shown = owed") is True

    async def test_a_picture_that_is_there_at_once_still_arrives_by_an_edit(self, scene: Scene) -> None:
        scene.look = Look(screen=PICTURE, is_final=True)
        await scene.show()
        assert [call[0] for call in scene.chat.calls] == ["send_text", "edit_picture"]
        assert scene.chat.screens == {100: "photo: a red ball"}

    async def test_an_active_order_is_looked_at_again_after_a_while(self, scene: Scene) -> None:
        await scene.show()
        assert await find_news(scene.database, news_limit=10, limit=10) == []
        async with scene.database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.deliveries SET due_at = now() - interval '10 seconds'"))
        assert await find_news(scene.database, news_limit=10, limit=10) == [scene.order_id]


class TestBadLuck:
    async def test_a_deleted_message_is_replaced_by_a_new_one_that_becomes_the_picture(
        self, scene: Scene
    ) -> None:
        await scene.show()
        scene.chat.answers = [MessageGone()]
        await scene.change(PICTURE, is_final=True)
        await scene.show()
        assert [call[0] for call in scene.chat.calls] == [
            "send_text",
            "edit_picture",
            "send_text",
            "edit_picture",
        ]
        assert scene.chat.screens[102] == "photo: a red ball"
        assert await scene.row("state") == "delivered"

    async def test_a_worker_that_died_between_sending_and_noting_never_doubles_the_picture(
        self, scene: Scene
    ) -> None:
        scene.look = Look(screen=PICTURE, is_final=True)
        scene.chat.answers = [None, KeyboardInterrupt()]  # type: ignore[list-item]  # the kill
        with pytest.raises(KeyboardInterrupt):
            await scene.show()
        await scene.make_due()
        await scene.show()
        pictures = [screen for screen in scene.chat.screens.values() if screen.startswith("photo")]
        assert len(pictures) == 1
        assert [call[0] for call in scene.chat.calls].count("send_text") == 1

    async def test_an_edit_that_was_done_before_counts_as_shown(self, scene: Scene) -> None:
        await scene.show()
        scene.chat.answers = [NotModified()]
        await scene.change(PAINTING)
        await scene.show()
        assert await scene.row("shown = owed") is True

    async def test_a_guest_who_blocked_the_bot_ends_the_delivery_and_is_remembered(
        self, scene: Scene
    ) -> None:
        scene.chat.answers = [Blocked()]
        await scene.show()
        assert await scene.row("state") == "undeliverable"
        async with scene.database.transaction() as tx:
            assert await tx.scalar(text("SELECT has_blocked_bot FROM starbooth.guests")) is True

    async def test_when_telegram_asks_for_patience_nothing_is_sent_before_its_time(
        self, scene: Scene
    ) -> None:
        scene.chat.answers = [TooMany("Too Many Requests", retry_after_s=30)]
        await scene.show()
        await scene.show()
        assert len(scene.chat.calls) == 1
        assert await scene.row("due_at > now() + interval '25 seconds'") is True
        await scene.make_due()
        await scene.show()
        assert scene.chat.screens == {101: "in the queue"}

    async def test_when_telegram_is_away_it_is_tried_again_with_longer_pauses(self, scene: Scene) -> None:
        scene.chat.answers = [TelegramUnavailable("http_502")] * 3
        pauses = []
        for _ in range(3):
            await scene.make_due()
            await scene.show()
            pauses.append(await scene.row("round(extract(epoch FROM due_at - now()))::int"))
        assert pauses == [1, 2, 4]

    async def test_what_telegram_refuses_for_good_is_given_up_after_a_few_tries(self, scene: Scene) -> None:
        scene.chat.answers = [TelegramRefused("can't parse entities")] * 10
        for _ in range(10):
            await scene.make_due()
            await scene.show()
        assert await scene.row("state") == "undeliverable"
        assert len(scene.chat.calls) == 4

    async def test_a_picture_that_is_not_in_storage_any_more_is_given_up_after_a_few_tries(
        self, scene: Scene
    ) -> None:
        await scene.change(Screen(html="a ball", file_key="pictures/corder/9.png"), is_final=True)
        for _ in range(10):
            await scene.make_due()
            await scene.show()
        assert await scene.row("state") == "undeliverable"
        assert set(scene.chat.screens.values()) == {"a ball"}

    async def test_two_workers_at_once_send_one_message(self, scene: Scene) -> None:
        async with scene.database.transaction() as tx:
            assert await owe.claim_delivery(tx, scene.order_id) is not None
        await scene.show()
        assert scene.chat.calls == []

    async def test_news_that_come_while_showing_are_shown_too(self, scene: Scene) -> None:
        async def look(tx: Tx, order_id: str, language: Language, *, is_shared: bool) -> Look | None:
            if not scene.chat.calls:  # the order changes between the first look and its message
                await owe.owe(tx, order_id)
                return Look(screen=WAITING, is_final=False)
            return Look(screen=PAINTING, is_final=False)

        showing = Showing(messenger=scene.chat, storage=scene.showing.storage, look=look)
        await show(scene.database, showing, scene.order_id)
        assert scene.chat.screens == {100: "painting, 40 %"}
