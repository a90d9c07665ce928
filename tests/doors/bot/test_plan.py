"""The monthly plan in the chat: what it offers, and its months, whatever happens to their payments."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiogram import Bot

from starbooth.base.database import Database
from starbooth.base.prices import parse_plan
from starbooth.base.settings import Settings
from starbooth.domain.payments.differences import Patience
from starbooth.domain.payments.reconcile import reconcile
from starbooth.domain.payments.shop import shop_of
from starbooth.outside.telegram.stars import TelegramStars
from tests.doors.bot.chat import balance_of
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.planning import (
    MONTH_STARS,
    WELCOME,
    Row,
    ask_plan,
    let_a_month_pass,
    link_of,
    read_flags,
    read_rows,
    subscribe,
    wait_for_stars,
)
from tests.playground.guest import Guest, Stars

AT_ONCE = Patience(fresh=timedelta(seconds=-5), late=timedelta())
SENTENCES = {
    "en": ("Each month: 360 stars. Price: 300 Telegram Stars.", "Subscribe · 300", "was not renewed"),
    "es": ("Cada mes: 360 estrellas. Precio: 300 Estrellas de Telegram.", "Suscribirme · 300", "no se ha"),
    "ru": ("Каждый месяц: 360 звёзд. Цена — 300 звёзд Telegram.", "Подписаться · 300", "не продлён"),
}


@pytest.fixture
async def stars(playground: str) -> AsyncIterator[Stars]:
    async with Stars(playground) as stars:
        yield stars


@pytest.mark.usefixtures("at_work")
class TestOffer:
    async def test_plan_shows_what_a_month_brings_and_costs_and_its_link_stays_the_same(
        self, ada: Guest
    ) -> None:
        offer = await ask_plan(ada)
        assert "Each month: 360 stars. Price: 300 Telegram Stars." in offer.text
        assert "about 120 pictures" in offer.text
        assert link_of(offer).startswith("https://t.me/$")
        assert link_of(await ask_plan(ada)) == link_of(offer)

    @pytest.mark.parametrize("code", ["en", "es", "ru"])
    async def test_in_every_language(self, make_guest: MakeGuest, database: Database, code: str) -> None:
        guest = await make_guest("Bo", code)
        price, label, failed = SENTENCES[code]
        offer = await ask_plan(guest)
        assert price in offer.text
        assert any(label in each for each in offer.labels)
        charge_id = await subscribe(database, guest)
        running = await ask_plan(guest)
        assert ".." not in running.text
        assert "360" in running.text
        await guest.add_xtr(-500)
        assert (await guest.next_month(charge_id)).status == "failed"
        told = await guest.wait_for(lambda message: failed in message.text)
        assert told.labels == (await ask_plan(guest)).labels

    async def test_it_stands_in_the_menu(self, bot: Bot) -> None:
        for _ in range(100):
            if commands := await bot.get_my_commands():
                break
            await asyncio.sleep(0.02)
        assert "plan" in [each.command for each in commands]


@pytest.mark.usefixtures("at_work")
class TestMonths:
    async def test_the_first_payment_brings_the_stars_once_and_begins_the_plan(
        self, ada: Guest, database: Database
    ) -> None:
        await ada.add_fault("doubled_update", method="successful_payment")
        charge_id = await subscribe(database, ada)
        assert await read_rows(database) == [Row("active", charge_id, 30)]
        shown = await ask_plan(ada)
        assert "Paid until" in shown.text
        assert "Next month: 360 stars. Price: 300 Telegram Stars." in shown.text
        assert shown.labels == ["Stop renewing"]
        assert await balance_of(database, ada) == WELCOME + MONTH_STARS

    async def test_every_renewal_brings_them_once_more(self, ada: Guest, database: Database) -> None:
        charge_id = await subscribe(database, ada)
        await ada.add_fault("doubled_update", method="successful_payment", count=None)
        for month in (2, 3):
            assert (await ada.next_month(charge_id)).status == "paid"
            await wait_for_stars(database, ada, WELCOME + month * MONTH_STARS)
        await ask_plan(ada)  # behind the doubled ones
        assert await balance_of(database, ada) == WELCOME + 3 * MONTH_STARS
        assert await read_rows(database) == [Row("active", charge_id, 90)]
        assert await read_flags(database) == [None] * 3

    async def test_a_renewal_without_its_update_is_found_in_telegrams_list(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        charge_id = await subscribe(database, ada)
        await let_a_month_pass(database)
        await ada.add_fault("lost_update", method="successful_payment")
        assert (await ada.next_month(charge_id)).status == "paid"
        for _ in range(2):
            await reconcile(database, TelegramStars(bot), shop=shop_of(settings), patience=AT_ONCE)
        assert await balance_of(database, ada) == WELCOME + 2 * MONTH_STARS
        assert await read_rows(database) == [Row("active", charge_id, 60)]
        assert (await ada.next_month(charge_id)).status == "paid"
        await wait_for_stars(database, ada, WELCOME + 3 * MONTH_STARS)
        assert await read_rows(database) == [Row("active", charge_id, 30 + 90)]  # by Telegram's clock
        assert await read_flags(database) == [None] * 3

    async def test_a_renewal_that_comes_late_and_was_found_before_counts_once(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        charge_id = await subscribe(database, ada)
        await let_a_month_pass(database)
        await ada.add_fault("payment_late", method="successful_payment", seconds=1)
        assert (await ada.next_month(charge_id)).status == "paid"
        await reconcile(database, TelegramStars(bot), shop=shop_of(settings), patience=AT_ONCE)
        await wait_for_stars(database, ada, WELCOME + 2 * MONTH_STARS)
        await asyncio.sleep(1.2)
        await ask_plan(ada)
        assert await balance_of(database, ada) == WELCOME + 2 * MONTH_STARS
        assert await read_rows(database) == [Row("active", charge_id, 30 + 60)]  # by Telegram's clock

    async def test_a_refunded_month_does_not_stop_the_next_one(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot, stars: Stars
    ) -> None:
        charge_id = await subscribe(database, ada)
        await stars.chargeback(charge_id)
        await reconcile(database, TelegramStars(bot), shop=shop_of(settings), patience=AT_ONCE)
        assert await balance_of(database, ada) == WELCOME
        assert (await ada.next_month(charge_id)).status == "paid"
        await wait_for_stars(database, ada, WELCOME + MONTH_STARS)
        assert await read_flags(database) == [None] * 2
        assert "Paid until" in (await ask_plan(ada)).text


class TestAgreement:
    async def test_a_renewal_brings_what_was_agreed_whatever_is_on_sale_since(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            charge_id = await subscribe(database, ada)
        for number, plan in enumerate(("50=400", "none"), start=2):
            changed = settings.model_copy(update={"plan": parse_plan(plan)})
            async with running_bot(database, changed, bot):
                assert (await ada.next_month(charge_id)).status == "paid"
                await wait_for_stars(database, ada, WELCOME + number * MONTH_STARS)
                assert "Next month: 360 stars. Price: 300 Telegram Stars." in (await ask_plan(ada)).text
        assert await read_flags(database) == [None] * 3

    async def test_where_there_is_no_plan_there_is_none_to_take(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        without = settings.model_copy(update={"plan": None})
        async with running_bot(database, without, bot):
            answer = await ask_plan(ada)
            assert "no monthly plan" in answer.text
            assert not answer.buttons
            assert "plan" not in [each.command for each in await bot.get_my_commands()]
