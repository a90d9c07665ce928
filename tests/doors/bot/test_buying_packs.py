"""Buying with the real bot in the playground: packs, invoices, payments, and everything odd about them."""

import asyncio

import pytest
from aiogram import Bot

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from tests.doors.bot.buying import (
    alerts,
    ask_packs,
    execute,
    flags,
    get_invoice,
    purchases,
    rows,
    take_invoice,
    thanks,
    until_flagged,
)
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.make.audits import assert_accounts_are_true
from tests.playground.guest import Guest
from tests.playground.shop import send_invoice

at_work = pytest.mark.usefixtures("at_work")


@at_work
class TestPacks:
    async def test_buy_shows_every_pack_and_what_it_buys(self, ada: Guest) -> None:
        packs = await ask_packs(ada)
        assert "You have 20 stars. A picture costs 3 stars." in packs.text
        assert "50 stars ≈ 16 pictures\n" in packs.text
        assert "265 stars ≈ 88 pictures · 🎁\u00a015" in packs.text
        assert packs.labels[:3] == ["50 stars for 50 ⭐", "100 stars for 100 ⭐", "265 stars for 250 ⭐"]

    async def test_a_pack_becomes_an_invoice_and_a_payment_becomes_stars(
        self, ada: Guest, database: Database
    ) -> None:
        invoice = await get_invoice(ada)
        assert invoice.invoice["title"] == "50 stars"
        assert (invoice.invoice["currency"], invoice.invoice["total_amount"]) == ("XTR", 50)
        assert invoice.invoice["start_parameter"] == "buy"
        assert invoice.labels == ["Pay 50 ⭐"]
        assert await purchases(database) == ["PENDING"]
        paid = await ada.pay(invoice)
        assert paid.status == "paid"
        told = await thanks(ada, invoice)
        assert "New: 50 stars. In all: 70 stars." in told.text
        assert await balance_of(database, ada) == 70
        assert await purchases(database) == ["COMPLETED"]
        assert await flags(database) == [None]
        assert await alerts(database) == []
        await assert_accounts_are_true(database)

    async def test_ten_quick_presses_leave_one_purchase(self, ada: Guest, database: Database) -> None:
        packs = await ask_packs(ada)
        await asyncio.gather(*(ada.press(packs, "50 stars for 50") for _ in range(10)))
        assert await purchases(database) == ["PENDING"]
        await ada.press(packs, "100 stars")
        assert await purchases(database) == ["PENDING", "PENDING"]

    async def test_an_invoice_past_half_its_life_is_not_handed_out_again(
        self, ada: Guest, database: Database
    ) -> None:
        packs = await ask_packs(ada)
        await take_invoice(ada, packs)
        await execute(database, "UPDATE starbooth.purchases SET expires_at = now() + interval '11 hours'")
        await take_invoice(ada, packs)
        assert await purchases(database) == ["PENDING", "PENDING"]

    async def test_a_forwarded_invoice_leads_to_the_bot(self, ada: Guest, make_guest: MakeGuest) -> None:
        bo = await make_guest("Bo")
        copy = await bo.forward(await get_invoice(ada), ada)
        assert not any(button.get("pay") for button in copy.buttons)
        asked = await bo.say("/start buy")
        await answer_to(bo, asked, "in Telegram Stars. Choose a pack")


@at_work
class TestNoes:
    async def test_an_invoice_is_paid_once(self, ada: Guest, database: Database) -> None:
        invoice = await get_invoice(ada)
        assert (await ada.pay(invoice)).status == "paid"
        await thanks(ada, invoice)
        again = await ada.pay(invoice)
        assert (again.status, again.reason) == (
            "failed",
            "This invoice has been paid already. Nothing more was taken.",
        )
        assert await balance_of(database, ada) == 70

    async def test_an_invoice_that_is_too_old_is_not_paid(self, ada: Guest, database: Database) -> None:
        invoice = await get_invoice(ada)
        await execute(database, "UPDATE starbooth.purchases SET expires_at = now()")
        failed = await ada.pay(invoice)
        assert failed.reason.startswith("This invoice is too old to be paid.")
        assert (await ada.wallet()).xtr == 1000

    async def test_somebody_elses_invoice_is_not_paid(
        self, ada: Guest, database: Database, bot: Bot, make_guest: MakeGuest
    ) -> None:
        await get_invoice(ada)
        ((payload,),) = await rows(database, "SELECT id FROM starbooth.purchases")
        bo = await make_guest("Bo", "ru")
        await start(bo)
        failed = await bo.pay(await send_invoice(bot, bo, payload=payload))
        assert failed.reason.startswith("Этот счёт выписан другому человеку.")

    @pytest.mark.parametrize("facts", [{"payload": "of another bot"}, {"amount_xtr": 1}])
    async def test_what_is_not_of_this_booth_is_not_paid(
        self, ada: Guest, database: Database, bot: Bot, facts: dict[str, str | int]
    ) -> None:
        await get_invoice(ada)
        ((payload,),) = await rows(database, "SELECT id FROM starbooth.purchases")
        failed = await ada.pay(await send_invoice(bot, ada, **{"payload": payload, **facts}))
        assert failed.reason.startswith("This invoice is not one of ours.")
        assert await balance_of(database, ada) == 20

    async def test_a_question_that_is_too_old_is_let_go(self, ada: Guest, database: Database) -> None:
        invoice = await get_invoice(ada)
        await ada.add_fault("expired_checkout", count=1)
        assert (await ada.pay(invoice)).status == "failed"
        assert await balance_of(database, ada) == 20
        assert (await ada.pay(invoice)).status == "paid"
        assert (await thanks(ada, invoice)).text
        assert len([each for each in await ada.messages() if "went wrong" in each.text]) == 0


