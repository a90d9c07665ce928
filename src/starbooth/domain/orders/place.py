"""Placing an order: hold the stars and write the order with its tickets, all or nothing."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from starbooth.base.database import Tx
from starbooth.domain.orders.errors import RequestKeyReused, TooManyOrders
from starbooth.domain.orders.fees import Fee
from starbooth.domain.stars import ledger
from starbooth.domain.stars.errors import KeyReused
from starbooth.domain.stars.tables import TransactionType


class OrderKind(StrEnum):
    """What is made."""

    GENERATION = "generation"
    TRAINING = "training"


class Source(StrEnum):
    """Where an order came from."""

    BOT = "bot"
    MINIAPP = "miniapp"
    API = "api"
    COMMAND = "command"


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """What is to be placed.

    asked: what the guest decided; a repeat of `request_key` must ask the same.
    frozen: what we decided for it (size, steps, base model); a repeat keeps the first decision.
    seeds: one per ticket, that is per engine request, 0 <= seed < 2**63.
    fees: for models of others; `price_stars` has them in it.
    active_limit: how many orders of this kind the guest may have under way.
    """

    request_key: str
    user_id: str
    kind: OrderKind
    source: Source
    endpoint: str
    asked: Mapping[str, Any]
    frozen: Mapping[str, Any]
    seeds: tuple[int, ...]
    price_stars: int
    deadline: timedelta
    active_limit: int
    fees: tuple[Fee, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlacedOrder:
    """The order of a request key. `is_repeat`: it had been placed before and nothing new was charged."""

    order_id: str
    price_stars: int
    balance_stars: int
    is_repeat: bool


def next_turn(kind: OrderKind) -> str:
    """The SQL of the turn that a next order of this kind gets; `:user_id` is its guest.

    Turns between guests (start-time fair queueing, Goyal 1996): a guest's next turn comes one after their
    last, and never before the turn that was served last: nobody saves turns up. Each kind has its own.
    """
    return f"""
        greatest(1,
            (SELECT turn FROM starbooth.orders WHERE kind = '{kind.value}' AND started_at IS NOT NULL
                ORDER BY started_at DESC, turn DESC LIMIT 1),
            (SELECT 1 + turn FROM starbooth.orders
                WHERE user_id = :user_id AND kind = '{kind.value}' AND state <> 'cancelled'
                ORDER BY created_at DESC, turn DESC LIMIT 1))
    """  # noqa: S608 - our own constants


def _placed(kind: OrderKind) -> str:
    return f"""
        WITH placed AS (
            INSERT INTO starbooth.orders
                (id, request_key, user_id, hold_id, kind, source, request, parts, price_stars,
                    turn, deadline_at)
            SELECT :id, :request_key, :user_id, :hold_id, '{kind.value}', :source, :request,
                cardinality(CAST(:seeds AS bigint[])), :price,
                {next_turn(kind)},
                now() + :deadline
            WHERE (SELECT count(*) FROM starbooth.orders
                WHERE user_id = :user_id AND kind = '{kind.value}' AND state IN ('held', 'running'))
                    < :active_limit
            RETURNING id
        )
    """  # noqa: S608 - our own constants


_TICKETS = """
    INSERT INTO starbooth.tickets (order_id, number, seed, endpoint)
    SELECT placed.id, part.number - 1, part.seed, :endpoint
    FROM placed, unnest(CAST(:seeds AS bigint[])) WITH ORDINALITY AS part (seed, number)
    RETURNING order_id
"""
_INSERT = {
    kind: text(_placed(kind) + _TICKETS).bindparams(bindparam("request", type_=JSONB)) for kind in OrderKind
}
# In the same round trip: an order with a fee must not take longer than one without.
_INSERT_WITH_FEES = text(f"""
    {_placed(OrderKind.GENERATION)}, owed AS (
        INSERT INTO starbooth.order_fees
            (order_id, lora_id, user_id, maker_id, fee_stars, share_percent, free)
        SELECT placed.id, fee.*
        FROM placed, (SELECT lora_id, CAST(:user_id AS text), maker_id, fee_stars, share_percent, free
            FROM jsonb_to_recordset(:fees) AS each (lora_id text, maker_id text, fee_stars integer,
                share_percent integer, free integer)) fee
    )
    {_TICKETS}
""").bindparams(bindparam("request", type_=JSONB), bindparam("fees", type_=JSONB))  # noqa: S608 - constants

_FIRST = text("""
    SELECT o.price_stars, o.request -> 'asked' AS asked, u."stars" AS balance_stars
    FROM starbooth.orders o JOIN public."User" u ON u."id" = o.user_id
    WHERE o.id = :id AND o.user_id = :user_id
""")


def order_id_for(request_key: str) -> str:
    """The id of the order that this request key places, in cuid form: the same key, the same id."""
    number = int.from_bytes(hashlib.sha256(request_key.encode()).digest()[:16])
    letters = []
    for _ in range(24):
        number, digit = divmod(number, 36)
        letters.append("0123456789abcdefghijklmnopqrstuvwxyz"[digit])
    return "c" + "".join(letters)


async def place(tx: Tx, new: NewOrder) -> PlacedOrder:
    """Hold the price and write the order and its tickets. The caller enqueues what runs it, in the same `tx`.

    Locks: the guest's account, so one guest's orders are counted one after another. Repeat: the same key and
    the same `asked` return the first order, also when the price has changed since.
    Raises: NotEnoughStars, TooManyOrders, RequestKeyReused; after any of them `tx` must be rolled back.
    """
    order_id = order_id_for(new.request_key)
    try:
        held = await ledger.hold(
            tx,
            user_id=new.user_id,
            price_stars=new.price_stars,
            purpose=TransactionType(new.kind.name),
            key=f"order:{order_id}",
            facts={"orderId": order_id},
        )
    except KeyReused:
        return await _first_order(tx, order_id, new)
    if held.is_repeat:
        return await _first_order(tx, order_id, new)
    values = _values(order_id, held.transaction_id, new)
    if new.fees:
        fees = [asdict(each) for each in new.fees]
        rows = await tx.execute(_INSERT_WITH_FEES, {**values, "fees": fees})
    else:
        rows = await tx.execute(_INSERT[new.kind], values)
    if rows.first() is None:
        raise TooManyOrders(limit=new.active_limit)
    return PlacedOrder(
        order_id=order_id,
        price_stars=new.price_stars,
        balance_stars=held.balance_stars,
        is_repeat=False,
    )


async def is_placed(tx: Tx, *, user_id: str, request_key: str) -> bool:
    """Whether this guest placed an order by this key."""
    found = await tx.execute(_FIRST, {"id": order_id_for(request_key), "user_id": user_id})
    return found.first() is not None


def _values(order_id: str, hold_id: str, new: NewOrder) -> dict[str, Any]:
    return {
        "id": order_id,
        "request_key": new.request_key,
        "user_id": new.user_id,
        "hold_id": hold_id,
        "source": new.source.value,
        "request": {"asked": dict(new.asked), "frozen": dict(new.frozen)},
        "seeds": list(new.seeds),
        "price": new.price_stars,
        "deadline": new.deadline,
        "active_limit": new.active_limit,
        "endpoint": new.endpoint,
    }


async def _first_order(tx: Tx, order_id: str, new: NewOrder) -> PlacedOrder:
    row = (await tx.execute(_FIRST, {"id": order_id, "user_id": new.user_id})).first()
    if row is None or row.asked != dict(new.asked):
        raise RequestKeyReused
    return PlacedOrder(
        order_id=order_id, price_stars=row.price_stars, balance_stars=row.balance_stars, is_repeat=True
    )
