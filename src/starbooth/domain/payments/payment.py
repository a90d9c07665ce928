"""A payment as Telegram tells of it, and what it gave. Values only."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from starbooth.domain.orders.cart import Cart


class Flag(StrEnum):
    """Why an operator should look at a payment. All of them are credited."""

    UNKNOWN_PURCHASE = "unknown_purchase"
    LATE = "late"
    SECOND_PAYMENT = "second_payment"
    OTHER_PAYER = "other_payer"
    OTHER_AMOUNT = "other_amount"


@dataclass(frozen=True, kw_only=True)
class Payment:
    """What Telegram says was paid. `came_by`: `update` or `reconciliation`. `payload`: of the invoice.

    subscription_expires_at: until when a payment of a plan lasts, None for any other.
    """

    charge_id: str
    telegram_id: int
    payload: str
    amount_xtr: int
    paid_at: datetime
    came_by: str
    subscription_expires_at: datetime | None = None
    is_first_recurring: bool = False
    is_recurring: bool = False
    username: str | None = None


@dataclass(frozen=True, kw_only=True)
class Credited:
    """What a payment gave. `charge_id`: by which we keep it. `is_repeat`: it had been given before.

    cart: what these stars were for and now starts by itself, once there are enough of them.
    """

    user_id: str
    telegram_id: int
    charge_id: str
    amount_stars: int
    balance_stars: int
    transaction_id: str
    purchase_id: str | None
    flag: Flag | None
    is_repeat: bool
    cart: Cart | None = None
