"""Buying an order's tickets: choosing an engine, submitting, and what becomes of a purchase that went wrong.

The engine is noted before it is called, so that whoever comes after a kill knows where the ticket may be.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import structlog

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.catalog import engines
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.abandoned import note_abandoned
from starbooth.domain.orders.end import STOPPED
from starbooth.domain.orders.run import Claim, TicketRow
from starbooth.domain.running.craft import MaterialGone
from starbooth.domain.running.holding import holding
from starbooth.domain.running.keeping import fail
from starbooth.domain.running.outside import Outside
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineUnavailable,
    FileGone,
    RunFailed,
    Ticket,
)

_log = structlog.get_logger()
START = "start"
LOOK_AGAIN = timedelta(seconds=1)
# An engine that cannot tell a repeat from a new order is not asked twice: its webhook has this long to come.
_ADOPT_WITHIN = timedelta(seconds=120)

Started = tuple[Claim, Sequence[TicketRow]]


async def start_orders(database: Database, outside: Outside) -> int:
    """Start as many waiting orders as there are free slots, in turn, and buy their tickets. Returns how many.

    Repeat: harmless; an order is claimed once.
    """
    started = await claim_orders(database, outside)
    await buy_tickets(database, outside, started)
    return len(started)


async def claim_orders(database: Database, outside: Outside) -> list[Started]:
    """The first half of `start_orders`, which asks the database alone."""
    await outside.router.refresh(database)
    router = outside.router
    async with database.transaction() as tx:
        claims = await orders.claim_next(
            tx,
            slots=router.slots,
            training_slots=router.training_slots,
            check_in=LOOK_AGAIN * 2,
            openings=router.openings(),
        )
        seats = {claim.order_id: _seat(outside, claim) for claim in claims}
        able = {order_id: name for order_id, name in seats.items() if name is not None}
        tickets = await orders.begin_tickets(tx, able) if able else []
    return [(claim, [ticket for ticket in tickets if ticket.order_id == claim.order_id]) for claim in claims]


def _seat(outside: Outside, claim: Claim) -> str | None:
    endpoint = claim.frozen.get("endpoint", "")
    allowed = claim.frozen.get("engines", [])
    return outside.router.choose(endpoint, allowed=allowed, tried=(), kind=claim.kind)


async def buy_tickets(database: Database, outside: Outside, started: Sequence[Started]) -> None:
    """The second half of `start_orders`: as long as the engine takes to say yes."""
    await asyncio.gather(*(_buy_first(database, outside, claim, tickets) for claim, tickets in started))


async def _buy_first(
    database: Database, outside: Outside, claim: Claim, tickets: Sequence[TicketRow]
) -> None:
    steps = [_submit(database, outside, claim, ticket) for ticket in tickets]
    delays = [delay for delay in await asyncio.gather(*steps) if delay is not None]
    if delays:
        async with database.statement() as tx:
            await orders.check_again(tx, claim, check_in=min(delays))


async def buy(database: Database, outside: Outside, claim: Claim, ticket: TicketRow) -> timedelta | None:
    """Buy a ticket that no engine has, or once more of one that knows repeats. Returns when to look again."""
    await outside.router.refresh(database)
    name = ticket.engine
    if ticket.state == "unsent":
        if await _end_if_stopped(database, outside, ticket):
            return None
        name = outside.router.choose(
            ticket.endpoint,
            allowed=allowed_engines(ticket),
            tried=ticket.tried,
            before=ticket.engine,
            kind=ticket.kind,
        )
    if name is None:
        return LOOK_AGAIN * 2  # all are down, full of trouble or switched off: wait, up to the deadline
    async with database.statement() as tx:
        if not await orders.note_sending(tx, claim, ticket.number, seen=ticket.state, engine=name):
            return None
    return await _submit(database, outside, claim, ticket.at(name)) or LOOK_AGAIN


async def _submit(database: Database, outside: Outside, claim: Claim, ticket: TicketRow) -> timedelta | None:
    """Buy a ticket that was noted as being sent. Returns when to look again; None where all went well."""
    assert ticket.engine is not None
    engine = outside.engines.get(ticket.engine)
    if engine is None:
        return await wait_for_adoption(database, outside, ticket)
    try:
        async with holding(database, ticket):
            bought = await engine.submit(
                ticket.endpoint,
                await outside.crafts[ticket.kind].order(database, outside, engine, ticket),
                request_key=_request_key(ticket),
                webhook_url=outside.hook_url(engine.name, ticket.order_id, ticket.number),
            )
    except MaterialGone as gone:
        await fail(database, outside, ticket, code=gone.code)
        return None
    except EngineRefused as refusal:
        return await end_badly(database, outside, claim, ticket, code=refusal.code, detail=refusal.detail)
    except Unavailable as error:
        return await _put_off(database, outside, claim, ticket, error)
    await _note_bought(database, outside, engine, ticket, bought)
    return None


async def _note_bought(
    database: Database, outside: Outside, engine: Engine, ticket: TicketRow, bought: Ticket
) -> None:
    async with database.statement() as tx:
        is_kept = await orders.note_sent(
            tx,
            order_id=ticket.order_id,
            number=ticket.number,
            engine=bought.engine,
            request_id=bought.request_id,
        )
    await note_success(database, outside, engine.name, ticket.endpoint, has_painted=False)
    if not is_kept:  # another purchase was adopted meanwhile, or the order has ended
        await abandon(database, bought)


async def abandon(database: Database, ticket: Ticket) -> None:
    """Have the engine told to stop, as soon as it can be reached: nobody waits for this any more."""
    async with database.statement() as tx:
        await note_abandoned(tx, engine=ticket.engine, endpoint=ticket.endpoint, request_id=ticket.request_id)


async def _put_off(
    database: Database, outside: Outside, claim: Claim, ticket: TicketRow, error: Unavailable
) -> timedelta:
    assert ticket.engine is not None
    log_trouble(error, ticket)
    is_repeatable = outside.engines[ticket.engine].is_deduplicating
    if isinstance(error, EngineUnavailable):
        await note_trouble(database, outside, ticket.engine, ticket.endpoint, error)
        if error.may_have_bought and not is_repeatable:
            return LOOK_AGAIN * 5
    async with database.statement() as tx:
        await orders.note_unsent(tx, claim, ticket.number)
    return timedelta() if has_other(outside, ticket) else backoff(ticket.tries, error)


async def wait_for_adoption(database: Database, outside: Outside, ticket: TicketRow) -> timedelta | None:
    """The order was sent and the answer lost. Only the webhook can say what the engine made of it."""
    if ticket.waited < _ADOPT_WITHIN:
        return LOOK_AGAIN * 5
    await fail(database, outside, ticket, code="engine_silent")
    return None


async def end_badly(
    database: Database,
    outside: Outside,
    claim: Claim,
    ticket: TicketRow,
    *,
    code: str,
    detail: str = "",
    cost_usd: Decimal | None = None,
) -> timedelta | None:
    """The engine said no. Another may say yes, unless it is the request itself that is wrong.

    cost_usd: what the engine charges nevertheless; not noted of a ticket that goes on to another engine.
    """
    can_go_on = code in _NOT_THE_REQUESTS_FAULT and has_other(outside, ticket)
    if code in _NOT_THE_REQUESTS_FAULT and await _end_if_stopped(database, outside, ticket):
        return None
    if not can_go_on:
        await fail(database, outside, ticket, code=code, detail=detail, cost_usd=cost_usd)
        return None
    return await move_on(database, claim, ticket, reason=code)


async def move_on(
    database: Database, claim: Claim, ticket: TicketRow, *, reason: str, leaves: Ticket | None = None
) -> timedelta | None:
    """Take a ticket away from its engine and give it to another.

    leaves: what the engine may still be working on; it is told to stop as soon as it can be reached.
    """
    _log.warning(
        "ticket.moved", order=ticket.order_id, number=ticket.number, engine=ticket.engine, reason=reason
    )
    async with database.transaction() as tx:
        is_free = await orders.note_moved(tx, claim, ticket.number)
        if is_free and leaves is not None:
            await note_abandoned(
                tx, engine=leaves.engine, endpoint=leaves.endpoint, request_id=leaves.request_id
            )
    return timedelta() if is_free else None


async def buy_again(
    database: Database,
    outside: Outside,
    claim: Claim,
    ticket: TicketRow,
    error: EngineUnavailable,
    *,
    most: int,
) -> timedelta | None:
    """The ticket's request has ended without a result by an accident: buy another, elsewhere if that can be.

    most: how many requests may have ended so before this one; then the ticket fails. Repeat: harmless; of all
    who see the same request fail, one has it bought again. Returns when to look again.
    """
    assert ticket.engine is not None
    assert ticket.request_id is not None
    if await _end_if_stopped(database, outside, ticket):
        return None
    if len(ticket.spent) >= most:
        await note_trouble(database, outside, ticket.engine, ticket.endpoint, error)
        await fail(database, outside, ticket, code="engine_unavailable", detail=error.cause)
        return None
    leaves = has_other(outside, ticket)
    async with database.statement() as tx:
        is_free = await orders.note_spent(
            tx, claim, ticket.number, request_id=ticket.request_id, leaves_engine=leaves
        )
    if not is_free:
        return None
    await note_trouble(database, outside, ticket.engine, ticket.endpoint, error)
    _log.warning(
        "ticket.failed_at_engine",
        order=ticket.order_id,
        number=ticket.number,
        engine=ticket.engine,
        reason=error.reason,
    )
    return timedelta() if leaves else backoff(len(ticket.spent), error)


# What another engine may do better: this one lost it, broke down over it, or does not know how.
_NOT_THE_REQUESTS_FAULT = frozenset(
    {
        *("ticket_lost", "engine_unavailable", "unknown_endpoint", "unsupported_endpoint"),
        *("feature_not_supported", "internal_server_error", "generation_timeout"),
        *("file_download_error", "no_picture", "broken_picture", "no_media_generated", "cancelled"),
    }
)


async def note_trouble(
    database: Database, outside: Outside, name: str, endpoint: str, error: EngineUnavailable
) -> None:
    """Count a failure of this engine at its breaker. What an operator must mend opens it at once."""
    async with database.statement() as tx:
        has_opened = await engines.note_trouble(
            tx,
            engine=name,
            endpoint=endpoint,
            cause=error.cause,
            is_grave=error.alarms,
            is_of_run=isinstance(error, RunFailed | FileGone),
        )
    outside.router.note_trouble(name, endpoint, has_opened=has_opened)
    if has_opened:
        _log.error("breaker.opened", engine=name, endpoint=endpoint, cause=error.cause)


async def note_success(
    database: Database, outside: Outside, name: str, endpoint: str, *, has_painted: bool = True
) -> None:
    """Close this engine's breaker if it was not closed. has_painted: False where it only took a ticket."""
    if not outside.router.is_troubled(name, endpoint):
        return
    async with database.statement() as tx:
        is_closed = await engines.note_success(tx, engine=name, endpoint=endpoint, has_painted=has_painted)
    if is_closed:
        outside.router.note_success(name, endpoint)