@at_work
class TestOddPayments:
    async def test_an_update_that_comes_twice_counts_once(self, ada: Guest, database: Database) -> None:
        invoice = await get_invoice(ada)
        await ada.add_fault("doubled_update", method="successful_payment", count=1)
        await ada.pay(invoice)
        await thanks(ada, invoice)
        asked = await ada.say("/balance")
        await answer_to(ada, asked, "70 stars")
        assert await flags(database) == [None]

    async def test_a_payment_that_nobody_was_asked_about_counts(self, ada: Guest, database: Database) -> None:
        invoice = await get_invoice(ada)
        await ada.add_fault("unasked_payment", count=1)
        await ada.pay(invoice)
        await thanks(ada, invoice)
        assert await balance_of(database, ada) == 70
        assert await flags(database) == [None]

    async def test_two_payments_of_one_invoice_both_count(self, ada: Guest, database: Database) -> None:
        invoice = await get_invoice(ada)
        await ada.add_fault("double_payment", count=1)
        await ada.pay(invoice)
        await thanks(ada, invoice, "In all: 120 stars.")
        assert await balance_of(database, ada) == 120
        assert await flags(database) == [None, "second_payment"]
        assert await alerts(database) == ["payment_flagged"]
        await assert_accounts_are_true(database)

    async def test_a_late_payment_gives_what_was_promised(self, ada: Guest, database: Database) -> None:
        packs = await ask_packs(ada)
        invoice = await take_invoice(ada, packs, "265 stars")
        await execute(
            database, 'UPDATE public."StarTransaction" SET "status" = \'FAILED\' WHERE "type" = \'PURCHASE\''
        )
        await ada.add_fault("unasked_payment", count=1)
        await ada.pay(invoice)
        await thanks(ada, invoice)
        assert await balance_of(database, ada) == 285
        assert await flags(database) == ["late"]

    async def test_an_invoice_paid_by_another_counts_by_its_amount(
        self, ada: Guest, database: Database, bot: Bot, make_guest: MakeGuest
    ) -> None:
        await get_invoice(ada)
        ((payload,),) = await rows(database, "SELECT id FROM starbooth.purchases")
        bo = await make_guest("Bo")
        await start(bo)
        copy = await send_invoice(bot, bo, payload=payload)
        await bo.add_fault("unasked_payment", count=1)
        await bo.pay(copy)
        await thanks(bo, copy)
        assert await balance_of(database, bo) == 70
        assert await balance_of(database, ada) == 20
        assert await flags(database) == ["other_payer"]
        assert await purchases(database) == ["PENDING", "COMPLETED"]

    async def test_a_payment_for_nothing_that_we_know_counts_by_its_amount(
        self, ada: Guest, database: Database, bot: Bot
    ) -> None:
        await start(ada)
        invoice = await send_invoice(bot, ada, payload="of another bot", amount_xtr=250)
        await ada.add_fault("unasked_payment", count=1)
        await ada.pay(invoice)
        await thanks(ada, invoice, "New: 265 stars.")
        assert await flags(database) == ["unknown_purchase"]
        assert await alerts(database) == ["payment_flagged"]


class TestSecondPaymentGoesBack:
    async def test_it_is_credited_and_begins_to_go_back(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        strict = settings.model_copy(update={"second_payment": "refund"})
        async with running_bot(database, strict, bot):
            invoice = await get_invoice(ada)
            await ada.add_fault("double_payment", count=1)
            await ada.pay(invoice)
            await thanks(ada, invoice, "the second payment goes back to you in full")
        assert await balance_of(database, ada) == 70
        ((operator, reason, state),) = await rows(
            database, "SELECT operator, reason, state FROM starbooth.refunds"
        )
        assert (operator, reason, state) == ("booth", "paid twice", "asked")
        await assert_accounts_are_true(database)


class TestOldButtons:
    async def test_a_pack_that_is_no_longer_sold_shows_those_of_today(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            packs = await ask_packs(ada)
        today = settings.model_copy(update={"packs": settings.packs[1:]})
        async with running_bot(database, today, bot):
            answer = await ada.press(packs, "50 stars for 50")
            assert answer is not None
            assert answer["text"] == "The price has changed."
            fresh = await ada.wait_for(lambda message: "no longer sold" in message.text)
            assert fresh.labels[0] == "100 stars for 100 ⭐"
        assert await purchases(database) == []

    async def test_where_nothing_is_sold_the_bot_says_so(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings.model_copy(update={"packs": ()}), bot):
            asked = await ada.say("/buy")
            await answer_to(ada, asked, "No stars are on sale here at the moment.")


class TestBadLuck:
    async def test_a_payment_that_comes_while_the_bot_is_away_counts_when_it_is_back(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            invoice = await get_invoice(ada)
        await ada.add_fault("unasked_payment", count=1)
        assert (await ada.pay(invoice)).status == "paid"
        async with running_bot(database, settings, bot):
            await thanks(ada, invoice)
        assert await balance_of(database, ada) == 70

    async def test_thanks_that_cannot_be_sent_take_nothing_back(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            invoice = await get_invoice(ada)
            await ada.add_fault("server_error", method="sendMessage", count=1)
            await ada.pay(invoice)
            await thanks(ada, invoice)
            assert await balance_of(database, ada) == 70
            await ada.add_fault("unasked_payment", count=1)
            await ada.pay(invoice, wait=False)
            await ada.block()
            await until_flagged(database, "second_payment")
        assert await balance_of(database, ada) == 120
