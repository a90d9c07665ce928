"""Bought stars: what each movement does to the rows and sums, alone, twice, and in the wrong order."""

import asyncio

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.stars import buying, ledger
from starbooth.domain.stars.errors import (
    AmountRefused,
    HoldEndedOtherwise,
    KeyReused,
    NoSuchPurchase,
    NotEnoughStars,
    PurchaseNotPaid,
    StarsSpent,
)
from starbooth.domain.stars.ledger import Movement
from starbooth.domain.stars.tables import TransactionType
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars


async def open_one(database: Database, user: str, *, amount: int = 50, key: str = "k") -> Movement:
    async with database.transaction() as tx:
        return await buying.open_purchase(tx, user_id=user, amount=amount, key=key, facts={"xtr": amount})


async def pay(
    database: Database, user: str, *, charge: str = "c1", purchase: str | None = None, amount: int = 50
) -> Movement:
    async with database.transaction() as tx:
        return await buying.credit_payment(
            tx, user_id=user, amount=amount, charge_id=charge, purchase_id=purchase, facts={}
        )


async def begin(database: Database, purchase: str, *, forced: bool = False) -> Movement:
    async with database.transaction() as tx:
        return await buying.begin_refund(tx, purchase_id=purchase, may_go_below_zero=forced, facts={})


async def settle(database: Database, purchase: str) -> Movement:
    async with database.transaction() as tx:
        return await buying.settle_refund(tx, purchase_id=purchase, facts={})


async def drop(database: Database, refund: str) -> Movement:
    async with database.transaction() as tx:
        return await buying.drop_refund(tx, refund_id=refund, facts={})


async def spend(database: Database, user: str, stars: int) -> None:
    async with database.transaction() as tx:
        held = await ledger.hold(
            tx,
            user_id=user,
            price_stars=stars,
            purpose=TransactionType.GENERATION,
            key=f"spend:{user}:{stars}",
            facts={},
        )
        await ledger.settle(tx, hold_id=held.transaction_id, spent_stars=stars, facts={})


async def rows_of(database: Database, user: str) -> list[tuple[str, int, str]]:
    async with database.transaction() as tx:
        rows = await tx.execute(
            text(
                'SELECT "type"::text, "amount", "status"::text FROM public."StarTransaction"'
                ' WHERE "userId" = :id ORDER BY "createdAt", "id"'
            ),
            {"id": user},
        )
        return sorted((row[0], row[1], row[2]) for row in rows)


