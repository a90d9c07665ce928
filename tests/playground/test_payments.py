"""Stars on their way to the bot: its yes or no, the payment, and what everybody has afterwards."""

import asyncio

import httpx
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest

from starbooth.playground.payments import answer_checkout, open_checkout
from starbooth.playground.till import Checkout, Invoice
from tests.playground.conftest import Clock, Served, eventually, make_world
from tests.playground.guest import Guest, Payment, Stars
from tests.playground.shop import (
    make_link,
    pay,
    send_invoice,
    take_messages,
    take_query,
    take_updates,
)

TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


class TestPayment:
    async def test_stars_go_from_the_guest_to_the_bot(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        assert paid == Payment("paid", "", paid.charge_id)
        assert paid.charge_id.startswith("stx")
        assert (await ada.wallet()).xtr == 950
        assert (await bot.get_my_star_balance()).amount == await stars.balance_xtr() == 50

    async def test_the_bot_is_asked_with_the_facts_of_the_invoice(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        invoice = await send_invoice(bot, ada, amount_xtr=7, payload="ord_ñ")
        await ada.pay(invoice, wait=False)
        query = await take_query(playground, bot)
        assert (query.currency, query.total_amount, query.invoice_payload) == ("XTR", 7, "ord_ñ")
        assert query.from_user.id == ada.user_id

    async def test_the_bot_is_told_by_a_message_of_the_guest(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        (told,) = await take_messages(playground, bot)
        payment = told.successful_payment
        assert payment is not None
        assert payment.telegram_payment_charge_id == paid.charge_id
        assert (payment.currency, payment.total_amount, payment.invoice_payload) == ("XTR", 50, "ord_1")
        assert payment.is_recurring is payment.subscription_expiration_date is None
        assert told.from_user is not None
        assert told.from_user.id == told.chat.id == ada.user_id
        assert (await ada.messages())[-1].payment["telegram_payment_charge_id"] == paid.charge_id

    async def test_an_invoice_can_be_paid_again_with_another_charge_id(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        invoice = await send_invoice(bot, ada)
        charge_ids = {(await pay(playground, bot, ada, invoice)).charge_id for _ in range(3)}
        assert len(charge_ids) == 3
        assert (await ada.wallet()).xtr == 850

    async def test_a_link_is_paid_by_somebody_who_never_wrote(
        self, playground: Served, bot: Bot, stars: Stars
    ) -> None:
        link = await make_link(bot)
        async with Guest(playground.url, "Bob") as bob:
            assert (await pay(playground, bot, bob, link)).status == "paid"
            await bot.send_message(bob.user_id, "Thank you")
        assert await stars.balance_xtr() == 50

    async def test_wallets_are_told_to_the_page(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await pay(playground, bot, ada, await send_invoice(bot, ada))
        wallets = [event for event in playground.world.feed._events if event.kind == "wallet"]
        assert [(event.chat_id, event.content["xtr"]) for event in wallets] == [(ada.user_id, 950)]

    async def test_a_payment_that_is_not_waited_for_is_pending(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        pending = await ada.pay(await send_invoice(bot, ada), wait=False)
        assert pending == Payment("pending", "", "")
        await bot.answer_pre_checkout_query((await take_query(playground, bot)).id, ok=True)
        assert (await ada.wallet()).xtr == 950
        await eventually(lambda: not playground.world.till.tasks)


class TestNoPayment:
    async def test_the_bot_says_no_and_why(self, playground: Served, bot: Bot, ada: Guest) -> None:
        paying = asyncio.create_task(ada.pay(await send_invoice(bot, ada)))
        query = await take_query(playground, bot)
        await bot.answer_pre_checkout_query(query.id, ok=False, error_message="Sold out, sorry")
        assert await paying == Payment("failed", "Sold out, sorry", "")
        assert (await ada.wallet()).xtr == 1000
        assert await take_updates(playground, bot) == []

    async def test_a_no_needs_a_reason_and_then_still_counts(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        paying = asyncio.create_task(ada.pay(await send_invoice(bot, ada)))
        query = await take_query(playground, bot)
        with pytest.raises(TelegramBadRequest, match='parameter "error_message" is required'):
            await bot.answer_pre_checkout_query(query.id, ok=False)
        await bot.answer_pre_checkout_query(query.id, ok=False, error_message="No")
        assert (await paying).reason == "No"

    async def test_a_bot_that_does_not_answer_in_time_gets_nothing(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        playground.world.checkout_s = 0.01
        invoice = await send_invoice(bot, ada)
        assert await ada.pay(invoice) == Payment("failed", "The bot did not answer in time.", "")
        query = await take_query(playground, bot)
        with pytest.raises(TelegramBadRequest, match=TOO_OLD):
            await bot.answer_pre_checkout_query(query.id, ok=True)
        assert (await ada.wallet()).xtr == 1000
        assert playground.world.till.checkouts == {}

    async def test_an_answer_in_the_instant_of_giving_up_moves_nothing(self) -> None:
        world = make_world(now=Clock())
        chat = next(iter(world.chats.values()))
        checkout = open_checkout(world, chat, Invoice("slug", "A pack", "50 stars", "ord_1", amount_xtr=50))
        assert isinstance(checkout, Checkout)
        checkout.outcome.cancel()
        assert answer_checkout(world, checkout.query_id, refusal="") is False
        assert (world.till.xtr(chat.chat_id), world.till.ledger.balance_xtr) == (1000, 0)
        world.close()

    async def test_only_the_first_answer_counts(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.pay(await send_invoice(bot, ada), wait=False)
        query = await take_query(playground, bot)
        await bot.answer_pre_checkout_query(query.id, ok=True)
        for is_ok, message in ((True, None), (False, "No")):
            with pytest.raises(TelegramBadRequest, match=TOO_OLD):
                await bot.answer_pre_checkout_query(query.id, ok=is_ok, error_message=message)
        assert (await ada.wallet()).xtr == 950

    @pytest.mark.parametrize("query_id", ["", "7", "nonsense"])
    async def test_an_unknown_query_is_too_old(self, bot: Bot, query_id: str) -> None:
        with pytest.raises(TelegramBadRequest, match=TOO_OLD):
            await bot.answer_pre_checkout_query(query_id, ok=True)

    async def test_a_query_lives_for_150_seconds_in_the_queue(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.pay(await send_invoice(bot, ada), wait=False)
        playground.clock.now_s += 149
        assert [each.kind for each in playground.world.updates.pending()] == ["pre_checkout_query"]
        playground.clock.now_s += 1
        assert playground.world.updates.pending() == []

    async def test_a_bot_that_did_not_ask_for_queries_is_not_paid(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await bot.get_updates(allowed_updates=["message"])
        playground.world.checkout_s = 0.01
        assert (await ada.pay(await send_invoice(bot, ada))).status == "failed"
        assert await take_updates(playground, bot) == []

    async def test_with_too_few_stars_the_bot_is_not_even_asked(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        invoice = await send_invoice(bot, ada, amount_xtr=1001)
        assert await ada.pay(invoice) == Payment("failed", "You have too few Stars.", "")
        assert await take_updates(playground, bot) == []
        await ada.add_xtr(1)
        assert (await pay(playground, bot, ada, invoice)).status == "paid"
        assert (await ada.wallet()).xtr == 0

    async def test_two_payments_at_once_cannot_spend_the_same_stars(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        invoice = await send_invoice(bot, ada, amount_xtr=600)
        first = asyncio.create_task(ada.pay(invoice))
        first_query = await take_query(playground, bot)
        second = asyncio.create_task(ada.pay(invoice))
        second_query = await take_query(playground, bot)
        for query in (first_query, second_query):
            await bot.answer_pre_checkout_query(query.id, ok=True)
        assert (await first).status == "paid"
        assert await second == Payment("failed", "You have too few Stars.", "")
        assert (await ada.wallet()).xtr == 400

    async def test_a_guest_who_blocks_the_bot_cannot_pay(self, bot: Bot, ada: Guest) -> None:
        invoice, link = await send_invoice(bot, ada), await make_link(bot)
        await ada.block()
        for blocked in (invoice, link):
            with pytest.raises(httpx.HTTPStatusError, match=r"409.*the bot is blocked"):
                await ada.pay(blocked)

    async def test_what_is_no_invoice_cannot_be_paid(self, playground: Served, bot: Bot, ada: Guest) -> None:
        text = (await ada.messages())[0]
        invoice = await send_invoice(bot, ada)
        async with Guest(playground.url, "Bob") as bob:
            for guest, unpayable in ((ada, text), (bob, invoice), (ada, "https://t.me/$nothing")):
                with pytest.raises(httpx.HTTPStatusError, match="404"):
                    await guest.pay(unpayable)
        await ada.delete(invoice)
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            await ada.pay(invoice)

    @pytest.mark.parametrize("body", [{}, {"message_id": 1, "slug": "a"}])
    async def test_an_invoice_is_named_in_one_way(
        self, playground: Served, ada: Guest, body: dict[str, object]
    ) -> None:
        async with httpx.AsyncClient(base_url=playground.url, trust_env=False) as http:
            answer = await http.post(f"/control/users/{ada.user_id}/pay", json=body)
        assert answer.status_code == 400

    async def test_a_reset_ends_what_is_being_paid(self, playground: Served, bot: Bot, ada: Guest) -> None:
        paying = asyncio.create_task(ada.pay(await send_invoice(bot, ada)))
        query = await take_query(playground, bot)
        async with httpx.AsyncClient(base_url=playground.url, trust_env=False) as http:
            await http.post("/control/reset")
        assert await paying == Payment("failed", "The playground was reset.", "")
        with pytest.raises(TelegramBadRequest, match=TOO_OLD):
            await bot.answer_pre_checkout_query(query.id, ok=True)


class TestWallet:
    async def test_a_new_guest_has_a_thousand_stars_to_play_with(self, ada: Guest) -> None:
        wallet = await ada.wallet()
        assert (wallet.xtr, wallet.subscriptions) == (1000, [])

    async def test_stars_come_and_go_but_never_below_zero(self, ada: Guest) -> None:
        assert (await ada.add_xtr(25)).xtr == 1025
        assert (await ada.add_xtr(-1025)).xtr == 0
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            await ada.add_xtr(-1)
        assert (await ada.wallet()).xtr == 0

    async def test_there_is_a_largest_wallet(self, ada: Guest) -> None:
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            await ada.add_xtr(10**12)
        with pytest.raises(httpx.HTTPStatusError, match="422"):
            await ada.add_xtr(10**15)

    async def test_nobody_has_no_wallet(self, playground: Served) -> None:
        async with Guest(playground.url, user_id=5) as nobody:
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await nobody.wallet()
