"""What pictures cost and brought: every picture counted once, what is unknown named, stars summing up."""

from datetime import timedelta
from decimal import Decimal

from starbooth.base.database import Database
from starbooth.domain.generations.costs import CostLine, read_costs
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.sweep import sweep
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest, read_stars
from tests.make.orders import let_pass, make_outside, place_pictures, read_order_row, read_pictures


async def lines(database: Database, *, days: int = 30) -> list[CostLine]:
    async with database.transaction() as tx:
        return list(await read_costs(tx, age=timedelta(days=days)))


class TestCosts:
    async def test_of_four_pictures_one_withheld_is_refunded_and_its_cost_is_known(
        self, database: Database
    ) -> None:
        engine = MemoryEngine()
        outside = make_outside(engine)
        guest = await make_guest(database, stars=20)
        order_id = (await place_pictures(database, guest, pictures=4)).order_id
        await start_orders(database, outside)
        for number in range(4):
            engine.finish(number, is_withheld=number == 2)
        await let_pass(database, 70)
        await sweep(database, outside)
        row = await read_order_row(database, order_id)
        assert (row.state, row.spent_stars) == ("done", 9)
        assert row.tickets[2] == ("failed", "content_policy_violation")
        kept = [each["metadata"]["number"] for each in await read_pictures(database, order_id)]
        assert kept == [0, 1, 3]
        assert await read_stars(database, guest) == (11, 9, 0)
        [line] = await lines(database)
        assert (line.engine, line.made, line.failed, line.unpriced) == ("memory", 3, 1, 0)
        assert (line.stars, line.cost_usd) == (Decimal(9), Decimal("0.100"))  # the engine painted all four

    async def test_lines_by_engine_add_up_and_what_has_no_price_is_named(self, database: Database) -> None:
        ours, other = MemoryEngine(cost=Decimal(0)), MemoryEngine(name="other", cost=None)
        outside = make_outside(ours, None, other, slots=1)
        guest = await make_guest(database, stars=20)
        for _ in range(2):
            await place_pictures(database, guest)
        await start_orders(database, outside)
        assert (len(ours.purchases), len(other.purchases)) == (1, 1)
        ours.finish(0)
        other.finish(0)
        await let_pass(database, 70)
        await sweep(database, outside)
        found = {line.engine: line for line in await lines(database)}
        assert sum(line.stars for line in found.values()) == 6
        assert (found["memory"].unpriced, found["other"].unpriced) == (0, 1)
        assert found["other"].cost_usd == 0

    async def test_what_ended_before_or_has_not_ended_is_not_counted(self, database: Database) -> None:
        engine = MemoryEngine()
        outside = make_outside(engine)
        guest = await make_guest(database, stars=20)
        await place_pictures(database, guest)
        await start_orders(database, outside)
        assert await lines(database) == []
        engine.finish(0)
        await let_pass(database, 70)
        await sweep(database, outside)
        assert len(await lines(database)) == 1
        await let_pass(database, 31 * 86_400)
        assert await lines(database) == []
