"""The monthly plan: who has it, until when it is paid, and whether Telegram will renew it.

Telegram takes the money each month by itself and tells by one more payment with the payload of the first
invoice. What a month brings and costs was agreed then and stands in that purchase, whatever is on sale since.
Who has the plan is known by its payments alone, in whatever order they come: found late in Telegram's list
they count as much as told at once. Knows no wording and sends nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from starbooth.base.database import Tx, sql
from starbooth.domain.users.guests import Language

if TYPE_CHECKING:
    from starbooth.domain.payments.credit import Credited, Payment

PERIOD = timedelta(days=30)  # the only one that Telegram knows
# A renewal can be told late, and Telegram tries again when there were too few Stars.
GRACE = timedelta(days=7)


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
class Noted:
    """What Telegram said of a subscription, written down. Not `is_news`: it was known before."""

    subscription: Subscription
    chat_id: int
    language: Language
    is_news: bool


@dataclass(frozen=True, kw_only=True)
class Charges:
    """first: with which something began; several where the invoice was paid twice. later: newest first.

    Telegram does not say which one of a subscription it wants; the first is right as far as anybody has seen.
    """

    first: tuple[str, ...]
    later: tuple[str, ...]


_READ = """
    SELECT id, user_id, telegram_id, first_charge_id, amount_stars, amount_xtr, state, paid_until
    FROM starbooth.subscriptions
"""

# Telegram's word for the end of a month where there is one; a payment of which only the list told is a month
# more than those before it.
_NOTE_PAYMENT = """
    INSERT INTO starbooth.subscriptions AS s
        (id, user_id, telegram_id, first_charge_id, amount_stars, amount_xtr, paid_until)
    SELECT u.id, u.user_id, p.telegram_id, p.first_charge_id, u.amount_stars, u.amount_xtr, p.paid_until
    FROM starbooth.purchases u
    JOIN LATERAL (
        SELECT min(telegram_id) AS telegram_id,
            (array_agg(charge_id ORDER BY paid_at, charge_id <> :first, subscription_expires_at))[1]
                AS first_charge_id,
            greatest(max(subscription_expires_at), max(paid_at) + CAST(:period AS interval),
                min(paid_at) + CAST(:period AS interval) * count(*))
                AS paid_until
        FROM starbooth.payments
        WHERE purchase_id = u.id AND user_id = u.user_id AND (flag IS NULL OR flag = 'late')
    ) p ON p.first_charge_id IS NOT NULL
    WHERE u.id = :id AND u.kind = 'plan'
    ON CONFLICT (id) DO UPDATE
        SET first_charge_id = excluded.first_charge_id, paid_until = excluded.paid_until
    RETURNING id
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


async def note_payment(tx: Tx, payment: "Payment", credited: "Credited") -> None:
    """Write down what a credited payment means for the plan that it was for; others are let go.

    Call it after the payment's row is written, and where it was known: it may tell more than when it was
    found. Locks: the subscription's row; the account must be locked before. Repeat: harmless.
    """
    if credited.purchase_id is None:
        return
    first = credited.charge_id if payment.is_first_recurring else ""
    values = {"id": credited.purchase_id, "period": PERIOD, "first": first}
    is_plan = (await tx.execute(sql(_NOTE_PAYMENT), values)).first() is not None
    if is_plan and credited.flag in (None, "late") and not credited.is_repeat:
        values = {
            "id": credited.purchase_id,
            "is_told": payment.came_by == "update",
            "paid_at": payment.paid_at,
        }
        await tx.execute(sql(_NOTE_RENEWED), values)


async def note_state(tx: Tx, *, payload: str, telegram_id: int, state: SubscriptionState) -> Noted | None:
    """Write down what Telegram or its guest made of a subscription; None where this guest has none such.

    Locks: the subscription's row. Repeat: harmless, and `is_news` is false.
    """
    values = {"id": payload, "telegram_id": telegram_id, "state": state.value}
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
            "SELECT charge_id, charge_id = :first OR coalesce(flag, '') = 'second_payment' AS is_first"
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
