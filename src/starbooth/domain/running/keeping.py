"""Keeping what an engine made, or noting that nothing will come; and with it, perhaps, the order's end."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import structlog

from starbooth.base.database import Database
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.run import TicketRow
from starbooth.domain.running.finish import finish_if_complete
from starbooth.domain.running.outside import Outside
from starbooth.outside.engine.contract import Engine, EngineRefused, EngineResult

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
        kept = await craft.store(database, outside, engine, ticket, result)
    except EngineRefused as refusal:
        refusal.cost_usd = craft.cost_usd(engine, ticket, result)
        raise
    async with database.transaction() as tx:
        is_kept = await orders.note_done(
            tx, order_id=ticket.order_id, number=ticket.number, file_key=kept.file_key, facts=kept.facts
        )
        has_ended = await finish_if_complete(
            tx, ticket.order_id, crafts=outside.crafts, file_url=outside.file_url
        )
    if has_ended:
        outside.on_ended(ticket.order_id)
    if not is_kept:  # the order ended while this was being stored: nobody paid, nobody can delete it
        for key in kept.keys:
            await outside.storage.delete(key)


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
