"""What there is of money: the guests' wallets and subscriptions, the bot's invoices and Stars, open
checkouts.

State and its records only. How a payment goes is in `payments`, what happens to a subscription in
`subscriptions`.
"""

import asyncio
from dataclasses import asdict, dataclass

from starbooth.playground.errors import GuestError, Json
from starbooth.playground.feed import Feed
from starbooth.playground.records import Records
from starbooth.playground.star_ledger import StarLedger

START_XTR = 1000
MAX_XTR = 10**12
MAX_INVOICES = 20_000


@dataclass(slots=True)
class Invoice:
    """What can be paid, by anybody and any number of times. period_s: 0 for once, else of a subscription."""

    slug: str
    title: str
    description: str
    payload: str
    amount_xtr: int
    period_s: int = 0
    start_parameter: str = ""
    times_paid: int = 0


@dataclass(slots=True)
class Subscription:
    """A running subscription, named by the charge id of its first payment.

    is_failed: the last renewal found too few Stars. A canceled one runs on until expires_at (Unix time); the
    guest can take that back, unless the bot canceled it.
    """

    charge_id: str
    user_id: int
    payload: str
    title: str
    amount_xtr: int
    period_s: int
    expires_at: int
    is_canceled: bool = False
    is_canceled_by_bot: bool = False
    is_failed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a payment ended for the guest. status: paid, failed, cancelled or pending."""

    status: str
    reason: str = ""
    charge_id: str = ""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A guest has confirmed and the bot is being asked. is_expired: no answer will be in time (a fault)."""

    query_id: str
    user_id: int
    invoice: Invoice
    is_expired: bool
    outcome: "asyncio.Future[Outcome]"


class Till:
    """Changes are announced in `feed` and written at the next `commit` of `records`; checkouts are not kept,
    so a restart ends them unpaid.
    """

    def __init__(self, records: Records, feed: Feed) -> None:
        self.ledger = StarLedger(records)
        self.invoices: dict[str, Invoice] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.checkouts: dict[str, Checkout] = {}
        self.tasks: set[asyncio.Task[Outcome]] = set()
        self._records = records
        self._feed = feed
        self._xtr: dict[int, int] = {}
        self._slugs: dict[int, str] = {}
        self._restore()

    # wallets

    def xtr(self, user_id: int) -> int:
        return self._xtr.get(user_id, START_XTR)

    def move_xtr(self, user_id: int, amount_xtr: int) -> None:
        """Add to a wallet, or take from it. Raises: GuestError 409 instead of going below zero."""
        xtr = self.xtr(user_id) + amount_xtr
        if not 0 <= xtr <= MAX_XTR:
            raise GuestError(409, f"a wallet holds 0 to {MAX_XTR} Stars, this one would have {xtr}")
        self._xtr[user_id] = xtr
        self._records.put("wallet", user_id, [user_id, xtr])
        self.announce_wallet(user_id)

    def wallet(self, user_id: int) -> Json:
        """The Stars and subscriptions of a guest, as the control API shows them."""
        own = [each for each in self.subscriptions.values() if each.user_id == user_id]
        return {"xtr": self.xtr(user_id), "subscriptions": [_shown(each) for each in own]}

    def announce_wallet(self, user_id: int) -> None:
        self._feed.add("wallet", user_id, self.wallet(user_id))

    # invoices

    def keep_invoice(self, invoice: Invoice) -> None:
        """Remember an invoice or its change; above the limit the oldest one is forgotten."""
        self.invoices[invoice.slug] = invoice
        self._records.put("invoice", invoice.slug, asdict(invoice))
        if len(self.invoices) > MAX_INVOICES:
            oldest = next(iter(self.invoices))
            del self.invoices[oldest]
            self._records.delete("invoice", oldest)

    def invoice(self, slug: str) -> Invoice:
        """Raises: GuestError 404."""
        if slug not in self.invoices:
            raise GuestError(404, "there is no such invoice")
        return self.invoices[slug]

    def put_into_message(self, invoice: Invoice, message_id: int) -> None:
        """Remember which invoice a message shows, since the message itself does not say."""
        self._slugs[message_id] = invoice.slug
        self._records.put("invoice_message", message_id, [message_id, invoice.slug])

    def invoice_of(self, message_id: int) -> Invoice:
        """The invoice that a message shows. Raises: GuestError 404 when it shows none."""
        return self.invoice(self._slugs.get(message_id, ""))

    def forget_message(self, message_id: int) -> None:
        if self._slugs.pop(message_id, None) is not None:
            self._records.delete("invoice_message", message_id)

    # subscriptions

    def keep_subscription(self, subscription: Subscription) -> None:
        """Remember a subscription or its change, and announce it."""
        self.subscriptions[subscription.charge_id] = subscription
        self._records.put("subscription", subscription.charge_id, asdict(subscription))
        self.announce_wallet(subscription.user_id)

    def end_subscription(self, subscription: Subscription) -> None:
        del self.subscriptions[subscription.charge_id]
        self._records.delete("subscription", subscription.charge_id)
        self.announce_wallet(subscription.user_id)

    # all of it

    def end_checkouts(self, reason: str) -> None:
        """Let every payment that waits for the bot fail."""
        for checkout in self.checkouts.values():
            if not checkout.outcome.done():
                checkout.outcome.set_result(Outcome("failed", reason))
        self.checkouts.clear()

    def clear(self) -> None:
        """Full wallets again, nothing sold."""
        self.end_checkouts("The playground was reset.")
        self.ledger.clear()
        for kind, kept in (
            ("wallet", self._xtr),
            ("invoice", self.invoices),
            ("invoice_message", self._slugs),
            ("subscription", self.subscriptions),
        ):
            for key in kept:
                self._records.delete(kind, key)
            kept.clear()

    def _restore(self) -> None:
        self._xtr.update(self._records.all("wallet"))
        self._slugs.update(self._records.all("invoice_message"))
        for record in self._records.all("invoice"):
            self.invoices[record["slug"]] = Invoice(**record)
        for record in self._records.all("subscription"):
            self.subscriptions[record["charge_id"]] = Subscription(**record)


def _shown(subscription: Subscription) -> Json:
    shown = asdict(subscription)
    del shown["user_id"]
    return shown
