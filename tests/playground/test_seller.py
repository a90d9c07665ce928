"""A whole bot that sells: aiogram's dispatcher, polling, which hears of payments as a bot in service does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiogram import Bot, Dispatcher, F
from aiogram.types import (
    BotSubscriptionUpdated,
    Message,
    PreCheckoutQuery,
    RefundedPayment,
    SuccessfulPayment,
)

from tests.playground.conftest import eventually
from tests.playground.guest import Guest
from tests.playground.shop import make_subscription_link, prices


@dataclass
class Seller:
    """What the bot was told, in order."""

    paid: list[SuccessfulPayment] = field(default_factory=list)
    refunded: list[RefundedPayment] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    async def sell(self, message: Message) -> None:
        await message.answer_invoice("A pack", "50 stars", "ord_1", "XTR", prices(50))

    async def allow(self, query: PreCheckoutQuery) -> None:
        await query.answer(ok=True)

    async def hand_over(self, message: Message) -> None:
        assert message.successful_payment is not None
        self.paid.append(message.successful_payment)
        await message.answer("Thank you!")

    async def note_refund(self, message: Message) -> None:
        assert message.refunded_payment is not None
        self.refunded.append(message.refunded_payment)

    async def note_state(self, update: BotSubscriptionUpdated) -> None:
        self.states.append(update.state)


@pytest.fixture
async def seller(bot: Bot) -> AsyncIterator[Seller]:
    seller, dispatcher = Seller(), Dispatcher()
    dispatcher.message.register(seller.hand_over, F.successful_payment)
    dispatcher.message.register(seller.note_refund, F.refunded_payment)
    dispatcher.message.register(seller.sell, F.text == "/buy")
    dispatcher.pre_checkout_query.register(seller.allow)
    dispatcher.subscription.register(seller.note_state)
    polling = asyncio.create_task(
        dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False, polling_timeout=10)
    )
    yield seller
    await dispatcher.stop_polling()
    await polling


class TestSeller:
    async def test_a_guest_buys_and_gets_the_stars_back(self, bot: Bot, ada: Guest, seller: Seller) -> None:
        await ada.say("/buy")
        invoice = await ada.wait_for(lambda message: bool(message.invoice))
        paid = await ada.pay(invoice)
        assert paid.status == "paid"
        await ada.wait_for(lambda message: message.text == "Thank you!")
        assert [each.telegram_payment_charge_id for each in seller.paid] == [paid.charge_id]
        await bot.refund_star_payment(ada.user_id, paid.charge_id)
        await eventually(lambda: len(seller.refunded) == 1)
        assert (await ada.wallet()).xtr == 1000

    async def test_a_guest_subscribes_stays_and_leaves(self, bot: Bot, ada: Guest, seller: Seller) -> None:
        first = await ada.pay(await make_subscription_link(bot))
        second = await ada.next_month(first.charge_id)
        await ada.cancel_subscription(first.charge_id)
        await ada.enable_subscription(first.charge_id)
        await eventually(lambda: len(seller.paid) == 2 and len(seller.states) == 2)
        assert {each.telegram_payment_charge_id for each in seller.paid} == {
            first.charge_id,
            second.charge_id,
        }
        assert sorted(seller.states) == ["active", "canceled"]