class TestPaying:
    async def test_an_open_purchase_does_not_count(self, database: Database) -> None:
        user = await make_guest(database)
        opened = await open_one(database, user)
        assert opened.balance_stars == 0
        assert await read_stars(database, user) == (0, 0, 0)
        await assert_accounts_are_true(database)

    async def test_a_payment_completes_the_purchase_that_waits(self, database: Database) -> None:
        user = await make_guest(database)
        opened = await open_one(database, user)
        paid = await pay(database, user, purchase=opened.transaction_id)
        assert (paid.transaction_id, paid.balance_stars, paid.is_repeat) == (opened.transaction_id, 50, False)
        assert await read_stars(database, user) == (50, 0, 50)
        assert await rows_of(database, user) == [("PURCHASE", 50, "COMPLETED")]
        await assert_accounts_are_true(database)

    async def test_the_same_charge_twice_counts_once(self, database: Database) -> None:
        user = await make_guest(database)
        opened = await open_one(database, user)
        await pay(database, user, purchase=opened.transaction_id)
        again = await pay(database, user, purchase=opened.transaction_id)
        assert (again.is_repeat, again.balance_stars) == (True, 50)
        assert await read_stars(database, user) == (50, 0, 50)

    async def test_a_second_charge_for_one_purchase_counts_too(self, database: Database) -> None:
        user = await make_guest(database)
        opened = await open_one(database, user)
        await pay(database, user, charge="c1", purchase=opened.transaction_id)
        second = await pay(database, user, charge="c2", purchase=opened.transaction_id)
        assert second.transaction_id != opened.transaction_id
        assert await read_stars(database, user) == (100, 0, 100)
        await assert_accounts_are_true(database)

    @pytest.mark.parametrize("case", ["unknown", "failed", "of somebody else", "of another amount"])
    async def test_a_payment_that_fits_no_purchase_is_a_purchase_of_its_own(
        self, database: Database, case: str
    ) -> None:
        user, other = await make_guest(database), await make_guest(database)
        opened = await open_one(database, other if case == "of somebody else" else user)
        if case == "failed":
            async with database.transaction() as tx:
                assert await buying.fail_purchase(tx, purchase_id=opened.transaction_id)
        purchase = None if case == "unknown" else opened.transaction_id
        amount = 60 if case == "of another amount" else 50
        paid = await pay(database, user, purchase=purchase, amount=amount)
        assert paid.transaction_id != opened.transaction_id
        assert await read_stars(database, user) == (amount, 0, amount)
        assert await read_stars(database, other) == (0, 0, 0)
        await assert_accounts_are_true(database)

    async def test_a_charge_of_somebody_else_is_refused(self, database: Database) -> None:
        user, other = await make_guest(database), await make_guest(database)
        await pay(database, user)
        with pytest.raises(KeyReused):
            await pay(database, other)
        assert await read_stars(database, other) == (0, 0, 0)

    @pytest.mark.parametrize("amount", [0, -1, 1_000_001])
    async def test_amounts_out_of_bounds_are_refused(self, database: Database, amount: int) -> None:
        user = await make_guest(database)
        with pytest.raises(AmountRefused):
            await open_one(database, user, amount=amount)
        with pytest.raises(AmountRefused):
            await pay(database, user, amount=amount)
        assert await rows_of(database, user) == []

    async def test_a_key_opens_one_purchase(self, database: Database) -> None:
        user = await make_guest(database)
        first, again = await open_one(database, user), await open_one(database, user)
        assert again.is_repeat
        assert again.transaction_id == first.transaction_id
        with pytest.raises(KeyReused):
            await open_one(database, user, amount=51)

    async def test_a_paid_purchase_cannot_fail(self, database: Database) -> None:
        user = await make_guest(database)
        opened = await open_one(database, user)
        await pay(database, user, purchase=opened.transaction_id)
        async with database.transaction() as tx:
            assert not await buying.fail_purchase(tx, purchase_id=opened.transaction_id)