def log_trouble(error: Unavailable, ticket: TicketRow) -> None:
    """Tell the operator's log; an alarm where only an operator can mend it."""
    alarms = isinstance(error, EngineUnavailable) and error.alarms
    log = _log.error if alarms else _log.warning
    log(
        "engine.unavailable",
        order=ticket.order_id,
        engine=ticket.engine,
        reason=error.reason,
        operator_must_act=alarms,
    )


def backoff(tries: int, error: Unavailable) -> timedelta:
    """How long to leave an engine alone: as long as it asked for, and longer with every try."""
    asked = timedelta(seconds=min(error.retry_after_s or 0.0, 60.0))
    return max(asked, LOOK_AGAIN * min(1 << min(tries, 10), 15))


def has_other(outside: Outside, ticket: TicketRow) -> bool:
    """Whether another engine than the one that has a ticket could take it now."""
    assert ticket.engine is not None
    return outside.router.can_choose_other(
        ticket.engine, ticket.endpoint, allowed_engines(ticket), ticket.tried, kind=ticket.kind
    )


async def _end_if_stopped(database: Database, outside: Outside, ticket: TicketRow) -> bool:
    """End a ticket that has nothing to show, if its guest wants no more of it. True where it was so."""
    stopped = await outside.crafts[ticket.kind].stopped(database, ticket)
    if stopped is None:
        return False
    await fail(database, outside, ticket, code=STOPPED, more=stopped)
    return True


def allowed_engines(ticket: TicketRow) -> Sequence[str]:
    """Who may have a ticket, in order of preference; empty for all."""
    return tuple(ticket.request["frozen"].get("engines", ()))


def _request_key(ticket: TicketRow) -> str:
    """By what an engine of our own knows a repeat. The seed tells booths apart; a further purchase is new."""
    key = f"{ticket.order_id}-{ticket.number}-{ticket.seed}"
    return f"{key}-{len(ticket.spent)}" if ticket.spent else key
