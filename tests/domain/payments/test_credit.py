"""Crediting payments: what was promised, what an amount is worth, and each charge once."""

from starbooth.base.database import Database
from tests.make.guests import make_guest, read_stars
from tests.make.payments import GUEST, open_invoice, pay, payment_of


class TestAPaymentOfItsInvoice:
    async def test_it_gives_what_the_invoice_promised_once(self, database: Database) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        purchase = await open_invoice(database, user_id)
        payment = payment_of(purchase)
        first = await pay(database, payment)
        assert (first.amount_stars, first.balance_stars, first.flag, first.is_repeat) == (
            265,
            265,
            None,
            False,
        )
        assert first.transaction_id == first.purchase_id == purchase.purchase_id
        assert (await pay(database, payment)).is_repeat
        assert await read_stars(database, user_id) == (265, 0, 265)
