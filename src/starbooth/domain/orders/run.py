"""An order at work: taking its turn, keeping its fence, telling its progress, noting what became of tickets.

The fence is `attempt`: whoever claims or takes over an order raises it, and every write of an earlier attempt
finds no row any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from starbooth.base.database import Tx, sql
from starbooth.domain.orders.place import OrderKind

_SLOTS_LOCK = 0x534C4F54
# Tickets of one order that engines have at one time: an order takes one slot, however large it is.
MOST_AT_ENGINES = 4


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An order that this worker may work on, and its fence.

    kind and frozen: what placing decided for it, where it was claimed for the first time; else not told.
    """

    order_id: str
    attempt: int
    kind: OrderKind = field(default=OrderKind.GENERATION, compare=False)
    frozen: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, kw_only=True)
class Openings:
    """Where orders can be sent to: the engines that are on, less the (engine, endpoint) that are shut."""

    engines: Sequence[str]
    shut: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class TicketRow:
    """One engine request of an order, as it stands. `request_id` None: not sent, or the answer was lost.

    waited: since it was last sent; zero where it never was. engine: that has it, or had it last. tried: those
    that ended it badly. spent: ids of its earlier requests, of which nothing is expected any more.
    """

    order_id: str
    kind: OrderKind
    number: int
    seed: int
    state: str
    endpoint: str
    engine: str | None
    request_id: str | None
    tries: int
    waited: timedelta
    tried: Sequence[str]
    spent: Sequence[str]
    attempt: int
    request: Mapping[str, Any]

    def at(self, engine: str) -> "TicketRow":
        """The ticket as this engine is about to get it."""
        return replace(self, engine=engine)


# An order that nobody can take now must not hold a slot that others could use.
_TAKEABLE = """state = 'held' AND deadline_at > now()
            AND (CAST(:engines AS text[]) IS NULL OR EXISTS (
                SELECT FROM unnest(CAST(:engines AS text[])) AS engine (name)
                WHERE (coalesce(jsonb_array_length(request -> 'frozen' -> 'engines'), 0) = 0
                        OR jsonb_exists(request -> 'frozen' -> 'engines', engine.name))
                    AND engine.name || ' ' || coalesce(request -> 'frozen' ->> 'endpoint', '')
                        <> ALL (CAST(:shut AS text[]))))"""
_LARGE = f"parts > {MOST_AT_ENGINES}"
_LARGE_AT_WORK = f"""
    (SELECT count(*) FROM starbooth.orders WHERE state = 'running' AND kind = 'generation' AND {_LARGE})
"""  # noqa: S608 - our own constants


def _next_of(kind: OrderKind, slots: str, *, more: str = "", besides: str = "0") -> str:
    return f"""
        SELECT id FROM (SELECT id FROM starbooth.orders
        WHERE kind = '{kind.value}' AND {_TAKEABLE} {more}
        ORDER BY turn, created_at, id
        LIMIT greatest(0, {slots} + {besides} - (
            SELECT count(*) FROM starbooth.orders WHERE state = 'running' AND kind = '{kind.value}'))
        FOR UPDATE SKIP LOCKED) {kind.value}
    """  # noqa: S608 - our own constants


# Large orders have half of the slots at most. Where there is one slot, it is for others as well.
_NEXT_PICTURES = _next_of(
    OrderKind.GENERATION,
    "CAST(:slots AS integer)",
    more=f"""AND (NOT {_LARGE} OR id IN (
            SELECT id FROM starbooth.orders WHERE kind = 'generation' AND {_LARGE} AND {_TAKEABLE}
            ORDER BY turn, created_at, id
            LIMIT greatest(0, greatest(1, CAST(:slots AS integer) / 2) - {_LARGE_AT_WORK})))""",  # noqa: S608
    besides=f"(CASE WHEN CAST(:slots AS integer) = 1 THEN {_LARGE_AT_WORK} ELSE 0 END)",
)
# Each kind has slots of its own: a training of an hour keeps no picture waiting.
_CLAIM = text(f"""
    UPDATE starbooth.orders SET state = 'running', attempt = attempt + 1, started_at = now(),
        check_at = now() + :check_in
    WHERE id IN (
        {_NEXT_PICTURES}
        UNION ALL
        {_next_of(OrderKind.TRAINING, ":training_slots")})
    RETURNING id, kind, attempt, request -> 'frozen' AS frozen
""")  # noqa: S608 - our own constants

