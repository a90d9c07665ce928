"""How an order looks to its guest: place in the queue, expected wait, progress, pictures."""

from datetime import timedelta

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.orders.end import cancel
from starbooth.domain.orders.read import OrderView, expected_wait, newest_active, read_order, time_until_done
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.sweep import sweep
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest
from tests.make.orders import let_pass, make_outside, place_pictures

SECOND = timedelta(seconds=1)


async def view(database: Database, order_id: str, *, slots: int = 1) -> OrderView:
    async with database.transaction() as tx:
        seen = await read_order(tx, order_id, slots=slots)
    assert seen is not None
    return seen


async def paint_one(database: Database, outside: Outside, engine: MemoryEngine, *, seconds: float) -> None:
    """Somebody else's order that took this long."""
    await place_pictures(database, await make_guest(database, stars=9))
    await start_orders(database, outside)
    engine.finish(len(engine.purchases) - 1)
    await let_pass(database, seconds)
    await sweep(database, outside)


class TestReadOrder:
    async def test_an_order_that_never_was_is_none(self, database: Database) -> None:
        async with database.transaction() as tx:
            assert await read_order(tx, "nothing", slots=1) is None

    async def test_places_are_counted_in_the_order_of_turns(self, database: Database) -> None:
        ann, bob = await make_guest(database, stars=99), await make_guest(database, stars=99)
        first = (await place_pictures(database, ann)).order_id
        second = (await place_pictures(database, ann)).order_id
        other = (await place_pictures(database, bob)).order_id
        assert [(await view(database, each)).position for each in (first, other, second)] == [1, 2, 3]
        async with database.transaction() as tx:
            await cancel(tx, order_id=first, user_id=ann)
        assert [(await view(database, each)).position for each in (other, second)] == [1, 2]
        cancelled = await view(database, first)
        assert (cancelled.state, cancelled.position, cancelled.wait) == ("cancelled", None, None)
        assert cancelled.has_ended

    async def test_a_running_order_has_no_place_any_more(self, database: Database) -> None:
        order_id = (await place_pictures(database, await make_guest(database, stars=9))).order_id
        await start_orders(database, make_outside())
        seen = await view(database, order_id)
        assert (seen.state, seen.position, seen.has_ended) == ("running", None, False)

    async def test_a_new_booth_promises_no_wait(self, database: Database) -> None:
        order_id = (await place_pictures(database, await make_guest(database, stars=9))).order_id
        assert (await view(database, order_id)).wait is None

    async def test_the_wait_is_that_of_those_ahead_and_ones_own(self, database: Database) -> None:
        engine = MemoryEngine()
        outside = make_outside(engine)
        await paint_one(database, outside, engine, seconds=20)
        orders = [
            (await place_pictures(database, await make_guest(database, stars=9))).order_id for _ in range(3)
        ]
        waits = [(await view(database, each, slots=2)).wait for each in orders]
        assert all(wait is not None for wait in waits)
        rounded = [round(wait / SECOND, -1) for wait in waits if wait is not None]
        assert rounded == [20, 20, 40]

    async def test_progress_shortens_the_wait(self, database: Database) -> None:
        engine = MemoryEngine()
        outside = make_outside(engine)
        await paint_one(database, outside, engine, seconds=20)
        order_id = (await place_pictures(database, await make_guest(database, stars=9))).order_id
        await start_orders(database, outside)
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.orders SET progress = 0.75 WHERE state = 'running'"))
        wait = (await view(database, order_id)).wait
        assert wait is not None
        assert 4 * SECOND < wait < 7 * SECOND

    async def test_an_ended_order_shows_its_pictures_in_order(self, database: Database) -> None:
        engine = MemoryEngine()
        outside = make_outside(engine)
        order_id = (await place_pictures(database, await make_guest(database, stars=9), pictures=2)).order_id
        await start_orders(database, outside)
        engine.finish(1)
        engine.finish_with(0, ())
        await let_pass(database, 5)
        await sweep(database, outside)
        seen = await view(database, order_id)
        assert seen.file_keys == (f"pictures/{order_id}/1.png",)
        assert (seen.parts, seen.seeds, seen.spent_stars, seen.error_code) == (2, (7, 8), 3, "no_picture")
        assert (seen.prompt, seen.price_stars, seen.progress, seen.wait) == ("a red boat", 6, 1.0, None)


class TestTimeUntilDone:
    def test_every_slot_takes_the_next_in_line_when_its_order_ends(self) -> None:
        waits = [time_until_done(ahead, [15.0, 5.0], run_s=20.0, slots=2) / SECOND for ahead in range(5)]
        assert waits == [25, 35, 45, 55, 65]

    def test_a_free_slot_takes_it_now(self) -> None:
        assert time_until_done(0, [5.0], run_s=20.0, slots=2) == 20 * SECOND
        assert time_until_done(1, [5.0], run_s=20.0, slots=2) == 35 * SECOND

    def test_a_run_that_takes_long_is_about_to_end(self) -> None:
        assert time_until_done(0, [300.0], run_s=20.0, slots=1) == 22 * SECOND

    def test_more_at_work_than_slots_is_no_trouble(self) -> None:
        """An operator has just lowered the limit."""
        assert time_until_done(0, [1.0, 2.0, 3.0], run_s=20.0, slots=1) == 37 * SECOND


class TestExpectedWait:
    async def test_it_is_that_of_the_guests_own_turn(self, database: Database) -> None:
        engine = MemoryEngine()
        outside = make_outside(engine, slots=1)
        await paint_one(database, outside, engine, seconds=20)
        greedy, newcomer = await make_guest(database, stars=99), await make_guest(database)
        for _ in range(4):
            await place_pictures(database, greedy)
        async with database.transaction() as tx:
            waits = [await expected_wait(tx, user_id=each, slots=1) for each in (greedy, newcomer)]
        assert [round(wait / SECOND, -1) for wait in waits if wait is not None] == [100, 40]

    async def test_a_new_booth_promises_nothing(self, database: Database) -> None:
        guest = await make_guest(database)
        async with database.transaction() as tx:
            assert await expected_wait(tx, user_id=guest, slots=1) is None


class TestNewestActive:
    async def test_it_is_the_last_one_that_has_not_ended(self, database: Database) -> None:
        guest = await make_guest(database, stars=99)
        first = (await place_pictures(database, guest)).order_id
        second = (await place_pictures(database, guest)).order_id
        other = await make_guest(database)
        async with database.transaction() as tx:
            assert await newest_active(tx, user_id=guest) == second
            await cancel(tx, order_id=second, user_id=guest)
            assert await newest_active(tx, user_id=guest) == first
            assert await newest_active(tx, user_id=other) is None
