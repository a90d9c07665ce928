"""The monthly plan: who has it, until when it is paid, and whether Telegram will renew it.

Telegram takes the money each month by itself and tells by one more payment with the payload of the first
invoice. What a month brings and costs was agreed then and stands in that purchase, whatever is on sale since.
Who has the plan is known by its payments alone, in whatever order they come: found late in Telegram's list
they count as much as told at once. Knows no wording and sends nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.payments.payment import Credited, Payment
from starbooth.domain.users.guests import Language

PERIOD = timedelta(days=30)  # the only one that Telegram knows
# A renewal can be told late, and Telegram tries again when there were too few Stars.
GRACE = timedelta(days=7)
# A plan may be paid anew by its old link when what is paid ends within a day, or has ended.
ANEW_WITHIN = timedelta(days=1)
# Two payments whose months end closer together than this pay for the same month.
_SAME_MONTH = timedelta(days=20)


class SubscriptionState(StrEnum):
    """`CANCELLED`: it ends with the month that is paid. `FAILED`: the last renewal found too few Stars."""

    ACTIVE = "active"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One guest's plan, as agreed: so many stars for so many XTR a month. `id`: its invoice's payload."""

    id: str
    user_id: str
    telegram_id: int
    first_charge_id: str
    amount_stars: int
    amount_xtr: int
    state: SubscriptionState
    paid_until: datetime

    def is_running(self, now: datetime) -> bool:
        """Whether it is paid, or Telegram may still renew it."""
        rest = timedelta() if self.state is SubscriptionState.CANCELLED else GRACE
        return now < self.paid_until + rest


@dataclass(frozen=True, kw_only=True)
class Month:
    """A month of a plan that is paid and has not gone back."""

    paid_at: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Noted:
    """What Telegram said of a subscription, written down. Not `is_news`: it was known before."""

    subscription: Subscription
    chat_id: int
    language: Language
    is_news: bool


@dataclass(frozen=True, kw_only=True)
class Charges:
    """first: with which something began; several where the invoice was paid twice, or anew once it had
    ended. later: newest first.

    Telegram does not say which one of a subscription it wants; the first is right as far as anybody has seen.
    """

    first: tuple[str, ...]
    later: tuple[str, ...]


_READ = """
    SELECT id, user_id, telegram_id, first_charge_id, amount_stars, amount_xtr, state, paid_until
    FROM starbooth.subscriptions
"""

# The payments that pay for a plan `u`: none that went back. A second payment stands in for a first that did.
_PAYING = """
    starbooth.payments p
    WHERE p.purchase_id = u.id AND p.user_id = u.user_id
        AND NOT EXISTS (SELECT FROM starbooth.refunds r WHERE r.charge_id = p.charge_id AND r.state = 'done')
        AND (p.flag IS NULL OR p.flag = 'late' OR p.flag = 'second_payment' AND NOT EXISTS (
            SELECT FROM starbooth.payments o
            WHERE o.purchase_id = u.id AND o.user_id = u.user_id AND (o.flag IS NULL OR o.flag = 'late')
                AND abs(extract(epoch FROM
                    coalesce(o.subscription_expires_at, o.paid_at + CAST(:period AS interval))
                    - coalesce(p.subscription_expires_at, p.paid_at + CAST(:period AS interval))
                )) < extract(epoch FROM CAST(:same_month AS interval))
                AND NOT EXISTS (
                    SELECT FROM starbooth.refunds r WHERE r.charge_id = o.charge_id AND r.state = 'done')))
"""

_MONTHS = (
    """
    SELECT p.paid_at, coalesce(p.subscription_expires_at, p.paid_at + CAST(:period AS interval)) AS until
    FROM starbooth.purchases u JOIN LATERAL (SELECT p.* FROM
"""  # noqa: S608  # of constants only
    + _PAYING
    + ") p ON true WHERE u.id = :id AND u.kind = 'plan'"
)

