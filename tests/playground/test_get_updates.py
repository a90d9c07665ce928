"""getUpdates as the official server does it: offsets, limits, waiting, conflicts, filter, lifetimes."""

import asyncio
import time

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramConflictError

from tests.playground.conftest import Served
from tests.playground.guest import Guest


def later(playground: Served) -> None:
    """Get past the rules for asking twice within three seconds."""
    playground.clock.now_s += 10


async def ids(bot: Bot, playground: Served, **options: int) -> list[int]:
    later(playground)
    return [update.update_id for update in await bot.get_updates(**options)]  # type: ignore[arg-type] # ints only


class TestOffset:
    async def test_without_one_the_oldest_come_again_and_again(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.say("one")
        await ada.say("two")
        first = await ids(bot, playground)
        assert len(first) == 2
        assert first[1] == first[0] + 1
        assert await ids(bot, playground) == first

    async def test_what_lies_below_is_forgotten(self, playground: Served, bot: Bot, ada: Guest) -> None:
        for text in ("one", "two", "three"):
            await ada.say(text)
        first, second, third = await ids(bot, playground)
        assert await ids(bot, playground, offset=second) == [second, third]
        assert await ids(bot, playground, offset=first) == [second, third]
        assert await ids(bot, playground, offset=third + 1) == []
        assert await ids(bot, playground) == []

    async def test_far_above_the_newest_counts_as_the_head(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.say("one")
        known = await ids(bot, playground)
        assert await ids(bot, playground, offset=known[0] + 11) == known
        assert await ids(bot, playground, offset=known[0] + 10) == []

    async def test_a_negative_one_keeps_only_the_last(self, playground: Served, bot: Bot, ada: Guest) -> None:
        for text in ("one", "two", "three"):
            await ada.say(text)
        known = await ids(bot, playground)
        assert await ids(bot, playground, offset=-1) == known[-1:]
        assert await ids(bot, playground) == known[-1:]

    async def test_a_negative_one_beyond_the_oldest_keeps_all(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.say("one")
        assert len(await ids(bot, playground, offset=-5)) == 1


class TestLimit:
    async def test_it_is_obeyed_and_clamped(self, playground: Served, bot: Bot, ada: Guest) -> None:
        for number in range(103):
            await ada.say(str(number))
        assert len(await ids(bot, playground, limit=2)) == 2
        assert len(await ids(bot, playground, limit=1000)) == 100
        assert len(await ids(bot, playground, limit=-3)) == 1

    async def test_the_same_offset_within_half_a_second_gets_one(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.say("one")
        await ada.say("two")
        assert len(await ids(bot, playground, offset=5)) == 2
        assert len(await bot.get_updates(offset=5)) == 1


class TestWaiting:
    async def test_a_new_update_ends_it_at_once(self, playground: Served, bot: Bot, ada: Guest) -> None:
        later(playground)
        poll = asyncio.create_task(bot.get_updates(timeout=30))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await ada.say("now")
        updates = await poll
        assert time.monotonic() - started < 1
        assert updates[0].message is not None
        assert updates[0].message.text == "now"

    async def test_without_an_update_it_ends_with_nothing(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        later(playground)
        started = time.monotonic()
        assert await bot.get_updates(timeout=1) == []
        assert 0.9 < time.monotonic() - started < 3

    async def test_a_poller_that_went_away_loses_nothing(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        later(playground)
        poll = asyncio.create_task(bot.get_updates(timeout=30))
        await asyncio.sleep(0.1)
        poll.cancel()
        await ada.say("still here")
        assert len(await ids(bot, playground)) == 1


class TestConflicts:
    async def test_a_second_poll_ends_the_older_one(self, playground: Served, bot: Bot, ada: Guest) -> None:
        later(playground)
        older = asyncio.create_task(bot.get_updates(timeout=30))
        await asyncio.sleep(0.1)
        newer = asyncio.create_task(bot.get_updates(timeout=30))
        with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request; make sure"):
            await older
        await ada.say("for the newer")
        assert len(await newer) == 1

    async def test_a_webhook_ends_a_poll_and_forbids_the_next(self, playground: Served, bot: Bot) -> None:
        later(playground)
        poll = asyncio.create_task(bot.get_updates(timeout=30))
        await asyncio.sleep(0.1)
        await bot.set_webhook("http://127.0.0.1:9/hook")
        with pytest.raises(TelegramConflictError, match="terminated by setWebhook request"):
            await poll
        with pytest.raises(
            TelegramConflictError, match="can't use getUpdates method while webhook is active"
        ):
            await bot.get_updates()
        await bot.delete_webhook()
        assert await ids(bot, playground) == []


class TestFilter:
    async def test_it_applies_when_an_update_is_made(self, playground: Served, bot: Bot, ada: Guest) -> None:
        later(playground)
        await bot.get_updates(allowed_updates=["callback_query"])
        await ada.say("lost")
        later(playground)
        await bot.get_updates(allowed_updates=["message"])
        await ada.say("kept")
        later(playground)
        updates = await bot.get_updates()
        assert [update.message.text for update in updates if update.message] == ["kept"]

    async def test_an_empty_list_means_the_default(self, playground: Served, bot: Bot, ada: Guest) -> None:
        later(playground)
        await bot.get_updates(allowed_updates=["callback_query"])
        later(playground)
        await bot.get_updates(allowed_updates=[])
        await ada.say("kept")
        assert len(await ids(bot, playground)) == 1


class TestLifetimes:
    async def test_a_message_waits_a_day_and_a_pressed_button_150_seconds(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        world = playground.world
        world.send_update("message", {"message_id": 1}, chat_id=ada.user_id)
        world.send_update("callback_query", {"id": "1"}, chat_id=ada.user_id)
        assert len(world.updates.pending()) == 2
        playground.clock.now_s += 151
        assert [update.kind for update in world.updates.pending()] == ["message"]
        playground.clock.now_s += 24 * 3600
        assert world.updates.pending() == []
