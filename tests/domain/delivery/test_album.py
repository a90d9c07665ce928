"""Albums: tiles are sent once and become the pictures, whatever dies and whatever Telegram says."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from sqlalchemy import text

from starbooth.base.database import Database, Tx
from starbooth.domain.delivery import owe
from starbooth.domain.delivery.screen import Screen, Tile
from starbooth.domain.delivery.show import Look, Showing, show
from starbooth.domain.users.guests import Language
from starbooth.outside.telegram.errors import (
    Blocked,
    ChatMoved,
    MessageGone,
    TelegramRefused,
    TelegramUnavailable,
    TooMany,
)
from tests.make.guests import make_guest
from tests.make.orders import place_pictures
from tests.make.storage import MemoryStorage

TILE = "a tile"


class Killed(BaseException):
    """The process died here."""


@dataclass
class Chat:
    """A chat by what its messages show. `troubles`: one a call; "after" it was done, or instead of it."""

    messages: dict[int, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    replies: list[int | None] = field(default_factory=list)
    troubles: deque[tuple[str, BaseException] | None] = field(default_factory=deque)
    ids: "count[int]" = field(default_factory=lambda: count(100))

    def _call(self, method: str, change: dict[int, str | None]) -> None:
        self.calls.append(method)
        trouble = self.troubles.popleft() if self.troubles else None
        if trouble is None or trouble[0] == "after":
            for message_id, shown in change.items():
                if shown is None:
                    self.messages.pop(message_id, None)
                else:
                    self.messages[message_id] = shown
        if trouble is not None:
            raise trouble[1]

    async def send_text(
        self, screen: Screen, *, chat_id: int, reply_to_message_id: int | None, thread_id: int | None = None
    ) -> int:
        message_id = next(self.ids)
        self.replies.append(reply_to_message_id)
        self._call("send_text", {message_id: screen.html})
        return message_id

    async def send_album(
        self,
        pictures: Sequence[bytes],
        *,
        chat_id: int,
        reply_to_message_id: int | None,
        thread_id: int | None = None,
    ) -> Sequence[int]:
        assert all(body.startswith(b"\xff\xd8") for body in pictures)
        ids = [next(self.ids) for _ in pictures]
        self.replies.append(reply_to_message_id)
        self._call("send_album", dict.fromkeys(ids, TILE))
        return ids

    async def edit_text(self, screen: Screen, *, chat_id: int, message_id: int) -> None:
        if message_id not in self.messages:
            raise MessageGone
        self._call("edit_text", {message_id: screen.html})

    async def edit_picture(self, screen: Screen, body: bytes, *, chat_id: int, message_id: int) -> None:
        if message_id not in self.messages:
            raise MessageGone
        self._call("edit_picture", {message_id: f"{body.decode()} ({screen.html})"})

    async def delete(self, message_ids: Sequence[int], *, chat_id: int) -> None:
        self._call("delete", dict.fromkeys(message_ids))

    def shown(self) -> list[str]:
        return [self.messages[message_id] for message_id in sorted(self.messages)]


def tile(number: int, *, is_done: bool = False, is_void: bool = False) -> Tile:
    key = f"pictures/corder/{number}.png" if is_done else None
    return Tile(number=number, width_px=64, height_px=48, html=f"no. {number}", file_key=key, is_void=is_void)


def screen(words: str, *states: str) -> Screen:
    """An album of tiles, each "waits", "done" or "void", above these words."""
    tiles = [tile(n, is_done=state == "done", is_void=state == "void") for n, state in enumerate(states)]
    return Screen(html=words, album=tuple(tiles))


WAITING = screen("waiting", "waits", "waits", "waits")
HALF = screen("painting", "waits", "done", "waits")
DONE = screen("done", "done", "done", "done")
PICTURES = ["picture 0 (no. 0)", "picture 1 (no. 1)", "picture 2 (no. 2)"]


@dataclass
class Scene:
    """One order's delivery and its chat. `look` is what the order looks like just now."""

    database: Database
    order_id: str
    storage: MemoryStorage
    chat: Chat = field(default_factory=Chat)
    look: Look = field(default_factory=lambda: Look(screen=WAITING, is_final=False))

    async def show(self, now: Screen | None = None, *, is_final: bool = False) -> None:
        """Have the order look like this from now on, and show what is owed."""
        if now is not None:
            self.look = Look(screen=now, is_final=is_final)
            async with self.database.transaction() as tx:
                await owe.owe(tx, self.order_id)

        async def look(tx: Tx, order_id: str, language: Language, *, is_shared: bool) -> Look | None:
            return self.look

        showing = Showing(messenger=self.chat, storage=self.storage, look=look)
        await show(self.database, showing, self.order_id)

    async def later(self) -> None:
        """As if every pause and claim had passed; then what is owed is shown."""
        async with self.database.transaction() as tx:
            await tx.execute(
                text(
                    "UPDATE starbooth.deliveries SET due_at = now(), busy_until = NULL WHERE order_id = :id"
                ),
                {"id": self.order_id},
            )
        await self.show()

    async def row(self, column: str) -> object:
        async with self.database.transaction() as tx:
            return await tx.scalar(
                text(f"SELECT {column} FROM starbooth.deliveries WHERE order_id = :id"), {"id": self.order_id}
            )


