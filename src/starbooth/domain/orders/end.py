"""The one end of an order: its state, its stars and its tickets, in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Tx
from starbooth.domain.orders.errors import NoSuchOrder, TooLateToCancel
from starbooth.domain.orders.fees import Fee, spend
from starbooth.domain.orders.place import OrderKind
from starbooth.domain.stars import ledger


class OrderState(StrEnum):
    """Where an order stands. The last three are ends."""

    HELD = "held"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Why a ticket ends that its guest wants no more of.
STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class TicketEnd:
    """What became of one ticket."""

    number: int
    seed: int
    state: str
    file_key: str | None
    facts: dict[str, Any]
    error_code: str | None


@dataclass(frozen=True, kw_only=True)
class Bill:
    """An order about to end, by which is decided what it costs. fees: for models of others."""

    order_id: str
    kind: OrderKind
    request: dict[str, Any]
    parts: int
    price_stars: int
    fees: tuple[Fee, ...]
    tickets: tuple[TicketEnd, ...]


Pay = Callable[[Bill], int]


def pay_for_done(bill: Bill) -> int:
    """The price's share of the tickets that are done, rounded down, with the fees of as many pictures."""
    done = sum(ticket.state == "done" for ticket in bill.tickets)
    return spend(bill.fees, price_stars=bill.price_stars, parts=bill.parts, done=done)


@dataclass(frozen=True, kw_only=True)
class EndedOrder:
    """An order that has just ended, with what the domain needs to record it."""

    order_id: str
    kind: OrderKind
    user_id: str
    state: OrderState
    request: dict[str, Any]
    parts: int
    price_stars: int
    spent_stars: int
    error_code: str | None
    tickets: tuple[TicketEnd, ...]


_LOCK = text("""
    SELECT id, kind, user_id, hold_id, state, request, parts, price_stars, ARRAY(
        SELECT to_jsonb(f) FROM starbooth.order_fees f WHERE f.order_id = orders.id) AS fees
    FROM starbooth.orders WHERE id = :id FOR NO KEY UPDATE
""")
_TICKETS = text("""
    SELECT number, seed, state, file_key, facts, error_code FROM starbooth.tickets
    WHERE order_id = :id ORDER BY number
""")
_END = text("""
    UPDATE starbooth.orders SET state = :state, spent_stars = :spent, ended_at = now(), check_at = NULL,
        progress = CASE WHEN :state = 'done' THEN 1 ELSE progress END,
        error_code = :error_code, error_detail = :error_detail
    WHERE id = :id
""")
# What makers earn is gathered here, in rows of its own: no account of theirs is touched.
_END_FEES = text("""
    WITH ended AS (
        UPDATE starbooth.order_fees SET pictures = :done, free = least(free, :done) WHERE order_id = :id
        RETURNING order_id, lora_id, maker_id, fee_stars * (pictures - free) * share_percent AS hundredths
    )
    INSERT INTO starbooth.earnings (order_id, lora_id, kind, maker_id, hundredths)
    SELECT order_id, lora_id, 'use', maker_id, hundredths FROM ended WHERE hundredths > 0
""")


async def end_if_complete(tx: Tx, order_id: str, *, pay: Pay = pay_for_done) -> EndedOrder | None:
    """End a running order all of whose tickets have ended; None where it is not so, or was ended before.

    What `pay` says is spent, the rest goes back, and the makers of the models that were used have earned.
    Locks: the order, then the account. Repeat: None.
    """
    row = (await tx.execute(_LOCK, {"id": order_id})).first()
    if row is None or row.state != OrderState.RUNNING:
        return None
    tickets = await _read_tickets(tx, order_id)
    if any(ticket.state not in ("done", "failed") for ticket in tickets):
        return None
    return await _end(tx, row, tickets, pay, reason=None, detail=None)


async def end_now(
    tx: Tx, order_id: str, *, reason: str, detail: str | None = None, pay: Pay = pay_for_done
) -> EndedOrder | None:
    """End an active order whatever its tickets say, paying for what is done; None where it had ended before.

    reason: the error code that the guest is told by. Locks: the order, then the account. Repeat: None.
    """
    row = (await tx.execute(_LOCK, {"id": order_id})).first()
    if row is None or row.state not in (OrderState.HELD, OrderState.RUNNING):
        return None
    return await _end(tx, row, await _read_tickets(tx, order_id), pay, reason=reason, detail=detail)


