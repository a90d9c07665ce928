"""What makers earn with their public models: gathered by the end of an order, paid out in batches as a bonus.

A row of `starbooth.earnings` goes into one payout or none, so nothing is paid twice; a payout has its number
as its key. Parts of a star are carried to the next one. What a refund takes back is a row below zero, which
later earnings make good: nobody's balance falls by it.

Locks: the maker's account first, then the earnings. Placing an order and ending it lock neither.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from starbooth.base.database import Database, Tx, sql
from starbooth.domain.stars import ledger
from starbooth.domain.stars.errors import TooManyStars

_log = structlog.get_logger()
REASON = "earnings"
_MAKERS_AT_ONCE = 100
_ROWS_AT_ONCE = 5_000  # a movement has its largest amount
_WHOLE = 100  # hundredths in a star

_DUE = sql("""
    SELECT due.maker_id FROM (
        SELECT maker_id, sum(hundredths) AS gathered FROM starbooth.earnings
        WHERE payout IS NULL GROUP BY maker_id) due
    LEFT JOIN LATERAL (
        SELECT rest_hundredths, paid_at FROM starbooth.payouts p
        WHERE p.maker_id = due.maker_id ORDER BY p.number DESC LIMIT 1) last ON true
    WHERE due.gathered + coalesce(last.rest_hundredths, 0) >= 100
        AND coalesce(last.paid_at <= now() - CAST(:interval AS interval), true)
    ORDER BY last.paid_at NULLS FIRST LIMIT :limit
""")
_LAST = sql("""
    SELECT number, rest_hundredths FROM starbooth.payouts WHERE maker_id = :maker_id
    ORDER BY number DESC LIMIT 1
""")
_TAKE = sql("""
    WITH due AS (
        SELECT order_id, lora_id, kind FROM starbooth.earnings
        WHERE maker_id = :maker_id AND payout IS NULL ORDER BY hundredths LIMIT :limit FOR UPDATE
    ), taken AS (
        UPDATE starbooth.earnings e SET payout = :number FROM due
        WHERE (e.order_id, e.lora_id, e.kind) = (due.order_id, due.lora_id, due.kind)
        RETURNING e.hundredths
    )
    SELECT coalesce(sum(hundredths), 0) FROM taken
""")
_WRITE = sql("""
    INSERT INTO starbooth.payouts (maker_id, number, transaction_id, carried_hundredths, gathered_hundredths,
        paid_stars, rest_hundredths)
    VALUES (:maker_id, :number, :transaction_id, :carried, :gathered, :paid, :rest)
""")
_TAKE_BACK = sql("""
    INSERT INTO starbooth.earnings (order_id, lora_id, kind, maker_id, hundredths)
    SELECT order_id, lora_id, 'taken_back', maker_id, -hundredths FROM starbooth.earnings
    WHERE order_id = :order_id AND kind = 'use'
    ON CONFLICT DO NOTHING RETURNING hundredths
""")
_MAKERS = sql("""
    WITH waiting AS (
        SELECT maker_id, sum(hundredths) AS hundredths FROM starbooth.earnings WHERE payout IS NULL GROUP BY 1
    ), paid AS (
        SELECT maker_id, sum(paid_stars) AS stars,
            (array_agg(rest_hundredths ORDER BY number DESC))[1] AS rest
        FROM starbooth.payouts GROUP BY maker_id
    )
    SELECT u."telegramId" AS telegram_id, u."username" AS username,
        coalesce(p.stars, 0)::bigint AS paid_stars,
        (coalesce(w.hundredths, 0) + coalesce(p.rest, 0))::bigint AS waiting_hundredths
    FROM waiting w FULL JOIN paid p ON p.maker_id = w.maker_id
    JOIN public."User" u ON u."id" = coalesce(p.maker_id, w.maker_id)
    ORDER BY paid_stars DESC, waiting_hundredths DESC LIMIT :limit