# Telegram's word for the end of a month where there is one; a payment of which only the list told is a month
# more than those before it. What Telegram told of the plan before its first payment came, still holds.
_NOTE_PAYMENT = (
    """
    INSERT INTO starbooth.subscriptions AS s
        (id, user_id, telegram_id, first_charge_id, amount_stars, amount_xtr, paid_until, state, updated_at)
    SELECT u.id, u.user_id, p.telegram_id, p.first_charge_id, u.amount_stars, u.amount_xtr, p.paid_until,
        coalesce(u.told_state, 'active'), coalesce(u.told_at, now())
    FROM starbooth.purchases u
    JOIN LATERAL (
        SELECT min(p.telegram_id) AS telegram_id,
            (array_agg(p.charge_id ORDER BY p.paid_at, NOT p.is_first, p.subscription_expires_at))[1]
                AS first_charge_id,
            greatest(max(p.subscription_expires_at), max(p.paid_at) + CAST(:period AS interval),
                min(p.paid_at) + CAST(:period AS interval)
                    * count(*) FILTER (WHERE p.flag IS DISTINCT FROM 'second_payment'))
                AS paid_until
        FROM
"""  # noqa: S608  # of constants only
    + _PAYING
    + """
    ) p ON p.first_charge_id IS NOT NULL
    WHERE u.id = :id AND u.kind = 'plan' FOR NO KEY UPDATE OF u
    ON CONFLICT (id) DO UPDATE
        SET first_charge_id = excluded.first_charge_id, paid_until = excluded.paid_until
    RETURNING id
"""
)

_END = """
    UPDATE starbooth.subscriptions
    SET state = 'cancelled', paid_until = least(paid_until, now()), updated_at = now()
    WHERE id = :id AND (state <> 'cancelled' OR paid_until > now())
"""

# Kept also where no payment of the plan has come yet; the row is locked, so neither misses the other.
_TELL = """
    UPDATE starbooth.purchases i SET told_state = :state, told_at = now()
    FROM public."User" u
    WHERE i.id = :id AND i.kind = 'plan' AND u."id" = i.user_id AND u."telegramId" = :who
"""

# A payment that was told follows a failure that was told. One that was only found may be older than what
# Telegram said since; its time has whole seconds, ours has not.
_NOTE_RENEWED = """
    UPDATE starbooth.subscriptions SET state = 'active', updated_at = now()
    WHERE id = :id AND state <> 'active'
        AND (state = 'failed' AND :is_told OR CAST(:paid_at AS timestamptz) + interval '1 s' > updated_at)
"""

_NOTE_STATE = """
    WITH known AS (
        SELECT id, state FROM starbooth.subscriptions
        WHERE id = :id AND telegram_id = :telegram_id FOR UPDATE
    ), noted AS (
        UPDATE starbooth.subscriptions s SET state = :state, updated_at = now()
        FROM known WHERE s.id = known.id AND known.state <> :state RETURNING s.id
    )
    SELECT s.id, s.user_id, s.telegram_id, s.first_charge_id, s.amount_stars, s.amount_xtr, s.state,
        s.paid_until, g.chat_id, g.language, EXISTS (SELECT FROM noted) AS is_news
    FROM known JOIN starbooth.subscriptions s ON s.id = known.id
    JOIN starbooth.guests g ON g.user_id = s.user_id
"""


async def note_payment(tx: Tx, payment: Payment, credited: Credited) -> None:
    """Write down what a credited payment means for the plan that it was for; others are let go.

    Call it after the payment's row is written, and where it was known: it may tell more than when it was
    found. Locks: the subscription's row; the account must be locked before. Repeat: harmless.
    """
    if credited.purchase_id is None or credited.flag not in (None, "late"):
        return  # of somebody else's plan, or of a month that is paid: nothing of the plan is touched
    is_plan = await _count_months(tx, credited.purchase_id)
    if is_plan and not credited.is_repeat:
        values = {
            "id": credited.purchase_id,
            "is_told": payment.came_by == "update",
            "paid_at": payment.paid_at,
        }
        await tx.execute(sql(_NOTE_RENEWED), values)


async def note_return(tx: Tx, *, charge_id: str) -> None:
    """A payment went back: its month no longer counts, and a plan of which no month is left has ended.

    Call it once the refund is written as done. Locks: the subscription's row; the account must be locked
    before. Repeat: harmless.
    """
    purchase_id = await tx.scalar(
        sql("SELECT purchase_id FROM starbooth.payments WHERE charge_id = :id"), {"id": charge_id}
    )
    if purchase_id is not None and not await _count_months(tx, purchase_id):
        await tx.execute(sql(_END), {"id": purchase_id})


