"""A payment arrives: it is credited, and goes back if its invoice was paid before and the shop says so."""

from dataclasses import dataclass

from starbooth.base.database import Tx
from starbooth.domain.payments import refunds
from starbooth.domain.payments.credit import credit
from starbooth.domain.payments.errors import MonthNotRefundable
from starbooth.domain.payments.payment import Credited, Flag, Payment
from starbooth.domain.payments.refunds import BOOTH
from starbooth.domain.payments.shop import Shop
from starbooth.domain.stars.errors import StarsSpent


@dataclass(frozen=True, kw_only=True)
class Received:
    """What a payment gave. `is_returned`: it is being given back, because its invoice was paid before."""

    credited: Credited
    is_returned: bool


async def receive(tx: Tx, payment: Payment, *, shop: Shop) -> Received:
    """Credit a payment, and begin to give it back if it is one too many; the sweeps ask Telegram for it.

    Repeat: as crediting. Raises: as crediting; then `tx` must be rolled back.
    """
    credited = await credit(tx, payment, shop=shop)
    if credited.flag is not Flag.SECOND_PAYMENT or not shop.refunds_second_payment:
        return Received(credited=credited, is_returned=False)
    if credited.is_repeat and await refunds.was_refused(tx, charge_id=credited.charge_id):
        return Received(credited=credited, is_returned=False)
    try:
        await refunds.begin(
            tx, charge_id=credited.charge_id, operator=BOOTH, reason="paid twice", is_forced=False
        )
    # Its guest was below zero, or Telegram cannot tell the payment from another: the stars stay, and the
    # operators have been told.
    except (StarsSpent, MonthNotRefundable):
        return Received(credited=credited, is_returned=False)
    return Received(credited=credited, is_returned=True)