async def cancel(tx: Tx, *, order_id: str, user_id: str) -> EndedOrder:
    """Cancel this guest's order while it waits; all stars go back.

    Locks: the order, then the account. Raises: NoSuchOrder (also for somebody else's), TooLateToCancel.
    """
    row = (await tx.execute(_LOCK, {"id": order_id})).first()
    if row is None or row.user_id != user_id:
        raise NoSuchOrder
    if row.state != OrderState.HELD:
        raise TooLateToCancel
    await ledger.release(tx, hold_id=row.hold_id, facts={"orderId": order_id, "reason": "cancelled"})
    await _write_end(tx, order_id, OrderState.CANCELLED, spent=0, error_code=None, error_detail=None)
    if row.fees:
        await tx.execute(_END_FEES, {"id": order_id, "done": 0})
    return _ended(row, OrderState.CANCELLED, 0, await _read_tickets(tx, order_id))


async def find_overdue(tx: Tx, *, limit: int) -> list[str]:
    """Active orders whose deadline has passed."""
    rows = await tx.execute(
        text(
            "SELECT id FROM starbooth.orders WHERE state IN ('held', 'running') AND deadline_at <= now()"
            " ORDER BY deadline_at LIMIT :limit"
        ),
        {"limit": limit},
    )
    return list(rows.scalars())


async def _end(
    tx: Tx, row: Any, tickets: tuple[TicketEnd, ...], pay: Pay, *, reason: str | None, detail: str | None
) -> EndedOrder:
    spent = pay(_bill(row, tickets))
    done = sum(ticket.state == "done" for ticket in tickets)
    why = reason or next((ticket.error_code for ticket in tickets if ticket.error_code), None)
    otherwise = OrderState.CANCELLED if why == STOPPED else OrderState.FAILED
    state = OrderState.DONE if done else otherwise
    facts = {"orderId": row.id} | ({"reason": why} if why else {})
    if done or spent:
        await ledger.settle(tx, hold_id=row.hold_id, spent_stars=spent, facts=facts)
    else:
        await ledger.release(tx, hold_id=row.hold_id, facts=facts)
    await _write_end(tx, row.id, state, spent=spent, error_code=why, error_detail=detail)
    if row.fees:
        await tx.execute(_END_FEES, {"id": row.id, "done": done})
    return _ended(row, state, spent, tickets, error_code=why)


def _bill(row: Any, tickets: tuple[TicketEnd, ...]) -> Bill:
    return Bill(
        order_id=row.id,
        kind=OrderKind(row.kind),
        request=row.request,
        parts=row.parts,
        price_stars=row.price_stars,
        fees=_read_fees(row),
        tickets=tickets,
    )


def _read_fees(row: Any) -> tuple[Fee, ...]:
    names = ("lora_id", "maker_id", "fee_stars", "share_percent", "free")
    return tuple(Fee(**{name: each[name] for name in names}) for each in row.fees)


async def _read_tickets(tx: Tx, order_id: str) -> tuple[TicketEnd, ...]:
    return tuple(TicketEnd(**row._mapping) for row in await tx.execute(_TICKETS, {"id": order_id}))


async def _write_end(
    tx: Tx, order_id: str, state: OrderState, *, spent: int, error_code: str | None, error_detail: str | None
) -> None:
    values = {
        "id": order_id,
        "state": state.value,
        "spent": spent,
        "error_code": error_code,
        "error_detail": error_detail,
    }
    await tx.execute(_END, values)


def _ended(
    row: Any, state: OrderState, spent: int, tickets: tuple[TicketEnd, ...], *, error_code: str | None = None
) -> EndedOrder:
    return EndedOrder(
        order_id=row.id,
        kind=OrderKind(row.kind),
        user_id=row.user_id,
        state=state,
        request=row.request,
        parts=row.parts,
        price_stars=row.price_stars,
        spent_stars=spent,
        error_code=error_code,
        tickets=tickets,
    )
