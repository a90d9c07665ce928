"""Refunds where others had a hand in it: another program, another asker, and a Telegram that will not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError

from starbooth.base.database import Database, sql
from starbooth.base.errors import Contended
from starbooth.domain.payments import reconcile as reconciling
from starbooth.domain.payments import refunds
from starbooth.domain.payments.errors import CreditedElsewhere
from starbooth.domain.payments.read import PaymentState, summarise
from starbooth.domain.payments.receive import receive
from starbooth.domain.payments.refund_news import claim_late_payments, claim_refund_news
from starbooth.domain.payments.refunds import Returned
from starbooth.domain.stars.errors import NoSuchPurchase
from starbooth.doors.bot.refund_news import render_news
from starbooth.outside.telegram.errors import ChargeUnknown
from tests.domain.payments.test_plan_twins import listed
from tests.domain.payments.test_reconcile import Ledger, run
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.payments import GUEST, SHOP, open_invoice, pay, payment_of

NOW = datetime.now(UTC)


async def sell_elsewhere(database: Database, user_id: str) -> None:
    """What another program on the same ledger does when it sells 100 stars."""
    async with database.transaction() as tx:
        await tx.execute(
            sql("""
                INSERT INTO public."StarTransaction"
                    ("id", "userId", "amount", "type", "status", "telegramPaymentChargeId")
                VALUES ('celsewhere0000000000000000', :user_id, 100, 'PURCHASE', 'COMPLETED', 'OLD')
            """),
            {"user_id": user_id},
        )
        await tx.execute(
            sql('UPDATE public."User" SET "stars" = 100, "totalBoughtStars" = 100 WHERE "id" = :id'),
            {"id": user_id},
        )


async def count_payments(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(sql("SELECT count(*) FROM starbooth.payments")) or 0)


def returned(charge_id: str) -> Returned:
    return Returned(
        charge_id=charge_id, telegram_id=GUEST, payload="theirs", amount_xtr=50, at=NOW, came_by="update"
    )


class Refusing(Ledger):
    async def refund(self, *, telegram_id: int, charge_id: str) -> None:
        raise ChargeUnknown("Bad Request: CHARGE_NOT_FOUND")


class TestSoldElsewhere:
    async def test_its_payment_is_refused_and_nothing_is_written(self, database: Database) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        await sell_elsewhere(database, user_id)
        with pytest.raises(CreditedElsewhere):
            await pay(database, payment_of(charge_id="OLD"))
        assert (await read_stars(database, user_id), await count_payments(database)) == ((100, 0, 100), 0)
        await assert_accounts_are_true(database)

    async def test_its_return_is_refused_and_nothing_is_written(self, database: Database) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        await sell_elsewhere(database, user_id)
        with pytest.raises(NoSuchPurchase):
            async with database.transaction() as tx:
                await refunds.book(tx, returned("OLD"), shop=SHOP)
        assert (await read_stars(database, user_id), await count_payments(database)) == ((100, 0, 100), 0)
        await assert_accounts_are_true(database)


class TestTwoAskers:
    async def test_what_one_was_refused_and_the_other_was_given_has_gone_back(
        self, database: Database
    ) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        await pay(database, payment_of(await open_invoice(database, user_id), charge_id="A"))
        async with database.transaction() as tx:
            begun = await refunds.begin(tx, charge_id="A", operator="eve", reason="x", is_forced=False)

        class Slow(Ledger):
            async def refund(self, *, telegram_id: int, charge_id: str) -> None:
                async with (
                    database.transaction() as tx
                ):  # the other one's turn is over before it has its answer
                    await tx.execute(sql("UPDATE starbooth.refunds SET due_at = now()"))
                await refunds.carry_out(database, Refusing(), begun.refund_id)

        await refunds.carry_out(database, Slow(), begun.refund_id)
        async with database.transaction() as tx:
            summary = await summarise(tx, charge_id="A")
            news = await claim_refund_news(tx, limit=9)
        assert (summary.payment.state, summary.payment.operator) == (PaymentState.REFUNDED, "eve")
        assert [each.is_refused for each in news] == [False]
        assert await read_stars(database, user_id) == (0, 0, 0)
        await assert_accounts_are_true(database)


class TestSecondPaymentThatTelegramKeeps:
    async def test_its_guest_is_told_that_it_counts_and_it_is_not_asked_for_again(
        self, database: Database
    ) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        invoice = await open_invoice(database, user_id)
        shop = replace(SHOP, refunds_second_payment=True)
        await pay(database, payment_of(invoice))
        second = payment_of(invoice, charge_id="B")
        async with database.transaction() as tx:
            assert (await receive(tx, second, shop=shop)).is_returned
        async with database.transaction() as tx:
            (refund_id,) = await refunds.find_due(tx, limit=9)
        await refunds.carry_out(database, Refusing(), refund_id)
        async with database.transaction() as tx:
            (news,) = await claim_refund_news(tx, limit=9)
            assert await claim_late_payments(tx, limit=9) == []
        assert "could not go back to you" in render_news(news).html
        assert "265 stars" in render_news(news).html
        async with database.transaction() as tx:
            assert not (await receive(tx, second, shop=shop)).is_returned
            assert await refunds.find_due(tx, limit=9) == []
        assert await read_stars(database, user_id) == (530, 0, 530)

    async def test_what_an_operator_asked_for_in_vain_is_no_news_to_the_guest(
        self, database: Database
    ) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        await pay(database, payment_of(await open_invoice(database, user_id), charge_id="A"))
        async with database.transaction() as tx:
            begun = await refunds.begin(tx, charge_id="A", operator="eve", reason="x", is_forced=False)
        await refunds.carry_out(database, Refusing(), begun.refund_id)
        async with database.transaction() as tx:
            assert await claim_refund_news(tx, limit=9) == []


class TestDeadlock:
    async def test_one_row_that_loses_to_another_transaction_is_credited_next_time(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        invoice = await open_invoice(database, user_id)
        bank = Ledger([listed(invoice, "A", NOW), listed(invoice, "B", NOW)])
        credit_one: Callable[..., object] = reconciling._credit_one
        lost = ["A"]

        async def credit_unless_lost(database: Database, row: object, shop: object) -> object:
            if row.id in lost:  # type: ignore[attr-defined]
                lost.remove(row.id)  # type: ignore[attr-defined]
                raise Contended("database: another transaction was let go on")
            return await credit_one(database, row, shop)  # type: ignore[misc]

        monkeypatch.setattr(reconciling, "_credit_one", credit_unless_lost)
        await run(database, bank)
        assert await count_payments(database) == 1
        await run(database, bank)
        assert await count_payments(database) == 2

    async def test_the_one_that_the_database_ends_hears_that_it_may_repeat(self, database: Database) -> None:
        with pytest.raises(Contended):
            async with database.transaction() as tx:
                await tx.execute(sql("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"))
        with pytest.raises(DBAPIError):
            async with database.transaction() as tx:
                await tx.execute(sql("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'P0001'; END $$"))
