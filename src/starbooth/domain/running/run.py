"""Running an order: watch what was bought, collect it, or give it to another engine.

Nothing here waits for an engine. Each function does one short step; between steps the order waits in the
database, and the engine's webhook, the sweep or a restart of any worker takes the next one.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.run import Claim, TicketRow
from starbooth.domain.running.buying import (
    LOOK_AGAIN,
    backoff,
    buy,
    buy_again,
    end_badly,
    has_other,
    log_trouble,
    move_on,
    note_success,
    note_trouble,
    wait_for_adoption,
)
from starbooth.domain.running.keeping import keep
from starbooth.domain.running.outside import Outside, engine_ticket
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineResult,
    EngineUnavailable,
    FileGone,
    Finished,
    RunFailed,
    TicketLost,
    Waiting,
    Working,
)

_log = structlog.get_logger()
COLLECT = "collect"
_MOST_TRIES = 8
# A file may reach the engine's host a moment after the word of it; later its request is as good as failed.
_MOST_TRIES_OF_A_FILE = 3
# How many requests of a ticket may end by an accident, or without a file, before one more is its last.
_MOST_FAILED_RUNS, _MOST_LOST_FILES = 2, 1
# An engine of our own that cannot be reached for so long has lost its turn, if another can take the ticket.
_SILENT_FOR = timedelta(seconds=15)


async def check_order(database: Database, outside: Outside, order_id: str) -> None:
    """Take over a running order that is due and do what its tickets need. Repeat: harmless."""
    async with database.statement() as tx:
        claim = await orders.take_over(tx, order_id, check_in=LOOK_AGAIN * 10)
    if claim is not None:
        await _work_on(database, outside, claim)


async def _work_on(database: Database, outside: Outside, claim: Claim) -> None:
    async with database.statement() as tx:
        tickets = await orders.read_tickets(tx, claim.order_id)
    steps = [_step(database, outside, claim, ticket) for ticket in _in_turn(tickets)]
    delays = [delay for delay in await asyncio.gather(*steps) if delay is not None]
    if delays:
        async with database.statement() as tx:
            await orders.check_again(tx, claim, check_in=min(delays))


def _in_turn(tickets: Sequence[TicketRow]) -> list[TicketRow]:
    """Those that may be at engines now: those that are, and the next ones in place of what has ended."""
    under_way = [each for each in tickets if each.state in ("sending", "sent")]
    waiting = [each for each in tickets if each.state == "unsent"]
    return under_way + waiting[: max(0, orders.MOST_AT_ENGINES - len(under_way))]


async def _step(database: Database, outside: Outside, claim: Claim, ticket: TicketRow) -> timedelta | None:
    """Do what one ticket needs now. Returns when to look again; None where it needs nothing more."""
    engine = None if ticket.engine is None else outside.engines.get(ticket.engine)
    match ticket.state:
        case "unsent":
            return await buy(database, outside, claim, ticket)
        case "sending" if engine is not None and engine.is_deduplicating:
            return await buy(database, outside, claim, ticket)
        case "sending":
            return await wait_for_adoption(database, outside, ticket)
        case "sent" if engine is not None:
            return await _watch(database, outside, claim, ticket, engine)
        case "sent":
            # This process cannot call the engine that has it. Another may, until the deadline.
            return LOOK_AGAIN * 5
        case _:
            return None


async def _watch(
    database: Database, outside: Outside, claim: Claim, ticket: TicketRow, engine: Engine
) -> timedelta | None:
    try:
        status = await engine.status(engine_ticket(ticket))
        if isinstance(status, Finished):
            result = await _ask_result(engine, ticket, has_failed=status.has_failed)
            await keep(database, outside, engine, ticket, result)
            await note_success(database, outside, engine.name, ticket.endpoint)
            return None
    except EngineRefused as end:
        return await _refuse(database, outside, claim, ticket, end)
    except TicketLost as lost:
        return await end_badly(database, outside, claim, ticket, code=lost.cause, detail=lost.detail)
    except RunFailed as failure:
        return await buy_again(database, outside, claim, ticket, failure, most=_MOST_FAILED_RUNS)
    except Unavailable as error:
        return await _try_again(database, outside, claim, ticket, error)
    await _look_after(database, outside, claim, ticket, engine, status)
    return LOOK_AGAIN


async def _look_after(
    database: Database,
    outside: Outside,
    claim: Claim,
    ticket: TicketRow,
    engine: Engine,
    status: Waiting | Working,
) -> None:
    if isinstance(status, Working) and status.progress is not None:
        async with database.statement() as tx:
            await orders.note_progress(tx, claim, status.progress)
    try:
        await outside.crafts[ticket.kind].look_after(database, outside, engine, ticket, status)
    except (EngineRefused, Unavailable) as error:  # the work itself goes on, and the next look tries again
        _log.info("craft.look_failed", order=ticket.order_id, engine=engine.name, reason=str(error))


async def collect(
    database: Database,
    outside: Outside,
    *,
    order_id: str,
    number: int,
    result: EngineResult | None,
    request_id: str | None = None,
    has_failed: bool = False,
) -> None:
    """Keep what a webhook announced. Repeat: harmless.

    result: None to ask the engine for it. request_id: that the webhook was about; None for whichever the
    ticket has. has_failed: whether it said that this request ended badly.
    """
    async with database.statement() as tx:
        tickets = await orders.read_tickets(tx, order_id)
    ticket = next((each for each in tickets if each.number == number and each.state == "sent"), None)
    engine = None if ticket is None or ticket.engine is None else outside.engines.get(ticket.engine)
    if ticket is None or engine is None or request_id not in (None, ticket.request_id):
        return
    claim = Claim(order_id=order_id, attempt=ticket.attempt)
    try:
        if result is None:
            result = await _ask_result(engine, ticket, has_failed=has_failed)
        await keep(database, outside, engine, ticket, result)
        await note_success(database, outside, engine.name, ticket.endpoint)
        return
    except EngineRefused as refusal:
        delay = await _refuse(database, outside, claim, ticket, refusal)
    except RunFailed as failure:
        delay = await buy_again(database, outside, claim, ticket, failure, most=_MOST_FAILED_RUNS)
    except Unavailable as error:
        # The sweep looks at this order within a second or so, and counts the tries.
        log_trouble(error, ticket)
        return
    if delay is not None:
        async with database.statement() as tx:
            await orders.check_again(tx, claim, check_in=delay)


async def _ask_result(engine: Engine, ticket: TicketRow, *, has_failed: bool) -> EngineResult:
    """What came of a finished request. has_failed: it is known to have ended badly, only not yet why."""
    try:
        return await engine.result(engine_ticket(ticket))
    except (RunFailed, TicketLost):
        raise
    except EngineUnavailable as error:
        if not has_failed or error.alarms or error.cause in _AWAY | _PATIENCE:
            raise
        raise RunFailed(error.cause, error.detail) from error


async def _refuse(
    database: Database, outside: Outside, claim: Claim, ticket: TicketRow, refusal: EngineRefused
) -> timedelta | None:
    return await end_badly(
        database,
        outside,
        claim,
        ticket,
        code=refusal.code,
        detail=refusal.detail,
        cost_usd=refusal.cost_usd,
    )


async def _try_again(
    database: Database, outside: Outside, claim: Claim, ticket: TicketRow, error: Unavailable
) -> timedelta | None:
    """An engine out of reach has until the order's deadline; one that answers badly has few tries.

    Where another engine can take the ticket, one of our own that is silent loses it sooner. What was paid for
    elsewhere is waited for: buying it twice would cost the operator twice.
    """
    log_trouble(error, ticket)
    if not isinstance(error, EngineUnavailable) or ticket.engine is None:
        return backoff(ticket.tries, error)
    if isinstance(error, FileGone):
        return await _try_file_again(database, outside, claim, ticket, error)
    is_away = error.cause in _AWAY
    if is_away or error.cause not in _PATIENCE:
        await note_trouble(database, outside, ticket.engine, ticket.endpoint, error)
    is_ours = outside.engines[ticket.engine].is_deduplicating
    may_leave = is_ours and not outside.crafts[ticket.kind].is_costly and ticket.waited > _SILENT_FOR
    if is_away and may_leave and has_other(outside, ticket):
        leaves = engine_ticket(ticket)
        return await move_on(database, claim, ticket, reason=error.cause, leaves=leaves)
    if not is_away and error.cause not in _PATIENCE:
        if ticket.tries >= _MOST_TRIES:
            return await end_badly(database, outside, claim, ticket, code="engine_unavailable")
        async with database.statement() as tx:
            await orders.note_try(tx, order_id=ticket.order_id, number=ticket.number)
    return backoff(ticket.tries, error)


async def _try_file_again(
    database: Database, outside: Outside, claim: Claim, ticket: TicketRow, error: FileGone
) -> timedelta | None:
    if ticket.tries + 1 >= _MOST_TRIES_OF_A_FILE:
        # What has run to its end was billed: what is costly is not bought twice.
        most = 0 if outside.crafts[ticket.kind].is_costly else _MOST_LOST_FILES
        return await buy_again(database, outside, claim, ticket, error, most=most)
    async with database.statement() as tx:
        await orders.note_try(tx, order_id=ticket.order_id, number=ticket.number)
    return backoff(ticket.tries, error)


_AWAY = frozenset({"unreachable", "timed_out", "dropped"})
_PATIENCE = frozenset({"rate_limited", "not_finished"})