class TestRefunding:
    async def test_the_stars_leave_at_once_and_the_purchase_ends_refunded(self, database: Database) -> None:
        user = await make_guest(database)
        paid = await pay(database, user)
        begun = await begin(database, paid.transaction_id)
        assert await read_stars(database, user) == (0, 0, 50)
        await assert_accounts_are_true(database)
        settled = await settle(database, paid.transaction_id)
        assert settled.transaction_id == begun.transaction_id
        assert await read_stars(database, user) == (0, 0, 0)
        assert await rows_of(database, user) == [("PURCHASE", 50, "REFUNDED"), ("REFUND", -50, "COMPLETED")]
        await assert_accounts_are_true(database)

    async def test_a_refund_that_nobody_asked_us_for_may_go_below_zero(self, database: Database) -> None:
        user = await make_guest(database)
        paid = await pay(database, user)
        await spend(database, user, 30)
        await settle(database, paid.transaction_id)
        again = await settle(database, paid.transaction_id)
        assert again.is_repeat
        assert await read_stars(database, user) == (-30, 30, 0)
        with pytest.raises(NotEnoughStars):
            await spend(database, user, 1)
        await assert_accounts_are_true(database)

    async def test_spent_stars_refuse_a_refund_unless_forced(self, database: Database) -> None:
        user = await make_guest(database)
        paid = await pay(database, user)
        await spend(database, user, 1)
        with pytest.raises(StarsSpent):
            await begin(database, paid.transaction_id)
        assert await read_stars(database, user) == (49, 1, 50)
        await begin(database, paid.transaction_id, forced=True)
        assert await read_stars(database, user) == (-1, 1, 50)

    async def test_a_refund_is_begun_once(self, database: Database) -> None:
        user = await make_guest(database, stars=100)
        paid = await pay(database, user)
        first, again = await begin(database, paid.transaction_id), await begin(database, paid.transaction_id)
        assert again.is_repeat
        assert first.transaction_id == again.transaction_id
        assert await read_stars(database, user) == (100, 0, 50)

    async def test_a_dropped_refund_gives_the_stars_back_and_another_may_begin(
        self, database: Database
    ) -> None:
        user = await make_guest(database)
        paid = await pay(database, user)
        begun = await begin(database, paid.transaction_id)
        await drop(database, begun.transaction_id)
        assert (await drop(database, begun.transaction_id)).is_repeat
        assert await read_stars(database, user) == (50, 0, 50)
        await assert_accounts_are_true(database)
        second = await begin(database, paid.transaction_id)
        assert second.transaction_id != begun.transaction_id
        await settle(database, paid.transaction_id)
        with pytest.raises(HoldEndedOtherwise):
            await drop(database, second.transaction_id)
        assert await read_stars(database, user) == (0, 0, 0)
        await assert_accounts_are_true(database)

    async def test_telegrams_word_stands_after_a_refund_was_dropped(self, database: Database) -> None:
        user = await make_guest(database)
        paid = await pay(database, user)
        await drop(database, (await begin(database, paid.transaction_id)).transaction_id)
        await settle(database, paid.transaction_id)
        assert await read_stars(database, user) == (0, 0, 0)
        await assert_accounts_are_true(database)

    async def test_what_was_not_paid_is_not_refunded(self, database: Database) -> None:
        user = await make_guest(database)
        opened = await open_one(database, user)
        for movement in (begin, settle):
            with pytest.raises(PurchaseNotPaid):
                await movement(database, opened.transaction_id)
            with pytest.raises(NoSuchPurchase):
                await movement(database, "c" + "0" * 24)
        assert await read_stars(database, user) == (0, 0, 0)


class TestOneChargeAtOnce:
    @pytest.mark.parametrize("how", ["for an open purchase", "for nothing we know"])
    async def test_two_accounts_that_come_with_one_charge_at_once_are_told_apart(
        self, database: Database, how: str
    ) -> None:
        users = [await make_guest(database), await make_guest(database)]
        purchases: list[str | None] = [None, None]
        if how == "for an open purchase":
            purchases = [(await open_one(database, user, key=user)).transaction_id for user in users]
        async with database.transaction() as first:
            await buying.credit_payment(
                first, user_id=users[0], amount=50, charge_id="c1", purchase_id=purchases[0], facts={}
            )
            second = asyncio.create_task(pay(database, users[1], purchase=purchases[1]))
            await until_somebody_waits(database)
        with pytest.raises(KeyReused):
            await second
        assert [await read_stars(database, user) for user in users] == [(50, 0, 50), (0, 0, 0)]
        await assert_accounts_are_true(database)

    async def test_a_charge_whose_first_credit_was_rolled_back_is_the_seconds(
        self, database: Database
    ) -> None:
        users = [await make_guest(database), await make_guest(database)]
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as first:
                await buying.credit_payment(
                    first, user_id=users[0], amount=50, charge_id="c1", purchase_id=None, facts={}
                )
                second = asyncio.create_task(pay(database, users[1]))
                await until_somebody_waits(database)
                raise ZeroDivisionError
        assert not (await second).is_repeat
        assert [await read_stars(database, user) for user in users] == [(0, 0, 0), (50, 0, 50)]


async def until_somebody_waits(database: Database) -> None:
    """Until another connection waits for a lock."""
    while True:
        async with database.transaction() as tx:
            if await tx.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            ):
                return
        await asyncio.sleep(0.01)
