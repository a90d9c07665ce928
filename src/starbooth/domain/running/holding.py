"""Keeping an order to oneself while a slow step lasts, such as the download of large weights.

Who works on an order has ten seconds before others look at it. That is plenty for a call, and few for a file.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.run import Claim, TicketRow

_log = structlog.get_logger()
_HELD_FOR = timedelta(seconds=10)
_RENEW_S = 1.5


@asynccontextmanager
async def holding(database: Database, ticket: TicketRow, *, renew_s: float = _RENEW_S) -> AsyncIterator[None]:
    """Let nobody else look at this ticket's order meanwhile. Asks nothing of the database if it is quick.

    Whoever dies here is followed by others within ten seconds.
    """
    claim = Claim(order_id=ticket.order_id, attempt=ticket.attempt)
    renewing = asyncio.create_task(_renew(database, claim, renew_s))
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing


async def _renew(database: Database, claim: Claim, renew_s: float) -> None:
    while True:
        await asyncio.sleep(renew_s)
        try:
            async with database.statement() as tx:
                await orders.check_again(tx, claim, check_in=_HELD_FOR)
        except Unavailable as error:
            _log.info("hold.not_renewed", order=claim.order_id, reason=error.reason)
