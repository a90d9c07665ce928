"""A bot that sells for Stars, step by step: what the tests of payments do over and over."""

import asyncio
from typing import Any

from aiogram import Bot
from aiogram.types import LabeledPrice, Message, PreCheckoutQuery, Update

from tests.playground.conftest import Served, eventually
from tests.playground.guest import Guest, Payment
from tests.playground.guest import Message as Seen

PERIOD_S = 2_592_000


def prices(*amounts_xtr: int) -> list[LabeledPrice]:
    return [LabeledPrice(label="Stars", amount=amount_xtr) for amount_xtr in amounts_xtr]


async def send_invoice(
    bot: Bot, guest: Guest, *, amount_xtr: int = 50, payload: str = "ord_1", **options: Any
) -> Seen:
    """The invoice as the guest sees it."""
    texts = ("A pack", "50 stars for pictures", payload, "XTR")
    sent = await bot.send_invoice(guest.user_id, *texts, prices(amount_xtr), **options)
    return next(seen for seen in await guest.messages() if seen.message_id == sent.message_id)


async def make_link(bot: Bot, *, amount_xtr: int = 50, payload: str = "ord_1", **options: Any) -> str:
    texts = ("A pack", "50 stars for pictures", payload, "XTR")
    return await bot.create_invoice_link(*texts, prices(amount_xtr), **options)


async def make_subscription_link(bot: Bot, *, amount_xtr: int = 50) -> str:
    return await make_link(bot, amount_xtr=amount_xtr, payload="sub_1", subscription_period=PERIOD_S)


async def take_updates(playground: Served, bot: Bot) -> list[Update]:
    """What waits for the bot, which thereby has it."""
    playground.clock.now_s += 4  # else a second poll of the same offset would wait
    updates = await bot.get_updates()
    playground.world.updates.drop_all()
    return updates


async def take_messages(playground: Served, bot: Bot) -> list[Message]:
    return [each.message for each in await take_updates(playground, bot) if each.message]


async def take_query(playground: Served, bot: Bot) -> PreCheckoutQuery:
    """The next pre-checkout query; what lies before it is confirmed unseen."""
    pending = playground.world.updates.pending
    await eventually(lambda: any(each.kind == "pre_checkout_query" for each in pending()))
    updates = await take_updates(playground, bot)
    return next(each.pre_checkout_query for each in updates if each.pre_checkout_query)


async def pay(playground: Served, bot: Bot, guest: Guest, invoice: Seen | str) -> Payment:
    """The whole checkout with a bot that says yes."""
    paying = asyncio.create_task(guest.pay(invoice))
    query = await take_query(playground, bot)
    assert await bot.answer_pre_checkout_query(query.id, ok=True)
    return await paying
