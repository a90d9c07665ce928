"""The statement of an account: what its stars did, when, for which order, why, and the balance after each.

Pages are found by key, not by number, and bear the balance along, so that the thousandth costs what the first
costs. Shows the rows that count: invoices that nobody paid and refunds that Telegram refused moved nothing.
Knows no wording.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.stars.tables import TransactionStatus, TransactionType

_BATCH = 1000
_COUNTS = """(t."status" IN ('COMPLETED', 'REFUNDED') OR (t."status" = 'PENDING' AND t."amount" < 0))"""
_ROWS = """
    SELECT t."id" AS entry_id, t."createdAt" AS at, t."amount", t."type", t."status",
        coalesce(o.request -> 'asked' ->> 'prompt', o.request -> 'frozen' ->> 'name') AS prompt,
        t.metadata ->> 'reason' AS reason,
        t.metadata ->> 'code' AS promo_code, t.metadata ->> 'side' AS referral_side,
        of."type" AS of_type
    FROM public."StarTransaction" t
    LEFT JOIN public."StarTransaction" of ON of."id" = t.metadata ->> 'refundOf'
    LEFT JOIN starbooth.orders o ON o.id = t.metadata ->> 'orderId' AND o.user_id = t."userId"
"""
_NEWEST = sql(f"""
    {_ROWS} WHERE t."userId" = :user_id AND {_COUNTS} ORDER BY t."createdAt" DESC, t."id" DESC LIMIT :limit
""")
_OLDER = sql(f"""
    {_ROWS} WHERE t."userId" = :user_id AND {_COUNTS} AND (t."createdAt", t."id") < (:at, :entry_id)
    ORDER BY t."createdAt" DESC, t."id" DESC LIMIT :limit
""")
_NEWER = sql(f"""
    {_ROWS} WHERE t."userId" = :user_id AND {_COUNTS} AND (t."createdAt", t."id") > (:at, :entry_id)
    ORDER BY t."createdAt", t."id" LIMIT :limit
""")
# What counts by its own time but was decided later: an invoice paid after it went out, a refund refused.
_CHANGED_BELOW = sql("""
    SELECT EXISTS (
            SELECT FROM starbooth.payments p
            JOIN public."StarTransaction" t ON t."id" = p.transaction_id
            WHERE p.user_id = :user_id AND p.created_at >= :since AND t."createdAt" <= :at)
        OR EXISTS (
            SELECT FROM starbooth.payments p
            JOIN starbooth.refunds r ON r.charge_id = p.charge_id
            JOIN public."StarTransaction" t ON t."id" = r.id
            WHERE p.user_id = :user_id AND r.state = 'refused' AND r.ended_at >= :since
                AND t."createdAt" <= :at)
""")
_SUM_ABOVE = sql(f"""
    WITH above AS (
        SELECT t."amount" FROM public."StarTransaction" t
        WHERE t."userId" = :user_id AND {_COUNTS} AND (t."createdAt", t."id") >= (:at, :entry_id)
            AND (:is_below OR t."id" <> :entry_id))
    SELECT coalesce(sum("amount"), 0) FROM above