async def _count_months(tx: Tx, purchase_id: str) -> bool:
    """Write down until when a plan is paid. False where it is no plan or nothing pays for it."""
    values = {"id": purchase_id, "period": PERIOD, "same_month": _SAME_MONTH}
    return (await tx.execute(sql(_NOTE_PAYMENT), values)).first() is not None


async def read_months(tx: Tx, *, purchase_id: str) -> list[Month]:
    """The months of a plan that are paid, in no order."""
    values = {"id": purchase_id, "period": PERIOD, "same_month": _SAME_MONTH}
    return [Month(**row._mapping) for row in await tx.execute(sql(_MONTHS), values)]


def is_month_paid(
    months: Sequence[Month], *, paid_at: datetime, until: datetime | None, is_first: bool
) -> bool:
    """Whether what a payment would pay for is paid already: Telegram renews the same plan twice, then.

    until: None where only the list told of it. is_first: Telegram said that something begins with it; then
    nothing may run that is not about to end, as at the checkout. Pure.
    """
    end = paid_at + PERIOD if until is None else until
    if any(abs(month.until - end) < _SAME_MONTH for month in months):
        return True
    return is_first and any(month.paid_at <= paid_at < month.until - ANEW_WITHIN for month in months)


async def note_state(tx: Tx, *, payload: str, telegram_id: int, state: SubscriptionState) -> Noted | None:
    """Write down what Telegram or its guest made of a subscription; None where this guest has none such (yet:
    what is told before the first payment is found, holds once it is).

    Locks: the invoice's and the subscription's row. Repeat: harmless, and `is_news` is false.
    """
    values = {"id": payload, "telegram_id": telegram_id, "state": state.value}
    told = {"id": payload, "who": str(telegram_id), "state": state.value}
    await tx.execute(sql(_TELL), told)
    row = (await tx.execute(sql(_NOTE_STATE), values)).first()
    if row is None:
        return None
    facts = dict(row._mapping)
    is_news, chat_id = facts.pop("is_news"), facts.pop("chat_id")
    language = Language(facts.pop("language"))
    # The statement sees the row as it was before itself.
    subscription = _subscription({**facts, "state": state})
    return Noted(subscription=subscription, chat_id=chat_id, language=language, is_news=is_news)


async def read_newest(tx: Tx, *, user_id: str) -> Subscription | None:
    """The subscription of this guest that is paid longest, running or over."""
    rows = await tx.execute(
        sql(_READ + " WHERE user_id = :user_id ORDER BY paid_until DESC LIMIT 1"), {"user_id": user_id}
    )
    row = rows.first()
    return None if row is None else _subscription(dict(row._mapping))


async def read_subscription(tx: Tx, *, subscription_id: str, user_id: str) -> Subscription | None:
    """This subscription, if it is this guest's."""
    rows = await tx.execute(
        sql(_READ + " WHERE id = :id AND user_id = :user_id"),
        {"id": subscription_id, "user_id": user_id},
    )
    row = rows.first()
    return None if row is None else _subscription(dict(row._mapping))


async def list_charges(tx: Tx, subscription: Subscription) -> Charges:
    """The charges by which Telegram knows what it renews for this plan."""
    rows = await tx.execute(
        sql(
            "SELECT charge_id, is_first OR charge_id = :first OR coalesce(flag, '') = 'second_payment'"
            " AS is_first"
            " FROM starbooth.payments WHERE purchase_id = :id AND user_id = :user_id"
            " ORDER BY is_first DESC, paid_at DESC LIMIT 10"
        ),
        {"id": subscription.id, "user_id": subscription.user_id, "first": subscription.first_charge_id},
    )
    found = rows.all()
    return Charges(
        first=tuple(row.charge_id for row in found if row.is_first),
        later=tuple(row.charge_id for row in found if not row.is_first),
    )


def _subscription(columns: dict[str, Any]) -> Subscription:
    return Subscription(**{**columns, "state": SubscriptionState(columns["state"])})
