"""Invoices and payments of them."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from starbooth.base.database import Database
from starbooth.base.prices import Pack, parse_pack, parse_packs
from starbooth.domain.payments.credit import credit
from starbooth.domain.payments.payment import Credited, Payment
from starbooth.domain.payments.purchases import Purchase, PurchaseKind, open_purchase
from starbooth.domain.payments.shop import Shop

GUEST = 7  # the Telegram id of who pays where a test does not say
PAID_AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PACK = parse_pack("250+15=250")
PLAN = parse_pack("300+60=300")
SHOP = Shop(packs=parse_packs("50=50, 100=100, 250+15=250"), plan=PLAN, invoice_life=timedelta(hours=24))
_CHARGES = count(1)


async def open_invoice(
    database: Database,
    user_id: str,
    *,
    pack: Pack = PACK,
    kind: PurchaseKind = PurchaseKind.PACK,
    life: timedelta = SHOP.invoice_life,
) -> Purchase:
    """An invoice for this guest, in a transaction of its own."""
    async with database.transaction() as tx:
        return await open_purchase(tx, user_id=user_id, kind=kind, pack=pack, life=life)


def payment_of(purchase: Purchase | None = None, **facts: Any) -> Payment:
    """The payment of an invoice by its guest; `facts` say what is otherwise."""
    honest = {
        "charge_id": f"stx_{next(_CHARGES)}",
        "telegram_id": GUEST,
        "payload": purchase.purchase_id if purchase else "of nothing",
        "amount_xtr": purchase.amount_xtr if purchase else 50,
        "paid_at": PAID_AT,
        "came_by": "update",
    }
    return Payment(**{**honest, **facts})


async def pay(database: Database, payment: Payment, *, shop: Shop = SHOP) -> Credited:
    """Credit a payment in a transaction of its own."""
    async with database.transaction() as tx:
        return await credit(tx, payment, shop=shop)
