"""Refunds: a payment goes back as a whole, because an operator asks Telegram for it or without us.

Asking is three steps: `begin` takes the stars and writes down who asks (one transaction), `carry_out` asks
Telegram (no transaction), and what it answered is settled (one transaction). Telegram's answer, its message
`refunded_payment` and its list tell of the same event; whichever comes first, there is one REFUND row.

Locks, for all that take `tx`: the account first, then ledger rows, then ours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from starbooth.base.database import Database, Tx, sql
from starbooth.base.errors import Unavailable
from starbooth.domain.payments.bank import Bank
from starbooth.domain.payments.credit import credit
from starbooth.domain.payments.errors import CreditedElsewhere, MonthNotRefundable
from starbooth.domain.payments.payment import Payment
from starbooth.domain.payments.shop import Shop
from starbooth.domain.payments.subscriptions import note_return
from starbooth.domain.payments.telegram_list import has_returned
from starbooth.domain.stars import buying
from starbooth.domain.stars.errors import HoldEndedOtherwise, NoSuchPurchase
from starbooth.domain.users.operators import log_deed, raise_alert
from starbooth.outside.telegram.errors import AlreadyRefunded, Blocked, TelegramRefused

_log = structlog.get_logger()

TELEGRAM = "telegram"  # who asked, where it was none of us
BOOTH = "booth"  # who asked, where it was nobody but the rule about second payments
_LEASE = timedelta(seconds=60)  # longer than a call may take
_LONGEST_PAUSE = timedelta(minutes=30)
_ALERT_AFTER_TRIES = 6


class RefundState(StrEnum):
    """How far a refund has come. `ASKED`: the stars are away, whether the money is too is not known yet."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A refund that was begun, now or before: then `operator` is who was first."""

    refund_id: str
    charge_id: str
    state: RefundState
    operator: str
    begun_at: datetime
    is_repeat: bool


@dataclass(frozen=True, kw_only=True)
class Returned:
    """A payment that Telegram says has gone back, with what it says about the payment."""

    charge_id: str
    telegram_id: int
    payload: str
    amount_xtr: int
    at: datetime
    came_by: str
    username: str | None = None


@dataclass(frozen=True, kw_only=True)
class Booked:
    """The one refund of a charge. `is_repeat`: it was booked before. `operator`: who asked for it."""

    refund_id: str
    operator: str
    is_repeat: bool


async def begin(tx: Tx, *, charge_id: str, operator: str, reason: str, is_forced: bool) -> Begun:
    """Take the stars of a payment back and owe Telegram the question; `carry_out` asks it after the commit.

    is_forced: also where not all of the stars are there, then the balance goes below zero.
    Repeat: returns the refund under way or done, whoever began it; after one that was refused, begins anew.
    Raises: NoSuchPurchase, StarsSpent, PurchaseNotPaid, MonthNotRefundable; then `tx` must be rolled back.
    """
    transaction_id = await _find_refundable(tx, charge_id)
    facts = {"operator": operator, "reason": reason}
    moved = await buying.begin_refund(
        tx, purchase_id=transaction_id, may_go_below_zero=is_forced, facts=facts
    )
    if not moved.is_repeat:
        await tx.execute(
            sql(
                "INSERT INTO starbooth.refunds (id, charge_id, operator, reason, is_forced)"
                " VALUES (:id, :charge_id, :operator, :reason, :is_forced)"
            ),
            {"id": moved.transaction_id, "charge_id": charge_id, "is_forced": is_forced, **facts},
        )
        deed = {"refund": moved.transaction_id, "reason": reason, "is_forced": is_forced}
        await log_deed(tx, operator=operator, action="refund", subject=charge_id, facts=deed)
    row = (
        await tx.execute(
            sql("SELECT state, operator, created_at FROM starbooth.refunds WHERE id = :id"),
            {"id": moved.transaction_id},
        )
    ).one()
    return Begun(
        refund_id=moved.transaction_id,
        charge_id=charge_id,
        state=RefundState(row.state),
        operator=row.operator,
        begun_at=row.created_at,
        is_repeat=moved.is_repeat,
    )


