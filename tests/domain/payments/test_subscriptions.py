"""The monthly plan by its payments: what they give, until when it is paid, and who is renewed."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.prices import Pack
from starbooth.domain.payments.payment import Credited, Payment
from starbooth.domain.payments.purchases import Purchase, PurchaseKind, open_purchase
from starbooth.domain.payments.subscriptions import (
    GRACE,
    PERIOD,
    Noted,
    Subscription,
    SubscriptionState,
    list_charges,
    note_state,
    read_newest,
    read_subscription,
)
from tests.make.guests import make_guest, read_stars
from tests.make.payments import GUEST, pay

PLAN = Pack(stars=300, bonus_stars=60, amount_xtr=300)
BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def open_plan(database: Database, *, telegram_id: int = GUEST) -> Purchase:
    user_id = await make_guest(database, telegram_id=telegram_id)
    async with database.transaction() as tx:
        return await open_purchase(
            tx, user_id=user_id, kind=PurchaseKind.PLAN, pack=PLAN, life=timedelta(hours=24)
        )


def month(purchase: Purchase, number: int, *, is_told: bool = True, telegram_id: int = GUEST) -> Payment:
    """The payment of month 0, 1, 2 …; one that was only found lacks what Telegram's list lacks."""
    paid_at = BEGAN + number * PERIOD
    return Payment(
        charge_id=f"month-{number}",
        telegram_id=telegram_id,
        payload=purchase.purchase_id,
        amount_xtr=purchase.amount_xtr,
        paid_at=paid_at,
        came_by="update" if is_told else "reconciliation",
        subscription_expires_at=paid_at + PERIOD if is_told else None,
        is_first_recurring=is_told and number == 0,
        is_recurring=is_told,
    )


async def pay_months(database: Database, *payments: Payment) -> list[Credited]:
    return [await pay(database, payment) for payment in payments]


async def read(database: Database, purchase: Purchase) -> Subscription:
    async with database.transaction() as tx:
        found = await read_newest(tx, user_id=purchase.user_id)
    assert found is not None
    return found


async def note(
    database: Database, payload: str, state: SubscriptionState, *, telegram_id: int = GUEST
) -> Noted | None:
    async with database.transaction() as tx:
        return await note_state(tx, payload=payload, telegram_id=telegram_id, state=state)


async def date_back_the_state(database: Database, at: datetime) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.subscriptions SET updated_at = :at"), {"at": at})


class TestPayments:
    async def test_the_first_one_begins_a_plan_as_agreed(self, database: Database) -> None:
        purchase = await open_plan(database)
        (credited,) = await pay_months(database, month(purchase, 0))
        assert (credited.amount_stars, credited.flag) == (360, None)
        assert await read(database, purchase) == Subscription(
            id=purchase.purchase_id,
            user_id=purchase.user_id,
            telegram_id=GUEST,
            first_charge_id="month-0",
            amount_stars=360,
            amount_xtr=300,
            state=SubscriptionState.ACTIVE,
            paid_until=BEGAN + PERIOD,
        )

    @pytest.mark.parametrize("is_told", [True, False])
    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    async def test_months_in_any_order_give_the_same(
        self, database: Database, order: tuple[int, ...], is_told: bool
    ) -> None:
        purchase = await open_plan(database)
        for number in order:
            payment = month(purchase, number, is_told=is_told)
            first, again = await pay_months(database, payment, payment)
            assert (first.amount_stars, first.flag, first.is_repeat) == (360, None, False)
            assert again.is_repeat
        plan = await read(database, purchase)
        assert (plan.first_charge_id, plan.paid_until) == ("month-0", BEGAN + 3 * PERIOD)
        assert await read_stars(database, purchase.user_id) == (1080, 0, 1080)

    async def test_a_renewal_that_was_only_found_is_credited_and_lasts_a_month_more(
        self, database: Database
    ) -> None:
        purchase = await open_plan(database)
        renewal = month(purchase, 1, is_told=False)
        _, found = await pay_months(database, month(purchase, 0), renewal)
        assert (found.amount_stars, found.flag) == (360, None)
        assert (await read(database, purchase)).paid_until == BEGAN + 2 * PERIOD

    async def test_what_telegram_says_later_of_a_found_payment_counts(self, database: Database) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0), month(purchase, 1, is_told=False))
        late = month(purchase, 1)
        end = BEGAN + 2 * PERIOD + timedelta(hours=5)
        told = Payment(**{**vars(late), "subscription_expires_at": end})
        (credited,) = await pay_months(database, told)
        assert credited.is_repeat
        assert (await read(database, purchase)).paid_until == end
        assert await read_stars(database, purchase.user_id) == (720, 0, 720)

    async def test_a_second_first_payment_is_flagged_and_lengthens_nothing(self, database: Database) -> None:
        purchase = await open_plan(database)
        twin = Payment(**{**vars(month(purchase, 0)), "charge_id": "twin"})
        _, second = await pay_months(database, month(purchase, 0), twin)
        assert (second.amount_stars, second.flag) == (360, "second_payment")
        plan = await read(database, purchase)
        assert (plan.first_charge_id, plan.paid_until) == ("month-0", BEGAN + PERIOD)

    async def test_somebody_elses_payment_gives_them_stars_and_no_plan(self, database: Database) -> None:
        purchase = await open_plan(database)
        other = await make_guest(database, telegram_id=GUEST + 1)
        (credited,) = await pay_months(database, month(purchase, 0, telegram_id=GUEST + 1))
        assert (credited.user_id, credited.flag) == (other, "other_payer")
        async with database.transaction() as tx:
            assert await read_newest(tx, user_id=other) is None
            assert await read_newest(tx, user_id=purchase.user_id) is None

    async def test_a_pack_is_no_plan(self, database: Database) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        async with database.transaction() as tx:
            pack = await open_purchase(
                tx, user_id=user_id, kind=PurchaseKind.PACK, pack=PLAN, life=timedelta(hours=24)
            )
        await pay_months(database, Payment(**{**vars(month(pack, 0)), "is_recurring": False}))
        async with database.transaction() as tx:
            assert await read_newest(tx, user_id=user_id) is None


