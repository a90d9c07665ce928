"""Wanting more than the stars suffice for: packs under the no, and a wish that starts once it is paid for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.domain.generations.cart import sweep_carts
from starbooth.domain.generations.request import Limits
from starbooth.doors.bot.terms import terms_of
from tests.doors.bot.buying import execute, rows, take_invoice, thanks
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import running_bot
from tests.doors.bot.worker import Worker
from tests.make.audits import assert_accounts_are_true
from tests.playground.guest import Guest, Message


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A booth where a new guest can pay for one picture and a bit."""
    return settings.model_copy(update={"welcome_stars": 4})


@pytest.fixture
def limits(settings: Settings) -> Limits:
    return terms_of(settings).limits


@pytest.fixture(autouse=True)
async def at_work(database: Database, settings: Settings, bot: Bot) -> AsyncIterator[None]:
    async with running_bot(database, settings, bot):
        yield


async def run_out(ada: Guest, worker: Worker) -> Message:
    """Spend the stars on a picture and want another one; returns the no."""
    await start(ada)
    await ada.say("a red boat")
    await worker.wait_for_order()
    await worker.paint_all()
    asked = await ada.say("a green boat")
    return await answer_to(ada, asked, "This costs 3 stars, and you have 1 star.")


async def orders_of(worker: Worker) -> list[str]:
    return [order.prompt for order in await worker.orders()]


class TestTheNo:
    async def test_it_offers_the_packs_and_promises_to_start(self, ada: Guest, worker: Worker) -> None:
        no = await run_out(ada, worker)
        assert "I remember what you wanted: once you top up, it starts by itself, at this price." in no.text
        assert "50 stars ≈ 16 pictures" in no.text
        assert no.labels[0] == "50 stars for 50 ⭐"
        assert no.labels[-1] == "Forget it"

    async def test_under_a_button_the_packs_stand_beside_the_pop_up(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        no = await run_out(ada, worker)
        picture = next(message for message in await ada.messages() if message.photo_id)
        answer = await ada.press(picture, "Again")
        assert answer is not None
        assert (answer["text"], answer["show_alert"]) == (
            "This costs 3 stars, and you have 1 star. Nothing was charged.",
            True,
        )
        packs = await answer_to(ada, no, "I remember what you wanted")
        assert packs.labels[0] == "50 stars for 50 ⭐"
        assert await rows(database, "SELECT state FROM starbooth.carts ORDER BY created_at") == [
            ("dropped",),
            ("waiting",),
        ]


class TestTheWish:
    async def test_it_starts_by_itself_once_paid_at_the_price_shown(
        self, ada: Guest, worker: Worker, database: Database, limits: Limits
    ) -> None:
        no = await run_out(ada, worker)
        await execute(database, "UPDATE starbooth.offers SET price_stars = 9")
        invoice = await take_invoice(ada, no)
        await ada.pay(invoice)
        told = await thanks(ada, invoice)
        assert "New: 50 stars. In all: 51 stars." in told.text
        assert "What you wanted starts by itself now." in told.text
        await asyncio.gather(*(sweep_carts(database, limits=limits) for _ in range(3)))
        assert await orders_of(worker) == ["a red boat", "a green boat"]
        assert await balance_of(database, ada) == 48
        await worker.paint_all()
        await ada.wait_for(lambda message: bool(message.photo_id), after=told)
        await assert_accounts_are_true(database)

    async def test_a_pressed_button_starts_under_its_picture(
        self, ada: Guest, worker: Worker, database: Database, limits: Limits
    ) -> None:
        no = await run_out(ada, worker)
        picture = next(message for message in await ada.messages() if message.photo_id)
        await ada.press(picture, "Vary")
        packs = await answer_to(ada, no, "I remember what you wanted")
        invoice = await take_invoice(ada, packs)
        await ada.pay(invoice)
        told = await thanks(ada, invoice)
        assert await sweep_carts(database, limits=limits) == 1
        await worker.paint_all()
        fresh = await ada.wait_for(lambda message: bool(message.photo_id), after=told)
        assert fresh.raw["reply_to_message"]["message_id"] == picture.message_id
        assert await orders_of(worker) == ["a red boat", "a red boat"]
        assert (await worker.orders())[-1].request["frozen"]["strength"] == 0.7

    async def test_too_small_a_pack_says_what_is_missing(
        self, ada: Guest, worker: Worker, database: Database, limits: Limits
    ) -> None:
        no = await run_out(ada, worker)
        await execute(database, "UPDATE starbooth.carts SET price_stars = 60")
        invoice = await take_invoice(ada, no)
        await ada.pay(invoice)
        told = await thanks(ada, invoice)
        assert "For what you wanted, 9 stars are still missing. It waits." in told.text
        assert told.labels[0] == "50 stars for 50 ⭐"
        assert await sweep_carts(database, limits=limits) == 0
        await ada.pay(await take_invoice(ada, told))
        await thanks(ada, told, "starts by itself")
        assert await sweep_carts(database, limits=limits) == 1

    async def test_it_can_be_forgotten(
        self, ada: Guest, worker: Worker, database: Database, limits: Limits
    ) -> None:
        no = await run_out(ada, worker)
        answer = await ada.press(no, "Forget it")
        assert answer is not None
        assert answer["text"] == "Forgotten. Nothing was charged."
        invoice = await take_invoice(ada, no)
        await ada.pay(invoice)
        told = await thanks(ada, invoice)
        assert "starts" not in told.text
        assert await sweep_carts(database, limits=limits) == 0
        assert await balance_of(database, ada) == 51

    async def test_stars_that_come_back_from_another_order_do_not_start_it(
        self, ada: Guest, worker: Worker, database: Database, limits: Limits
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.show()
        waiting = await ada.wait_for(lambda message: message.labels == ["Cancel"])
        asked = await ada.say("a green boat")
        await answer_to(ada, asked, "I remember what you wanted")
        await ada.press(waiting, "Cancel")
        assert await balance_of(database, ada) == 4
        assert await sweep_carts(database, limits=limits) == 0
        assert await orders_of(worker) == ["a red boat"]
