"""A slow step keeps its order to itself, as long as it lasts and lives."""

import asyncio
from datetime import timedelta

from starbooth.base.database import Database
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.run import Claim, TicketRow
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.holding import holding
from tests.make.guests import make_guest
from tests.make.orders import let_pass, make_outside, place_pictures


async def due_order(database: Database) -> TicketRow:
    """A ticket at an engine whose order anybody may take over."""
    placed = await place_pictures(database, await make_guest(database, stars=9))
    await start_orders(database, make_outside())
    await let_pass(database, 60)
    async with database.transaction() as tx:
        [ticket] = await orders.read_tickets(tx, placed.order_id)
    return ticket


async def is_due(database: Database) -> bool:
    async with database.transaction() as tx:
        return bool(await orders.find_due(tx, limit=9))


async def take_over(database: Database, ticket: TicketRow) -> Claim | None:
    async with database.transaction() as tx:
        return await orders.take_over(tx, ticket.order_id, check_in=timedelta(seconds=-1))


async def test_nobody_takes_over_meanwhile_and_anybody_afterwards(database: Database) -> None:
    ticket = await due_order(database)
    async with holding(database, ticket, renew_s=0.01):
        for _ in range(1000):
            if not await is_due(database):
                break
            await asyncio.sleep(0.01)
        assert await take_over(database, ticket) is None
    await let_pass(database, 60)
    assert await take_over(database, ticket) is not None


async def test_who_lost_the_order_holds_it_no_more(database: Database) -> None:
    ticket = await due_order(database)
    assert await take_over(database, ticket) is not None  # somebody else, with a new fence, and due again
    async with holding(database, ticket, renew_s=0.001):
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert await is_due(database)


async def test_a_quick_step_asks_nothing_of_the_database(database: Database) -> None:
    ticket = await due_order(database)
    async with holding(database, ticket):
        pass
    assert await is_due(database)