class TestStates:
    async def test_news_is_news_once(self, database: Database) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0))
        first = await note(database, purchase.purchase_id, SubscriptionState.FAILED)
        again = await note(database, purchase.purchase_id, SubscriptionState.FAILED)
        assert first is not None
        assert again is not None
        assert (first.is_news, again.is_news, first.chat_id) == (True, False, GUEST)
        assert first.subscription.state is SubscriptionState.FAILED

    async def test_an_unknown_payload_or_another_guest_changes_nothing(self, database: Database) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0))
        assert await note(database, "cnobody", SubscriptionState.FAILED) is None
        stranger = await note(database, purchase.purchase_id, SubscriptionState.FAILED, telegram_id=GUEST + 1)
        assert stranger is None
        assert (await read(database, purchase)).state is SubscriptionState.ACTIVE

    async def test_a_renewal_that_was_told_ends_a_failure(self, database: Database) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0))
        await note(database, purchase.purchase_id, SubscriptionState.FAILED)
        await pay_months(database, month(purchase, 1))
        assert (await read(database, purchase)).state is SubscriptionState.ACTIVE

    @pytest.mark.parametrize("state", [SubscriptionState.FAILED, SubscriptionState.CANCELLED])
    async def test_a_renewal_found_later_does_not_undo_what_came_after_it(
        self, database: Database, state: SubscriptionState
    ) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0))
        await note(database, purchase.purchase_id, state)
        await date_back_the_state(database, BEGAN + PERIOD + timedelta(days=2))
        await pay_months(database, month(purchase, 1, is_told=False))
        assert (await read(database, purchase)).state is state
        await pay_months(database, month(purchase, 2, is_told=False))
        assert (await read(database, purchase)).state is SubscriptionState.ACTIVE

    async def test_a_repeat_of_an_old_payment_does_not_undo_a_failure(self, database: Database) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0), month(purchase, 1))
        await note(database, purchase.purchase_id, SubscriptionState.FAILED)
        await pay_months(database, month(purchase, 1))
        assert (await read(database, purchase)).state is SubscriptionState.FAILED


class TestRunning:
    async def test_it_runs_until_its_month_is_over_and_telegram_has_had_time_to_try(
        self, database: Database
    ) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0))
        plan = await read(database, purchase)
        assert plan.is_running(BEGAN + PERIOD + timedelta(days=1))
        assert not plan.is_running(BEGAN + PERIOD + GRACE)

    async def test_a_cancelled_one_is_over_with_its_month(self, database: Database) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0))
        await note(database, purchase.purchase_id, SubscriptionState.CANCELLED)
        plan = await read(database, purchase)
        assert plan.is_running(BEGAN + timedelta(days=1))
        assert not plan.is_running(BEGAN + PERIOD)


class TestReading:
    async def test_only_its_own_guest_reads_it(self, database: Database) -> None:
        purchase = await open_plan(database)
        await pay_months(database, month(purchase, 0))
        stranger = await make_guest(database)
        async with database.transaction() as tx:
            wanted = purchase.purchase_id
            assert await read_subscription(tx, subscription_id=wanted, user_id=purchase.user_id)
            assert await read_subscription(tx, subscription_id=wanted, user_id=stranger) is None

    async def test_charges_that_began_something_stand_apart_from_the_renewals(
        self, database: Database
    ) -> None:
        purchase = await open_plan(database)
        twin = Payment(**{**vars(month(purchase, 0)), "charge_id": "twin"})
        await pay_months(database, month(purchase, 0), twin, month(purchase, 1), month(purchase, 2))
        plan = await read(database, purchase)
        async with database.transaction() as tx:
            charges = await list_charges(tx, plan)
        assert sorted(charges.first) == ["month-0", "twin"]
        assert charges.later == ("month-2", "month-1")