_TAKE_OVER = text("""
    UPDATE starbooth.orders SET attempt = attempt + 1, check_at = now() + :check_in
    WHERE id = :id AND state = 'running' AND check_at <= now()
    RETURNING id, attempt
""")

_DUE = text("""
    SELECT id FROM starbooth.orders WHERE state = 'running' AND check_at <= now()
    ORDER BY check_at LIMIT :limit
""")

_TICKETS = text("""
    SELECT t.order_id, t.number, t.seed, t.state, t.endpoint, t.engine, t.request_id, t.tries,
        now() - coalesce(t.sent_at, now()) AS waited, t.tried, t.spent, o.attempt, o.request, o.kind
    FROM starbooth.tickets t JOIN starbooth.orders o ON o.id = t.order_id
    WHERE t.order_id = :id AND o.state = 'running' ORDER BY t.number
""")

_BEGIN = text("""
    UPDATE starbooth.tickets t
    SET state = 'sending', sent_at = now(), tries = t.tries + 1, engine = seat.engine
    FROM starbooth.orders o
    JOIN unnest(CAST(:ids AS text[]), CAST(:engines AS text[])) AS seat (id, engine) ON seat.id = o.id
    WHERE o.id = t.order_id AND o.state = 'running' AND t.state = 'unsent' AND t.number < :most
    RETURNING t.order_id, t.number, t.seed, t.state, t.endpoint, t.engine, t.request_id, t.tries - 1 AS tries,
        now() - now() AS waited, t.tried, t.spent, o.attempt, o.request, o.kind
""")

_FENCED = "EXISTS (SELECT FROM starbooth.orders WHERE id = :id AND state = 'running' AND attempt = :attempt)"

_OPEN = "state IN ('unsent', 'sending', 'sent')"
# Locks the order, so that no ticket ends after its order has.
_RUNNING = "EXISTS (SELECT FROM starbooth.orders WHERE id = :id AND state = 'running' FOR NO KEY UPDATE)"


async def claim_next(
    tx: Tx, *, slots: int, check_in: timedelta, training_slots: int = 0, openings: Openings | None = None
) -> list[Claim]:
    """Start the next orders in turn, as many as the engines have free slots for, and return them.

    slots: of orders for pictures; training_slots: of trainings.
    openings: orders that none of these can take go on waiting; None starts whatever is next.
    Locks: the slots, so that two workers together never start more than there are.
    Repeat: claims others; an order is claimed once.
    """
    await tx.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": _SLOTS_LOCK})
    values = {
        "slots": slots,
        "training_slots": training_slots,
        "check_in": check_in,
        "engines": None if openings is None else list(openings.engines),
        "shut": [] if openings is None else [" ".join(pair) for pair in openings.shut],
    }
    rows = await tx.execute(_CLAIM, values)
    return [
        Claim(order_id=row.id, attempt=row.attempt, kind=OrderKind(row.kind), frozen=row.frozen)
        for row in rows
    ]


async def find_due(tx: Tx, *, limit: int) -> list[str]:
    """Running orders that somebody should look at again."""
    return list((await tx.execute(_DUE, {"limit": limit})).scalars())


async def take_over(tx: Tx, order_id: str, *, check_in: timedelta) -> Claim | None:
    """Become the one who works on a running order that is due; None where it is not, or not any more."""
    row = (await tx.execute(_TAKE_OVER, {"id": order_id, "check_in": check_in})).first()
    return None if row is None else Claim(order_id=row.id, attempt=row.attempt)


