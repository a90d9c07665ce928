"""What guests are owed about payments that went back or were found late: each is told once. Sends nothing."""

from dataclasses import dataclass
from datetime import timedelta

from starbooth.base.database import Tx, sql
from starbooth.domain.users.guests import Language

_LEASE = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class RefundNews:
    """A payment of this guest went back, or would not. `reason`: what the operator wrote, or empty.

    operator: who asked for it. balance_stars: what the guest has now. is_refused: it did not go back, though
    the guest was told that it would.
    """

    refund_id: str
    chat_id: int
    language: Language
    amount_stars: int
    amount_xtr: int
    balance_stars: int
    reason: str
    operator: str
    is_refused: bool = False


async def claim_refund_news(tx: Tx, *, limit: int) -> list[RefundNews]:
    """News that guests are owed, to oneself for a minute: who dies over it leaves it to others."""
    rows = await tx.execute(
        sql("""
            WITH claimed AS (
                UPDATE starbooth.refunds SET tell_at = now() + :lease
                WHERE id IN (
                    SELECT id FROM starbooth.refunds WHERE tell_at <= now()
                    ORDER BY tell_at LIMIT :limit FOR UPDATE SKIP LOCKED)
                RETURNING id, charge_id, reason, operator, state
            )
            SELECT c.id AS refund_id, coalesce(g.chat_id, p.telegram_id) AS chat_id,
                coalesce(g.language, 'en') AS language, p.amount_stars, p.amount_xtr,
                u."stars" AS balance_stars, c.reason, c.operator, c.state = 'refused' AS is_refused
            FROM claimed c
            JOIN starbooth.payments p ON p.charge_id = c.charge_id
            JOIN public."User" u ON u."id" = p.user_id
            LEFT JOIN starbooth.guests g ON g.user_id = p.user_id
        """),
        {"lease": _LEASE, "limit": limit},
    )
    return [RefundNews(**{**row._mapping, "language": Language(row.language)}) for row in rows]


async def note_refund_told(tx: Tx, *, refund_id: str) -> None:
    """The guest has been told, or cannot be. Repeat: harmless."""
    await tx.execute(sql("UPDATE starbooth.refunds SET tell_at = NULL WHERE id = :id"), {"id": refund_id})


@dataclass(frozen=True, kw_only=True)
class LatePayment:
    """A payment that was found in Telegram's list. balance_stars: what the guest has now."""

    charge_id: str
    chat_id: int
    language: Language
    amount_stars: int
    amount_xtr: int
    balance_stars: int


async def owe_late_payment(tx: Tx, *, charge_id: str) -> None:
    """Owe a guest the news that their payment was found. Repeat: owed once more, so do it with the credit."""
    await tx.execute(
        sql("UPDATE starbooth.payments SET tell_at = now() WHERE charge_id = :id"), {"id": charge_id}
    )


_FORGET_RETURNED = sql("""
    UPDATE starbooth.payments SET tell_at = NULL
    WHERE charge_id IN (
        SELECT p.charge_id FROM starbooth.payments p
        WHERE p.tell_at IS NOT NULL AND EXISTS (
            SELECT FROM starbooth.refunds r WHERE r.charge_id = p.charge_id AND r.state <> 'refused')
        FOR UPDATE SKIP LOCKED)
""")


async def claim_late_payments(tx: Tx, *, limit: int) -> list[LatePayment]:
    """As `claim_refund_news`, of payments that were found late. One that went back since is not told of."""
    await tx.execute(_FORGET_RETURNED)
    rows = await tx.execute(
        sql("""
            WITH claimed AS (
                UPDATE starbooth.payments SET tell_at = now() + CAST(:lease AS interval)
                WHERE charge_id IN (
                    SELECT charge_id FROM starbooth.payments WHERE tell_at <= now()
                    ORDER BY tell_at LIMIT :limit FOR UPDATE SKIP LOCKED)
                RETURNING charge_id, user_id, telegram_id, amount_stars, amount_xtr
            )
            SELECT c.charge_id, coalesce(g.chat_id, c.telegram_id) AS chat_id,
                coalesce(g.language, 'en') AS language, c.amount_stars, c.amount_xtr,
                u."stars" AS balance_stars
            FROM claimed c
            JOIN public."User" u ON u."id" = c.user_id
            LEFT JOIN starbooth.guests g ON g.user_id = c.user_id
        """),
        {"lease": _LEASE, "limit": limit},
    )
    return [LatePayment(**{**row._mapping, "language": Language(row.language)}) for row in rows]


async def note_late_payment_told(tx: Tx, *, charge_id: str) -> None:
    """The guest has been told, or cannot be. Repeat: harmless."""
    await tx.execute(
        sql("UPDATE starbooth.payments SET tell_at = NULL WHERE charge_id = :id"), {"id": charge_id}
    )
