"""Crediting payments: what was promised, what an amount is worth, and each charge once."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.prices import parse_packs
from starbooth.domain.payments.payment import Flag
from starbooth.domain.payments.purchases import PurchaseKind
from starbooth.domain.payments.receive import receive
from starbooth.domain.stars.errors import AmountRefused, TooManyStars
from starbooth.domain.users.operators import claim_alerts
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.payments import GUEST, PAID_AT, PLAN, SHOP, open_invoice, pay, payment_of

STRICT = replace(SHOP, refunds_second_payment=True)


@pytest.fixture
async def ada(database: Database) -> str:
    return await make_guest(database, telegram_id=GUEST)


async def end(database: Database, status: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            text(
                'UPDATE public."StarTransaction" SET "status" = CAST(:status AS public."TransactionStatus")'
                " WHERE \"type\" = 'PURCHASE'"
            ),
            {"status": status},
        )


async def told(database: Database) -> list[Any]:
    async with database.transaction() as tx:
        return [alert.facts["flag"] for alert in await claim_alerts(tx, limit=10)]


class TestAPaymentOfItsInvoice:
    async def test_it_gives_what_the_invoice_promised_once(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        payment = payment_of(purchase)
        first = await pay(database, payment)
        assert (first.amount_stars, first.balance_stars, first.flag, first.is_repeat) == (
            265,
            265,
            None,
            False,
        )
        assert first.transaction_id == first.purchase_id == purchase.purchase_id
        again = await pay(database, payment)
        assert again.is_repeat
        assert again.transaction_id == first.transaction_id
        assert await read_stars(database, ada) == (265, 0, 265)
        assert await told(database) == []

    async def test_ten_at_once_give_once(self, database: Database, ada: str) -> None:
        payment = payment_of(await open_invoice(database, ada))
        credited = await asyncio.gather(*(pay(database, payment) for _ in range(10)))
        assert [each.is_repeat for each in credited].count(False) == 1
        assert await read_stars(database, ada) == (265, 0, 265)

    async def test_the_price_of_today_does_not_matter(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        dearer = replace(SHOP, packs=parse_packs("10=250"))
        assert (await pay(database, payment_of(purchase), shop=dearer)).amount_stars == 265


class TestOddPayments:
    async def test_a_second_charge_counts_too_and_is_flagged(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        await pay(database, payment_of(purchase))
        second = await pay(database, payment_of(purchase))
        assert (second.flag, second.balance_stars) == (Flag.SECOND_PAYMENT, 530)
        assert second.transaction_id != purchase.purchase_id
        assert await told(database) == ["second_payment"]

    async def test_two_charges_at_once_are_one_first_and_one_second(
        self, database: Database, ada: str
    ) -> None:
        purchase = await open_invoice(database, ada)
        credited = await asyncio.gather(*(pay(database, payment_of(purchase)) for _ in range(2)))
        assert Counter(each.flag for each in credited) == {None: 1, Flag.SECOND_PAYMENT: 1}
        await assert_accounts_are_true(database)

    async def test_a_late_one_gives_what_was_promised_and_the_next_is_the_second(
        self, database: Database, ada: str
    ) -> None:
        purchase = await open_invoice(database, ada)
        await end(database, "FAILED")
        late = await pay(database, payment_of(purchase))
        assert (late.flag, late.amount_stars) == (Flag.LATE, 265)
        assert (await pay(database, payment_of(purchase))).flag is Flag.SECOND_PAYMENT

    async def test_another_payers_counts_by_its_amount_and_the_invoice_stays_open(
        self, database: Database, ada: str
    ) -> None:
        purchase = await open_invoice(database, ada)
        other = await pay(database, payment_of(purchase, telegram_id=8, username="bo"))
        assert (other.flag, other.amount_stars) == (Flag.OTHER_PAYER, 265)
        assert other.user_id != ada
        mine = await pay(database, payment_of(purchase))
        assert (mine.flag, mine.transaction_id) == (None, purchase.purchase_id)

    async def test_another_amount_counts_as_such_and_the_invoice_stays_open(
        self, database: Database, ada: str
    ) -> None:
        purchase = await open_invoice(database, ada)
        odd = await pay(database, payment_of(purchase, amount_xtr=100))
        assert (odd.flag, odd.amount_stars) == (Flag.OTHER_AMOUNT, 100)
        assert (await pay(database, payment_of(purchase))).flag is None

    async def test_one_for_nothing_that_we_know_counts_by_its_amount(
        self, database: Database, ada: str
    ) -> None:
        credited = await pay(database, payment_of(amount_xtr=250))
        assert (credited.flag, credited.amount_stars, credited.purchase_id) == (
            Flag.UNKNOWN_PURCHASE,
            265,
            None,
        )
        assert await told(database) == ["unknown_purchase"]

    async def test_nothing_paid_gives_nothing(self, database: Database, ada: str) -> None:
        for amount_xtr in (0, -5):
            with pytest.raises(AmountRefused):
                await pay(database, payment_of(amount_xtr=amount_xtr))
        assert await read_stars(database, ada) == (0, 0, 0)

    async def test_a_full_purse_takes_no_more_and_nothing_is_written(
        self, database: Database, ada: str
    ) -> None:
        purchase = await open_invoice(database, ada)
        async with database.transaction() as tx:
            await tx.execute(text('UPDATE public."User" SET "stars" = 2147483600'))
        with pytest.raises(TooManyStars):
            await pay(database, payment_of(purchase))
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.payments")) == 0


class TestSecondPaymentsThatGoBack:
    async def test_a_refund_is_begun_once_and_its_stars_are_away(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        second = payment_of(purchase)
        await pay(database, payment_of(purchase), shop=STRICT)
        for _ in range(2):
            async with database.transaction() as tx:
                received = await receive(tx, second, shop=STRICT)
            assert received.is_returned
        assert (await read_stars(database, ada))[0] == 265
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.refunds")) == 1
        await assert_accounts_are_true(database)

    async def test_a_first_payment_never_goes_back(self, database: Database, ada: str) -> None:
        payment = payment_of(await open_invoice(database, ada))
        async with database.transaction() as tx:
            assert not (await receive(tx, payment, shop=STRICT)).is_returned


class TestRenewals:
    async def test_each_month_counts_once_whatever_charge_id_it_bears(
        self, database: Database, ada: str
    ) -> None:
        purchase = await open_invoice(database, ada, pack=PLAN, kind=PurchaseKind.PLAN)
        months = [
            payment_of(
                purchase,
                charge_id="stx_same",
                is_recurring=True,
                is_first_recurring=month == 0,
                paid_at=PAID_AT + timedelta(days=30 * month),
                subscription_expires_at=PAID_AT + timedelta(days=30 * (month + 1)),
            )
            for month in range(3)
        ]
        for payment in (*months, *reversed(months)):
            assert (await pay(database, payment)).flag is None
        assert await read_stars(database, ada) == (1080, 0, 1080)


class TestWorth:
    @given(amount_xtr=st.integers(1, 10_000_000))
    def test_an_amount_is_worth_at_least_the_dearest_rate_and_at_most_the_best(self, amount_xtr: int) -> None:
        worth = SHOP.stars_for(amount_xtr)
        assert worth >= 1
        assert min(amount_xtr, 1_000_000) <= worth <= max(265 * amount_xtr // 250 + 1, 1)

    def test_without_packs_a_star_is_a_star(self) -> None:
        assert replace(SHOP, packs=()).stars_for(7) == 7

    def test_it_is_rounded_up(self) -> None:
        assert replace(SHOP, packs=parse_packs("10=3, 9=4")).stars_for(1) == 3


class TestAnySequence:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        steps=st.lists(
            st.tuples(
                st.integers(0, 2),  # which invoice, 2: none of ours
                st.integers(0, 5),  # which charge
                st.sampled_from([GUEST, 8]),  # who paid
                st.sampled_from([50, 100, 250]),  # how much
                st.booleans(),  # whether the invoices expire before
            ),
            max_size=12,
        )
    )
    async def test_each_charge_counts_exactly_once(
        self, database_server: Any, steps: list[tuple[int, int, int, int, bool]]
    ) -> None:
        url = await asyncio.to_thread(database_server.create)
        database = Database(url)
        try:
            await _play(database, steps)
        finally:
            await database.aclose()
            await asyncio.to_thread(database_server.drop, url)


async def _play(database: Database, steps: list[tuple[int, int, int, int, bool]]) -> None:
    ada = await make_guest(database, telegram_id=GUEST)
    bo = await make_guest(database, telegram_id=8)
    invoices = [
        await open_invoice(database, ada),
        await open_invoice(database, bo, pack=SHOP.packs[0]),
        None,
    ]
    given: dict[str, int] = {}
    for invoice, charge, payer, amount_xtr, is_late in steps:
        if is_late:
            async with database.transaction() as tx:
                await tx.execute(
                    text(
                        'UPDATE public."StarTransaction" SET "status" = \'FAILED\''
                        " WHERE \"type\" = 'PURCHASE' AND \"status\" = 'PENDING'"
                    )
                )
        payment = payment_of(
            invoices[invoice], charge_id=f"stx_{charge}", telegram_id=payer, amount_xtr=amount_xtr
        )
        credited = await pay(database, payment)
        assert credited.is_repeat == (payment.charge_id in given)
        assert given.setdefault(payment.charge_id, credited.amount_stars) == credited.amount_stars
    balances = [(await read_stars(database, user_id))[0] for user_id in (ada, bo)]
    assert sum(balances) == sum(given.values())
    await assert_accounts_are_true(database)