async def check_again(tx: Tx, claim: Claim, *, check_in: timedelta) -> None:
    """Set when the order should be looked at next. Repeat: harmless; a lost fence changes nothing."""
    await tx.execute(
        sql(
            "UPDATE starbooth.orders SET check_at = now() + :check_in"
            " WHERE id = :id AND state = 'running' AND attempt = :attempt"
        ),
        {"id": claim.order_id, "attempt": claim.attempt, "check_in": check_in},
    )


async def read_tickets(tx: Tx, order_id: str) -> list[TicketRow]:
    """The tickets of a running order, in order; empty where it is not running any more."""
    rows = await tx.execute(_TICKETS, {"id": order_id})
    return [_ticket(row) for row in rows]


async def begin_tickets(tx: Tx, seats: Mapping[str, str]) -> list[TicketRow]:
    """Note where the first tickets of orders claimed in this `tx` are about to be bought, and return them.

    seats: the engine of each order id.
    One statement for what `read_tickets` and `note_sending` do one by one; `tries` is as it was before.
    """
    rows = await tx.execute(
        _BEGIN, {"ids": list(seats), "engines": list(seats.values()), "most": MOST_AT_ENGINES}
    )
    return [_ticket(row) for row in rows]


def _ticket(row: Any) -> TicketRow:
    return TicketRow(**{**row._mapping, "kind": OrderKind(row.kind)})


async def note_sending(tx: Tx, claim: Claim, number: int, *, seen: str, engine: str) -> bool:
    """Note, before the engine is called, that a ticket is about to be bought there.

    seen: the state in which the caller found it, "unsent" or "sending". False: the fence is lost, or somebody
    else has bought or is buying it; of two who found it unsent, one may go on.
    """
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.tickets SET state = 'sending', sent_at = now(), tries = tries + 1, engine = :engine"  # noqa: S608, E501 - our own constants
            f" WHERE order_id = :id AND number = :number AND state = :seen AND {_FENCED}"
            " RETURNING number"
        ),
        {
            "id": claim.order_id,
            "attempt": claim.attempt,
            "number": number,
            "seen": seen,
            "engine": engine,
        },
    )
    return rows.first() is not None


async def note_sent(tx: Tx, *, order_id: str, number: int, engine: str, request_id: str) -> bool:
    """Store what to collect a ticket by. The first id stays; False where the ticket has another one or ended,
    or was taken away from this engine, or this request of it has ended badly.

    The tries are counted anew: of the purchase before, of the answers after.
    Not fenced: whoever learns the id first, by the call's answer or by the webhook, keeps it for all.
    """
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.tickets SET state = 'sent', engine = :engine, request_id = :request_id,"
            " tries = CASE WHEN state = 'sent' THEN tries ELSE 0 END"
            " WHERE order_id = :id AND number = :number"
            " AND (state IN ('unsent', 'sending') OR (state = 'sent' AND request_id = :request_id))"
            " AND :engine <> ALL (tried) AND :request_id <> ALL (spent) RETURNING number"
        ),
        {"id": order_id, "number": number, "engine": engine, "request_id": request_id},
    )
    return rows.first() is not None


async def note_unsent(tx: Tx, claim: Claim, number: int) -> None:
    """Note that the engine certainly did not take the ticket, so that it may be sent again."""
    await tx.execute(
        sql(
            "UPDATE starbooth.tickets SET state = 'unsent'"  # noqa: S608 - our own constants
            f" WHERE order_id = :id AND number = :number AND state = 'sending' AND {_FENCED}"
        ),
        {"id": claim.order_id, "attempt": claim.attempt, "number": number},
    )


async def note_moved(tx: Tx, claim: Claim, number: int) -> bool:
    """Take a ticket away from its engine, which shall not have it again. False where the fence is lost."""
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.tickets SET state = 'unsent', request_id = NULL, engine = NULL, tries = 0,"  # noqa: S608 - our own constants
            " tried = array_append(tried, engine)"
            f" WHERE order_id = :id AND number = :number AND {_OPEN} AND {_FENCED} RETURNING 1"
        ),
        {"id": claim.order_id, "attempt": claim.attempt, "number": number},
    )
    return rows.first() is not None


