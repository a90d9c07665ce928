"""Payments: what Telegram says was paid becomes stars, once per charge id, whatever is odd about it.

A payment that fits its invoice gives what the invoice promised. Any other one gives what its amount is worth,
and is flagged for the operators. Knows no message and no wording.

Locks: the payer's account, then the ledger row of the invoice, then our rows.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.gifts.referrals import note_purchase
from starbooth.domain.orders.cart import fund, read_funded
from starbooth.domain.payments.errors import CreditedElsewhere
from starbooth.domain.payments.payment import Credited, Flag, Payment
from starbooth.domain.payments.purchases import PurchaseKind
from starbooth.domain.payments.shop import Shop
from starbooth.domain.payments.subscriptions import is_month_paid, note_payment, read_months
from starbooth.domain.stars import buying
from starbooth.domain.users.guests import Language, meet
from starbooth.domain.users.operators import raise_alert

_SAME_MONTH = timedelta(days=10)

# What the invoice promised was promised to somebody else, or for another amount, or there is no invoice.
_BY_AMOUNT = (Flag.UNKNOWN_PURCHASE, Flag.OTHER_PAYER, Flag.OTHER_AMOUNT)


@dataclass(frozen=True, kw_only=True)
class _Invoice:
    purchase_id: str
    user_id: str
    kind: PurchaseKind
    amount_stars: int
    amount_xtr: int
    status: str
    is_paid: bool


_PAYER = sql("""
    SELECT "id", "stars" FROM public."User" WHERE "telegramId" = :telegram_id FOR NO KEY UPDATE
""")

_KNOWN = sql("""
    SELECT p.charge_id, p.transaction_id, p.user_id, p.telegram_id, p.amount_stars, p.purchase_id, p.flag,
        p.subscription_expires_at, p.paid_at, u."stars" AS balance_stars
    FROM starbooth.payments p JOIN public."User" u ON u."id" = p.user_id WHERE p.charge_id = :charge_id
""")

_INVOICE = sql("""
    SELECT i.id AS purchase_id, i.user_id, i.kind, i.amount_stars, i.amount_xtr, t."status"::text AS status,
        t."status" IN ('COMPLETED', 'REFUNDED') OR EXISTS (
            SELECT FROM starbooth.payments p WHERE p.purchase_id = i.id
                AND (p.flag IS NULL OR p.flag IN ('late', 'second_payment'))) AS is_paid
    FROM starbooth.purchases i JOIN public."StarTransaction" t ON t."id" = i.id
    WHERE i.id = :payload FOR NO KEY UPDATE OF t
""")

_KEEP = sql("""
    INSERT INTO starbooth.payments (charge_id, transaction_id, purchase_id, user_id, telegram_id,
        amount_stars, amount_xtr, payload, came_by, flag, subscription_expires_at, is_first, paid_at)
    VALUES (:charge_id, :transaction_id, :purchase_id, :user_id, :telegram_id,
        :amount_stars, :amount_xtr, :payload, :came_by, :flag, :subscription_expires_at, :is_first, :paid_at)
