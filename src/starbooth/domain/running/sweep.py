"""The net under everything: whatever is due and was not done by a job is found and done here.

Runs in every worker every second or so. Two at once are harmless: each step is claimed.
"""

import asyncio

import structlog

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.orders import end, run
from starbooth.domain.orders.abandoned import Abandoned, find_abandoned, forget_abandoned
from starbooth.domain.running.buying import abandon, start_orders
from starbooth.domain.running.finish import finish_overdue
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.run import check_order
from starbooth.outside.engine.contract import Ticket

_log = structlog.get_logger()
_AT_ONCE = 20


async def sweep(database: Database, outside: Outside) -> None:
    """Look at what is due and start what may start. Takes as long as the engine does. Repeat: harmless."""
    async with database.statement() as tx:
        due = await run.find_due(tx, limit=_AT_ONCE)
    await asyncio.gather(*(check_order(database, outside, order_id) for order_id in due))
    await start_orders(database, outside)


async def end_overdue(database: Database, outside: Outside) -> None:
    """End orders past their deadline. A timer of its own, so that a slow engine cannot delay a refund.

    Repeat: harmless; an order ends once.
    """
    async with database.statement() as tx:
        overdue = await end.find_overdue(tx, limit=_AT_ONCE)
    for order_id in overdue:
        async with database.transaction() as tx:
            tickets = await run.read_tickets(tx, order_id)
            ended = await finish_overdue(
                tx, order_id, reason="deadline", crafts=outside.crafts, file_url=outside.file_url
            )
        if ended is not None:
            outside.on_ended(order_id)
            _log.warning("order.overdue", order=order_id, spent_stars=ended.spent_stars)
        for ticket in tickets:
            if ticket.state == "sent" and ticket.engine and ticket.request_id:
                left = Ticket(engine=ticket.engine, endpoint=ticket.endpoint, request_id=ticket.request_id)
                await abandon(database, left)


async def stop_abandoned(database: Database, outside: Outside) -> None:
    """Spare the engines work that nobody waits for. Takes as long as the engines do.

    Repeat: harmless; an engine out of reach is told later.
    """
    async with database.statement() as tx:
        left = await find_abandoned(tx, limit=_AT_ONCE)
    for each in left:
        if await _has_stopped(outside, each):
            async with database.statement() as tx:
                await forget_abandoned(tx, each)


async def _has_stopped(outside: Outside, each: Abandoned) -> bool:
    engine = outside.engines.get(each.engine)
    if engine is None:
        return each.is_old
    try:
        ticket = Ticket(engine=each.engine, endpoint=each.endpoint, request_id=each.request_id)
        await engine.cancel(ticket)
    except Unavailable as error:
        _log.info("engine.cancel_failed", engine=each.engine, reason=error.reason)
        return each.is_old
    return True