async def open_scene(database: Database, guest: str) -> Scene:
    placed = await place_pictures(database, guest, active_orders=1000)
    async with database.transaction() as tx:
        await owe.open_delivery(
            tx, placed.order_id, owe.Recipient(chat_id=7, reply_to_message_id=5, language=Language.ENGLISH)
        )
    files = {f"pictures/corder/{number}.png": f"picture {number}".encode() for number in range(23)}
    return Scene(database, placed.order_id, MemoryStorage(files=files))


@pytest.fixture
async def guest(database: Database) -> str:
    return await make_guest(database, stars=500, telegram_id=7)


@pytest.fixture
async def scene(database: Database, guest: str) -> Scene:
    return await open_scene(database, guest)


class TestTheOrdinaryWay:
    async def test_tiles_come_first_and_become_the_pictures_as_they_are_painted(self, scene: Scene) -> None:
        await scene.show()
        assert scene.chat.shown() == [TILE, TILE, TILE, "waiting"]
        assert scene.chat.replies == [5, None]  # the album is the reply, the words stand below it
        await scene.show(HALF)
        assert scene.chat.shown() == [TILE, "picture 1 (no. 1)", TILE, "painting"]
        await scene.show(DONE, is_final=True)
        assert scene.chat.shown() == [*PICTURES, "done"]
        assert Counter(scene.chat.calls) == {
            "send_album": 1,
            "send_text": 1,
            "edit_picture": 3,
            "edit_text": 2,
        }
        assert await scene.row("state") == "delivered"

    async def test_a_picture_that_is_shown_is_not_uploaded_again(self, scene: Scene) -> None:
        await scene.show(HALF)
        await scene.show(replace(HALF, html="painting, 60 %"))
        assert scene.chat.calls.count("edit_picture") == 1

    async def test_what_did_not_come_out_leaves_no_tile(self, scene: Scene) -> None:
        await scene.show()
        await scene.show(screen("two came", "done", "void", "done"), is_final=True)
        assert scene.chat.shown() == [PICTURES[0], PICTURES[2], "two came"]

    @pytest.mark.parametrize("words", ["cancelled", "failed"])
    async def test_where_nothing_came_all_tiles_go(self, scene: Scene, words: str) -> None:
        await scene.show()
        await scene.show(screen(words, "void", "void", "void"), is_final=True)
        assert scene.chat.shown() == [words]

    async def test_an_order_that_ended_before_anything_was_said(self, scene: Scene) -> None:
        await scene.show(screen("cancelled", "void", "void", "void"), is_final=True)
        assert (scene.chat.shown(), scene.chat.calls) == (["cancelled"], ["send_text"])

    async def test_the_only_picture_of_several_comes_alone(self, scene: Scene) -> None:
        await scene.show(screen("one came", "void", "done", "void"), is_final=True)
        assert scene.chat.shown() == ["picture 1 (no. 1)", "one came"]
        assert scene.chat.calls == ["send_text", "edit_picture", "send_text"]


