"""Everything that can go wrong with a payment, on purpose: once, for the guest named, and not otherwise."""

import asyncio

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramNetworkError, TelegramServerError

from starbooth.playground.faults import OF_CALLS, FaultKind, Faults
from tests.playground.conftest import Served, eventually
from tests.playground.guest import Guest, Payment, Stars
from tests.playground.shop import (
    make_subscription_link,
    pay,
    send_invoice,
    take_messages,
    take_query,
    take_updates,
)


class TestLostUpdate:
    async def test_the_bot_never_hears_of_a_payment(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        await stars.set_fault("lost_update", method="successful_payment")
        invoice = await send_invoice(bot, ada)
        await ada.say("not a payment")
        paid = await pay(playground, bot, ada, invoice)
        assert await take_updates(playground, bot) == []
        assert (await ada.messages())[-1].payment["telegram_payment_charge_id"] == paid.charge_id
        assert [row["id"] for row in await stars.transactions()] == [paid.charge_id]
        await pay(playground, bot, ada, invoice)
        assert len(await take_messages(playground, bot)) == 1

    async def test_the_bot_never_hears_of_a_refund(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        await stars.set_fault("lost_update", method="refunded_payment")
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        assert len(await take_messages(playground, bot)) == 1
        await stars.refund(paid.charge_id)
        assert await take_updates(playground, bot) == []
        assert (await ada.wallet()).xtr == 1000

    async def test_any_kind_of_update_can_be_lost(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("lost_update", method="message")
        await ada.add_fault("lost_update", method="pre_checkout_query")
        await ada.say("lost")
        await ada.say("heard")
        assert [message.text for message in await take_messages(playground, bot)] == ["heard"]
        playground.world.checkout_s = 0.01
        assert (await ada.pay(await send_invoice(bot, ada))).status == "failed"
        assert await take_updates(playground, bot) == []

    async def test_only_the_guest_named_is_struck(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("lost_update", method="successful_payment", chat_id=ada.user_id, count=None)
        async with Guest(playground.url, "Bob") as bob:
            await bob.say("/start")
            await pay(playground, bot, bob, await send_invoice(bot, bob))
            assert len(await take_messages(playground, bot)) == 1
        await pay(playground, bot, ada, await send_invoice(bot, ada))
        assert await take_messages(playground, bot) == []


class TestDoubledUpdate:
    async def test_one_payment_is_told_twice_under_one_id(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        await stars.set_fault("doubled_update", method="successful_payment")
        await pay(playground, bot, ada, await send_invoice(bot, ada))
        playground.clock.now_s += 10
        (first,) = await bot.get_updates()
        playground.clock.now_s += 10
        (second,) = await bot.get_updates(offset=first.update_id + 1)
        assert first == second
        assert len(await stars.transactions()) == 1


class TestDoublePayment:
    async def test_one_confirmation_charges_twice(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        await stars.set_fault("double_payment")
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        told = [message.successful_payment for message in await take_messages(playground, bot)]
        charge_ids = [each.telegram_payment_charge_id for each in told if each]
        assert len(charge_ids) == len(set(charge_ids)) == 2
        assert charge_ids[0] == paid.charge_id
        assert [row["id"] for row in await stars.transactions()] == charge_ids
        assert (await ada.wallet()).xtr == 900
        assert {each.invoice_payload for each in told if each} == {"ord_1"}

    async def test_with_stars_for_one_only_it_waits(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("double_payment")
        await pay(playground, bot, ada, await send_invoice(bot, ada, amount_xtr=501))
        assert (await ada.wallet()).xtr == 499
        await pay(playground, bot, ada, await send_invoice(bot, ada, amount_xtr=200))
        assert (await ada.wallet()).xtr == 99


class TestUnaskedPayment:
    async def test_the_bot_is_paid_without_being_asked(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.add_fault("unasked_payment")
        paid = await ada.pay(await send_invoice(bot, ada))
        assert paid.status == "paid"
        (update,) = await take_updates(playground, bot)
        assert update.message is not None
        assert update.message.successful_payment is not None

    async def test_too_few_stars_are_too_few_all_the_same(self, bot: Bot, ada: Guest) -> None:
        await ada.add_fault("unasked_payment")
        assert (await ada.pay(await send_invoice(bot, ada, amount_xtr=1001))).status == "failed"
        assert (await ada.pay(await send_invoice(bot, ada))).status == "paid"


class TestExpiredCheckout:
    @pytest.mark.parametrize("method", ["*", "pre_checkout_query", "answerPreCheckoutQuery"])
    async def test_the_quickest_answer_comes_too_late(
        self, playground: Served, bot: Bot, ada: Guest, method: str
    ) -> None:
        await ada.add_fault("expired_checkout", method=method)
        invoice = await send_invoice(bot, ada)
        paying = asyncio.create_task(ada.pay(invoice))
        query = await take_query(playground, bot)
        with pytest.raises(TelegramBadRequest, match="query is too old and response timeout expired"):
            await bot.answer_pre_checkout_query(query.id, ok=True)
        assert await paying == Payment("failed", "The bot did not answer in time.", "")
        assert (await ada.wallet()).xtr == 1000
        assert (await pay(playground, bot, ada, invoice)).status == "paid"


class TestAlreadyRefunded:
    async def test_the_refund_is_done_and_refused(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        await stars.set_fault("already_refunded")
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await take_updates(playground, bot)
        with pytest.raises(TelegramBadRequest, match="CHARGE_NOT_FOUND"):
            await bot.refund_star_payment(ada.user_id, "stx_unknown")
        with pytest.raises(TelegramBadRequest, match="CHARGE_ALREADY_REFUNDED"):
            await bot.refund_star_payment(ada.user_id, paid.charge_id)
        assert (await ada.wallet()).xtr == 1000
        assert len(await stars.transactions()) == 2
        assert len(await take_messages(playground, bot)) == 1


class TestConnection:
    async def test_a_refund_whose_answer_is_lost_is_done(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await stars.set_fault("dropped_after", method="refundStarPayment", chat_id=ada.user_id)
        with pytest.raises(TelegramNetworkError):
            await bot.refund_star_payment(ada.user_id, paid.charge_id)
        assert await stars.balance_xtr() == 0
        with pytest.raises(TelegramBadRequest, match="CHARGE_ALREADY_REFUNDED"):
            await bot.refund_star_payment(ada.user_id, paid.charge_id)

    async def test_a_refund_that_fails_before_the_work_does_nothing(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await stars.set_fault("server_error", method="refundStarPayment", chat_id=ada.user_id)
        with pytest.raises(TelegramServerError):
            await bot.refund_star_payment(ada.user_id, paid.charge_id)
        assert await stars.balance_xtr() == 50
        assert await bot.refund_star_payment(ada.user_id, paid.charge_id)

    async def test_a_yes_whose_answer_is_lost_is_a_payment(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.add_fault("dropped_after", method="answerPreCheckoutQuery")
        paying = asyncio.create_task(ada.pay(await send_invoice(bot, ada)))
        query = await take_query(playground, bot)
        with pytest.raises(TelegramNetworkError):
            await bot.answer_pre_checkout_query(query.id, ok=True)
        assert (await paying).status == "paid"


class TestLatePayment:
    async def test_the_stars_move_at_once_and_the_update_comes_later(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.add_fault("payment_late", seconds=0.2)
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        assert (await ada.wallet()).xtr == 950
        await ada.say("Where are my stars?")
        assert [update.kind for update in playground.world.updates.pending()] == ["message"]
        await eventually(lambda: len(playground.world.updates) == 2)
        asked, told = await take_messages(playground, bot)
        assert asked.text == "Where are my stars?"
        assert told.successful_payment is not None
        assert told.successful_payment.telegram_payment_charge_id == paid.charge_id
        assert told.message_id < asked.message_id

    async def test_a_reset_forgets_what_was_still_to_come(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.add_fault("payment_late", seconds=60)
        await pay(playground, bot, ada, await send_invoice(bot, ada))
        (timer,) = playground.world.late_updates._waiting.values()
        playground.world.clear()
        assert timer.cancelled()
        assert playground.world.late_updates._waiting == {}


class TestRenewal:
    async def test_the_payment_of_a_further_month_can_be_lost_too(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        first = await pay(playground, bot, ada, await make_subscription_link(bot))
        await take_updates(playground, bot)
        await ada.add_fault("lost_update", method="successful_payment")
        assert (await ada.next_month(first.charge_id)).status == "paid"
        assert await take_updates(playground, bot) == []


class TestKinds:
    @pytest.mark.parametrize("kind", sorted(set(FaultKind) - OF_CALLS))
    def test_faults_of_payments_strike_no_call(self, kind: FaultKind) -> None:
        faults = Faults()
        fault = faults.add(kind)
        assert faults.strike("sendmessage", 7) == []
        assert faults.pick(FaultKind.DOUBLED_UPDATE, ("message",), 7) is (
            fault if kind is FaultKind.DOUBLED_UPDATE else None
        )