async def _find_refundable(tx: Tx, charge_id: str) -> str:
    """The ledger row of a payment that can go back. Raises: NoSuchPurchase, MonthNotRefundable."""
    row = (
        await tx.execute(
            sql("""
                SELECT p.transaction_id, f.charge_id IS NOT NULL AS is_later_month
                FROM starbooth.payments p
                LEFT JOIN starbooth.payments f ON f.charge_id <> p.charge_id
                    AND f.charge_id = regexp_replace(p.charge_id, '#[0-9]+$', '')
                WHERE p.charge_id = :id
            """),
            {"id": charge_id},
        )
    ).first()
    if row is None:
        raise NoSuchPurchase
    if row.is_later_month:  # Telegram would give back another month, or nothing
        raise MonthNotRefundable
    return str(row.transaction_id)


async def carry_out(database: Database, bank: Bank, refund_id: str) -> RefundState:
    """Ask Telegram for a refund that was begun, and settle what it answers. Returns how it stands then.

    Holds no transaction while it asks. Does nothing where it is not due or another process is at it. Repeat:
    harmless, Telegram gives a payment back once. Without an answer it stays asked and is due again later.
    """
    claimed = await _claim(database, refund_id)
    if claimed is None:
        return await _state_of(database, refund_id)
    try:
        await _ask(database, bank, claimed)
    except Unavailable as error:
        _log.warning("refund.unavailable", refund=refund_id, tries=claimed.tries, reason=error.reason)
        await _postpone(database, claimed, detail=error.reason, asked_s=error.retry_after_s or 0.0)
    return await _state_of(database, refund_id)


async def find_due(tx: Tx, *, limit: int) -> list[str]:
    """Refunds that Telegram should be asked for now."""
    rows = await tx.execute(
        sql(
            "SELECT id FROM starbooth.refunds WHERE state = 'asked' AND due_at <= now()"
            " ORDER BY due_at LIMIT :limit"
        ),
        {"limit": limit},
    )
    return list(rows.scalars())


async def book(tx: Tx, returned: Returned, *, shop: Shop) -> Booked:
    """Telegram says that a payment went back: one REFUND row, however often and by whatever way it says so.

    Ends a refund that we asked for; else takes the stars, below zero if need be, and alerts the operators. A
    payment that we never saw is credited first. Repeat: harmless, also several at once.
    Raises: NoSuchPurchase (sold by another program), what else crediting raises; then roll `tx` back.
    """
    purchase_id = await _purchase_of(tx, returned.charge_id)
    if purchase_id is None:
        try:
            purchase_id = (await credit(tx, _payment(returned), shop=shop)).transaction_id
        except CreditedElsewhere as error:
            raise NoSuchPurchase from error
    facts = {"charge": returned.charge_id, "told_by": returned.came_by}
    moved = await buying.settle_refund(tx, purchase_id=purchase_id, facts=facts)
    await _end_asked(tx, moved.transaction_id, RefundState.DONE, detail=returned.came_by)
    is_ours = await _note_unasked(tx, moved.transaction_id, returned)
    await note_return(tx, charge_id=returned.charge_id)
    if not moved.is_repeat and not is_ours:
        alert = {
            "charge": returned.charge_id,
            "telegram_id": returned.telegram_id,
            "xtr": returned.amount_xtr,
            "balance_stars": moved.balance_stars,
        }
        await raise_alert(tx, key=f"returned:{returned.charge_id}", kind="payment_returned", facts=alert)
    operator = await tx.scalar(
        sql("SELECT operator FROM starbooth.refunds WHERE id = :id"), {"id": moved.transaction_id}
    )
    return Booked(refund_id=moved.transaction_id, operator=operator or TELEGRAM, is_repeat=moved.is_repeat)


