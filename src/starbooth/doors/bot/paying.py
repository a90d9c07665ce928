"""Buying stars: /buy and its buttons, the question before a payment, and the payment itself.

Every handler can run twice for one update: a purchase that is open is used again, a payment is credited by
its charge id, and only messages are sent once more.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from datetime import UTC, datetime

import structlog
from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import CallbackQuery, Message, PreCheckoutQuery, SuccessfulPayment

from starbooth.base.errors import Refusal
from starbooth.base.prices import Pack
from starbooth.domain.catalog.offers import default_offer
from starbooth.domain.orders.cart import drop_cart
from starbooth.domain.payments.checkout import CURRENCY, Checkout, check
from starbooth.domain.payments.payment import Payment
from starbooth.domain.payments.purchases import Purchase, PurchaseKind, open_purchase
from starbooth.domain.payments.receive import receive
from starbooth.domain.stars.errors import KeyReused
from starbooth.domain.users.operators import raise_alert
from starbooth.doors.bot import answers
from starbooth.doors.bot import paying_screens as screens
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met, words_of
from starbooth.doors.bot.presses import Pressed
from starbooth.doors.bot.words import Words
from starbooth.outside.telegram.errors import TelegramRefused, TooLate
from starbooth.outside.telegram.invoices import Invoice, answer_checkout, send_invoice

_log = structlog.get_logger()

# What a forwarded invoice says to the bot when its button is pressed.


def payments_router(desk: Desk) -> Router:
    """What Telegram tells about money. It counts in whatever chat it is told."""
    till = _Till(desk)
    router = Router()
    router.pre_checkout_query.register(till.on_checkout)
    router.message.register(till.on_payment, F.successful_payment)
    return router


def shop_router(desk: Desk) -> Router:
    """/buy and its buttons, in private chats."""
    till = _Till(desk)
    router = Router()
    router.message.register(till.on_buy, CommandFilter(Command.BUY, ignore_case=True))
    router.message.register(
        till.on_buy, CommandFilter(Command.START, ignore_case=True, magic=F.args == screens.START_PARAMETER)
    )
    router.callback_query.register(till.on_show, F.data == screens.SHOW)
    router.callback_query.register(till.on_forget, F.data == screens.FORGET)
    router.callback_query.register(till.on_pack, F.data.startswith(screens.PREFIX))
    return router


class _Till:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_buy(self, message: Message) -> None:
        """Show the packs. Also the way in for who was forwarded an invoice."""
        met = await self._desk.meet(message.from_user, is_start=True)
        await self._show_packs(met, chat_id=message.chat.id)

    async def on_show(self, query: CallbackQuery) -> None:
        """Show the packs, from under another screen."""
        met = await self._desk.meet(query.from_user)
        await self._show_packs(met, chat_id=query.from_user.id)
        await self._desk.messenger.answer_press(query.id, "", is_alert=False)

    async def _show_packs(self, met: Met, *, chat_id: int) -> None:
        price_stars = await self._price_stars()
        screen = screens.render_packs(
            met.words, self._desk.terms, price_stars=price_stars, balance_stars=met.stars
        )
        await self._desk.send(screen, chat_id=chat_id)

    async def on_forget(self, query: CallbackQuery) -> None:
        """Let what waits for stars start no more."""
        met = await self._desk.meet(query.from_user)
        async with self._desk.database.transaction() as tx:
            await drop_cart(tx, user_id=met.guest.user_id)
        toast = screens.render_forgotten(met.words)
        await self._desk.messenger.answer_press(query.id, toast, is_alert=False)

    async def on_pack(self, query: CallbackQuery) -> None:
        """Send an invoice for the pack that the button bears, if it is still sold so."""
        met = await self._desk.meet(query.from_user)
        pack = screens.parse_pack_button(query.data)
        if pack is None:
            text = met.words.plain("This button does nothing any more. Nothing was charged.")
            await self._desk.messenger.answer_press(query.id, text, is_alert=False)
        elif pack in self._desk.terms.packs:
            await self._send_invoice(met, pack, chat_id=query.from_user.id)
            await self._desk.messenger.answer_press(query.id, "", is_alert=False)
        else:
            screen = screens.render_not_on_sale(
                met.words, self._desk.terms, price_stars=await self._price_stars()
            )
            toast = met.words.plain("The price has changed.")
            await self._desk.answer(query, Pressed(toast=toast, screen=screen))

    async def _send_invoice(self, met: Met, pack: Pack, *, chat_id: int) -> None:
        async with self._desk.database.transaction() as tx:
            purchase = await open_purchase(
                tx,
                user_id=met.guest.user_id,
                kind=PurchaseKind.PACK,
                pack=pack,
                life=self._desk.terms.invoice_life,
            )
            price_stars = (await default_offer(tx)).price_stars
        await send_invoice(
            self._desk.bot,
            invoice_for(met.words, purchase, price_stars=price_stars),
            chat_id=chat_id,
            pay_label=screens.word_pay_button(met.words, purchase),
            start_parameter=screens.START_PARAMETER,
        )

    async def on_checkout(self, query: PreCheckoutQuery) -> None:
        """Say whether a payment may go on. Asks the database once and waits for nobody."""
        checkout = Checkout(
            payload=query.invoice_payload,
            telegram_id=query.from_user.id,
            currency=query.currency,
            amount_xtr=query.total_amount,
        )
        refused: str | None = None
        try:
            async with self._desk.database.statement() as tx:
                await check(tx, checkout)
        except Refusal as refusal:
            refused = answers.word_refusal(refusal, words_of(query.from_user)).striptags()
            _log.info("checkout.refused", code=refusal.code)
        try:
            await answer_checkout(self._desk.bot, query.id, refusal=refused)
        except TooLate as error:
            _log.warning("checkout.too_late", reason=str(error))

    async def on_payment(self, message: Message) -> None:
        """Give the stars that were paid for, then thank. Thanks that fail take nothing back."""
        paid = message.successful_payment
        assert paid is not None  # the filter lets nothing else pass
        met = await self._desk.meet(message.from_user)
        if paid.currency != CURRENCY:
            await self._alert(paid, met, reason="other_currency")
            return
        payment = _payment(paid, met, at=message.date)
        try:
            async with self._desk.database.transaction() as tx:
                received = await receive(tx, payment, shop=self._desk.terms.shop)
        except (Refusal, KeyReused) as no:  # nothing was paid, the purse is full, or it was sold elsewhere
            await self._alert(paid, met, reason=no.code if isinstance(no, Refusal) else "key_reused")
            return
        credited = received.credited
        _log.info(
            "payment.credited", charge=credited.charge_id, flag=credited.flag, is_repeat=credited.is_repeat
        )
        screen = screens.render_thanks(
            met.words,
            self._desk.terms,
            received,
            price_stars=await self._price_stars(),
            is_renewal=payment.is_recurring and not payment.is_first_recurring,
        )
        try:
            await self._desk.send(screen, chat_id=met.guest.telegram_id)
        except TelegramRefused as error:
            _log.error("payment.thanks_refused", reason=error.reason)

    async def _alert(self, paid: SuccessfulPayment, met: Met, *, reason: str) -> None:
        """A payment that cannot be turned into stars: the operators decide."""
        charge_id = paid.telegram_payment_charge_id
        facts = {
            "charge": charge_id,
            "telegram_id": met.guest.telegram_id,
            "amount": paid.total_amount,
            "currency": paid.currency,
            "reason": reason,
        }
        _log.error("payment.not_credited", charge=charge_id, reason=reason)
        async with self._desk.database.transaction() as tx:
            await raise_alert(tx, key=f"not_credited:{charge_id}", kind="payment_not_credited", facts=facts)

    async def _price_stars(self) -> int:
        async with self._desk.database.transaction() as tx:
            return (await default_offer(tx)).price_stars


def invoice_for(words: Words, purchase: Purchase, *, price_stars: int) -> Invoice:
    """What Telegram shows of a purchase."""
    title, description = screens.word_invoice(words, purchase, price_stars=price_stars)
    return Invoice(
        title=title,
        description=description,
        payload=purchase.purchase_id,
        amount_xtr=purchase.amount_xtr,
    )


def _payment(paid: SuccessfulPayment, met: Met, *, at: datetime) -> Payment:
    until = paid.subscription_expiration_date
    return Payment(
        charge_id=paid.telegram_payment_charge_id,
        telegram_id=met.guest.telegram_id,
        payload=paid.invoice_payload,
        amount_xtr=paid.total_amount,
        paid_at=at,
        came_by="update",
        subscription_expires_at=None if until is None else datetime.fromtimestamp(until, UTC),
        is_first_recurring=bool(paid.is_first_recurring),
        is_recurring=bool(paid.is_recurring),
    )
