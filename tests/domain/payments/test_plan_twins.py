"""Plans that went odd ways: paid twice, paid anew, given back, stopped before they were found."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from starbooth.base.database import Database, sql
from starbooth.domain.payments import refunds
from starbooth.domain.payments.checkout import Checkout, check
from starbooth.domain.payments.credit import credit
from starbooth.domain.payments.errors import InvoicePaid, MonthNotRefundable
from starbooth.domain.payments.payment import Payment
from starbooth.domain.payments.purchases import Purchase, PurchaseKind
from starbooth.domain.payments.refunds import Returned
from starbooth.domain.payments.renewals import stop_renewing
from starbooth.domain.payments.subscriptions import (
    PERIOD,
    Subscription,
    SubscriptionState,
    note_state,
    read_newest,
)
from starbooth.domain.stars import buying
from starbooth.outside.telegram.star_rows import StarRow, parse_row
from tests.domain.payments.test_reconcile import Ledger, run
from tests.make.guests import make_guest, read_stars
from tests.make.payments import GUEST, PLAN, SHOP, open_invoice, pay

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


@pytest.fixture
async def plan(database: Database) -> Purchase:
    """The invoice of a plan that nobody paid yet."""
    user_id = await make_guest(database, telegram_id=GUEST)
    return await open_invoice(database, user_id, pack=PLAN, kind=PurchaseKind.PLAN)


def month(
    plan: Purchase,
    charge_id: str,
    at: datetime,
    *,
    is_first: bool = True,
    is_told: bool = True,
    who: int = GUEST,
) -> Payment:
    return Payment(
        charge_id=charge_id,
        telegram_id=who,
        payload=plan.purchase_id,
        amount_xtr=plan.amount_xtr,
        paid_at=at,
        came_by="update" if is_told else "reconciliation",
        subscription_expires_at=at + PERIOD if is_told else None,
        is_first_recurring=is_first,
        is_recurring=True,
    )


def listed(plan: Purchase, charge_id: str, at: datetime) -> StarRow:
    source = {
        "type": "user",
        "transaction_type": "invoice_payment",
        "user": {"id": GUEST, "is_bot": False, "first_name": "Ada"},
        "invoice_payload": plan.purchase_id,
        "subscription_period": 2_592_000,
    }
    row = {"id": charge_id, "amount": plan.amount_xtr, "date": int(at.timestamp()), "source": source}
    return parse_row(row)


async def read(database: Database, plan: Purchase) -> Subscription:
    async with database.transaction() as tx:
        found = await read_newest(tx, user_id=plan.user_id)
    assert found is not None
    return found


async def ask(database: Database, plan: Purchase) -> None:
    wanted = Checkout(payload=plan.purchase_id, telegram_id=GUEST, currency="XTR", amount_xtr=plan.amount_xtr)
    async with database.statement() as tx:
        await check(tx, wanted)


async def give_back(database: Database, charge_id: str, *, is_asked: bool) -> None:
    if not is_asked:
        returned = Returned(
            charge_id=charge_id, telegram_id=GUEST, payload="", amount_xtr=300, at=NOW, came_by="update"
        )
        async with database.transaction() as tx:
            await refunds.book(tx, returned, shop=SHOP)
        return
    async with database.transaction() as tx:
        begun = await refunds.begin(tx, charge_id=charge_id, operator="eve", reason="x", is_forced=False)

    class Willing(Ledger):
        async def refund(self, *, telegram_id: int, charge_id: str) -> None: ...

    await refunds.carry_out(database, Willing(), begun.refund_id)


class Renewing:
    """Telegram's subscriptions, by the charges that began them."""

    def __init__(self, *active: str) -> None:
        self.active = set(active)

    async def stop_renewing(self, *, telegram_id: int, charge_id: str) -> None:
        self.active.discard(charge_id)

    async def allow_renewing(self, *, telegram_id: int, charge_id: str) -> None:
        self.active.add(charge_id)


class TestTwins:
    async def test_a_twin_that_was_only_found_lengthens_nothing_and_is_stopped_too(
        self, database: Database, plan: Purchase
    ) -> None:
        await pay(database, month(plan, "X", NOW))
        await run(database, Ledger([listed(plan, "X", NOW), listed(plan, "Y", NOW + timedelta(seconds=10))]))
        subscription = await read(database, plan)
        assert subscription.paid_until == NOW + PERIOD
        renewing = Renewing("X", "Y")
        await stop_renewing(database, renewing, subscription)
        assert renewing.active == set()

    async def test_the_renewal_of_a_twin_is_no_month_more(self, database: Database, plan: Purchase) -> None:
        flags = []
        for number in (0, 1):
            at = NOW + number * PERIOD
            for twin, seconds in (("X", 0), ("Y", 10)):
                when = at + timedelta(seconds=seconds)
                paid = await pay(database, month(plan, f"{twin}{number}", when, is_first=number == 0))
                flags.append(paid.flag)
        assert flags == [None, "second_payment"] * 2
        assert (await read(database, plan)).paid_until == NOW + 2 * PERIOD

    async def test_a_stranger_paying_the_same_link_blocks_nobody(
        self, database: Database, plan: Purchase
    ) -> None:
        mine, theirs = month(plan, "X", NOW), month(plan, "S", NOW, who=8)
        await make_guest(database, telegram_id=8)
        await pay(database, mine)
        async with database.transaction() as tx:
            await credit(tx, mine, shop=SHOP)
            stranger = asyncio.create_task(pay(database, theirs))
            await asyncio.sleep(0.3)
            await buying.settle_refund(tx, purchase_id=plan.purchase_id, facts={})
        assert (await stranger).flag == "other_payer"