async def note_spent(tx: Tx, claim: Claim, number: int, *, request_id: str, leaves_engine: bool) -> bool:
    """Note that this request of a ticket ended badly, so that the ticket may be bought again.

    leaves_engine: its engine shall not have it again. False: the fence is lost, or the ticket has another
    request or ended: of two who saw the same request fail, one may go on.
    """
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.tickets SET state = 'unsent', request_id = NULL, engine = NULL, tries = 0,"  # noqa: S608 - our own constants
            " spent = array_append(spent, request_id),"
            " tried = CASE WHEN :leaves_engine THEN array_append(tried, engine) ELSE tried END"
            " WHERE order_id = :id AND number = :number AND state = 'sent' AND request_id = :request_id"
            f" AND {_FENCED} RETURNING 1"
        ),
        {
            "id": claim.order_id,
            "attempt": claim.attempt,
            "number": number,
            "request_id": request_id,
            "leaves_engine": leaves_engine,
        },
    )
    return rows.first() is not None


async def note_try(tx: Tx, *, order_id: str, number: int) -> None:
    """Count one more time that the engine answered badly about this ticket."""
    await tx.execute(
        sql("UPDATE starbooth.tickets SET tries = tries + 1 WHERE order_id = :id AND number = :number"),
        {"id": order_id, "number": number},
    )


async def note_done(
    tx: Tx, *, order_id: str, number: int, file_key: str, facts: Mapping[str, Any]
) -> str | None:
    """Note that a ticket's file lies in storage. Repeat: harmless; what has ended stays as it is.

    Returns the key of the file that the ticket has: another one where it had one before, None where it ended
    without, or where its guest has deleted it; then nobody will ever ask for this one. Locks: the order.
    """
    noted = await tx.execute(
        sql(
            "UPDATE starbooth.tickets SET state = 'done', file_key = :file_key, facts = :facts"  # noqa: S608 - our own constants
            f" WHERE order_id = :id AND number = :number AND {_OPEN} AND {_RUNNING} RETURNING 1"
        ).bindparams(bindparam("facts", type_=JSONB)),
        {"id": order_id, "number": number, "file_key": file_key, "facts": dict(facts)},
    )
    if noted.first() is not None:
        return file_key
    kept: str | None = await tx.scalar(
        sql(
            "SELECT file_key FROM starbooth.tickets WHERE order_id = :id AND number = :number"
            " AND NOT jsonb_exists(facts, 'isDeleted') FOR UPDATE"
        ),
        {"id": order_id, "number": number},
    )
    return kept


async def note_failed(
    tx: Tx, *, order_id: str, number: int, error_code: str, facts: Mapping[str, Any]
) -> None:
    """Note that nothing will come of a ticket. Repeat: harmless; what has ended stays as it is.

    Locks: the order.
    """
    await tx.execute(
        sql(
            "UPDATE starbooth.tickets SET state = 'failed', error_code = :error_code, facts = :facts"  # noqa: S608 - our own constants
            f" WHERE order_id = :id AND number = :number AND {_OPEN} AND {_RUNNING}"
        ).bindparams(bindparam("facts", type_=JSONB)),
        {"id": order_id, "number": number, "error_code": error_code, "facts": dict(facts)},
    )


async def note_progress(tx: Tx, claim: Claim, progress: float) -> bool:
    """Store how far an order is (0..1; it never goes back), of which one ticket is so far (0..1).

    True where it moved. Of several pictures, those that have ended count whole.
    """
    rows = await tx.execute(
        sql("""
            UPDATE starbooth.orders SET progress = now.progress
            FROM (
                SELECT least(1, (count(*) FILTER (WHERE state IN ('done', 'failed'))
                    + CAST(:progress AS double precision)) / count(*)) AS progress
                FROM starbooth.tickets WHERE order_id = :id) now
            WHERE id = :id AND state = 'running' AND attempt = :attempt AND orders.progress < now.progress
            RETURNING id
        """),
        {
            "id": claim.order_id,
            "attempt": claim.attempt,
            "progress": min(1.0, max(0.0, progress)),
        },
    )
    return rows.first() is not None
