"""The noes of paying. Telegram is told them before any money moves."""

from datetime import datetime
from typing import ClassVar

from starbooth.base.errors import Refusal


class UnknownInvoice(Refusal):
    """No invoice of this booth bears this payload, amount and currency. Nothing was paid."""

    code: ClassVar[str] = "unknown_invoice"


class InvoiceTooOld(Refusal):
    """The invoice can no longer be paid. Nothing was paid."""

    code: ClassVar[str] = "invoice_too_old"


class InvoicePaid(Refusal):
    """The invoice has been paid before. Nothing more was paid."""

    code: ClassVar[str] = "invoice_paid"


class InvoiceOfAnother(Refusal):
    """The invoice was made out to somebody else. Nothing was paid."""

    code: ClassVar[str] = "invoice_of_another"


class PlanIsRunning(Refusal):
    """The guest has the monthly plan already; a second one would be paid each month as well."""

    code: ClassVar[str] = "plan_is_running"

    def __init__(self, paid_until: datetime) -> None:
        super().__init__(paid_until)
        self.paid_until = paid_until


class CreditedElsewhere(Refusal):
    """Another program gave the stars of this charge; its books are not ours. Nothing was written."""

    code: ClassVar[str] = "credited_elsewhere"


class MonthNotRefundable(Refusal):
    """Telegram knows this month of a plan only by the charge id of its first one: it is not asked for it."""

    code: ClassVar[str] = "month_not_refundable"


class RenewalUnknown(Refusal):
    """Telegram does not let us change whether this plan is renewed; its guest can, in Telegram."""

    code: ClassVar[str] = "renewal_unknown"
