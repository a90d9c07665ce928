"""Running an order for pictures: buy from the engine, watch, collect, keep the files, end the order.

Nothing here waits for an engine. Each function does one short step; between steps the order waits in the
database, and the engine's webhook, the sweep or a restart of any worker takes the next one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.generations.finish import finish_if_complete
from starbooth.domain.generations.picture import LARGEST_PICTURE_BYTES, BrokenPicture, examine
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.run import Claim, TicketRow
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineResult,
    EngineUnavailable,
    Finished,
    PaintOrder,
    Ticket,
    TicketLost,
    Working,
)
from starbooth.outside.storage.contract import Storage

_log = structlog.get_logger()
COLLECT = "collect"
LOOK_AGAIN = timedelta(seconds=1)
_MOST_TRIES = 8
# An engine that cannot tell a repeat from a new order is not asked twice: its webhook has this long to come.
_ADOPT_WITHIN = timedelta(seconds=120)


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What running an order needs from outside, and the addresses that name it there.

    hook_url: the webhook's address for (order id, ticket number). file_url: the lasting address of a file.
    on_ended: told of an order that ended here, after the commit: its message is due and a slot is free. Where
    nobody listens, the sweeps find both.
    """

    engine: Engine
    storage: Storage
    hook_url: Callable[[str, int], str]
    file_url: Callable[[str], str]
    slots: int
    on_ended: Callable[[str], None] = lambda _order_id: None


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
    async with database.transaction() as tx:
        claims = await orders.claim_next(tx, slots=outside.slots, check_in=LOOK_AGAIN * 2)
        tickets = await orders.begin_tickets(tx, claims) if claims else []
    return [(claim, [ticket for ticket in tickets if ticket.order_id == claim.order_id]) for claim in claims]


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


async def check_order(database: Database, outside: Outside, order_id: str) -> None:
    """Take over a running order that is due and do what its tickets need. Repeat: harmless."""
    async with database.statement() as tx:
        claim = await orders.take_over(tx, order_id, check_in=LOOK_AGAIN * 10)
    if claim is not None:
        await _work_on(database, outside, claim)


async def _work_on(database: Database, outside: Outside, claim: Claim) -> None:
    async with database.statement() as tx:
        tickets = await orders.read_tickets(tx, claim.order_id)
    steps = [_step(database, outside, claim, ticket) for ticket in tickets]
    delays = [delay for delay in await asyncio.gather(*steps) if delay is not None]
    if delays:
        async with database.statement() as tx:
            await orders.check_again(tx, claim, check_in=min(delays))


async def _step(database: Database, outside: Outside, claim: Claim, ticket: TicketRow) -> timedelta | None:
    """Do what one ticket needs now. Returns when to look again; None where it needs nothing more."""
    match ticket.state:
        case "unsent":
            return await _buy(database, outside, claim, ticket)
        case "sending" if outside.engine.is_deduplicating:
            return await _buy(database, outside, claim, ticket)
        case "sending":
            return await _wait_for_adoption(database, outside, ticket)
        case "sent":
            return await _watch(database, outside, claim, ticket)
        case _:
            return None


async def _buy(database: Database, outside: Outside, claim: Claim, ticket: TicketRow) -> timedelta | None:
    if ticket.tries >= _MOST_TRIES:
        await _fail(database, outside, ticket, code="engine_unavailable")
        return None
    async with database.statement() as tx:
        if not await orders.note_sending(tx, claim, ticket.number, seen=ticket.state):
            return None
    return await _submit(database, outside, claim, ticket) or LOOK_AGAIN


async def _submit(database: Database, outside: Outside, claim: Claim, ticket: TicketRow) -> timedelta | None:
    """Buy a ticket that was noted as being sent. Returns when to look again; None where all went well."""
    try:
        bought = await outside.engine.submit(
            ticket.endpoint,
            _paint_order(ticket),
            request_key=f"{ticket.order_id}-{ticket.number}-{ticket.seed}",  # the seed tells booths apart
            webhook_url=outside.hook_url(ticket.order_id, ticket.number),
        )
    except EngineRefused as refusal:
        await _fail(database, outside, ticket, code=refusal.code, detail=refusal.detail)
        return None
    except EngineUnavailable as error:
        return await _put_off(database, outside, claim, ticket, error)
    async with database.statement() as tx:
        await orders.note_sent(
            tx,
            order_id=ticket.order_id,
            number=ticket.number,
            engine=bought.engine,
            request_id=bought.request_id,
        )
    return None


async def _put_off(
    database: Database, outside: Outside, claim: Claim, ticket: TicketRow, error: EngineUnavailable
) -> timedelta:
    _log_engine_trouble(error, ticket)
    if error.may_have_bought and not outside.engine.is_deduplicating:
        return LOOK_AGAIN * 5
    async with database.statement() as tx:
        await orders.note_unsent(tx, claim, ticket.number)
    return _backoff(ticket.tries, error)


async def _wait_for_adoption(database: Database, outside: Outside, ticket: TicketRow) -> timedelta | None:
    """The order was sent and the answer lost. Only the webhook can say what the engine made of it."""
    if ticket.waited < _ADOPT_WITHIN:
        return LOOK_AGAIN * 5
    await _fail(database, outside, ticket, code="engine_silent")
    return None