""")


async def credit(tx: Tx, payment: Payment, *, shop: Shop) -> Credited:
    """Give the stars of a payment to who paid, who becomes a guest if they are none yet.

    Repeat: the same charge gives once, by whatever way it came; two at once are one after the other.
    Raises: AmountRefused (nothing was paid), TooManyStars, CreditedElsewhere, KeyReused (elsewhere, to
    another account); then `tx` must be rolled back.
    """
    user_id = await _lock_payer(tx, payment)
    charge_id = payment.charge_id
    known = await _find_known(tx, charge_id)
    if known is not None and _is_next_month(payment, known):
        charge_id = _charge_id_of_month(payment)
        known = await _find_known(tx, charge_id)
    if known is None:
        return await _credit_new(tx, payment, charge_id=charge_id, user_id=user_id, shop=shop)
    await _note_month(tx, payment, charge_id)
    credited = Credited(
        user_id=known.user_id,
        telegram_id=known.telegram_id,
        charge_id=charge_id,
        amount_stars=known.amount_stars,
        balance_stars=known.balance_stars,
        transaction_id=known.transaction_id,
        purchase_id=known.purchase_id,
        flag=None if known.flag is None else Flag(known.flag),
        is_repeat=True,
        cart=await read_funded(tx, user_id=known.user_id),
    )
    await note_payment(tx, payment, credited)
    return credited


async def _lock_payer(tx: Tx, payment: Payment) -> str:
    """The account of who paid, which is locked until `tx` ends."""
    found = (await tx.execute(_PAYER, {"telegram_id": str(payment.telegram_id)})).first()
    if found is None:
        await meet(
            tx,
            telegram_id=payment.telegram_id,
            chat_id=payment.telegram_id,
            username=payment.username,
            language=Language.ENGLISH,  # until they write
        )
        found = (await tx.execute(_PAYER, {"telegram_id": str(payment.telegram_id)})).one()
    return str(found.id)


async def _find_known(tx: Tx, charge_id: str) -> Any | None:
    return (await tx.execute(_KNOWN, {"charge_id": charge_id})).first()


def _is_next_month(payment: Payment, known: Any) -> bool:
    """Whether this is a renewal that bears the charge id of an earlier payment.

    Telegram does not say that each renewal has a charge id of its own; each has an end of its own.
    Of a payment that was only found, the list says when it was paid.
    """
    if not payment.is_recurring or payment.subscription_expires_at is None:
        return False
    if known.subscription_expires_at is None:
        return bool(abs(payment.paid_at - known.paid_at) > _SAME_MONTH)
    return bool(abs(payment.subscription_expires_at - known.subscription_expires_at) > _SAME_MONTH)


def _charge_id_of_month(payment: Payment) -> str:
    assert payment.subscription_expires_at is not None
    return f"{payment.charge_id}#{int(payment.subscription_expires_at.timestamp())}"


async def _note_month(tx: Tx, payment: Payment, charge_id: str) -> None:
    """Telegram's list does not say until when a payment lasts, nor whether something begins with it; its
    message, which may come later, does.
    """
    if payment.subscription_expires_at is not None:
        await tx.execute(
            sql(
                "UPDATE starbooth.payments SET subscription_expires_at = :until, is_first = :is_first"
                " WHERE charge_id = :charge_id AND subscription_expires_at IS NULL"
            ),
            {
                "charge_id": charge_id,
                "until": payment.subscription_expires_at,
                "is_first": payment.is_first_recurring,
            },
        )


async def _credit_new(tx: Tx, payment: Payment, *, charge_id: str, user_id: str, shop: Shop) -> Credited:
    invoice = await _read_invoice(tx, payment.payload)
    flag = await _judge(tx, payment, invoice, user_id=user_id)
    if invoice is None or flag in _BY_AMOUNT:
        amount_stars = shop.stars_for(payment.amount_xtr)
    else:
        amount_stars = invoice.amount_stars
    purchase_id = None if invoice is None else invoice.purchase_id
    moved = await buying.credit_payment(
        tx,
        user_id=user_id,
        amount=amount_stars,
        charge_id=charge_id,
        purchase_id=purchase_id if flag is None else None,
        facts={"xtr": payment.amount_xtr, "invoice": purchase_id, "flag": flag},
    )
    if moved.is_repeat:  # there is a ledger row of this charge, and we never wrote one
        raise CreditedElsewhere
    is_to_return = flag is Flag.SECOND_PAYMENT and shop.refunds_second_payment
    credited = Credited(
        user_id=user_id,
        telegram_id=payment.telegram_id,
        charge_id=charge_id,
        amount_stars=amount_stars,
        balance_stars=moved.balance_stars,
        transaction_id=moved.transaction_id,
        purchase_id=purchase_id,
        flag=flag,
        is_repeat=False,
        cart=None if is_to_return else await fund(tx, user_id),
    )
    await note_purchase(tx, user_id=user_id)
    await _keep(tx, payment, credited)
    await note_payment(tx, payment, credited)
    return credited


async def _read_invoice(tx: Tx, payload: str) -> _Invoice | None:
    row = (await tx.execute(_INVOICE, {"payload": payload})).first()
    return None if row is None else _Invoice(**{**row._mapping, "kind": PurchaseKind(row.kind)})


async def _judge(tx: Tx, payment: Payment, invoice: _Invoice | None, *, user_id: str) -> Flag | None:
    """What is odd about a payment; None where it is what its invoice asked for."""
    if invoice is None:
        return Flag.UNKNOWN_PURCHASE
    if invoice.user_id != user_id:
        return Flag.OTHER_PAYER
    if invoice.amount_xtr != payment.amount_xtr:
        return Flag.OTHER_AMOUNT
    if invoice.is_paid:
        return None if await _is_month_of_plan(tx, payment, invoice) else Flag.SECOND_PAYMENT
    return Flag.LATE if invoice.status == "FAILED" else None


async def _is_month_of_plan(tx: Tx, payment: Payment, invoice: _Invoice) -> bool:
    """Whether this is a month of a plan: the next, one after a pause, or one before those that were found."""
    if invoice.kind is not PurchaseKind.PLAN:
        return False
    return not is_month_paid(
        await read_months(tx, purchase_id=invoice.purchase_id),
        paid_at=payment.paid_at,
        until=payment.subscription_expires_at,
        is_first=payment.is_first_recurring,
    )


async def _keep(tx: Tx, payment: Payment, credited: Credited) -> None:
    """Write the payment down, close its invoice, and tell the operators what is odd about it."""
    values = {
        "charge_id": credited.charge_id,
        "transaction_id": credited.transaction_id,
        "purchase_id": credited.purchase_id,
        "user_id": credited.user_id,
        "telegram_id": credited.telegram_id,
        "amount_stars": credited.amount_stars,
        "amount_xtr": payment.amount_xtr,
        "payload": payment.payload,
        "came_by": payment.came_by,
        "flag": credited.flag,
        "subscription_expires_at": payment.subscription_expires_at,
        "is_first": payment.is_first_recurring,
        "paid_at": payment.paid_at,
    }
    await tx.execute(_KEEP, values)
    if credited.transaction_id == credited.purchase_id:
        await tx.execute(
            sql("UPDATE starbooth.purchases SET is_closed = true WHERE id = :id"),
            {"id": credited.purchase_id},
        )
    if credited.flag is not None:
        facts = {
            "flag": credited.flag,
            "charge": credited.charge_id,
            "purchase": credited.purchase_id,
            "telegram_id": credited.telegram_id,
            "xtr": payment.amount_xtr,
            "stars": credited.amount_stars,
        }
        await raise_alert(tx, key=f"payment:{credited.charge_id}", kind="payment_flagged", facts=facts)
