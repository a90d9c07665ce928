"""Faults: each kind does what it says, as often as it was asked to, and nothing more."""

import time

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)

from starbooth.playground.errors import ApiError
from starbooth.playground.faults import FaultKind, Faults
from starbooth.playground.limits import SendingLimits
from tests.playground.conftest import Served
from tests.playground.guest import Guest


class TestEachKind:
    async def test_429_says_how_long_to_wait(self, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("too_many_requests", method="sendMessage", seconds=7)
        with pytest.raises(TelegramRetryAfter, match="retry after 7") as refused:
            await bot.send_message(ada.user_id, "a")
        assert refused.value.retry_after == 7
        await bot.send_message(ada.user_id, "a")

    async def test_500_does_nothing(self, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("server_error")
        with pytest.raises(TelegramServerError, match="Internal Server Error"):
            await bot.send_message(ada.user_id, "a")
        assert [message.text for message in await ada.messages()] == ["/start"]

    async def test_a_slow_answer_comes(self, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("slow", seconds=0.3)
        started = time.monotonic()
        await bot.send_message(ada.user_id, "a")
        assert time.monotonic() - started >= 0.3

    async def test_a_connection_dropped_after_the_work_leaves_the_work_done(
        self, bot: Bot, ada: Guest
    ) -> None:
        await ada.add_fault("dropped_after", method="sendMessage")
        with pytest.raises(TelegramNetworkError):
            await bot.send_message(ada.user_id, "once")
        assert [message.text for message in await ada.messages()] == ["/start", "once"]

    async def test_a_connection_dropped_before_the_work_leaves_nothing(self, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("dropped_before", method="sendMessage")
        with pytest.raises(TelegramNetworkError):
            await bot.send_message(ada.user_id, "never")
        assert [message.text for message in await ada.messages()] == ["/start"]

    async def test_blocked_for_one_guest_only(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("blocked", chat_id=ada.user_id, count=None)
        async with Guest(playground.url, "Bob") as bob:
            await bob.say("/start")
            await bot.send_message(bob.user_id, "hello")
        for _ in range(2):
            with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
                await bot.send_message(ada.user_id, "hello")

    async def test_a_message_that_vanishes_before_its_edit(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "In the queue")
        await ada.add_fault("message_deleted", method="editMessageText")
        with pytest.raises(TelegramBadRequest, match="message to edit not found"):
            await bot.edit_message_text("Drawing", chat_id=ada.user_id, message_id=sent.message_id)

    async def test_an_update_comes_twice_with_one_id(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("doubled_update", method="message")
        await ada.say("twice")
        await ada.say("once")
        seen: list[tuple[int, str]] = []
        offset = 0
        for _ in range(4):
            playground.clock.now_s += 10
            for update in await bot.get_updates(offset=offset):
                assert update.message is not None
                seen.append((update.update_id, update.message.text or ""))
                offset = max(offset, update.update_id + 1)
        assert sorted(text for _, text in seen) == ["once", "twice", "twice"]
        assert len({update_id for update_id, text in seen if text == "twice"}) == 1
        assert len(playground.world.updates) == 0


class TestHowOften:
    async def test_a_count_is_kept_and_told(self, bot: Bot, ada: Guest) -> None:
        fault = await ada.add_fault("server_error", method="getMe", count=2)
        for _ in range(2):
            with pytest.raises(TelegramServerError):
                await bot.get_me()
        await bot.get_me()
        assert fault["hits"] == 0

    async def test_faults_can_be_cleared(self, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("server_error", count=None)
        await ada.clear_faults()
        await bot.get_me()

    def test_a_probability_strikes_the_same_calls_for_the_same_seed(self) -> None:
        strikes = []
        for _ in range(2):
            faults = Faults()
            faults.add(FaultKind.SERVER_ERROR, count=None, probability=0.3, seed=5)
            strikes.append([bool(faults.strike("sendmessage", 1)) for _ in range(200)])
        assert strikes[0] == strikes[1]
        assert 30 < sum(strikes[0]) < 90

    def test_every_method_does_not_mean_polling(self) -> None:
        faults = Faults()
        faults.add(FaultKind.SERVER_ERROR, count=None)
        assert not faults.strike("getupdates", 0)
        assert faults.strike("getme", 0)
        faults.add(FaultKind.SERVER_ERROR, method="getUpdates")
        assert faults.strike("getupdates", 0)

    def test_there_is_a_limit_of_faults(self) -> None:
        faults = Faults()
        for _ in range(100):
            faults.add(FaultKind.SLOW, count=None)
        with pytest.raises(ApiError, match="too many faults"):
            faults.add(FaultKind.SLOW)


class TestSendingLimits:
    def test_a_chat_gets_a_burst_and_then_one_a_second(self) -> None:
        limits = SendingLimits()
        for _ in range(5):
            limits.take(7, 100.0)
        with pytest.raises(ApiError, match="Too Many Requests: retry after 1") as refused:
            limits.take(7, 100.0)
        assert refused.value.retry_after_s == 1
        limits.take(8, 100.0)
        limits.take(7, 101.0)

    def test_all_chats_together_get_thirty_a_second(self) -> None:
        limits = SendingLimits()
        for chat_id in range(1, 31):
            limits.take(chat_id, 100.0)
        with pytest.raises(ApiError, match="Too Many Requests"):
            limits.take(99, 100.0)
        limits.take(99, 100.1)
