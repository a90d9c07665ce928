"""Telegram's list against our ledger, both ways. Reads only; knows no network and no wording."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.outside.telegram.star_rows import StarRow, parse_row

_MOST_OF_A_KIND = 100
_MOST_AT_ONCE = 1000


class Kind(StrEnum):
    """What differs. The first four leave nothing to do: they were put right, or are no business of ours."""

    CREDITED_LATE = "credited_late"  # a payment that never came as an update
    REFUND_FOUND = "refund_found"  # money that went back without us, a refund or a chargeback
    LIST_ANEW = "list_anew"  # Telegram's list is another one than before
    BEFORE_BOOTH = "before_booth"  # payments of the bot from before the booth was opened
    NOT_CREDITED = "not_credited"  # a payment of the list that could not be credited
    NOT_TAKEN_BACK = "not_taken_back"  # a refund of the list that could not be booked
    UNKNOWN_PAYMENT = "unknown_payment"  # credited here, not in the list
    UNKNOWN_REFUND = "unknown_refund"  # given back here, not in the list
    OTHER_AMOUNT = "other_amount"
    OTHER_PAYER = "other_payer"
    STUCK_REFUND = "stuck_refund"  # asked for, and not answered for an hour
    BALANCE = "balance"  # what the list adds up to is not what Telegram says the bot has


MENDED = frozenset({Kind.CREDITED_LATE, Kind.REFUND_FOUND, Kind.LIST_ANEW, Kind.BEFORE_BOOTH})


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


# Before it nobody can have paid the booth, but by one of its own invoices. The bot may have sold something
# else then, and what it sold is in its list for ever. Each of these times comes back with a backup; another
# list is another bot's, whose past is not ours either. The minute is for clocks that differ.
_OPENED = """
    SELECT coalesce(
        (SELECT max(at) FROM starbooth.reconciliations WHERE report ->> 'is_begun_anew' IS NOT NULL),
        least(
            (SELECT min(met_at) FROM starbooth.guests),
            (SELECT min(created_at) FROM starbooth.purchases),
            (SELECT min(at) FROM starbooth.reconciliations)),
        now()) - interval '1 minute'
"""

_UNCREDITED = """
    FROM starbooth.telegram_transactions m
    WHERE m.direction = 'in' AND m.partner = 'user' AND m.kind = 'invoice_payment'
        AND m.telegram_id IS NOT NULL AND m.at <= now() - CAST(:fresh AS interval)
        AND NOT EXISTS (SELECT FROM starbooth.payments p WHERE p.charge_id = m.id)
        AND NOT EXISTS (SELECT FROM public."StarTransaction" t WHERE t."telegramPaymentChargeId" = m.id)
"""

_IS_OURS = """
    (m.at >= :opened OR EXISTS (SELECT FROM starbooth.purchases i WHERE i.id = m.payload))
"""

_LOST = f"""
    SELECT m.body {_UNCREDITED} AND {_IS_OURS}
        AND (CAST(:after_at AS timestamptz) IS NULL OR (m.at, m.id) > (:after_at, :after_id))
    ORDER BY m.at, m.id LIMIT :limit
"""

_BEFORE_BOOTH = f"""
    SELECT count(*) AS payments, coalesce(sum(m.amount_xtr), 0)::bigint AS xtr
    {_UNCREDITED} AND NOT {_IS_OURS}
"""

# The outgoing row of a charge is its return whatever it says; of one that we do not know, only if it says so
# and was not paid before the booth was opened.
_RETURNED = """
    SELECT m.body, p.telegram_id, p.payload FROM starbooth.telegram_transactions m
    LEFT JOIN starbooth.payments p ON p.charge_id = m.id
    WHERE m.direction = 'out'
        AND NOT EXISTS (SELECT FROM starbooth.refunds r WHERE r.charge_id = m.id AND r.state = 'done')
        AND (p.charge_id IS NOT NULL OR m.partner = 'user' AND m.kind = 'invoice_payment'
            AND m.telegram_id IS NOT NULL AND m.at <= now() - CAST(:fresh AS interval)
            AND (EXISTS (SELECT FROM starbooth.purchases i WHERE i.id = m.payload)
                OR coalesce((SELECT paid.at FROM starbooth.telegram_transactions paid
                    WHERE paid.id = m.id AND paid.direction = 'in'), m.at) >= :opened))
        AND (CAST(:after_at AS timestamptz) IS NULL OR (m.at, m.id) > (:after_at, :after_id))
    ORDER BY m.at, m.id LIMIT :limit