@dataclass(frozen=True, kw_only=True)
class _Claimed:
    refund_id: str
    charge_id: str
    purchase_id: str
    telegram_id: int
    tries: int


async def _claim(database: Database, refund_id: str) -> _Claimed | None:
    """Have a due refund to oneself for as long as asking can take."""
    async with database.transaction() as tx:
        row = (
            await tx.execute(
                sql("""
                    UPDATE starbooth.refunds r SET due_at = now() + :lease, tries = tries + 1
                    FROM starbooth.payments p
                    WHERE r.id = :id AND r.state = 'asked' AND r.due_at <= now() AND p.charge_id = r.charge_id
                    RETURNING r.id AS refund_id, r.charge_id, p.transaction_id AS purchase_id, p.telegram_id,
                        r.tries
                """),
                {"id": refund_id, "lease": _LEASE},
            )
        ).first()
    return None if row is None else _Claimed(**row._mapping)


async def _ask(database: Database, bank: Bank, claimed: _Claimed) -> None:
    """Ask, and settle or drop by the answer. A no is believed only if the list does not say otherwise."""
    try:
        await bank.refund(telegram_id=claimed.telegram_id, charge_id=claimed.charge_id)
    except AlreadyRefunded as error:
        if not await has_returned(database, bank, claimed.charge_id):
            await _postpone(database, claimed, detail=error.reason)
            return
    except (TelegramRefused, Blocked) as error:
        if not await has_returned(database, bank, claimed.charge_id):
            await _drop(database, claimed, reason=str(error))
            return
    await _settle(database, claimed)


async def _settle(database: Database, claimed: _Claimed) -> None:
    async with database.transaction() as tx:
        facts = {"charge": claimed.charge_id, "told_by": "answer"}
        moved = await buying.settle_refund(tx, purchase_id=claimed.purchase_id, facts=facts)
        await _end_asked(tx, moved.transaction_id, RefundState.DONE, detail="answer")
        await _note_after_refusal(tx, moved.transaction_id, claimed)
        await note_return(tx, charge_id=claimed.charge_id)


async def _drop(database: Database, claimed: _Claimed, *, reason: str) -> None:
    """Telegram will not: the stars are the guest's again, and a person should look."""
    async with database.transaction() as tx:
        try:
            await buying.drop_refund(tx, refund_id=claimed.refund_id, facts={"refused": reason})
        except HoldEndedOtherwise:  # it was told of by another way while we asked: the money is back
            return
        await _end_asked(tx, claimed.refund_id, RefundState.REFUSED, detail=reason)
        await _leave_to_refund_news(tx, claimed)
        await _alert(tx, claimed, kind="refund_refused", reason=reason)
    _log.error("refund.refused", refund=claimed.refund_id, reason=reason)


async def _postpone(database: Database, claimed: _Claimed, *, detail: str, asked_s: float = 0.0) -> None:
    """Ask again later, after a pause that doubles. A person hears of it once it takes long."""
    pause = max(min(timedelta(seconds=2.0**claimed.tries), _LONGEST_PAUSE), timedelta(seconds=asked_s))
    async with database.transaction() as tx:
        await tx.execute(
            sql(
                "UPDATE starbooth.refunds SET due_at = now() + :pause, detail = :detail"
                " WHERE id = :id AND state = 'asked'"
            ),
            {"id": claimed.refund_id, "pause": pause, "detail": detail},
        )
        if claimed.tries >= _ALERT_AFTER_TRIES:
            await _alert(tx, claimed, kind="refund_stuck", reason=detail)


async def _alert(tx: Tx, claimed: _Claimed, *, kind: str, reason: str) -> None:
    facts = {
        "charge": claimed.charge_id,
        "telegram_id": claimed.telegram_id,
        "reason": reason,
    }
    await raise_alert(tx, key=f"{kind}:{claimed.refund_id}", kind=kind, facts=facts)


