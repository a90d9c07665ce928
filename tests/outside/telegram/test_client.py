"""Messages that appear, change and become pictures, in a playground of its own process."""

import io
from typing import Any

import httpx
import pytest
from aiogram import Bot
from aiogram.types import File, InlineKeyboardButton, InlineKeyboardMarkup
from PIL import Image

from starbooth.outside.telegram.client import (
    delete_messages,
    edit_picture,
    edit_text,
    fetch_file,
    send_album,
    send_text,
)
from starbooth.outside.telegram.errors import (
    Blocked,
    FileTooLarge,
    MessageGone,
    NotModified,
    TelegramRefused,
    TelegramUnavailable,
    TooMany,
)

KEYBOARD = InlineKeyboardMarkup(
    inline_keyboard=[[InlineKeyboardButton(text="Cancel", callback_data="cancel:1")]]
)


def picture(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 32), colour).save(buffer, "PNG")
    return buffer.getvalue()


async def messages(control: httpx.AsyncClient, chat_id: int) -> dict[int, dict[str, Any]]:
    found = (await control.get(f"/users/{chat_id}/messages")).raise_for_status().json()
    return {message["message_id"]: message for message in found["messages"]}


class TestSendText:
    async def test_html_and_buttons_arrive(self, bot: Bot, control: httpx.AsyncClient, chat_id: int) -> None:
        message_id = await send_text(bot, "<b>Hello</b> &lt;you&gt;", chat_id=chat_id, keyboard=KEYBOARD)
        message = (await messages(control, chat_id))[message_id]
        assert message["text"] == "Hello <you>"
        assert message["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "cancel:1"

    async def test_a_reply_to_what_is_gone_stands_alone(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        message_id = await send_text(bot, "x", chat_id=chat_id, reply_to_message_id=999_999)
        assert "reply_to_message" not in (await messages(control, chat_id))[message_id]

    async def test_broken_html_is_refused(self, bot: Bot, chat_id: int) -> None:
        with pytest.raises(TelegramRefused, match="parse entities"):
            await send_text(bot, "<b>Hello", chat_id=chat_id)

    async def test_who_blocked_the_bot_gets_nothing(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        await control.post(f"/users/{chat_id}/block")
        with pytest.raises(Blocked):
            await send_text(bot, "x", chat_id=chat_id)

    @pytest.mark.parametrize(
        ("kind", "named"),
        [
            ("too_many_requests", TooMany),
            ("server_error", TelegramUnavailable),
            ("dropped_after", TelegramUnavailable),
        ],
    )
    async def test_trouble_passes(
        self,
        bot: Bot,
        control: httpx.AsyncClient,
        chat_id: int,
        kind: str,
        named: type[TelegramUnavailable],
    ) -> None:
        fault = {"kind": kind, "method": "sendMessage", "chat_id": chat_id, "count": 1}
        (await control.post("/faults", json=fault)).raise_for_status()
        with pytest.raises(named):
            await send_text(bot, "x", chat_id=chat_id)
        assert await send_text(bot, "x", chat_id=chat_id)


class TestEditText:
    async def test_the_message_changes_in_place(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        message_id = await send_text(bot, "1 of 2", chat_id=chat_id, keyboard=KEYBOARD)
        await edit_text(bot, "2 of 2", chat_id=chat_id, message_id=message_id)
        message = (await messages(control, chat_id))[message_id]
        assert message["text"] == "2 of 2"
        assert "reply_markup" not in message

    async def test_the_same_again_is_told(self, bot: Bot, chat_id: int) -> None:
        message_id = await send_text(bot, "x", chat_id=chat_id)
        with pytest.raises(NotModified):
            await edit_text(bot, "x", chat_id=chat_id, message_id=message_id)

    async def test_a_deleted_message_is_gone(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        message_id = await send_text(bot, "x", chat_id=chat_id)
        (await control.delete(f"/users/{chat_id}/messages/{message_id}")).raise_for_status()
        with pytest.raises(MessageGone):
            await edit_text(bot, "y", chat_id=chat_id, message_id=message_id)

    async def test_a_picture_cannot_become_text_again(self, bot: Bot, chat_id: int) -> None:
        message_id = await send_text(bot, "x", chat_id=chat_id)
        await edit_picture(bot, picture(), "done", chat_id=chat_id, message_id=message_id)
        with pytest.raises(MessageGone):
            await edit_text(bot, "y", chat_id=chat_id, message_id=message_id)


class TestEditPicture:
    async def test_the_text_becomes_the_picture(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        message_id = await send_text(bot, "in the queue", chat_id=chat_id, keyboard=KEYBOARD)
        file_id = await edit_picture(
            bot, picture(), "<b>done</b>", chat_id=chat_id, message_id=message_id, keyboard=KEYBOARD
        )
        message = (await messages(control, chat_id))[message_id]
        assert message["caption"] == "done"
        assert message["photo"][-1]["file_id"] == file_id
        assert (message["photo"][-1]["width"], message["photo"][-1]["height"]) == (64, 32)

    async def test_a_repeat_shows_one_picture(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        message_id = await send_text(bot, "in the queue", chat_id=chat_id)
        before = len(await messages(control, chat_id))
        first = await edit_picture(bot, picture(), "a", chat_id=chat_id, message_id=message_id)
        assert first is not None
        await edit_picture(bot, first, "b", chat_id=chat_id, message_id=message_id)
        found = await messages(control, chat_id)
        assert len(found) == before
        assert found[message_id]["caption"] == "b"

    async def test_a_deleted_message_is_gone(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        message_id = await send_text(bot, "x", chat_id=chat_id)
        await control.delete(f"/users/{chat_id}/messages/{message_id}")
        with pytest.raises(MessageGone):
            await edit_picture(bot, picture(), "", chat_id=chat_id, message_id=message_id)

    async def test_what_is_no_picture_is_refused(self, bot: Bot, chat_id: int) -> None:
        message_id = await send_text(bot, "x", chat_id=chat_id)
        with pytest.raises(TelegramRefused):
            await edit_picture(bot, b"not a picture", "", chat_id=chat_id, message_id=message_id)

    async def test_as_a_document_it_keeps_its_bytes(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        message_id = await send_text(bot, "x", chat_id=chat_id)
        await edit_picture(bot, picture(), "y", chat_id=chat_id, message_id=message_id, is_document=True)
        message = (await messages(control, chat_id))[message_id]
        assert (message["document"]["file_size"], message["caption"]) == (len(picture()), "y")


class TestAlbums:
    async def test_it_is_one_album_whose_parts_are_edited_and_taken_away(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        asked = await send_text(bot, "asked", chat_id=chat_id)
        ids = await send_album(bot, [picture()] * 3, chat_id=chat_id, reply_to_message_id=asked)
        found = await messages(control, chat_id)
        assert len({found[each]["media_group_id"] for each in ids}) == 1
        assert found[ids[0]]["reply_to_message"]["message_id"] == asked
        await edit_picture(bot, picture(), "done", chat_id=chat_id, message_id=ids[1])
        await delete_messages(bot, [ids[0], ids[2]], chat_id=chat_id)
        await delete_messages(bot, [ids[0]], chat_id=chat_id)  # gone already
        found = await messages(control, chat_id)
        assert [each in found for each in ids] == [False, True, False]
        assert found[ids[1]]["caption"] == "done"

    async def test_where_what_it_answers_is_gone_it_stands_alone(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        ids = await send_album(bot, [picture()] * 2, chat_id=chat_id, reply_to_message_id=99_999)
        assert len(ids) == 2

    async def test_a_part_cannot_become_a_document(self, bot: Bot, chat_id: int) -> None:
        ids = await send_album(bot, [picture()] * 2, chat_id=chat_id)
        with pytest.raises(TelegramRefused):
            await edit_picture(bot, picture(), "", chat_id=chat_id, message_id=ids[0], is_document=True)


class TestFetchFile:
    async def upload(self, control: httpx.AsyncClient, chat_id: int, body: bytes) -> str:
        answer = await control.post(f"/users/{chat_id}/document", files={"file": ("me.bin", body)})
        return str(answer.raise_for_status().json()["document"]["file_id"])

    async def test_the_bytes_come_as_they_were_sent(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        body = bytes(range(256)) * 1024
        file_id = await self.upload(control, chat_id, body)
        assert await fetch_file(bot, file_id, limit_bytes=len(body)) == body

    async def test_more_bytes_than_asked_for_are_not_taken(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        file_id = await self.upload(control, chat_id, b"x" * 300_000)
        with pytest.raises(FileTooLarge):
            await fetch_file(bot, file_id, limit_bytes=299_999)

    async def test_what_telegram_gives_to_no_bot_is_too_large(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        file_id = await self.upload(control, chat_id, b"x" * ((20 << 20) + 1))
        with pytest.raises(FileTooLarge):
            await fetch_file(bot, file_id, limit_bytes=1 << 30)

    async def test_an_unknown_file_is_refused(self, bot: Bot) -> None:
        with pytest.raises(TelegramRefused):
            await fetch_file(bot, "nothing", limit_bytes=9)

    async def test_a_file_that_has_gone_is_unavailable_and_the_token_stays_secret(
        self, bot: Bot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Bot, "get_file", _found_nowhere)
        with pytest.raises(TelegramUnavailable) as caught:
            await fetch_file(bot, "anything", limit_bytes=9)
        assert bot.token not in repr(caught.value)
        assert caught.value.__suppress_context__


async def _found_nowhere(_bot: Bot, file_id: str) -> File:
    return File(file_id=file_id, file_unique_id="u", file_path="photos/file_999999o.jpg")
