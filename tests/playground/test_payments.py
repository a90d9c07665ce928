"""Stars on their way: an invoice, the bot's yes or no, the payment, and what everybody has afterwards."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.types import LabeledPrice, Message, PreCheckoutQuery

from tests.playground.conftest import Served, eventually
from tests.playground.guest import Guest, Payment, Stars
from tests.playground.guest import Message as Seen


@pytest.fixture
async def stars(playground: Served) -> AsyncIterator[Stars]:
    async with Stars(playground.url) as opened:
        yield opened


async def send_invoice(bot: Bot, guest: Guest, *, amount_xtr: int = 50, payload: str = "ord_1") -> Seen:
    """The invoice as the guest sees it."""
    prices = [LabeledPrice(label="50 stars", amount=amount_xtr)]
    sent = await bot.send_invoice(guest.user_id, "A pack", "50 stars for pictures", payload, "XTR", prices)
    return next(seen for seen in await guest.messages() if seen.message_id == sent.message_id)


async def take_query(playground: Served, bot: Bot) -> PreCheckoutQuery:
    """The pre-checkout query that comes next; what lies before it is confirmed unseen."""
    world = playground.world
    await eventually(lambda: any(each.kind == "pre_checkout_query" for each in world.updates.pending()))
    playground.clock.now_s += 1
    updates = await bot.get_updates()
    world.updates.drop_all()
    return next(each.pre_checkout_query for each in updates if each.pre_checkout_query)


async def pay(playground: Served, bot: Bot, guest: Guest, invoice: Seen | str) -> Payment:
    """The whole checkout with a bot that says yes."""
    paying = asyncio.create_task(guest.pay(invoice))
    query = await take_query(playground, bot)
    assert await bot.answer_pre_checkout_query(query.id, ok=True)
    return await paying


async def take_messages(playground: Served, bot: Bot) -> list[Message]:
    """The messages that wait for the bot, which thereby has them."""
    playground.clock.now_s += 1
    updates = await bot.get_updates()
    playground.world.updates.drop_all()
    return [each.message for each in updates if each.message]


class TestPayment:
    async def test_stars_go_from_the_guest_to_the_bot_and_back(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        invoice = await send_invoice(bot, ada)
        paid = await pay(playground, bot, ada, invoice)
        assert paid == Payment("paid", "", paid.charge_id)
        assert paid.charge_id.startswith("stx")
        assert (await ada.wallet()).xtr == 950
        assert (await bot.get_my_star_balance()).amount == 50
        (told,) = await take_messages(playground, bot)
        assert told.successful_payment is not None
        assert told.successful_payment.telegram_payment_charge_id == paid.charge_id
        assert told.from_user is not None
        assert told.from_user.id == told.chat.id == ada.user_id
        assert await bot.refund_star_payment(ada.user_id, paid.charge_id)
        assert (await ada.wallet()).xtr == 1000
        assert await stars.balance_xtr() == 0
        (back,) = await take_messages(playground, bot)
        assert back.refunded_payment is not None
        assert back.refunded_payment.telegram_payment_charge_id == paid.charge_id
        incoming, outgoing = (await bot.get_star_transactions()).transactions
        assert incoming.id == outgoing.id == paid.charge_id
        assert incoming.source is not None
        assert incoming.receiver is None
        assert outgoing.receiver is not None
        assert outgoing.source is None
