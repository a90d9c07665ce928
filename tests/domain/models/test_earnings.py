"""Payouts: to the star, once, in batches, and never below zero."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from starbooth.base.database import Database
from starbooth.domain.models.earnings import Earnings, pay_out, read_earnings, take_back
from tests.conftest import DatabaseServer
from tests.make.audits import assert_accounts_are_true, run_audit
from tests.make.guests import make_guest, read_stars
from tests.make.loras import make_lora
from tests.make.orders import end_order, place_pictures

AT_ONCE = timedelta(0)


async def use(database: Database, guest: str, lora: str, *, pictures: int = 1, share: int = 50) -> str:
    placed = await place_pictures(database, guest, pictures=pictures, loras=[lora], share_percent=share)
    await end_order(database, placed.order_id, done=pictures)
    return placed.order_id


async def shared_model(database: Database, *, fee: int = 3) -> tuple[str, str, str]:
    """A maker, their public model, and a guest who has had their free pictures of it."""
    maker, guest = await make_guest(database), await make_guest(database, stars=10_000)
    lora = await make_lora(database, maker, is_public=True, fee_stars=fee)
    await use(database, guest, lora, pictures=3)
    return maker, lora, guest


async def earnings_of(database: Database, maker: str) -> Earnings:
    async with database.transaction() as tx:
        return await read_earnings(tx, maker_id=maker)


class TestPayOut:
    async def test_whole_stars_are_paid_and_parts_are_carried_on(self, database: Database) -> None:
        maker, lora, guest = await shared_model(database)
        await use(database, guest, lora)
        assert await earnings_of(database, maker) == Earnings(paid_stars=0, waiting_hundredths=150)
        assert await pay_out(database, interval=AT_ONCE) == 1
        assert await earnings_of(database, maker) == Earnings(paid_stars=1, waiting_hundredths=50)
        await use(database, guest, lora)
        assert await pay_out(database, interval=AT_ONCE) == 2
        assert await earnings_of(database, maker) == Earnings(paid_stars=3, waiting_hundredths=0)
        assert (await read_stars(database, maker))[0] == 3
        await assert_accounts_are_true(database)

    async def test_less_than_a_star_waits(self, database: Database) -> None:
        maker, lora, guest = await shared_model(database, fee=1)
        await use(database, guest, lora)
        assert await pay_out(database, interval=AT_ONCE) == 0
        assert (await read_stars(database, maker))[0] == 0
        await use(database, guest, lora)
        assert await pay_out(database, interval=AT_ONCE) == 1

    async def test_a_maker_is_not_paid_again_before_the_interval_is_over(self, database: Database) -> None:
        _, lora, guest = await shared_model(database)
        await use(database, guest, lora, pictures=2)
        assert await pay_out(database, interval=timedelta(hours=1)) == 3
        await use(database, guest, lora, pictures=2)
        assert await pay_out(database, interval=timedelta(hours=1)) == 0
        assert await pay_out(database, interval=AT_ONCE) == 3

    async def test_several_workers_pay_once(self, database: Database) -> None:
        maker, lora, guest = await shared_model(database)
        for _ in range(4):
            await use(database, guest, lora)
        paid = await asyncio.gather(*(pay_out(database, interval=AT_ONCE) for _ in range(6)))
        assert sum(paid) == (await read_stars(database, maker))[0] == 6
        await assert_accounts_are_true(database)

    async def test_a_full_purse_holds_nobody_else_up(self, database: Database) -> None:
        maker, lora, guest = await shared_model(database)
        other, other_lora, other_guest = await shared_model(database)
        await use(database, guest, lora)
        await use(database, other_guest, other_lora)
        async with database.transaction() as tx:
            await tx.execute(
                text('UPDATE public."User" SET "stars" = 2147483647 WHERE "id" = :id'), {"id": maker}
            )
        assert await pay_out(database, interval=AT_ONCE) == 1
        assert (await read_stars(database, other))[0] == 1


class TestTakeBack:
    async def test_before_the_payout_it_was_never_earned(self, database: Database) -> None:
        maker, lora, guest = await shared_model(database)
        order = await use(database, guest, lora, pictures=2)
        async with database.transaction() as tx:
            assert await take_back(tx, order) == 300
            assert await take_back(tx, order) == 0
        assert await pay_out(database, interval=AT_ONCE) == 0
        assert await earnings_of(database, maker) == Earnings(paid_stars=0, waiting_hundredths=0)
        await assert_accounts_are_true(database)

    async def test_after_the_payout_it_comes_off_later_earnings(self, database: Database) -> None:
        maker, lora, guest = await shared_model(database)
        order = await use(database, guest, lora, pictures=2)
        await pay_out(database, interval=AT_ONCE)
        async with database.transaction() as tx:
            await take_back(tx, order)
        assert (await read_stars(database, maker))[0] == 3
        assert await earnings_of(database, maker) == Earnings(paid_stars=3, waiting_hundredths=-300)
        await use(database, guest, lora, pictures=3)
        assert await pay_out(database, interval=AT_ONCE) == 1
        assert (await read_stars(database, maker))[0] == 4
        await assert_accounts_are_true(database)


class TestGuards:
    async def test_the_database_refuses_to_change_what_was_earned(self, database: Database) -> None:
        _, lora, guest = await shared_model(database)
        await use(database, guest, lora)
        with pytest.raises(DBAPIError, match="may not change"):
            async with database.transaction() as tx:
                await tx.execute(text("UPDATE starbooth.earnings SET hundredths = 1000"))

    async def test_the_audit_names_what_does_not_add_up(self, database: Database) -> None:
        maker, lora, guest = await shared_model(database)
        order = await use(database, guest, lora)
        await pay_out(database, interval=AT_ONCE)
        async with database.transaction() as tx:
            row = await tx.scalar(text("SELECT transaction_id FROM starbooth.payouts"))
            await tx.execute(
                text("UPDATE starbooth.order_fees SET fee_stars = 9 WHERE order_id = :id"), {"id": order}
            )
            await tx.execute(
                text("UPDATE starbooth.payouts SET gathered_hundredths = 170, rest_hundredths = 70")
            )
            await tx.execute(
                text(
                    "INSERT INTO starbooth.earnings (order_id, lora_id, kind, maker_id, hundredths)"
                    " VALUES ('other', 'l', 'use', :maker, 5), ('back', 'l', 'taken_back', :maker, -5)"
                ),
                {"maker": maker},
            )
        assert set((await run_audit(database)).odd_rows) == {
            ("other", "earns for a maker, but had no fee"),
            ("back", "took back other than it earned"),
            (order, "earned other than its fee says"),
            (row, "is not the sum of its earnings"),
        }


moves = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(0, 1), st.integers(1, 4), st.integers(0, 100)),
        st.tuples(st.just("take_back"), st.integers(0, 20)),
        st.tuples(st.just("pay_out")),
    ),
    max_size=14,
)


@settings(max_examples=12, deadline=None)
@given(moves=moves, fees=st.tuples(st.integers(0, 7), st.integers(0, 7)))
def test_whatever_happens_payouts_are_the_sum_of_what_was_earned(
    database_server: DatabaseServer, moves: list[tuple[object, ...]], fees: tuple[int, int]
) -> None:
    url = database_server.create()
    try:
        asyncio.run(_play(url, moves, fees))
    finally:
        database_server.drop(url)


async def _play(url: str, moves: list[tuple[object, ...]], fees: tuple[int, int]) -> None:
    database = Database(url, connections=2)
    try:
        maker, guest = await make_guest(database), await make_guest(database, stars=1000)
        loras = [await make_lora(database, maker, is_public=True, fee_stars=each) for each in fees]
        orders: list[str] = []
        for move in moves:
            match move:
                case ("use", int() as which, int() as pictures, int() as share):
                    orders.append(await use(database, guest, loras[which], pictures=pictures, share=share))
                case ("take_back", int() as which) if orders:
                    async with database.transaction() as tx:
                        await take_back(tx, orders[which % len(orders)])
                case ("pay_out",):
                    await pay_out(database, interval=AT_ONCE)
        await pay_out(database, interval=AT_ONCE)
        found = await earnings_of(database, maker)
        async with database.transaction() as tx:
            total = await tx.scalar(text("SELECT coalesce(sum(hundredths), 0) FROM starbooth.earnings"))
        assert found.paid_stars * 100 + found.waiting_hundredths == total
        assert found.waiting_hundredths < 100
        assert (await read_stars(database, maker))[0] == found.paid_stars
        await assert_accounts_are_true(database)
    finally:
        await database.aclose()
