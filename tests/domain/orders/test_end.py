"""The one end of an order: paid for what was delivered, whatever the ending, however often it is told."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from starbooth.base.database import Database
from starbooth.domain.orders import run
from starbooth.domain.orders.end import (
    EndedOrder,
    OrderState,
    cancel,
    end_if_complete,
    end_now,
    find_overdue,
)
from starbooth.domain.orders.errors import NoSuchOrder, TooLateToCancel
from starbooth.domain.orders.run import claim_next
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.orders import let_pass, place_pictures, read_order_row


async def start_four(database: Database, *, done: int = 0, failed: int = 0) -> tuple[str, str]:
    """A running order for four pictures at 12 stars, some tickets of which have ended. Guest and order."""
    guest = await make_guest(database, stars=20)
    placed = await place_pictures(database, guest, pictures=4)
    async with database.transaction() as tx:
        await claim_next(tx, slots=4, check_in=timedelta(seconds=10))
        for number in range(done):
            await run.note_done(
                tx, order_id=placed.order_id, number=number, file_key=f"{number}.png", facts={}
            )
        for number in range(done, done + failed):
            await run.note_failed(
                tx, order_id=placed.order_id, number=number, error_code=f"bad{number}", facts={}
            )
    return guest, placed.order_id


async def complete(database: Database, order_id: str) -> EndedOrder | None:
    async with database.transaction() as tx:
        return await end_if_complete(tx, order_id)


async def end(database: Database, order_id: str, reason: str = "deadline") -> EndedOrder | None:
    async with database.transaction() as tx:
        return await end_now(tx, order_id, reason=reason)


class TestEndIfComplete:
    @pytest.mark.parametrize(
        ("done", "state", "spent"), [(4, "done", 12), (3, "done", 9), (1, "done", 3), (0, "failed", 0)]
    )
    async def test_it_pays_for_what_was_delivered(
        self, database: Database, done: int, state: str, spent: int
    ) -> None:
        guest, order_id = await start_four(database, done=done, failed=4 - done)
        ended = await complete(database, order_id)
        assert ended is not None
        assert (ended.state, ended.spent_stars, ended.price_stars) == (state, spent, 12)
        assert await read_stars(database, guest) == (20 - spent, spent, 0)
        row = await read_order_row(database, order_id)
        assert (row.state, row.spent_stars) == (state, spent)
        assert row.error_code == (None if done == 4 else f"bad{done}")
        await assert_accounts_are_true(database)

    async def test_a_ticket_under_way_keeps_it_open(self, database: Database) -> None:
        guest, order_id = await start_four(database, done=2, failed=1)
        assert await complete(database, order_id) is None
        assert await read_stars(database, guest) == (8, 0, 0)

    async def test_it_ends_once(self, database: Database) -> None:
        guest, order_id = await start_four(database, done=4)
        assert await complete(database, order_id) is not None
        assert await complete(database, order_id) is None
        assert await read_stars(database, guest) == (8, 12, 0)

    async def test_of_eight_at_once_one_ends_it(self, database: Database) -> None:
        guest, order_id = await start_four(database, done=3, failed=1)
        ends = await asyncio.gather(*(complete(database, order_id) for _ in range(8)))
        assert len([each for each in ends if each is not None]) == 1
        assert await read_stars(database, guest) == (11, 9, 0)

    async def test_an_order_that_never_was_ends_nothing(self, database: Database) -> None:
        assert await complete(database, "nothing") is None

    async def test_an_order_that_waits_does_not_end_by_itself(self, database: Database) -> None:
        placed = await place_pictures(database, await make_guest(database, stars=20))
        assert await complete(database, placed.order_id) is None


class TestEndNow:
    async def test_what_is_done_is_paid_and_the_rest_goes_back(self, database: Database) -> None:
        guest, order_id = await start_four(database, done=1)
        ended = await end(database, order_id)
        assert ended is not None
        assert (ended.state, ended.spent_stars) == (OrderState.DONE, 3)
        assert await read_stars(database, guest) == (17, 3, 0)
        assert (await read_order_row(database, order_id)).error_code == "deadline"
        await assert_accounts_are_true(database)

    async def test_with_nothing_done_all_goes_back(self, database: Database) -> None:
        guest, order_id = await start_four(database, failed=1)
        ended = await end(database, order_id)
        assert ended is not None
        assert ended.state == OrderState.FAILED
        assert await read_stars(database, guest) == (20, 0, 0)

    async def test_an_order_that_waits_can_be_ended_too(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        placed = await place_pictures(database, guest)
        assert await end(database, placed.order_id) is not None
        assert await read_stars(database, guest) == (20, 0, 0)

    async def test_it_ends_once(self, database: Database) -> None:
        _, order_id = await start_four(database, done=1)
        assert await end(database, order_id) is not None
        assert await end(database, order_id, reason="another") is None
        assert await complete(database, order_id) is None
        assert (await read_order_row(database, order_id)).error_code == "deadline"

    async def test_a_ticket_that_comes_late_changes_nothing(self, database: Database) -> None:
        guest, order_id = await start_four(database, done=1)
        await end(database, order_id)
        before = await read_order_row(database, order_id)
        async with database.transaction() as tx:
            await run.note_done(tx, order_id=order_id, number=1, file_key="late.png", facts={})
            await run.note_failed(tx, order_id=order_id, number=2, error_code="late", facts={})
        assert await complete(database, order_id) is None
        assert await read_order_row(database, order_id) == before
        assert await read_stars(database, guest) == (17, 3, 0)

    async def test_a_ticket_that_ends_in_the_same_moment_is_paid_or_not_but_never_lost(
        self, database: Database
    ) -> None:
        """Whoever has the order first decides; done tickets and spent stars agree afterwards."""
        for _ in range(10):
            _, order_id = await start_four(database, done=1)

            async def finish_one(order_id: str = order_id) -> None:
                async with database.transaction() as tx:
                    await run.note_done(tx, order_id=order_id, number=1, file_key="1.png", facts={})

            await asyncio.gather(end(database, order_id), finish_one())
            row = await read_order_row(database, order_id)
            done = sum(state == "done" for state, _ in row.tickets)
            assert row.spent_stars == 3 * done
        await assert_accounts_are_true(database)


class TestCancel:
    async def cancel(self, database: Database, order_id: str, guest: str) -> EndedOrder:
        async with database.transaction() as tx:
            return await cancel(tx, order_id=order_id, user_id=guest)

    async def test_a_waiting_order_gives_everything_back(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        placed = await place_pictures(database, guest)
        ended = await self.cancel(database, placed.order_id, guest)
        assert (ended.state, ended.spent_stars) == (OrderState.CANCELLED, 0)
        assert await read_stars(database, guest) == (20, 0, 0)
        await assert_accounts_are_true(database)

    async def test_a_second_press_is_too_late_and_changes_nothing(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        placed = await place_pictures(database, guest)
        await self.cancel(database, placed.order_id, guest)
        with pytest.raises(TooLateToCancel):
            await self.cancel(database, placed.order_id, guest)
        assert await read_stars(database, guest) == (20, 0, 0)

    async def test_a_running_or_ended_order_cannot_be_cancelled(self, database: Database) -> None:
        guest, order_id = await start_four(database, done=4)
        with pytest.raises(TooLateToCancel):
            await self.cancel(database, order_id, guest)
        await complete(database, order_id)
        with pytest.raises(TooLateToCancel):
            await self.cancel(database, order_id, guest)
        assert await read_stars(database, guest) == (8, 12, 0)

    async def test_somebody_elses_order_does_not_exist(self, database: Database) -> None:
        owner, other = await make_guest(database, stars=20), await make_guest(database, stars=20)
        placed = await place_pictures(database, owner)
        with pytest.raises(NoSuchOrder):
            await self.cancel(database, placed.order_id, other)
        with pytest.raises(NoSuchOrder):
            await self.cancel(database, "nothing", owner)
        assert (await read_order_row(database, placed.order_id)).state == "held"

    async def test_cancel_and_claim_at_once_agree_on_one(self, database: Database) -> None:
        for _ in range(10):
            guest = await make_guest(database, stars=20)
            placed = await place_pictures(database, guest)

            async def claim() -> int:
                async with database.transaction() as tx:
                    return len(await claim_next(tx, slots=100, check_in=timedelta(seconds=10)))

            cancelled, claimed = await asyncio.gather(
                self.cancel(database, placed.order_id, guest), claim(), return_exceptions=True
            )
            state = (await read_order_row(database, placed.order_id)).state
            if isinstance(cancelled, EndedOrder):
                assert (state, claimed) == ("cancelled", 0)
            else:
                assert isinstance(cancelled, TooLateToCancel)
                assert (state, claimed) == ("running", 1)
        await assert_accounts_are_true(database)


class TestFindOverdue:
    async def test_only_active_orders_past_their_deadline_are_found(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        soon, late = [
            (await place_pictures(database, guest, deadline=timedelta(seconds=seconds))).order_id
            for seconds in (60, 600)
        ]
        async with database.transaction() as tx:
            assert await find_overdue(tx, limit=9) == []
        await let_pass(database, 61)
        async with database.transaction() as tx:
            assert await find_overdue(tx, limit=9) == [soon]
        await end(database, soon)
        await let_pass(database, 600)
        async with database.transaction() as tx:
            assert await find_overdue(tx, limit=9) == [late]


class TestTheDatabaseItself:
    @pytest.mark.parametrize("state", ["held", "running", "failed", "cancelled"])
    async def test_an_ended_order_never_changes_its_state_not_even_by_plain_sql(
        self, database: Database, state: str
    ) -> None:
        _, order_id = await start_four(database, done=4)
        await complete(database, order_id)
        with pytest.raises(DBAPIError, match="has ended as done and stays so"):
            async with database.transaction() as tx:
                await tx.execute(text("UPDATE starbooth.orders SET state = :state"), {"state": state})