""")  # noqa: S608 - made of constants


@dataclass(frozen=True, kw_only=True)
class StatementEntry:
    """One movement. `at` is naive UTC, as the contract stores it; `balance_stars` is the balance after it.

    prompt: of the order that it paid for or came back from; of a training, the model's name. reason: as noted
    with it (an operator's words, why an order ended, or which gift). of_kind: what a REFUND gives back.
    """

    entry_id: str
    at: datetime
    amount: int
    kind: TransactionType
    status: TransactionStatus
    balance_stars: int
    prompt: str | None
    reason: str | None
    promo_code: str | None
    referral_side: str | None
    of_kind: TransactionType | None


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place in a statement: at the entry of this key, looking down from it or up.

    balance_stars: before that entry for who looks down, after it for who looks up; as known at `read_at`.
    """

    at: datetime
    entry_id: str
    balance_stars: int
    read_at: datetime


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some entries, newest first, and the places where older and newer ones begin, where there are any."""

    entries: tuple[StatementEntry, ...]
    older: Place | None
    newer: Place | None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The three figures of an account."""

    stars: int
    bought_stars: int
    spent_stars: int


async def read_totals(tx: Tx, *, user_id: str) -> Totals:
    """The figures of this user, who must exist."""
    row = (
        await tx.execute(
            sql(
                'SELECT "stars", "totalBoughtStars" AS bought_stars, "totalSpentStars" AS spent_stars'
                ' FROM public."User" WHERE "id" = :id'
            ),
            {"id": user_id},
        )
    ).one()
    return Totals(**row._mapping)


async def read_newest(tx: Tx, *, user_id: str, limit: int) -> Page:
    """The first page. `tx` should see one moment (see `at_one_moment`), else a movement may slip between."""
    totals = await read_totals(tx, user_id=user_id)
    rows = (await tx.execute(_NEWEST, {"user_id": user_id, "limit": limit + 1})).all()
    return _page(rows, top_stars=totals.stars, limit=limit, now=await _now(tx), has_newer=False)


async def read_older(tx: Tx, place: Place, *, user_id: str, limit: int) -> Page:
    """The page below this place. A place of somebody else's shows nothing of theirs."""
    values = {"user_id": user_id, "at": place.at, "entry_id": place.entry_id}
    balance_stars = await _balance_at(tx, place, user_id=user_id, is_below=True)
    rows = (await tx.execute(_OLDER, {**values, "limit": limit + 1})).all()
    return _page(rows, top_stars=balance_stars, limit=limit, now=await _now(tx), has_newer=True)


async def read_newer(tx: Tx, place: Place, *, user_id: str, limit: int) -> Page:
    """The page above this place, or the first one where there is no full page between."""
    values = {"user_id": user_id, "at": place.at, "entry_id": place.entry_id, "limit": limit + 1}
    rows = list((await tx.execute(_NEWER, values)).all())
    if len(rows) <= limit:
        return await read_newest(tx, user_id=user_id, limit=limit)
    rows = rows[:limit]
    newer_stars = sum(row.amount for row in rows)
    top_stars = newer_stars + await _balance_at(tx, place, user_id=user_id, is_below=False)
    rows.reverse()
    return _page(rows, top_stars=top_stars, limit=limit, now=await _now(tx), has_newer=True, has_older=True)


async def walk(tx: Tx, *, user_id: str, most: int) -> AsyncIterator[StatementEntry]:
    """The newest `most` entries one after another, a thousand in memory at a time.

    `tx` must see one moment: see `at_one_moment`.
    """
    page = await read_newest(tx, user_id=user_id, limit=min(_BATCH, most))
    left = most
    while True:
        for entry in page.entries:
            yield entry
        left -= len(page.entries)
        if page.older is None or left <= 0:
            return
        page = await read_older(tx, page.older, user_id=user_id, limit=min(_BATCH, left))


async def at_one_moment(tx: Tx) -> None:
    """Fix the moment that `tx` sees: its balance and its rows agree. Must be its first statement."""
    await tx.execute(sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


async def _balance_at(tx: Tx, place: Place, *, user_id: str, is_below: bool) -> int:
    """The balance at this place: as it was shown, unless something further down has changed since.

    is_below: before the entry of the place, else after it.
    """
    values = {"user_id": user_id, "at": place.at, "since": place.read_at}
    if not await tx.scalar(_CHANGED_BELOW, values):
        return place.balance_stars
    del values["since"]
    above = await tx.scalar(_SUM_ABOVE, {**values, "entry_id": place.entry_id, "is_below": is_below})
    return (await read_totals(tx, user_id=user_id)).stars - int(above or 0)


async def _now(tx: Tx) -> datetime:
    """A minute before the moment of `tx`: what was decided meanwhile may have been committed after it."""
    moment = await tx.scalar(sql("SELECT date_trunc('second', now()) - interval '60 s'"))
    assert isinstance(moment, datetime)
    return moment.astimezone(UTC)


def _page(
    rows: Sequence[Any],
    *,
    top_stars: int,
    limit: int,
    now: datetime,
    has_newer: bool,
    has_older: bool | None = None,
) -> Page:
    is_more = len(rows) > limit if has_older is None else has_older
    entries = []
    balance_stars = top_stars
    for row in rows[:limit]:
        entries.append(_entry(row, balance_stars))
        balance_stars -= row.amount
    if not entries:
        return Page(entries=(), older=None, newer=None)
    first, last = entries[0], entries[-1]
    older = Place(at=last.at, entry_id=last.entry_id, balance_stars=balance_stars, read_at=now)
    newer = Place(at=first.at, entry_id=first.entry_id, balance_stars=top_stars, read_at=now)
    return Page(entries=tuple(entries), older=older if is_more else None, newer=newer if has_newer else None)


def _entry(row: Any, balance_stars: int) -> StatementEntry:
    return StatementEntry(
        entry_id=row.entry_id,
        at=row.at,
        amount=row.amount,
        kind=TransactionType(row.type),
        status=TransactionStatus(row.status),
        balance_stars=balance_stars,
        prompt=row.prompt,
        reason=row.reason,
        promo_code=row.promo_code,
        referral_side=row.referral_side,
        of_kind=None if row.of_type is None else TransactionType(row.of_type),
    )
