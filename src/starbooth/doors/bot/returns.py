"""The message by which Telegram tells that a payment went back. Its guest is told by the worker, once."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import structlog
from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import Message

from starbooth.base.errors import Refusal
from starbooth.domain.payments.differences import Difference, Kind, alert_key
from starbooth.domain.payments.refunds import Returned, book
from starbooth.domain.payments.shop import Shop
from starbooth.domain.stars.errors import KeyReused
from starbooth.domain.users.operators import raise_alert
from starbooth.doors.bot.desk import Desk
from starbooth.doors.bot.terms import Terms

_log = structlog.get_logger()


def returns_router(desk: Desk) -> Router:
    """The handler, in a router of its own."""

    async def on_refunded(message: Message) -> None:
        """Book the refund. Repeat: harmless, a payment goes back once."""
        refunded = message.refunded_payment
        assert refunded is not None  # the filter let no other message pass
        if refunded.currency != "XTR":
            _log.error("refunded.other_currency", currency=refunded.currency)
            return
        # Who sends it is not said. A private chat is the payer's own.
        is_private = message.chat.type == ChatType.PRIVATE or message.from_user is None
        payer = message.chat if is_private else message.from_user
        assert payer is not None
        returned = Returned(
            charge_id=refunded.telegram_payment_charge_id,
            telegram_id=payer.id,
            payload=refunded.invoice_payload,
            amount_xtr=refunded.total_amount,
            at=message.date,
            came_by="update",
            username=payer.username,
        )
        try:
            async with desk.database.transaction() as tx:
                booked = await book(tx, returned, shop=shop_of_terms(desk.terms))
        except (Refusal, KeyReused) as error:  # it would be so each time: a person must look
            await _alert(desk, returned, reason=error.code if isinstance(error, Refusal) else "key_reused")
            return
        if not booked.is_repeat:
            _log.info("refunded", charge=returned.charge_id, operator=booked.operator)

    router = Router()
    router.message.register(on_refunded, F.refunded_payment)
    return router


async def _alert(desk: Desk, returned: Returned, *, reason: str) -> None:
    """Owe the operators the news that a return could not be booked; as reconciliation does, so it is one."""
    _log.error("refunded.not_booked", charge=returned.charge_id, reason=reason)
    found = Difference(
        kind=Kind.NOT_TAKEN_BACK,
        subject=returned.charge_id,
        facts={"xtr": returned.amount_xtr, "telegram_id": returned.telegram_id, "reason": reason},
    )
    key = alert_key(found.kind, found.subject)
    async with desk.database.transaction() as tx:
        await raise_alert(tx, key=key, kind="difference", facts=found.as_json())


def shop_of_terms(terms: Terms) -> Shop:
    """What is on sale, by what the operator decided."""
    return Shop(
        packs=terms.packs,
        plan=terms.plan,
        invoice_life=terms.invoice_life,
        refunds_second_payment=terms.refunds_second_payment,
    )