class TestKills:
    @pytest.mark.parametrize("moment", ["instead", "after"])
    async def test_wherever_a_worker_dies_every_picture_arrives_once(
        self, database: Database, guest: str, moment: str
    ) -> None:
        for dies_at in range(8):
            scene = await open_scene(database, guest)
            scene.chat.troubles.extend([None] * dies_at + [(moment, Killed())])
            deaths = await self._live(scene)
            assert deaths == (0 if dies_at == 7 else 1), "the last round has no call left to die at"
            shown = Counter(scene.chat.shown())
            assert {words: shown[words] for words in PICTURES} == dict.fromkeys(PICTURES, 1)
            assert shown["done"] == 1
            # What can be left behind: one album of tiles, or one message that nobody noted.
            lost_album = 3 if (moment, dies_at) == ("after", 0) else 0
            lost_words = 1 if (moment, dies_at) == ("after", 1) else 0
            assert (shown[TILE], shown["waiting"]) == (lost_album, lost_words)
            assert await scene.row("state") == "delivered"

    async def _live(self, scene: Scene) -> int:
        deaths = 0
        for now, is_final in ((WAITING, False), (HALF, False), (DONE, True)):
            try:
                await scene.show(now, is_final=is_final)
            except Killed:
                deaths += 1
                await scene.later()
        return deaths

    async def test_an_album_that_dies_again_and_again_floods_no_chat(self, scene: Scene) -> None:
        scene.chat.troubles.extend([("after", Killed())] * 2)
        for _ in range(2):
            with pytest.raises(Killed):
                await scene.later()
        await scene.later()
        await scene.show(DONE, is_final=True)
        shown = Counter(scene.chat.shown())
        assert (shown[TILE], shown["done"]) == (6, 1)
        assert all(shown[words] == 1 for words in PICTURES)


def pack(words: str, *, done: int, of: int = 12, void: int = 0) -> Screen:
    """More pictures than one album holds: the first ones done, the last ones void."""
    return screen(words, *["done"] * done, *["waits"] * (of - done - void), *["void"] * void)


class TestSeveralAlbums:
    async def test_each_is_sent_once_one_of_its_pictures_is_there_and_the_words_stay_below(
        self, scene: Scene
    ) -> None:
        await scene.show(pack("waiting", done=0, of=23))
        assert (scene.chat.shown(), scene.chat.calls) == (["waiting"], ["send_text"])
        await scene.show(pack("painting", done=1, of=23))
        assert scene.chat.shown() == [PICTURES[0], *[TILE] * 9, "painting"]
        await scene.show(pack("painting on", done=9, of=23))
        assert scene.chat.calls.count("send_text") == 2  # changed in place while no album is new
        await scene.show(pack("done", done=23, of=23), is_final=True)
        assert scene.chat.shown() == [*(f"picture {n} (no. {n})" for n in range(23)), "done"]
        assert Counter(scene.chat.calls) == {
            "send_album": 3,
            "edit_picture": 23,
            "send_text": 3,
            "delete": 2,
            "edit_text": 1,
        }

    async def test_of_an_album_without_a_picture_nothing_is_ever_sent(self, scene: Scene) -> None:
        await scene.show(pack("painting", done=2))
        await scene.show(pack("two came", done=2, void=10), is_final=True)
        assert scene.chat.shown() == [PICTURES[0], PICTURES[1], "two came"]
        assert scene.chat.calls.count("send_album") == 1

    @pytest.mark.parametrize("moment", ["instead", "after"])
    async def test_wherever_a_worker_dies_every_picture_arrives_once(
        self, database: Database, guest: str, moment: str
    ) -> None:
        for dies_at in range(0, 21, 2 if moment == "after" else 3):
            scene = await open_scene(database, guest)
            scene.chat.troubles.extend([None] * dies_at + [(moment, Killed())])
            for now, is_final in ((pack("painting", done=1), False), (pack("done", done=12), True)):
                try:
                    await scene.show(now, is_final=is_final)
                except Killed:
                    await scene.later()
            shown = Counter(scene.chat.shown())
            assert all(shown[f"picture {n} (no. {n})"] == 1 for n in range(12))
            # Words that were sent and not noted are sent once more, as those of a single picture.
            is_lost = moment == "after" and scene.chat.calls[dies_at : dies_at + 1] == ["send_text"]
            assert shown["done"] + shown["painting"] == 1 + is_lost
            assert scene.chat.shown()[-1] == "done"
            assert shown[TILE] in (0, 2, 10)  # one album of tiles that nobody noted, at worst

    async def test_patience_that_telegram_asks_for_costs_nothing_but_time(self, scene: Scene) -> None:
        await scene.show(pack("waiting", done=0))
        scene.chat.troubles.append(("instead", TooMany("slow down", retry_after_s=30)))
        await scene.show(pack("painting", done=1))
        assert scene.chat.shown() == ["waiting"]
        await scene.later()
        assert scene.chat.shown() == [PICTURES[0], *[TILE] * 9, "painting"]

    async def test_words_that_are_too_old_to_be_taken_away_stay_where_they_are(self, scene: Scene) -> None:
        await scene.show(pack("waiting", done=0))
        scene.chat.troubles.extend([None, None, ("instead", TelegramRefused("message can't be deleted"))])
        await scene.show(pack("painting", done=1))
        assert scene.chat.shown()[:2] == ["painting", PICTURES[0]]


