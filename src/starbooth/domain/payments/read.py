"""Payments as an operator sees them: one with what became of its stars, or the newest ones. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from starbooth.base.database import Tx, sql
from starbooth.domain.stars.errors import NoSuchPurchase


class PaymentState(StrEnum):
    """Where the money is. `REFUNDING`: Telegram has been asked for it and has not answered yet."""

    PAID = "paid"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


@dataclass(frozen=True, kw_only=True)
class PaymentView:
    """One payment. `flag`: why to look at it. `operator` and `reason`: of its refund, if there is one."""

    charge_id: str
    transaction_id: str
    user_id: str
    telegram_id: int
    username: str | None
    amount_stars: int
    amount_xtr: int
    paid_at: datetime
    flag: str | None
    state: PaymentState
    operator: str | None
    reason: str | None
    refunded_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A payment before it is refunded: what the guest has, and what they did since it was credited.

    spent_stars counts what is set aside for orders under way; orders and pictures that came to nothing and
    were given back do not count.
    """

    payment: PaymentView
    balance_stars: int
    spent_stars: int
    orders: int
    pictures: int

    @property
    def short_stars(self) -> int:
        """How many stars a refund would lack; 0 where all are there."""
        return max(0, self.payment.amount_stars - self.balance_stars)

    @property
    def balance_after_stars(self) -> int:
        """What the guest would have after a refund; below zero, nothing can be spent."""
        return self.balance_stars - self.payment.amount_stars


_VIEW = """
    SELECT p.charge_id, p.transaction_id, p.user_id, p.telegram_id, u."username" AS username, p.amount_stars,
        p.amount_xtr, p.paid_at, p.flag,
        CASE coalesce(r.state, '') WHEN 'asked' THEN 'refunding' WHEN 'done' THEN 'refunded' ELSE 'paid'
            END AS state,
        r.operator, r.reason, r.ended_at AS refunded_at
    FROM starbooth.payments p
    JOIN public."User" u ON u."id" = p.user_id
    LEFT JOIN starbooth.refunds r ON r.charge_id = p.charge_id AND r.state <> 'refused'
"""

_SINCE = """
    WITH since AS (
        SELECT timezone('UTC', created_at) AS at, user_id FROM starbooth.payments WHERE charge_id = :charge_id
    ), spent AS (
        SELECT t."amount" + coalesce((
                SELECT sum(b."amount") FROM public."StarTransaction" b
                WHERE b.metadata ->> 'refundOf' = t."id" AND b."status" <> 'FAILED'), 0) AS amount
        FROM since JOIN public."StarTransaction" t ON t."userId" = since.user_id
        WHERE t."createdAt" >= since.at AND t."type" IN ('GENERATION', 'TRAINING')
            AND t."status" IN ('PENDING', 'COMPLETED')
    )
    SELECT (SELECT coalesce(-sum(amount), 0) FROM spent)::integer AS spent_stars,
        (SELECT count(*) FROM spent)::integer AS orders,
        (SELECT count(*) FROM since JOIN public."Generation" g ON g."userId" = since.user_id
            WHERE g."createdAt" >= since.at)::integer AS pictures,
        (SELECT "stars" FROM since JOIN public."User" u ON u."id" = since.user_id) AS balance_stars
"""


async def summarise(tx: Tx, *, charge_id: str) -> Summary:
    """What a refund of this payment would mean. Raises: NoSuchPurchase."""
    rows = await tx.execute(sql(_VIEW + " WHERE p.charge_id = :charge_id"), {"charge_id": charge_id})
    row = rows.first()
    if row is None:
        raise NoSuchPurchase
    since = (await tx.execute(sql(_SINCE), {"charge_id": charge_id})).one()
    return Summary(
        payment=_view(dict(row._mapping)),
        balance_stars=since.balance_stars,
        spent_stars=since.spent_stars,
        orders=since.orders,
        pictures=since.pictures,
    )


async def list_payments(
    tx: Tx, *, user_id: str | None = None, is_flagged: bool = False, limit: int = 20
) -> list[PaymentView]:
    """The newest payments, of one guest or of all; or only those that an operator should look at."""
    rows = await tx.execute(
        sql(
            _VIEW + " WHERE (CAST(:user_id AS text) IS NULL OR p.user_id = :user_id)"
            " AND (NOT CAST(:is_flagged AS boolean) OR p.flag IS NOT NULL)"
            " ORDER BY p.paid_at DESC, p.charge_id LIMIT :limit"
        ),
        {"user_id": user_id, "is_flagged": is_flagged, "limit": limit},
    )
    return [_view(dict(row._mapping)) for row in rows]


async def charge_of(tx: Tx, *, transaction_id: str) -> str:
    """The charge id of the payment with this ledger row. Raises: NoSuchPurchase."""
    found = await tx.scalar(
        sql("SELECT charge_id FROM starbooth.payments WHERE transaction_id = :id"), {"id": transaction_id}
    )
    if found is None:
        raise NoSuchPurchase
    return str(found)


async def is_credited(tx: Tx, *, charge_id: str, until: datetime | None = None) -> bool:
    """Whether the stars of this payment were given. `until`: of which month of a plan, None for any other."""
    found = await tx.scalar(
        sql("""
            SELECT EXISTS (
                SELECT FROM starbooth.payments p
                WHERE (p.charge_id = :charge_id OR starts_with(p.charge_id, CAST(:charge_id AS text) || '#'))
                    AND (CAST(:until AS timestamptz) IS NULL OR CAST(:until AS timestamptz)
                        - coalesce(p.subscription_expires_at, p.paid_at + interval '30 days')
                        BETWEEN interval '-10 days' AND interval '10 days'))
        """),
        {"charge_id": charge_id, "until": until},
    )
    return bool(found)


async def rows_of(tx: Tx, charge_ids: Sequence[str]) -> dict[str, str]:
    """The ledger rows of those among these charges that we know."""
    rows = await tx.execute(
        sql(
            "SELECT charge_id, transaction_id FROM starbooth.payments"
            " WHERE charge_id = ANY (CAST(:ids AS text[]))"
        ),
        {"ids": list(charge_ids)},
    )
    return {row.charge_id: row.transaction_id for row in rows}


def _view(columns: dict[str, object]) -> PaymentView:
    return PaymentView(**{**columns, "state": PaymentState(str(columns["state"]))})  # type: ignore[arg-type]
