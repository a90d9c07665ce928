"""What is bounded stays bounded, and rubbish that gets in does not stay in the way."""

import json
import struct
import zlib
from pathlib import Path

import httpx
import pytest

from starbooth.playground.errors import ApiError, GuestError
from starbooth.playground.feed import Feed
from starbooth.playground.files import FileStore, photo_sizes
from starbooth.playground.params import Upload
from starbooth.playground.world import MAX_CALLBACKS, World
from tests.playground.conftest import TOKEN, Served, make_world, picture
from tests.playground.guest import Guest


def hollow_png() -> bytes:
    """A PNG whose parts are all in order but for the pixels, which are none."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 40, 40, 8, 2, 0, 0, 0)),
        (b"IDAT", b"no pixels"),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts
    )


class TestFileStore:
    def test_the_oldest_files_go_first_with_all_their_sizes(self, tmp_path: Path) -> None:
        content = picture(400, 300)
        store = FileStore(tmp_path, max_bytes=3 * len(content))
        kept = [store.add_photo(Upload("a.png", content)) for _ in range(2)]
        for size in photo_sizes(kept[0]):
            store.content(*store.find(size["file_id"]))
        assert len(list(tmp_path.iterdir())) == 5
        kept += [store.add_photo(Upload("a.png", content)) for _ in range(2)]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["2.blob", "3.blob", "4.blob"]
        with pytest.raises(ApiError, match="wrong remote file identifier"):
            store.find(kept[0].file_id())
        assert store.find_by_path(kept[0].path()) is None
        assert store.find_by_path(kept[3].path()) == (kept[3], "o")

    @pytest.mark.parametrize("letter", ["", "q", "oo", "/../1"])
    def test_sizes_that_do_not_exist_are_refused(self, tmp_path: Path, letter: str) -> None:
        store = FileStore(tmp_path)
        stored = store.add_photo(Upload("a.png", picture()))
        with pytest.raises(ApiError, match="wrong remote file identifier"):
            store.find(stored.file_id(letter))

    def test_a_picture_that_turns_out_broken_is_refused_when_it_is_drawn(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path)
        stored = store.add_photo(Upload("a.png", hollow_png()))
        with pytest.raises(ApiError, match="IMAGE_PROCESS_FAILED"):
            store.content(stored, "o")

    def test_a_file_deleted_behind_its_back_is_refused(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path)
        stored = store.add_file(Upload("a.txt", b"x"), mime_type="text/plain")
        next(tmp_path.iterdir()).unlink()
        with pytest.raises(ApiError, match="temporarily unavailable"):
            store.content(stored, "o")

    def test_names_of_files_never_leave_the_folder(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path / "files")
        stored = store.add_file(Upload("../../../evil.sh", b"x"), mime_type="text/plain")
        assert stored.name == "evil.sh"
        assert [path.name for path in (tmp_path / "files").iterdir()] == ["1.blob"]


class TestWorld:
    def test_the_oldest_messages_are_forgotten(self) -> None:
        world = make_world(max_messages=10)
        chat = next(iter(world.chats.values()))
        for number in range(25):
            world.post(chat, {"text": str(number)})
        assert [message["text"] for message in chat.messages.values()] == [
            str(number) for number in range(15, 25)
        ]
        assert chat.changes.keys() == chat.messages.keys()
        world.close()

    def test_waiting_presses_are_limited(self) -> None:
        world = make_world()
        chat = next(iter(world.chats.values()))
        for _ in range(MAX_CALLBACKS + 5):
            world.open_callback(chat, 1, user_id=chat.chat_id)
        assert len(world.callbacks) == MAX_CALLBACKS
        world.close()

    def test_an_id_cannot_be_taken_twice_nor_be_the_bots(self) -> None:
        world: World = make_world()
        for taken in (next(iter(world.chats)), 42):
            with pytest.raises(GuestError, match="there is already a user"):
                world.add_guest("Eve", user_id=taken)
        world.close()


class TestFeed:
    async def test_whoever_falls_behind_reads_anew_and_goes_on(self) -> None:
        feed = Feed(last_number=100)
        for _ in range(2500):
            feed.add("message", 1, {})
        stream = feed.follow(150, quiet_s=1)
        told = await anext(stream)
        assert told is not None
        assert (told.kind, told.number) == ("reset", 2600)
        feed.add("message", 1, {"text": "next"})
        told = await anext(stream)
        assert told is not None
        assert told.number == 2601

    async def test_a_quiet_time_is_told_and_closing_ends_it(self) -> None:
        feed = Feed(last_number=1)
        stream = feed.follow(1, quiet_s=0.01)
        assert await anext(stream) is None
        feed.close()
        assert [event async for event in stream] == []


class TestHalfSurrogates:
    """Text that JSON can write and UTF-8 cannot: let in, it would break every later answer that holds it."""

    async def test_the_bot_cannot_send_them(self, playground: Served, ada: Guest) -> None:
        button = json.dumps({"inline_keyboard": [[{"text": "\ud83d", "callback_data": "a"}]]})
        wanted = {"chat_id": ada.user_id, "text": "a"}
        async with httpx.AsyncClient(base_url=f"{playground.url}/bot{TOKEN}", trust_env=False) as http:
            kind = {"content-type": "application/json"}
            half = json.dumps(wanted | {"text": "\ud83d"}).encode()
            texts = await http.post("/sendMessage", content=half, headers=kind)
            buttons = await http.post("/sendMessage", data={**wanted, "reply_markup": button})
        assert [texts.status_code, buttons.status_code] == [400, 400]
        assert [message.text for message in await ada.messages()] == ["/start"]

    async def test_a_guest_cannot_send_them(self, playground: Served, ada: Guest) -> None:
        async with httpx.AsyncClient(base_url=playground.url, trust_env=False) as http:
            half = json.dumps({"text": "\ud83d"}).encode()
            path = f"/control/users/{ada.user_id}/messages"
            answer = await http.post(path, content=half, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500
        assert len(playground.world.updates) == 0