class TestBadLuck:
    async def test_when_telegram_asks_for_patience_it_goes_on_where_it_stopped(self, scene: Scene) -> None:
        await scene.show()
        scene.chat.troubles.extend([None, ("instead", TooMany("patience", retry_after_s=9))])
        await scene.show(DONE, is_final=True)
        assert scene.chat.shown() == [PICTURES[0], TILE, TILE, "waiting"]
        assert await scene.row("due_at > now() + interval '5 seconds'") is True
        await scene.later()
        assert scene.chat.shown() == [*PICTURES, "done"]
        assert scene.chat.calls.count("edit_picture") == 4  # one of them in vain

    async def test_an_album_that_telegram_did_not_take_yet_is_sent_again(self, scene: Scene) -> None:
        scene.chat.troubles.extend([("instead", TooMany("patience", retry_after_s=1))] * 5)
        for _ in range(6):
            await scene.later()
        assert scene.chat.shown() == [TILE, TILE, TILE, "waiting"]

    async def test_without_an_album_pictures_come_one_by_one(self, scene: Scene) -> None:
        scene.chat.troubles.extend([("instead", TelegramUnavailable("away"))] * 2)
        for _ in range(3):
            await scene.later()
        assert scene.chat.shown() == ["waiting"]
        await scene.show(DONE, is_final=True)
        assert scene.chat.shown() == ["done", *PICTURES]

    async def test_a_tile_that_its_guest_deleted_comes_as_a_message_of_its_own(self, scene: Scene) -> None:
        await scene.show()
        del scene.chat.messages[101]
        await scene.show(DONE, is_final=True)
        assert scene.chat.shown() == [PICTURES[0], PICTURES[2], "done", PICTURES[1]]

    async def test_what_an_album_does_not_take_comes_as_a_message_of_its_own(self, scene: Scene) -> None:
        await scene.show()
        scene.chat.troubles.append(("instead", TelegramRefused("can't change media type in the album")))
        await scene.show(DONE, is_final=True)
        assert scene.chat.shown() == [PICTURES[1], PICTURES[2], "done", PICTURES[0]]

    async def test_what_telegram_never_takes_is_given_up_after_a_few_tries(self, scene: Scene) -> None:
        await scene.show()
        refusal = ("instead", TelegramRefused("never"))
        scene.look = Look(screen=DONE, is_final=True)
        for _ in range(8):
            # The edit, and the edit of the message that took its place; taking away and sending work.
            scene.chat.troubles.extend([refusal, None, None, refusal])
            async with scene.database.transaction() as tx:
                await owe.owe(tx, scene.order_id)
            await scene.later()
            scene.chat.troubles.clear()
        assert await scene.row("state") == "undeliverable"
        assert len(scene.chat.messages) <= 4

    async def test_a_picture_that_its_guest_deleted_before_it_was_shown_is_not_missed(
        self, scene: Scene
    ) -> None:
        await scene.show()
        await scene.storage.delete("pictures/corder/1.png")
        await scene.show(DONE, is_final=True)
        assert scene.chat.shown() == [PICTURES[0], PICTURES[2], "done"]
        assert await scene.row("state") == "delivered"

    async def test_tiles_too_old_to_be_deleted_stay_and_change_nothing(self, scene: Scene) -> None:
        await scene.show()
        scene.chat.troubles.append(("instead", TelegramRefused("message can't be deleted for everyone")))
        await scene.show(screen("cancelled", "void", "void", "void"), is_final=True)
        assert scene.chat.shown() == [TILE, TILE, TILE, "cancelled"]
        assert await scene.row("state") == "delivered"

    async def test_a_guest_who_blocks_the_bot_in_the_middle_ends_it(self, scene: Scene) -> None:
        await scene.show()
        scene.chat.troubles.extend([None, ("instead", Blocked("blocked"))])
        await scene.show(DONE, is_final=True)
        assert await scene.row("state") == "undeliverable"

    async def test_in_a_group_that_moved_the_album_begins_anew(self, scene: Scene) -> None:
        await scene.show()
        scene.chat.troubles.append(("instead", ChatMoved(-100)))
        await scene.show(DONE, is_final=True)
        scene.chat.messages.clear()
        await scene.later()
        assert scene.chat.shown() == [*PICTURES, "done"]
        assert await scene.row("chat_id") == -100
