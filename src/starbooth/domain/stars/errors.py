"""The noes of the ledger."""

from typing import ClassVar

from starbooth.base.errors import Refusal


class NotEnoughStars(Refusal):
    """The balance does not cover the price. Nothing moved."""

    code: ClassVar[str] = "not_enough_stars"

    def __init__(self, *, price_stars: int, balance_stars: int) -> None:
        super().__init__(f"{price_stars} needed, {balance_stars} there")
        self.price_stars = price_stars
        self.balance_stars = balance_stars


class TooManyStars(Refusal):
    """The balance would grow past what the database's integer holds. Nothing moved."""

    code: ClassVar[str] = "too_many_stars"


class ReasonMissing(Refusal):
    """An operator's grant needs a reason that somebody can read later. Nothing moved."""

    code: ClassVar[str] = "reason_missing"


class AmountRefused(Refusal):
    """The amount is zero, of the wrong sign, or beyond the limit. Nothing moved."""

    code: ClassVar[str] = "amount_refused"

    def __init__(self, amount: int) -> None:
        super().__init__(str(amount))
        self.amount = amount


class NoSuchPurchase(Refusal):
    """There is no purchase of this id. Nothing moved."""

    code: ClassVar[str] = "no_such_purchase"


class PurchaseNotPaid(Refusal):
    """The purchase was never paid, so there is nothing to give back. Nothing moved."""

    code: ClassVar[str] = "purchase_not_paid"


class StarsSpent(Refusal):
    """The stars of the purchase are not all there any more. Nothing moved."""

    code: ClassVar[str] = "stars_spent"

    def __init__(self, *, balance_stars: int) -> None:
        super().__init__(f"{balance_stars} left")
        self.balance_stars = balance_stars


class KeyReused(Exception):
    """A key came back with other facts: a mistake in the caller, never in the guest. Nothing moved."""


class HoldEndedOtherwise(Exception):
    """The hold was already ended in another way. Nothing moved."""


class NoSuchHold(Exception):
    """There is no hold of this id. Nothing moved."""


class NoSuchAccount(Exception):
    """There is no account of this id. Nothing moved."""


class NoSuchRefund(Exception):
    """There is no refund of this id. Nothing moved."""
