"""Alerts: every operator is told once, in their language, whatever becomes of the others."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot

from starbooth.base.database import Database, sql
from starbooth.base.settings import Settings
from starbooth.domain.payments.reconcile import reconcile
from starbooth.domain.users.operators import raise_alert
from starbooth.doors.bot.alerts import send_alerts
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.outside.telegram.stars import TelegramStars
from tests.doors.bot.chat import start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.make.till import Till
from tests.playground.guest import Guest, Stars

pytestmark = pytest.mark.usefixtures("at_work")


@pytest.fixture
async def eve(make_guest: MakeGuest) -> Guest:
    """An operator."""
    return await make_guest("Eve")


@pytest.fixture
async def olga(make_guest: MakeGuest) -> Guest:
    """Another operator, who speaks Russian."""
    return await make_guest("Olga", "ru")


@pytest.fixture
async def at_work(
    database: Database, settings: Settings, bot: Bot, eve: Guest, olga: Guest
) -> AsyncIterator[None]:
    run_by = settings.model_copy(update={"operators": (eve.user_id, olga.user_id), "welcome_stars": 0})
    async with running_bot(database, run_by, bot):
        yield


@pytest.fixture
async def till(playground: str, bot: Bot, database: Database) -> AsyncIterator[Till]:
    async with Till(playground, bot, database) as till:
        yield till


@pytest.fixture
async def stars(playground: str) -> AsyncIterator[Stars]:
    async with Stars(playground) as stars:
        yield stars


class TestAlerts:
    async def test_each_operator_is_told_once_in_their_language_with_a_button_to_look(
        self, eve: Guest, olga: Guest, till: Till, stars: Stars, database: Database, bot: Bot
    ) -> None:
        await start(eve)
        await start(olga)
        sale = await till.sell()
        await stars.chargeback(sale.charge_id)
        await reconcile(database, TelegramStars(bot), shop=till.shop)
        operators = (eve.user_id, olga.user_id)
        sent = await asyncio.gather(
            *(send_alerts(database, BotMessenger(bot), operators=operators) for _ in range(3))
        )
        assert sum(sent) == 2  # the payment fitted no invoice, and it went back
        told = await eve.wait_for(lambda message: "💸" in message.text)
        assert "Their balance is 0 stars now." in told.text
        assert told.labels == ["Look"]
        await olga.wait_for(lambda message: "💸 Оплата 50 XTR" in message.text)
        assert await send_alerts(database, BotMessenger(bot), operators=operators) == 0
        assert len([each for each in await eve.messages() if "💸" in each.text]) == 1
        await eve.press(told, "Look")
        await eve.wait_for(lambda message: "Telegram did it" in message.text)

    async def test_one_who_blocked_the_bot_or_cannot_be_reached_holds_up_no_other(
        self, eve: Guest, olga: Guest, database: Database, bot: Bot, make_guest: MakeGuest
    ) -> None:
        for each in (eve, olga):
            await start(each)
        iris = await make_guest("Iris")
        await start(iris)
        await eve.block()
        await olga.add_fault("server_error", method="sendmessage", chat_id=olga.user_id)
        async with database.transaction() as tx:
            await raise_alert(tx, key="k", kind="refund_stuck", facts={"telegram_id": 7, "reason": "<x>"})
        operators = (eve.user_id, olga.user_id, iris.user_id)
        assert await send_alerts(database, BotMessenger(bot), operators=operators) == 0
        await iris.wait_for(lambda message: "not been answered yet: <x>" in message.text)
        assert await send_alerts(database, BotMessenger(bot), operators=operators) == 0  # not due yet
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.alerts SET due_at = now()"))
        assert await send_alerts(database, BotMessenger(bot), operators=operators) == 1
        await olga.wait_for(lambda message: "<x>" in message.text)
        assert len([each for each in await iris.messages() if "<x>" in each.text]) == 1

    async def test_without_operators_the_news_waits(self, database: Database, bot: Bot) -> None:
        async with database.transaction() as tx:
            await raise_alert(tx, key="k", kind="of_another_release", facts={"charge": "stx_1", "n": 1})
        assert await send_alerts(database, BotMessenger(bot), operators=()) == 0
        async with database.transaction() as tx:
            assert await tx.scalar(sql("SELECT sent_at IS NULL FROM starbooth.alerts"))

    async def test_news_that_no_operator_can_be_told_waits_for_one_who_can(
        self, eve: Guest, olga: Guest, database: Database, bot: Bot
    ) -> None:
        async with database.transaction() as tx:
            await raise_alert(tx, key="k", kind="refund_stuck", facts={"telegram_id": 7, "reason": "slow"})
        operators = (eve.user_id, olga.user_id)  # neither has opened the bot yet
        assert await send_alerts(database, BotMessenger(bot), operators=operators) == 0
        await start(eve)
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.alerts SET due_at = now()"))
        assert await send_alerts(database, BotMessenger(bot), operators=operators) == 1
        await eve.wait_for(lambda message: "not been answered yet: slow" in message.text)
