"""Keeping what an engine made, or noting that nothing will come; and with it, perhaps, the order's end."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import structlog

from starbooth.base.database import Database
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.run import TicketRow
from starbooth.domain.running.craft import Kept
from starbooth.domain.running.finish import finish_if_complete
from starbooth.domain.running.holding import holding
from starbooth.domain.running.outside import Outside
from starbooth.outside.engine.contract import Engine, EngineRefused, EngineResult
from starbooth.outside.storage.contract import StoredFileMissing

_log = structlog.get_logger()


async def keep(
    database: Database, outside: Outside, engine: Engine, ticket: TicketRow, result: EngineResult
) -> None:
    """Store what was made as its craft does, record it, and end the order if it is complete.

    Repeat: harmless, also after a kill between the files and the record.

    Raises: EngineRefused (with what it cost) where there is nothing to keep; Unavailable.
    """
    craft = outside.crafts[ticket.kind]
    try:
        async with holding(database, ticket):
            kept = await craft.store(database, outside, engine, ticket, result)
    except EngineRefused as refusal:
        refusal.cost_usd = craft.cost_usd(engine, ticket, result)
        raise
    async with database.transaction() as tx:
        winner_key = await orders.note_done(
            tx, order_id=ticket.order_id, number=ticket.number, file_key=kept.file_key, facts=kept.facts
        )
        has_ended = await finish_if_complete(
            tx, ticket.order_id, crafts=outside.crafts, file_url=outside.file_url
        )
    if has_ended:
        outside.on_ended(ticket.order_id)
    if winner_key != kept.file_key:
        await _take_back(outside, kept, winner_key)


async def _take_back(outside: Outside, kept: Kept, winner_key: str | None) -> None:
    """Delete what was stored for nobody: the order ended meanwhile, or another's file was quicker.

    What was drawn from it lies where the same of the winner's file should, so that is drawn once more.
    """
    try:
        winner = None if winner_key is None else await outside.storage.get(winner_key)
    except StoredFileMissing:  # and gone again
        winner = None
    for key in kept.keys:
        if winner is None or key not in kept.drawn:
            await outside.storage.delete(key)
            continue
        body = await asyncio.to_thread(kept.drawn[key].make, winner)
        await outside.storage.put(key, body, kept.drawn[key].content_type)


async def fail(
    database: Database,
    outside: Outside,
    ticket: TicketRow,
    *,
    code: str,
    detail: str = "",
    cost_usd: Decimal | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Note that nothing will come of a ticket, and end the order if it is complete. Repeat: harmless.

    cost_usd: what the engine charges nevertheless, where it had finished. more: what the ticket remembers.
    """
    facts = {**(more or {}), **({"detail": detail} if detail else {})}
    if cost_usd is not None:
        facts["cost_usd"] = str(cost_usd)
    _log.warning("ticket.failed", order=ticket.order_id, number=ticket.number, code=code, detail=detail)
    async with database.transaction() as tx:
        await orders.note_failed(
            tx,
            order_id=ticket.order_id,
            number=ticket.number,
            error_code=code,
            facts=facts,
        )
        has_ended = await finish_if_complete(
            tx, ticket.order_id, crafts=outside.crafts, file_url=outside.file_url
        )
    if has_ended:
        outside.on_ended(ticket.order_id)
