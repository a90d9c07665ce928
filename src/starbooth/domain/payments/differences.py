"""Telegram's list against our ledger, both ways. Reads only; knows no network and no wording."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.outside.telegram.star_rows import StarRow, parse_row

_MOST_OF_A_KIND = 100
_MOST_AT_ONCE = 1000


class Kind(StrEnum):
    """What differs. The first three were put right in the run that names them."""

    CREDITED_LATE = "credited_late"  # a payment that never came as an update
    REFUND_FOUND = "refund_found"  # money that went back without us, a refund or a chargeback
    LIST_ANEW = "list_anew"  # Telegram's list is another one than before
    NOT_CREDITED = "not_credited"  # a payment of the list that could not be credited
    NOT_TAKEN_BACK = "not_taken_back"  # a refund of the list that could not be booked
    UNKNOWN_PAYMENT = "unknown_payment"  # credited here, not in the list
    UNKNOWN_REFUND = "unknown_refund"  # given back here, not in the list
    OTHER_AMOUNT = "other_amount"
    OTHER_PAYER = "other_payer"
    STUCK_REFUND = "stuck_refund"  # asked for, and not answered for an hour
    BALANCE = "balance"  # what the list adds up to is not what Telegram says the bot has


MENDED = frozenset({Kind.CREDITED_LATE, Kind.REFUND_FOUND, Kind.LIST_ANEW})


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference. `subject`: the charge id or what else it is about; it tells it from others."""

    kind: Kind
    subject: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_mended(self) -> bool:
        """Whether it was put right, so that nothing is left to do."""
        return self.kind in MENDED

    def as_json(self) -> dict[str, Any]:
        """As it is stored; `difference_from` reads it."""
        return asdict(self)


def difference_from(stored: Mapping[str, Any]) -> Difference:
    """A difference as it was stored."""
    return Difference(kind=Kind(stored["kind"]), subject=stored["subject"], facts=stored["facts"])


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How young something may be before it counts as missing.

    fresh: a payment's own update may still be on its way. late: a payment may not be in the list yet.
    """

    fresh: timedelta = timedelta(seconds=30)
    late: timedelta = timedelta(minutes=10)


_LOST = """
    SELECT m.body FROM starbooth.telegram_transactions m
    WHERE m.direction = 'in' AND m.partner = 'user' AND m.kind = 'invoice_payment'
        AND m.telegram_id IS NOT NULL AND m.at <= now() - CAST(:fresh AS interval)
        AND NOT EXISTS (SELECT FROM starbooth.payments p WHERE p.charge_id = m.id)
        AND NOT EXISTS (SELECT FROM public."StarTransaction" t WHERE t."telegramPaymentChargeId" = m.id)
    ORDER BY m.at LIMIT :limit
"""

# The outgoing row of a charge is its return whatever it says; of one that we do not know, only if it says so.
_RETURNED = """
    SELECT m.body, p.telegram_id, p.payload FROM starbooth.telegram_transactions m
    LEFT JOIN starbooth.payments p ON p.charge_id = m.id
    WHERE m.direction = 'out'
        AND NOT EXISTS (SELECT FROM starbooth.refunds r WHERE r.charge_id = m.id AND r.state = 'done')
        AND (p.charge_id IS NOT NULL OR m.partner = 'user' AND m.kind = 'invoice_payment'
            AND m.telegram_id IS NOT NULL AND m.at <= now() - CAST(:fresh AS interval))
    ORDER BY m.at LIMIT :limit
