"""The question before a payment: may it be paid? Telegram waits ten seconds, so it is one query."""

from dataclasses import dataclass

from starbooth.base.database import Tx, sql
from starbooth.domain.payments.errors import (
    InvoiceOfAnother,
    InvoicePaid,
    InvoiceTooOld,
    PlanIsRunning,
    UnknownInvoice,
)
from starbooth.domain.payments.subscriptions import ANEW_WITHIN, GRACE

CURRENCY = "XTR"

# A plan is paid more than once: when its month is nearly over or has ended, it may be, and crediting counts
# it as a month then (the rule of `subscriptions.is_month_paid`). Who has a plan that runs needs no other (the
# rule of `subscriptions.Subscription.is_running`).
_INVOICE = sql("""
    SELECT u."telegramId" AS telegram_id, i.amount_xtr, t."status"::text AS status,
        i.expires_at < now() AS is_too_old, s.id IS NOT NULL AS is_known_plan,
        s.paid_until < now() + CAST(:anew_within AS interval) AS may_be_paid_anew,
        now() < s.paid_until
            + CASE s.state WHEN 'cancelled' THEN interval '0' ELSE CAST(:grace AS interval) END AS is_running,
        (SELECT max(o.paid_until) FROM starbooth.subscriptions o
            WHERE i.kind = 'plan' AND o.user_id = i.user_id AND o.id <> i.id AND now() < o.paid_until
                + CASE o.state WHEN 'cancelled' THEN interval '0' ELSE CAST(:grace AS interval) END
        ) AS other_plan_until
    FROM starbooth.purchases i
    JOIN public."StarTransaction" t ON t."id" = i.id
    JOIN public."User" u ON u."id" = i.user_id
    LEFT JOIN starbooth.subscriptions s ON s.id = i.id
    WHERE i.id = :payload
""")


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What somebody is about to pay."""

    payload: str
    telegram_id: int
    currency: str
    amount_xtr: int


async def check(tx: Tx, checkout: Checkout) -> None:
    """Let a payment go on if it is what one of our open invoices asks for, by the guest it was made out to.

    Locks nothing: a payment that comes twice all the same is credited twice. Repeat: harmless.
    Raises: UnknownInvoice (also of another amount or currency), InvoiceOfAnother, InvoicePaid, InvoiceTooOld,
    PlanIsRunning.
    """
    values = {"payload": checkout.payload, "grace": GRACE, "anew_within": ANEW_WITHIN}
    invoice = (await tx.execute(_INVOICE, values)).first()
    if invoice is None or checkout.currency != CURRENCY or checkout.amount_xtr != invoice.amount_xtr:
        raise UnknownInvoice
    if invoice.telegram_id != str(checkout.telegram_id):
        raise InvoiceOfAnother
    if invoice.is_known_plan:
        if not invoice.may_be_paid_anew:
            raise InvoicePaid
    elif invoice.status in ("COMPLETED", "REFUNDED"):
        raise InvoicePaid
    elif invoice.status != "PENDING" or invoice.is_too_old:
        raise InvoiceTooOld
    if invoice.other_plan_until is not None and not invoice.is_running:
        raise PlanIsRunning(invoice.other_plan_until)