class TestPaidAnew:
    @pytest.mark.parametrize("refunds_second_payment", [True, False])
    async def test_what_the_checkout_lets_through_after_the_plan_lapsed_begins_it_anew(
        self, database: Database, plan: Purchase, refunds_second_payment: bool
    ) -> None:
        await pay(database, month(plan, "X", NOW - 2 * PERIOD))
        await ask(database, plan)
        shop = replace(SHOP, refunds_second_payment=refunds_second_payment)
        assert (await pay(database, month(plan, "Z", NOW), shop=shop)).flag is None
        subscription = await read(database, plan)
        assert (subscription.paid_until, subscription.state) == (NOW + PERIOD, SubscriptionState.ACTIVE)
        renewing = Renewing("Z")
        await stop_renewing(database, renewing, subscription)
        assert renewing.active == set()

    async def test_what_the_checkout_refuses_is_a_second_payment(
        self, database: Database, plan: Purchase
    ) -> None:
        await pay(database, month(plan, "X", NOW - timedelta(days=25)))
        with pytest.raises(InvoicePaid):
            await ask(database, plan)
        assert (await pay(database, month(plan, "Z", NOW))).flag == "second_payment"


class TestOneChargeId:
    async def test_a_renewal_by_the_charge_of_a_month_that_was_found_counts(
        self, database: Database, plan: Purchase
    ) -> None:
        await pay(database, month(plan, "X", NOW - PERIOD, is_told=False))
        late = await pay(database, month(plan, "X", NOW - PERIOD))
        assert late.is_repeat
        assert not (await pay(database, month(plan, "X", NOW, is_first=False))).is_repeat
        assert await read_stars(database, plan.user_id) == (720, 0, 720)

    async def test_it_counts_also_before_the_found_one_was_told(
        self, database: Database, plan: Purchase
    ) -> None:
        await pay(database, month(plan, "X", NOW - PERIOD, is_told=False))
        assert not (await pay(database, month(plan, "X", NOW, is_first=False))).is_repeat

    async def test_a_later_month_cannot_be_given_back_alone(self, database: Database, plan: Purchase) -> None:
        await pay(database, month(plan, "X", NOW - PERIOD))
        later = await pay(database, month(plan, "X", NOW, is_first=False))
        with pytest.raises(MonthNotRefundable):
            await give_back(database, later.charge_id, is_asked=True)
        assert await read_stars(database, plan.user_id) == (720, 0, 720)


@pytest.mark.parametrize("is_asked", [True, False])
class TestGivenBack:
    async def test_the_only_month_ends_the_plan_which_may_be_bought_anew(
        self, database: Database, plan: Purchase, is_asked: bool
    ) -> None:
        await pay(database, month(plan, "X", NOW))
        await give_back(database, "X", is_asked=is_asked)
        assert not (await read(database, plan)).is_running(datetime.now(UTC))
        await ask(database, plan)
        again = datetime.now(UTC) + timedelta(seconds=1)
        assert (await pay(database, month(plan, "Z", again))).flag is None
        subscription = await read(database, plan)
        assert (subscription.paid_until, subscription.state) == (again + PERIOD, SubscriptionState.ACTIVE)

    async def test_one_month_of_two_takes_a_month_off(
        self, database: Database, plan: Purchase, is_asked: bool
    ) -> None:
        await pay(database, month(plan, "X", NOW))
        await pay(database, month(plan, "X2", NOW + PERIOD, is_first=False))
        await give_back(database, "X2", is_asked=is_asked)
        subscription = await read(database, plan)
        assert (subscription.paid_until, subscription.state) == (NOW + PERIOD, SubscriptionState.ACTIVE)

    async def test_the_second_payment_stands_in_for_the_first(
        self, database: Database, plan: Purchase, is_asked: bool
    ) -> None:
        await pay(database, month(plan, "X", NOW))
        await pay(database, month(plan, "Y", NOW + timedelta(seconds=9)))
        await give_back(database, "X", is_asked=is_asked)
        subscription = await read(database, plan)
        assert subscription.first_charge_id == "Y"
        assert subscription.paid_until == NOW + timedelta(seconds=9) + PERIOD


class TestToldBeforeItsPayment:
    async def test_a_stop_told_before_the_first_payment_was_found_still_holds(
        self, database: Database, plan: Purchase
    ) -> None:
        async with database.transaction() as tx:
            noted = await note_state(
                tx, payload=plan.purchase_id, telegram_id=GUEST, state=SubscriptionState.CANCELLED
            )
        assert noted is None
        await run(database, Ledger([listed(plan, "X", NOW)]))
        assert (await read(database, plan)).state is SubscriptionState.CANCELLED

    async def test_of_a_stranger_it_is_not_believed(self, database: Database, plan: Purchase) -> None:
        async with database.transaction() as tx:
            await note_state(tx, payload=plan.purchase_id, telegram_id=8, state=SubscriptionState.CANCELLED)
            told = await tx.scalar(sql("SELECT count(told_state) FROM starbooth.purchases"))
        assert told == 0
        await run(database, Ledger([listed(plan, "X", NOW)]))
        assert (await read(database, plan)).state is SubscriptionState.ACTIVE