"""

_COMPARISONS: tuple[tuple[Kind, str], ...] = (
    (
        Kind.UNKNOWN_PAYMENT,
        """
        SELECT coalesce(t."telegramPaymentChargeId", t."id") AS subject, t."createdAt" AS at,
            t."userId" AS user, t."amount" AS stars, p.amount_xtr AS xtr, p.telegram_id
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
        SELECT r.charge_id AS subject, r.ended_at AS at, p.user_id AS user, p.amount_stars AS stars,
            p.amount_xtr AS xtr, p.telegram_id
        FROM starbooth.refunds r JOIN starbooth.payments p ON p.charge_id = r.charge_id
        WHERE r.state = 'done' AND r.ended_at <= now() - CAST(:late AS interval)
            AND NOT EXISTS (SELECT FROM starbooth.telegram_transactions m
                WHERE m.id = split_part(r.charge_id, '#', 1) AND m.direction = 'out')
        """,
    ),
    (
        Kind.OTHER_AMOUNT,  # a commission goes off in a way that Telegram does not document
        """
        SELECT p.charge_id AS subject, m.at, p.user_id AS user, p.amount_xtr AS xtr,
            m.amount_xtr AS listed_xtr
        FROM starbooth.payments p JOIN starbooth.telegram_transactions m ON m.id = p.charge_id
        WHERE m.direction = 'in' AND m.amount_xtr <> p.amount_xtr AND m.body #> '{source,affiliate}' IS NULL
        """,
    ),
    (
        Kind.OTHER_PAYER,
        """
        SELECT p.charge_id AS subject, m.at, p.telegram_id, m.telegram_id AS listed_telegram_id
        FROM starbooth.payments p JOIN starbooth.telegram_transactions m ON m.id = p.charge_id
        WHERE m.direction = 'in' AND m.telegram_id <> p.telegram_id
        """,
    ),
    (
        Kind.STUCK_REFUND,
        """
        SELECT charge_id AS subject, created_at AS at, operator, tries, coalesce(detail, '') AS reason
        FROM starbooth.refunds WHERE state = 'asked' AND created_at <= now() - interval '1 hour'
        """,
    ),
)


_FIRST_NEWS = """
    SELECT d.* FROM ({}) d
    ORDER BY EXISTS (SELECT FROM starbooth.alerts a WHERE a.key = CAST(:key AS text) || d.subject),
        d.at DESC, d.subject LIMIT :limit
"""


@dataclass(frozen=True, kw_only=True)
class ReturnRow:
    """A row of the list by which a payment went back, with the payer as we know them where it names none."""

    row: StarRow
    telegram_id: int
    payload: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """A row of the list, to read on behind it."""

    at: datetime
    charge_id: str


def place_of(row: StarRow) -> Place:
    """Where this row stands."""
    return Place(at=row.at, charge_id=row.id)


async def lost_payments(tx: Tx, *, patience: Patience, after: Place | None = None) -> list[StarRow]:
    """Payments of the list that no account was given, oldest first, behind `after`; empty where none is left.

    One from before the booth was opened counts only if it was for an invoice of ours.
    """
    rows = await tx.execute(sql(_LOST), await _page(tx, patience, after))
    return [parse_row(body) for body in rows.scalars()]


async def unbooked_returns(tx: Tx, *, patience: Patience, after: Place | None = None) -> list[ReturnRow]:
    """Payments of the list that went back and still count here, in the order of `lost_payments`."""
    found = await tx.execute(sql(_RETURNED), await _page(tx, patience, after))
    returns = []
    for each in found:
        row = parse_row(each.body)
        telegram_id = each.telegram_id if row.telegram_id is None else row.telegram_id
        returns.append(ReturnRow(row=row, telegram_id=telegram_id, payload=each.payload or row.payload or ""))
    return returns


async def before_booth(tx: Tx, *, patience: Patience) -> list[Difference]:
    """What the bot was paid before the booth was opened, all in one; empty once the operators are owed it."""
    values = {"fresh": patience.fresh, "opened": await _read_opened(tx)}
    row = (await tx.execute(sql(_BEFORE_BOOTH), values)).one()
    is_told = await tx.scalar(
        sql("SELECT EXISTS (SELECT FROM starbooth.alerts WHERE key = :key)"),
        {"key": alert_key(Kind.BEFORE_BOOTH, str(row.payments))},
    )
    if is_told or not row.payments:
        return []
    facts = {"payments": row.payments, "xtr": row.xtr}
    return [Difference(kind=Kind.BEFORE_BOOTH, subject=str(row.payments), facts=facts)]


async def compare(tx: Tx, *, patience: Patience) -> list[Difference]:
    """Every difference between the list and the ledger that does not mend itself; of a kind at most 100.

    First come those that the operators have not been told of, then the newest: old ones hide no new one.
    """
    found = []
    for kind, statement in _COMPARISONS:
        values = {"limit": _MOST_OF_A_KIND, "key": alert_key(kind, "")}
        late = {"late": patience.late} if ":late" in statement else {}
        for row in await tx.execute(sql(_FIRST_NEWS.format(statement)), {**values, **late}):
            facts = {name: value for name, value in row._mapping.items() if name not in ("subject", "at")}
            found.append(Difference(kind=kind, subject=row.subject, facts=facts))
    return found


def alert_key(kind: Kind, subject: str) -> str:
    """The key of the alert of a difference: one that has it is the same news."""
    return f"difference:{kind}:{subject}"


async def _page(tx: Tx, patience: Patience, after: Place | None) -> dict[str, Any]:
    return {
        "fresh": patience.fresh,
        "opened": await _read_opened(tx),
        "after_at": None if after is None else after.at,
        "after_id": "" if after is None else after.charge_id,
        "limit": _MOST_AT_ONCE,
    }


async def _read_opened(tx: Tx) -> datetime:
    opened: datetime = (await tx.execute(sql(_OPENED))).scalar_one()
    return opened
