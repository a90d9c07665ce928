"""The bot's Stars: refunds and chargebacks, the list of transactions, and that all sums agree."""

import asyncio
import contextlib
import random

import httpx
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest

from starbooth.playground.errors import GuestError
from starbooth.playground.faults import FaultKind
from starbooth.playground.payments import charge, give_back
from starbooth.playground.subscriptions import pass_month
from starbooth.playground.till import Invoice
from tests.playground.conftest import Clock, Served, eventually, make_world
from tests.playground.guest import Guest, Stars
from tests.playground.shop import (
    PERIOD_S,
    make_link,
    pay,
    send_invoice,
    take_messages,
    take_updates,
)


class TestRefund:
    async def test_the_stars_go_back_and_both_are_told(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await take_updates(playground, bot)
        assert await bot.refund_star_payment(ada.user_id, paid.charge_id)
        assert (await ada.wallet()).xtr == 1000
        assert await stars.balance_xtr() == 0
        (told,) = await take_messages(playground, bot)
        assert told.refunded_payment is not None
        assert told.refunded_payment.telegram_payment_charge_id == paid.charge_id
        assert told.refunded_payment.total_amount == 50
        assert told.refunded_payment.invoice_payload == "ord_1"
        assert (await ada.messages())[-1].refunded_payment["telegram_payment_charge_id"] == paid.charge_id

    async def test_a_payment_is_refunded_once(self, playground: Served, bot: Bot, ada: Guest) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await bot.refund_star_payment(ada.user_id, paid.charge_id)
        with pytest.raises(TelegramBadRequest, match="Bad Request: CHARGE_ALREADY_REFUNDED"):
            await bot.refund_star_payment(ada.user_id, paid.charge_id)
        assert (await ada.wallet()).xtr == 1000

    async def test_only_the_payer_and_the_charge_together_are_found(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        async with Guest(playground.url, "Bob") as bob:
            wrong = (
                (ada.user_id, "stx_unknown", "CHARGE_NOT_FOUND"),
                (bob.user_id, paid.charge_id, "CHARGE_NOT_FOUND"),
                (ada.user_id, "", "CHARGE_ID_EMPTY"),
                (999, paid.charge_id, "USER_ID_INVALID"),
                (0, paid.charge_id, "invalid user_id specified"),
            )
            for user_id, charge_id, complaint in wrong:
                with pytest.raises(TelegramBadRequest, match=f"Bad Request: {complaint}"):
                    await bot.refund_star_payment(user_id, charge_id)
        assert (await bot.get_my_star_balance()).amount == 50

    async def test_a_guest_who_blocked_the_bot_is_refunded_too(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await ada.block()
        assert await bot.refund_star_payment(ada.user_id, paid.charge_id)
        assert (await ada.wallet()).xtr == 1000

    async def test_support_refunds_without_the_bot(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await take_updates(playground, bot)
        await stars.refund(paid.charge_id)
        (told,) = await take_messages(playground, bot)
        assert told.refunded_payment is not None
        with pytest.raises(TelegramBadRequest, match="CHARGE_ALREADY_REFUNDED"):
            await bot.refund_star_payment(ada.user_id, paid.charge_id)

    async def test_a_chargeback_takes_the_stars_and_tells_nobody(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await take_updates(playground, bot)
        messages = await ada.messages()
        await stars.chargeback(paid.charge_id)
        assert await take_updates(playground, bot) == []
        assert await ada.messages() == messages
        assert (await ada.wallet()).xtr == 1000
        assert await stars.balance_xtr() == 0
        incoming, outgoing = await stars.transactions()
        assert incoming["id"] == outgoing["id"] == paid.charge_id
        assert outgoing["receiver"] == incoming["source"]

    async def test_what_went_back_does_not_go_back_again(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        paid = await pay(playground, bot, ada, await send_invoice(bot, ada))
        await stars.refund(paid.charge_id)
        for again in (stars.refund, stars.chargeback):
            with pytest.raises(httpx.HTTPStatusError, match="409"):
                await again(paid.charge_id)
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await again("stx_unknown")
        assert (await ada.wallet()).xtr == 1000


class TestTransactions:
    async def test_rows_are_oldest_first_with_partners(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        first = await pay(playground, bot, ada, await send_invoice(bot, ada, payload="ord_1"))
        second = await pay(playground, bot, ada, await send_invoice(bot, ada, amount_xtr=7, payload="ord_2"))
        await bot.refund_star_payment(ada.user_id, first.charge_id)
        rows = (await bot.get_star_transactions()).transactions
        charge_ids = [first.charge_id, second.charge_id, first.charge_id]
        assert [(row.id, row.amount) for row in rows] == list(zip(charge_ids, (50, 7, 50), strict=True))
        assert [row.source is not None for row in rows] == [True, True, False]
        assert [row.receiver is not None for row in rows] == [False, False, True]
        assert [row["id"] for row in await stars.transactions()] == charge_ids
        partner = (await stars.transactions())[1]["source"]
        assert partner == {
            "type": "user",
            "transaction_type": "invoice_payment",
            "user": playground.world.chats[ada.user_id].user,
            "invoice_payload": "ord_2",
        }

    async def test_pages_are_cut_by_offset_and_limit(self, playground: Served, bot: Bot, ada: Guest) -> None:
        world = playground.world
        invoice = Invoice("slug", "A pack", "50 stars", "ord_1", amount_xtr=1)
        chat = world.guest(ada.user_id)
        charge_ids = [charge(world, chat, invoice).charge_id for _ in range(105)]

        async def page(**options: int) -> list[str]:
            return [row.id for row in (await bot.get_star_transactions(**options)).transactions]

        assert await page() == charge_ids[:100]
        assert await page(offset=100) == charge_ids[100:]
        assert await page(offset=3, limit=2) == charge_ids[3:5]
        assert await page(offset=105) == []
        assert await page(offset=-5, limit=0) == charge_ids[:1]
        assert await page(limit=5000) == charge_ids[:100]
        assert (await bot.get_my_star_balance()).amount == 105

    async def test_nothing_sold_is_an_empty_list(self, bot: Bot) -> None:
        assert (await bot.get_star_transactions()).transactions == []
        assert (await bot.get_my_star_balance()).amount == 0

    async def test_there_is_a_limit_of_payments_but_not_of_refunds(
        self, playground: Served, bot: Bot, ada: Guest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        invoice = await send_invoice(bot, ada)
        paid = await pay(playground, bot, ada, invoice)
        monkeypatch.setattr("starbooth.playground.star_ledger.MAX_TRANSACTIONS", 1)
        with pytest.raises(httpx.HTTPStatusError, match=r"409.*already 1 payments"):
            await ada.pay(invoice)
        with pytest.raises(GuestError, match="already 1 payments"):
            playground.world.till.ledger.check_has_room()
        assert await bot.refund_star_payment(ada.user_id, paid.charge_id)


class TestSums:
    async def test_many_guests_pay_one_link_at_once(self, playground: Served, bot: Bot, stars: Stars) -> None:
        link = await make_link(bot)
        async with contextlib.AsyncExitStack() as stack:
            guests = [await stack.enter_async_context(Guest(playground.url)) for _ in range(20)]
            paying = [asyncio.create_task(guest.pay(link)) for guest in guests]
            await eventually(lambda: len(playground.world.updates) == 20)
            queries = [each.pre_checkout_query for each in await take_updates(playground, bot)]
            for query in queries:
                assert query is not None
                await bot.answer_pre_checkout_query(query.id, ok=True)
            paid = await asyncio.gather(*paying)
            assert {(await guest.wallet()).xtr for guest in guests} == {950}
        assert {row["id"] for row in await stars.transactions()} == {each.charge_id for each in paid}
        assert await stars.balance_xtr() == 1000

    @pytest.mark.parametrize("seed", range(5))
    def test_no_star_is_made_or_lost(self, seed: int) -> None:
        dice = random.Random(seed)
        world = make_world(now=Clock())
        chats = list(world.chats.values())
        invoices = [Invoice(str(n), "a", "b", "c", 10 * n + 1, period_s=n % 2 * PERIOD_S) for n in range(8)]
        world.faults.add(FaultKind.DOUBLE_PAYMENT, count=None, probability=0.3, seed=seed)
        for _ in range(300):
            chat = dice.choice(chats)
            charges = [world.till.ledger.find(row["id"]) for row in world.till.ledger.rows()]
            kept = [each for each in charges if each and not each.is_given_back]
            own = [each for each in world.till.subscriptions.values() if each.user_id == chat.chat_id]
            act = dice.randrange(4)
            if act == 1 and kept:
                give_back(world, dice.choice(kept), is_told=dice.random() < 0.5)
            elif act == 2 and own:
                pass_month(world, chat, dice.choice(own))
            else:
                charge(world, chat, dice.choice(invoices))
            rows = world.till.ledger.rows()
            balance_xtr = sum(row["amount"] if "source" in row else -row["amount"] for row in rows)
            assert world.till.ledger.balance_xtr == balance_xtr >= 0
            assert sum(world.till.xtr(each.chat_id) for each in chats) + balance_xtr == 1000 * len(chats)
        outgoing = [row["id"] for row in rows if "receiver" in row]
        incoming = [row["id"] for row in rows if "source" in row]
        assert len(outgoing) == len(set(outgoing)) > 10
        assert len(incoming) == len(set(incoming)) > len(outgoing)
        world.close()
