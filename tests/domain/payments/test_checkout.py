"""The question before a payment: yes to what an open invoice asks for, and a no of its own to all else."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from starbooth.base.clock import now
from starbooth.base.database import Database
from starbooth.domain.payments.checkout import Checkout, check
from starbooth.domain.payments.errors import (
    InvoiceOfAnother,
    InvoicePaid,
    InvoiceTooOld,
    PlanIsRunning,
    UnknownInvoice,
)
from starbooth.domain.payments.purchases import Purchase, PurchaseKind, close_expired
from tests.make.guests import make_guest
from tests.make.payments import GUEST, PLAN, open_invoice, pay, payment_of


@pytest.fixture
async def ada(database: Database) -> str:
    return await make_guest(database, telegram_id=GUEST)


async def ask(database: Database, purchase: Purchase, **facts: Any) -> None:
    honest = {
        "payload": purchase.purchase_id,
        "telegram_id": GUEST,
        "currency": "XTR",
        "amount_xtr": purchase.amount_xtr,
    }
    async with database.statement() as tx:
        await check(tx, Checkout(**{**honest, **facts}))


async def open_plan(database: Database, user_id: str, *, pack: Any = PLAN) -> Purchase:
    return await open_invoice(database, user_id, pack=pack, kind=PurchaseKind.PLAN)


async def pay_month(database: Database, purchase: Purchase, *, days_left: float) -> None:
    until = now() + timedelta(days=days_left)
    await pay(
        database,
        payment_of(
            purchase,
            paid_at=until - timedelta(days=30),
            is_recurring=True,
            is_first_recurring=True,
            subscription_expires_at=until,
        ),
    )


class TestPacks:
    async def test_an_open_invoice_may_be_paid_however_often_it_is_asked(
        self, database: Database, ada: str
    ) -> None:
        purchase = await open_invoice(database, ada)
        await ask(database, purchase)
        await ask(database, purchase)

    @pytest.mark.parametrize(
        ("facts", "refusal"),
        [
            ({"payload": "of another bot"}, UnknownInvoice),
            ({"currency": "USD"}, UnknownInvoice),
            ({"amount_xtr": 249}, UnknownInvoice),
            ({"telegram_id": 8}, InvoiceOfAnother),
        ],
    )
    async def test_what_is_not_as_invoiced_is_refused(
        self, database: Database, ada: str, facts: dict[str, Any], refusal: type[Exception]
    ) -> None:
        purchase = await open_invoice(database, ada)
        with pytest.raises(refusal):
            await ask(database, purchase, **facts)

    async def test_a_paid_one_is_refused(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        await pay(database, payment_of(purchase))
        with pytest.raises(InvoicePaid):
            await ask(database, purchase)

    async def test_an_old_one_is_refused_also_before_it_is_closed(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.purchases SET expires_at = now() - interval '2 hours'"))
        with pytest.raises(InvoiceTooOld):
            await ask(database, purchase)
        async with database.transaction() as tx:
            assert await close_expired(tx, limit=9) == 1
        with pytest.raises(InvoiceTooOld):
            await ask(database, purchase)


class TestPlans:
    async def test_the_first_month_may_be_paid(self, database: Database, ada: str) -> None:
        await ask(database, await open_plan(database, ada))

    async def test_a_month_that_is_nearly_over_may_be_renewed(self, database: Database, ada: str) -> None:
        purchase = await open_plan(database, ada)
        await pay_month(database, purchase, days_left=0.5)
        await ask(database, purchase)

    async def test_a_month_that_runs_is_not_paid_twice(self, database: Database, ada: str) -> None:
        purchase = await open_plan(database, ada)
        await pay_month(database, purchase, days_left=20)
        with pytest.raises(InvoicePaid):
            await ask(database, purchase)

    async def test_who_has_a_plan_is_sold_no_other(self, database: Database, ada: str) -> None:
        await pay_month(database, await open_plan(database, ada), days_left=20)
        with pytest.raises(PlanIsRunning):
            await ask(database, await open_plan(database, ada))
        await ask(database, await open_invoice(database, ada))


class TestQuickness:
    async def test_it_is_one_query(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        asked: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            asked.append(statement)

        event.listen(database._engine.sync_engine, "before_cursor_execute", note)
        await ask(database, purchase)
        assert len(asked) == 1
