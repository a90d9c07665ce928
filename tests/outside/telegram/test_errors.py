"""Every way in which Telegram says no, by its answer on the wire."""

import json

import pytest
from aiogram import Bot

from starbooth.base.errors import SettingError, Unavailable
from starbooth.outside.telegram.client import open_bot, opened_bot, telegram_errors
from starbooth.outside.telegram.errors import (
    Blocked,
    MessageGone,
    NotModified,
    TelegramRefused,
    TelegramUnavailable,
    TooLate,
    TooMany,
)
from tests.outside.scripted import Reply, ScriptedServer


def no(code: int, description: str, **parameters: int) -> Reply:
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return Reply(status=code, body=json.dumps(body).encode())


async def provoke(bot: Bot) -> None:
    with telegram_errors():
        await bot.delete_message(7, 1)


class TestTelegramErrors:
    @pytest.mark.parametrize(
        ("code", "description", "named"),
        [
            (403, "Forbidden: bot was blocked by the user", Blocked),
            (403, "Forbidden: user is deactivated", Blocked),
            (403, "Forbidden: bot can't initiate conversation with a user", Blocked),
            (400, "Bad Request: chat not found", Blocked),
            (400, "Bad Request: message to edit not found", MessageGone),
            (400, "Bad Request: message can't be edited", MessageGone),
            (400, "Bad Request: MESSAGE_ID_INVALID", MessageGone),
            (400, "Bad Request: message to delete not found", MessageGone),
            (400, "Bad Request: there is no text in the message to edit", MessageGone),
            (
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message",
                NotModified,
            ),
            (
                400,
                "Bad Request: query is too old and response timeout expired or query ID is invalid",
                TooLate,
            ),
            (400, "Bad Request: can't parse entities: unexpected end tag", TelegramRefused),
            (400, "Bad Request: BUTTON_DATA_INVALID", TelegramRefused),
            (404, "Not Found: method not found", TelegramRefused),
            (413, "Request Entity Too Large", TelegramRefused),
            (401, "Unauthorized", TelegramUnavailable),
            (409, "Conflict: terminated by other getUpdates request", TelegramUnavailable),
            (500, "Internal Server Error", TelegramUnavailable),
            (502, "Bad Gateway", TelegramUnavailable),
            (500, "Internal Server Error: restart", TelegramUnavailable),
        ],
    )
    async def test_each_answer_has_a_name(
        self,
        scripted: ScriptedServer,
        scripted_bot: Bot,
        code: int,
        description: str,
        named: type[Exception],
    ) -> None:
        scripted.will_answer(no(code, description))
        with pytest.raises(named) as raised:
            await provoke(scripted_bot)
        assert type(raised.value) is named

    @pytest.mark.parametrize("code", [429, 400])
    async def test_patience_is_asked_for_in_seconds_whatever_the_status(
        self, scripted: ScriptedServer, scripted_bot: Bot, code: int
    ) -> None:
        scripted.will_answer(no(code, "Too Many Requests: retry after 7", retry_after=7))
        with pytest.raises(TooMany) as raised:
            await provoke(scripted_bot)
        assert raised.value.retry_after_s == 7.0
        assert isinstance(raised.value, Unavailable)

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(is_dropped=True),
            Reply(body=b"<html>502</html>"),
            Reply(body=b"{}"),
            Reply(status=502, body=b"<html>nginx</html>"),
            Reply(body=b'{"ok"', claimed_length=100),
        ],
    )
    async def test_no_proper_answer_is_unavailable(
        self, scripted: ScriptedServer, scripted_bot: Bot, reply: Reply
    ) -> None:
        scripted.will_answer(reply)
        with pytest.raises(TelegramUnavailable):
            await provoke(scripted_bot)

    async def test_nobody_there_is_unavailable_and_the_token_is_not_told(self) -> None:
        async with opened_bot("42:SECRET-TOKEN", "http://127.0.0.1:1") as bot:
            with pytest.raises(TelegramUnavailable) as raised:
                await provoke(bot)
        assert "SECRET" not in str(raised.value)

    async def test_a_long_description_is_shortened(self, scripted: ScriptedServer, scripted_bot: Bot) -> None:
        scripted.will_answer(no(400, "Bad Request: " + "x" * 5000))
        with pytest.raises(TelegramRefused) as raised:
            await provoke(scripted_bot)
        assert len(raised.value.reason) == 200


class TestOpenBot:
    @pytest.mark.parametrize("token", ["", "42", "abc:def", "42:with space"])
    def test_what_is_no_token_names_the_setting(self, token: str) -> None:
        with pytest.raises(SettingError) as refused:
            open_bot(token, "http://127.0.0.1:1")
        assert refused.value.setting == "STARBOOTH_TELEGRAM_TOKEN"
        assert not token or token not in str(refused.value)

    async def test_no_parse_mode_is_set_unless_asked_for(
        self, scripted: ScriptedServer, scripted_bot: Bot
    ) -> None:
        scripted.will_answer(no(400, "Bad Request: x"))
        with pytest.raises(TelegramRefused), telegram_errors():
            await scripted_bot.send_message(7, "<b>")
        assert b"parse_mode" not in scripted.asked[0].body
        assert scripted.asked[0].target == "/bot42:TEST/sendMessage"
