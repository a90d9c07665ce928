"""What guests are owed about payments that went back: each is told once. Sends nothing itself."""

from dataclasses import dataclass
from datetime import timedelta

from starbooth.base.database import Tx, sql
from starbooth.domain.users.guests import Language

_LEASE = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class RefundNews:
    """A payment of this guest went back. `reason` is what the operator wrote, empty where nobody did.

    operator: who asked for it. balance_stars: what the guest has now.
    """

    refund_id: str
    chat_id: int
    language: Language
    amount_stars: int
    amount_xtr: int
    balance_stars: int
    reason: str
    operator: str


async def claim_refund_news(tx: Tx, *, limit: int) -> list[RefundNews]:
    """News that guests are owed, to oneself for a minute: who dies over it leaves it to others."""
    rows = await tx.execute(
        sql("""
            WITH claimed AS (
                UPDATE starbooth.refunds SET tell_at = now() + :lease
                WHERE id IN (
                    SELECT id FROM starbooth.refunds WHERE tell_at <= now()
                    ORDER BY tell_at LIMIT :limit FOR UPDATE SKIP LOCKED)
                RETURNING id, charge_id, reason, operator
            )
            SELECT c.id AS refund_id, coalesce(g.chat_id, p.telegram_id) AS chat_id,
                coalesce(g.language, 'en') AS language, p.amount_stars, p.amount_xtr,
                u."stars" AS balance_stars, c.reason, c.operator
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
