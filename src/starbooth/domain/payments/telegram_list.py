"""Telegram's own list of the bot's Stars and our mirror of it.

The list only grows at its end, so we remember how many rows we took. Rows near the end can still come late,
so the last hundred are read again each time. A list that is shorter than what we took, or of which we know
nothing, is another bot's: it is read from its beginning, and what stood in the old one no longer counts as
listed. Knows no ledger.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starbooth.base.database import Database, Tx, sql
from starbooth.domain.payments.bank import Bank
from starbooth.outside.telegram.star_rows import NANOS_PER_XTR, Direction, StarRow

PAGE = 100
OVERLAP = 100
MOST_PAGES = 500

_MIRROR = sql("""
    INSERT INTO starbooth.telegram_transactions
        (id, direction, amount_xtr, nanos, at, partner, kind, telegram_id, payload, body)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
        id text, direction text, amount_xtr bigint, nanos integer, at timestamptz, partner text, kind text,
        telegram_id bigint, payload text, body jsonb)
    ON CONFLICT (id, direction) DO UPDATE SET is_listed = true, seen_at = now()
        WHERE NOT telegram_transactions.is_listed
""")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """How far the list was read. `is_anew`: it was another one than before. Not complete: there is more."""

    cursor: int
    rows_read: int
    is_anew: bool
    is_complete: bool


async def catch_up(database: Database, bank: Bank) -> Listing:
    """Read what Telegram's list has more than we took, into the mirror. Repeat: harmless.

    The cursor is the caller's to store, with what it makes of the rows.
    Raises: TelegramUnavailable, TelegramRefused; what was read until then stays in the mirror.
    """
    async with database.transaction() as tx:
        cursor = await read_cursor(tx)
    start = max(0, cursor - OVERLAP)
    first = await bank.list_transactions(offset=start, limit=PAGE)
    is_anew = cursor > 0 and not await _is_same_list(database, first[: cursor - start], cursor - start)
    if is_anew:
        async with database.transaction() as tx:
            await _begin_anew(tx)
        start, first = 0, await bank.list_transactions(offset=0, limit=PAGE)
    await mirror(database, first)
    rest = (
        await read_on(database, bank, offset=start + len(first))
        if first
        else Listing(cursor=start, rows_read=0, is_anew=False, is_complete=True)
    )
    return Listing(
        cursor=rest.cursor,
        rows_read=len(first) + rest.rows_read,
        is_anew=is_anew,
        is_complete=rest.is_complete,
    )


async def read_on(database: Database, bank: Bank, *, offset: int) -> Listing:
    """Read rows from number `offset` on into the mirror until there is none more, within a limit."""
    cursor = offset
    for _ in range(MOST_PAGES):
        rows = await bank.list_transactions(offset=cursor, limit=PAGE)
        if not rows:
            return Listing(cursor=cursor, rows_read=cursor - offset, is_anew=False, is_complete=True)
        await mirror(database, rows)
        cursor += len(rows)
    return Listing(cursor=cursor, rows_read=cursor - offset, is_anew=False, is_complete=False)


async def has_returned(database: Database, bank: Bank, charge_id: str) -> bool:
    """Whether the list says that this payment went back: in the mirror, or in what came since.

    Raises: TelegramUnavailable, TelegramRefused.
    """
    async with database.transaction() as tx:
        if await _is_mirrored(tx, charge_id):
            return True
        cursor = await read_cursor(tx)
    await read_on(database, bank, offset=max(0, cursor - OVERLAP))
    async with database.transaction() as tx:
        return await _is_mirrored(tx, charge_id)


async def mirror(database: Database, rows: Sequence[StarRow]) -> None:
    """Keep these rows as they came. Repeat: harmless, a row of an id and direction is kept once."""
    columns = {(row.id, row.direction): _columns(row) for row in rows}
    if columns:
        async with database.transaction() as tx:
            await tx.execute(_MIRROR, {"rows": json.dumps(list(columns.values()))})


async def read_cursor(tx: Tx) -> int:
    """How many rows of the list were taken at the last reconciliation."""
    found = await tx.scalar(sql("SELECT cursor FROM starbooth.reconciliations ORDER BY number DESC LIMIT 1"))
    return int(found or 0)


async def sum_nanos(tx: Tx) -> int:
    """What the listed rows add up to, in billionths of a Star."""
    total = await tx.scalar(
        sql("""
            SELECT sum((amount_xtr::numeric * :nanos + nanos) * CASE direction WHEN 'in' THEN 1 ELSE -1 END)
            FROM starbooth.telegram_transactions WHERE is_listed
        """),
        {"nanos": NANOS_PER_XTR},
    )
    return int(total or 0)


async def _is_same_list(database: Database, overlap: Sequence[StarRow], wanted: int) -> bool:
    if len(overlap) < wanted:
        return False
    async with database.transaction() as tx:
        known = await tx.scalar(
            sql("""
                SELECT count(*) FROM starbooth.telegram_transactions t
                JOIN unnest(CAST(:ids AS text[]), CAST(:directions AS text[])) AS r (id, direction)
                    USING (id, direction)
                WHERE t.is_listed
            """),
            {"ids": [row.id for row in overlap], "directions": [row.direction.value for row in overlap]},
        )
    return bool(known)


async def _begin_anew(tx: Tx) -> None:
    """Forget how far we were, at once: a reading that dies half-way must begin at the beginning again."""
    await tx.execute(sql("UPDATE starbooth.telegram_transactions SET is_listed = false WHERE is_listed"))
    await tx.execute(
        sql(
            "INSERT INTO starbooth.reconciliations (cursor, rows_read, report, is_clean)"
            """ VALUES (0, 0, '{"is_begun_anew": true}', false)"""
        )
    )


async def _is_mirrored(tx: Tx, charge_id: str) -> bool:
    found = await tx.scalar(
        sql("SELECT true FROM starbooth.telegram_transactions WHERE id = :id AND direction = :out"),
        {"id": charge_id, "out": Direction.OUT.value},
    )
    return bool(found)


def _columns(row: StarRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "direction": row.direction.value,
        "amount_xtr": row.amount_xtr,
        "nanos": row.nanos,
        "at": row.at.isoformat(),
        "partner": row.partner,
        "kind": row.kind,
        "telegram_id": row.telegram_id,
        "payload": row.payload,
        "body": row.body,
    }