async def _watch(database: Database, outside: Outside, claim: Claim, ticket: TicketRow) -> timedelta | None:
    try:
        status = await outside.engine.status(_engine_ticket(ticket))
        if isinstance(status, Finished):
            result = await outside.engine.result(_engine_ticket(ticket))
            await _keep(database, outside, ticket, result)
            return None
    except (EngineRefused, TicketLost) as end:
        code = end.code if isinstance(end, EngineRefused) else end.cause
        await _fail(database, outside, ticket, code=code, detail=end.detail)
        return None
    except Unavailable as error:
        return await _try_again(database, outside, ticket, error)
    if isinstance(status, Working) and status.progress is not None:
        async with database.statement() as tx:
            await orders.note_progress(tx, claim, status.progress)
    return LOOK_AGAIN


async def collect(
    database: Database, outside: Outside, *, order_id: str, number: int, result: EngineResult | None
) -> None:
    """Keep what a webhook announced. `result` None: ask the engine for it. Repeat: harmless."""
    async with database.statement() as tx:
        tickets = await orders.read_tickets(tx, order_id)
    ticket = next((each for each in tickets if each.number == number and each.state == "sent"), None)
    if ticket is None:
        return
    try:
        if result is None:
            result = await outside.engine.result(_engine_ticket(ticket))
        await _keep(database, outside, ticket, result)
    except EngineRefused as refusal:
        await _fail(database, outside, ticket, code=refusal.code, detail=refusal.detail)
    except Unavailable as error:
        # The sweep looks at this order within a second or so, and counts the tries.
        _log_engine_trouble(error, ticket)


async def _keep(database: Database, outside: Outside, ticket: TicketRow, result: EngineResult) -> None:
    """Store the picture under a name made from the order, record it, and end the order if it is complete."""
    picture = next(iter(result.pictures), None)
    if picture is None:
        await _fail(database, outside, ticket, code="no_picture")
        return
    if picture.is_withheld:
        await _fail(database, outside, ticket, code="content_policy_violation")
        return
    body = await outside.engine.fetch(picture.url, limit_bytes=LARGEST_PICTURE_BYTES)
    try:
        facts = await asyncio.to_thread(examine, body)
    except BrokenPicture as broken:
        await _fail(database, outside, ticket, code="broken_picture", detail=str(broken))
        return
    file_key = f"pictures/{ticket.order_id}/{ticket.number}.{facts.extension}"
    await outside.storage.put(file_key, body, facts.content_type)
    noted = {
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "bytes": len(body),
        "engine": ticket.engine,
        "endpoint": ticket.endpoint,
        "inference_s": result.inference_s,
        "billable_units": result.billable_units,
    }
    async with database.transaction() as tx:
        await orders.note_done(
            tx, order_id=ticket.order_id, number=ticket.number, file_key=file_key, facts=noted
        )
        has_ended = await finish_if_complete(tx, ticket.order_id, file_url=outside.file_url)
    if has_ended:
        outside.on_ended(ticket.order_id)


async def _fail(
    database: Database, outside: Outside, ticket: TicketRow, *, code: str, detail: str = ""
) -> None:
    _log.warning("ticket.failed", order=ticket.order_id, number=ticket.number, code=code, detail=detail)
    async with database.transaction() as tx:
        await orders.note_failed(
            tx,
            order_id=ticket.order_id,
            number=ticket.number,
            error_code=code,
            facts={"detail": detail} if detail else {},
        )
        has_ended = await finish_if_complete(tx, ticket.order_id, file_url=outside.file_url)
    if has_ended:
        outside.on_ended(ticket.order_id)


async def _try_again(
    database: Database, outside: Outside, ticket: TicketRow, error: Unavailable
) -> timedelta | None:
    """An engine out of reach has until the order's deadline; one that answers badly has few tries."""
    _log_engine_trouble(error, ticket)
    is_answering = isinstance(error, EngineUnavailable) and error.cause not in _SILENCE
    if is_answering:
        if ticket.tries >= _MOST_TRIES:
            await _fail(database, outside, ticket, code="engine_unavailable")
            return None
        async with database.statement() as tx:
            await orders.note_try(tx, order_id=ticket.order_id, number=ticket.number)
    return _backoff(ticket.tries, error)


_SILENCE = frozenset({"unreachable", "timed_out", "dropped", "rate_limited", "not_finished"})


def _log_engine_trouble(error: Unavailable, ticket: TicketRow) -> None:
    alarms = isinstance(error, EngineUnavailable) and error.alarms
    log = _log.error if alarms else _log.warning
    log("engine.unavailable", order=ticket.order_id, reason=error.reason, operator_must_act=alarms)


def _backoff(tries: int, error: Unavailable) -> timedelta:
    asked = timedelta(seconds=min(error.retry_after_s or 0.0, 60.0))
    return max(asked, LOOK_AGAIN * min(1 << tries, 15))


def _engine_ticket(ticket: TicketRow) -> Ticket:
    assert ticket.engine is not None
    assert ticket.request_id is not None
    return Ticket(engine=ticket.engine, endpoint=ticket.endpoint, request_id=ticket.request_id)


def _paint_order(ticket: TicketRow) -> PaintOrder:
    asked: Mapping[str, Any] = ticket.request["asked"]
    frozen: Mapping[str, Any] = ticket.request["frozen"]
    return PaintOrder(
        prompt=asked["prompt"],
        width_px=frozen["width_px"],
        height_px=frozen["height_px"],
        steps=frozen["steps"],
        guidance=frozen["guidance"],
        seed=ticket.seed,
    )