"""

_COMPARISONS: tuple[tuple[Kind, str], ...] = (
    (
        Kind.UNKNOWN_PAYMENT,
        """
        SELECT t."telegramPaymentChargeId" AS subject, t."userId" AS user, t."amount" AS stars,
            p.amount_xtr AS xtr, p.telegram_id
        FROM public."StarTransaction" t
        LEFT JOIN starbooth.payments p ON p.charge_id = t."telegramPaymentChargeId"
        WHERE t."type" = 'PURCHASE' AND t."status" IN ('COMPLETED', 'REFUNDED')
            AND coalesce(p.created_at, t."createdAt" AT TIME ZONE 'UTC') <= now() - CAST(:late AS interval)
            AND NOT EXISTS (SELECT FROM starbooth.telegram_transactions m
                WHERE m.id = split_part(t."telegramPaymentChargeId", '#', 1) AND m.direction = 'in')
        """,
    ),
    (
        Kind.UNKNOWN_REFUND,
        """
        SELECT r.charge_id AS subject, p.user_id AS user, p.amount_stars AS stars, p.amount_xtr AS xtr,
            p.telegram_id
        FROM starbooth.refunds r JOIN starbooth.payments p ON p.charge_id = r.charge_id
        WHERE r.state = 'done' AND r.ended_at <= now() - CAST(:late AS interval)
            AND NOT EXISTS (SELECT FROM starbooth.telegram_transactions m
                WHERE m.id = split_part(r.charge_id, '#', 1) AND m.direction = 'out')
        """,
    ),
    (
        Kind.OTHER_AMOUNT,  # a commission goes off in a way that Telegram does not document
        """
        SELECT p.charge_id AS subject, p.user_id AS user, p.amount_xtr AS xtr, m.amount_xtr AS listed_xtr
        FROM starbooth.payments p JOIN starbooth.telegram_transactions m ON m.id = p.charge_id
        WHERE m.direction = 'in' AND m.amount_xtr <> p.amount_xtr AND m.body #> '{source,affiliate}' IS NULL
        """,
    ),
    (
        Kind.OTHER_PAYER,
        """
        SELECT p.charge_id AS subject, p.telegram_id, m.telegram_id AS listed_telegram_id
        FROM starbooth.payments p JOIN starbooth.telegram_transactions m ON m.id = p.charge_id
        WHERE m.direction = 'in' AND m.telegram_id <> p.telegram_id
        """,
    ),
    (
        Kind.STUCK_REFUND,
        """
        SELECT charge_id AS subject, operator, tries, coalesce(detail, '') AS reason
        FROM starbooth.refunds WHERE state = 'asked' AND created_at <= now() - interval '1 hour'
        """,
    ),
)


@dataclass(frozen=True, kw_only=True)
class ReturnRow:
    """A row of the list by which a payment went back, with the payer as we know them where it names none."""

    row: StarRow
    telegram_id: int
    payload: str


async def lost_payments(tx: Tx, *, patience: Patience) -> list[StarRow]:
    """Payments of the list that no account was given, oldest first."""
    rows = await tx.execute(sql(_LOST), {"fresh": patience.fresh, "limit": _MOST_AT_ONCE})
    return [parse_row(body) for body in rows.scalars()]


async def unbooked_returns(tx: Tx, *, patience: Patience) -> list[ReturnRow]:
    """Payments of the list that went back and still count here, oldest first."""
    found = await tx.execute(sql(_RETURNED), {"fresh": patience.fresh, "limit": _MOST_AT_ONCE})
    returns = []
    for each in found:
        row = parse_row(each.body)
        telegram_id = each.telegram_id if row.telegram_id is None else row.telegram_id
        returns.append(ReturnRow(row=row, telegram_id=telegram_id, payload=each.payload or row.payload or ""))
    return returns


async def compare(tx: Tx, *, patience: Patience) -> list[Difference]:
    """Every difference between the list and the ledger that does not mend itself; of a kind at most 100."""
    found = []
    for kind, statement in _COMPARISONS:
        values = {"limit": _MOST_OF_A_KIND}
        late = {"late": patience.late} if ":late" in statement else {}
        for row in await tx.execute(sql(statement + " ORDER BY 1 LIMIT :limit"), {**values, **late}):
            facts = dict(row._mapping)
            found.append(Difference(kind=kind, subject=facts.pop("subject"), facts=facts))
    return found