async def _end_asked(tx: Tx, refund_id: str, state: RefundState, *, detail: str) -> None:
    """End a refund under way, once. Its guest is owed the news where the money went back, and where it did
    not though we said that it would, as the rule about second payments does.
    """
    await tx.execute(
        sql("""
            UPDATE starbooth.refunds SET state = :state, detail = :detail, ended_at = now(),
                tell_at = CASE WHEN :state = 'done' OR operator = :booth THEN now() END
            WHERE id = :id AND state = 'asked'
        """),
        {"id": refund_id, "state": state.value, "detail": detail, "booth": BOOTH},
    )


async def _note_after_refusal(tx: Tx, refund_id: str, claimed: _Claimed) -> None:
    """Telegram gave back to one asker what it had refused to another: there is a refund all the same."""
    await tx.execute(
        sql("""
            INSERT INTO starbooth.refunds
                (id, charge_id, operator, reason, is_forced, state, tries, detail, ended_at, tell_at)
            SELECT :id, charge_id, operator, reason, is_forced, 'done', tries, 'answer', now(), now()
            FROM starbooth.refunds WHERE id = :refused
            ON CONFLICT DO NOTHING
        """),
        {"id": refund_id, "refused": claimed.refund_id},
    )
    # Who was told nothing of the refusal yet need not hear of it.
    await tx.execute(
        sql("UPDATE starbooth.refunds SET tell_at = NULL WHERE id = :id AND state = 'refused'"),
        {"id": claimed.refund_id},
    )


async def _leave_to_refund_news(tx: Tx, claimed: _Claimed) -> None:
    """Where a refusal is told, it says what the payment brought; that it was found need not be told too."""
    await tx.execute(
        sql("""
            UPDATE starbooth.payments SET tell_at = NULL WHERE charge_id = :charge_id AND EXISTS (
                SELECT FROM starbooth.refunds WHERE id = :id AND tell_at IS NOT NULL)
        """),
        {"charge_id": claimed.charge_id, "id": claimed.refund_id},
    )


async def was_refused(tx: Tx, *, charge_id: str) -> bool:
    """Whether Telegram was asked to give this payment back and would not."""
    found = await tx.scalar(
        sql("SELECT EXISTS (SELECT FROM starbooth.refunds WHERE charge_id = :id AND state = 'refused')"),
        {"id": charge_id},
    )
    return bool(found)


async def _note_unasked(tx: Tx, refund_id: str, returned: Returned) -> bool:
    """Write down a refund that none of us asked for; true where it stands already."""
    rows = await tx.execute(
        sql("""
            INSERT INTO starbooth.refunds
                (id, charge_id, operator, reason, is_forced, state, detail, ended_at, tell_at)
            VALUES (:id, :charge_id, :operator, '', true, 'done', :came_by, now(), now())
            ON CONFLICT DO NOTHING RETURNING 1
        """),
        {
            "id": refund_id,
            "charge_id": returned.charge_id,
            "operator": TELEGRAM,
            "came_by": returned.came_by,
        },
    )
    return rows.first() is None


def _payment(returned: Returned) -> Payment:
    return Payment(
        charge_id=returned.charge_id,
        telegram_id=returned.telegram_id,
        payload=returned.payload,
        amount_xtr=returned.amount_xtr,
        paid_at=returned.at,
        came_by=returned.came_by,
        username=returned.username,
    )


async def _purchase_of(tx: Tx, charge_id: str) -> str | None:
    """The ledger row of a payment that we know."""
    found = await tx.scalar(
        sql("SELECT transaction_id FROM starbooth.payments WHERE charge_id = :id"), {"id": charge_id}
    )
    return None if found is None else str(found)


async def _state_of(database: Database, refund_id: str) -> RefundState:
    async with database.transaction() as tx:
        state = await tx.scalar(sql("SELECT state FROM starbooth.refunds WHERE id = :id"), {"id": refund_id})
    return RefundState(state)