""")


class _TooLittle(Exception):
    """Less than a star has been gathered, so nothing is taken. Rolls the transaction back."""


@dataclass(frozen=True, kw_only=True)
class Earnings:
    """What a maker has earned. paid_stars: in all; waiting_hundredths: what the next payouts will have."""

    paid_stars: int
    waiting_hundredths: int


@dataclass(frozen=True, kw_only=True)
class MakerRow:
    """What one maker has earned. telegram_id, username: as Telegram knows them."""

    telegram_id: str
    username: str | None
    paid_stars: int
    waiting_hundredths: int


async def pay_out(database: Database, *, interval: timedelta) -> int:
    """Pay every maker what was gathered for them, if it is a star and the last payout is so long ago; returns
    how many stars that were.

    Several at once, and a death at any point: each row is paid once, and the next call goes on.
    """
    async with database.transaction() as tx:
        values = {"interval": interval, "limit": _MAKERS_AT_ONCE}
        makers = list((await tx.execute(_DUE, values)).scalars())
    paid_stars = 0
    for maker_id in makers:
        paid_stars += await _pay_all(database, maker_id)
    return paid_stars


async def take_back(tx: Tx, order_id: str) -> int:
    """Take back what makers earned by this order, since its pictures are refunded; in hundredths of a star.

    What was paid out already comes off later earnings. Repeat: harmless, it is taken once.
    """
    return -sum(int(each) for each in (await tx.execute(_TAKE_BACK, {"order_id": order_id})).scalars())


async def read_earnings(tx: Tx, *, maker_id: str) -> Earnings:
    """What this maker has earned so far."""
    row = (
        await tx.execute(
            sql("""
                SELECT (SELECT coalesce(sum(paid_stars), 0) FROM starbooth.payouts
                        WHERE maker_id = :maker_id) AS paid_stars,
                    (SELECT coalesce(sum(hundredths), 0) FROM starbooth.earnings
                        WHERE maker_id = :maker_id AND payout IS NULL)
                    + coalesce((SELECT rest_hundredths FROM starbooth.payouts
                        WHERE maker_id = :maker_id ORDER BY number DESC LIMIT 1), 0) AS waiting_hundredths
            """),
            {"maker_id": maker_id},
        )
    ).one()
    return Earnings(paid_stars=int(row.paid_stars), waiting_hundredths=int(row.waiting_hundredths))


async def list_makers(tx: Tx, *, limit: int) -> list[MakerRow]:
    """Who has earned anything, those who were paid most before."""
    return [MakerRow(**row._mapping) for row in await tx.execute(_MAKERS, {"limit": limit})]


async def _pay_all(database: Database, maker_id: str) -> int:
    """Pay this maker batch by batch until less than a star is left; returns how many stars that were."""
    paid_stars = 0
    while True:
        try:
            async with database.transaction() as tx:
                paid_stars += await _pay(tx, maker_id)
        except _TooLittle:  # all is paid, or another worker was first
            return paid_stars
        except TooManyStars:
            _log.warning("earnings.purse_full", maker=maker_id)
            return paid_stars


async def _pay(tx: Tx, maker_id: str) -> int:
    await ledger.lock_account(tx, user_id=maker_id)
    last = (await tx.execute(_LAST, {"maker_id": maker_id})).first()
    number, carried = (1, 0) if last is None else (last.number + 1, last.rest_hundredths)
    values = {"maker_id": maker_id, "number": number, "limit": _ROWS_AT_ONCE}
    gathered = int(await tx.scalar(_TAKE, values) or 0)
    paid, rest = divmod(carried + gathered, _WHOLE)
    if paid < 1:
        raise _TooLittle
    moved = await ledger.credit_bonus(
        tx,
        user_id=maker_id,
        amount=paid,
        key=f"payout:{maker_id}:{number}",
        facts={"reason": REASON, "payout": number},
    )
    facts = {"transaction_id": moved.transaction_id, "carried": carried, "gathered": gathered}
    await tx.execute(_WRITE, {"maker_id": maker_id, "number": number, "paid": paid, "rest": rest, **facts})
    return paid
