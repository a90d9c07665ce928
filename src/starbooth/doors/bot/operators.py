"""What operators do in the chat: grant, look at payments, refund, reconcile. For everybody else there are no
such commands and no such buttons.

Each handler can run twice for one update: grants are keyed by the message, a refund by its payment.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import structlog
from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.filters import CommandObject
from aiogram.types import CallbackQuery, Message

from starbooth.base.amounts import parse_amount
from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.payments import refunds
from starbooth.domain.payments.read import charge_of, list_payments, summarise
from starbooth.domain.payments.reconcile import read_last, reconcile
from starbooth.domain.payments.refunds import Begun
from starbooth.domain.stars import ledger
from starbooth.domain.stars.errors import StarsSpent
from starbooth.domain.users.guests import find_user
from starbooth.domain.users.operators import log_deed, read_deed
from starbooth.doors.bot import operators_screens as screens
from starbooth.doors.bot.desk import Desk, words_of
from starbooth.doors.bot.difference_words import render_report
from starbooth.doors.bot.operators_screens import PREFIX, Deed, Wish, parse_deed
from starbooth.doors.bot.returns import shop_of_terms
from starbooth.doors.bot.words import Words
from starbooth.outside.telegram.errors import MessageGone, NotModified
from starbooth.outside.telegram.stars import TelegramStars

_log = structlog.get_logger()
_PAYMENTS_SHOWN = 10
_LONGEST_REASON = 1000
_ASKED = "refund_asked"


def operators_router(desk: Desk) -> Router:
    """The handlers, in a router of its own. What is not an operator's falls through to the next router."""
    room = _BackRoom(desk)
    router = Router()
    for name, handler in (
        ("grant", room.on_grant),
        ("refund", room.on_refund),
        ("payments", room.on_payments),
        ("reconcile", room.on_reconcile),
    ):
        router.message.register(handler, CommandFilter(name, ignore_case=True), room.is_from_operator)
    router.callback_query.register(room.on_deed, F.data.startswith(PREFIX), room.is_from_operator)
    return router


class _BackRoom:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._bank = TelegramStars(desk.bot)
        self._shop = shop_of_terms(desk.terms)

    async def is_from_operator(self, event: Message | CallbackQuery) -> bool:
        """A filter. Who tries without being one is logged, by id, and finds nothing here."""
        if self._desk.is_operator(event.from_user):
            return True
        what = (event.text if isinstance(event, Message) else event.data) or ""
        person = event.from_user.id if event.from_user else None
        _log.warning("operators.not_one", telegram_id=person, tried=what.partition(" ")[0][:32])
        return False

    async def on_grant(self, message: Message, command: CommandObject) -> None:
        """`/grant USER AMOUNT reason…`: give stars, or take them with an amount below zero."""
        words = words_of(message.from_user)
        await self._desk.meet(message.from_user)
        parts = (command.args or "").split(maxsplit=2)
        if len(parts) < 2:
            await self._say(message, screens.render_usage(words, "grant"))
            return
        try:
            amount = parse_amount(parts[1])
        except ValueError:
            await self._say(message, screens.render_bad_amount(words, parts[1]))
            return
        reason = parts[2][:_LONGEST_REASON] if len(parts) > 2 else ""
        try:
            moved = await self._grant(message, who=parts[0], amount=amount, reason=reason)
        except Refusal as refusal:
            await self._say(message, Screen(html=str(screens.word_operator_refusal(words, refusal))))
            return
        screen = screens.render_granted(
            words, who=parts[0], amount_stars=amount, balance_stars=moved.balance_stars
        )
        await self._say(message, screen)

    async def _grant(self, message: Message, *, who: str, amount: int, reason: str) -> ledger.Movement:
        operator = _name_of(message)
        async with self._desk.database.transaction() as tx:
            user_id = await find_user(tx, who)
            moved = await ledger.grant(
                tx,
                user_id=user_id,
                amount=amount,
                reason=reason,
                operator=operator,
                key=f"grant:tg:{message.chat.id}:{message.message_id}",
            )
            if not moved.is_repeat:
                facts = {"amount": amount, "reason": reason, "row": moved.transaction_id}
                await log_deed(tx, operator=operator, action="grant", subject=user_id, facts=facts)
        return moved

    async def on_refund(self, message: Message, command: CommandObject) -> None:
        """`/refund CHARGE reason…`: show what it would mean, with buttons."""
        words = words_of(message.from_user)
        await self._desk.meet(message.from_user)
        parts = (command.args or "").split(maxsplit=1)
        if not parts:
            await self._say(message, screens.render_usage(words, "refund"))
            return
        reason = parts[1][:_LONGEST_REASON] if len(parts) > 1 else ""
        try:
            async with self._desk.database.transaction() as tx:
                screen = await _ask_back(
                    tx, words, charge_id=parts[0], reason=reason, operator=_name_of(message)
                )
        except Refusal as refusal:
            screen = Screen(html=str(screens.word_operator_refusal(words, refusal)))
        await self._say(message, screen)

    async def on_payments(self, message: Message, command: CommandObject) -> None:
        """`/payments` and `/payments USER`: the newest ones."""
        words = words_of(message.from_user)
        await self._desk.meet(message.from_user)
        try:
            async with self._desk.database.transaction() as tx:
                who = (command.args or "").strip()
                user_id = await find_user(tx, who) if who else None
                found = await list_payments(tx, user_id=user_id, limit=_PAYMENTS_SHOWN)
            screen = screens.render_payments(words, found)
        except Refusal as refusal:
            screen = Screen(html=str(screens.word_operator_refusal(words, refusal)))
        await self._say(message, screen)

    async def on_reconcile(self, message: Message) -> None:
        """`/reconcile`: compare with Telegram's list now; the last report where another run is at it."""
        words = words_of(message.from_user)
        await self._desk.meet(message.from_user)
        report = await reconcile(self._desk.database, self._bank, shop=self._shop)
        if report is None:
            async with self._desk.database.transaction() as tx:
                report = await read_last(tx)
        if report is None:
            screen = Screen(
                html=str(words.say("The first reconciliation is under way. Ask again in a minute."))
            )
        else:
            screen = render_report(words, report)
        await self._say(message, screen)

    async def on_deed(self, query: CallbackQuery) -> None:
        """A button under a payment. Always answers the press."""
        words = words_of(query.from_user)
        deed = parse_deed(query.data)
        try:
            toast = await self._do(deed, query, words) if deed else _nothing(words)
        except Refusal as refusal:
            toast = screens.word_operator_refusal(words, refusal).striptags()
        await self._desk.messenger.answer_press(query.id, toast, is_alert=bool(toast))

    async def _do(self, deed: Deed, query: CallbackQuery, words: Words) -> str:
        """Do what a button says; returns what to say where it was pressed."""
        operator = f"telegram:{query.from_user.id}"
        database = self._desk.database
        if deed.wish is Wish.LOOK:
            async with database.transaction() as tx:
                charge_id = await charge_of(tx, transaction_id=deed.subject)
                screen = await _ask_back(tx, words, charge_id=charge_id, reason="", operator=operator)
            await self._desk.send(screen, chat_id=query.from_user.id)
            return ""
        async with database.transaction() as tx:
            asked = await read_deed(tx, number=int(deed.subject), action=_ASKED)
        if asked is None:
            return _nothing(words)
        if deed.wish is Wish.LEAVE:
            await self._edit(query, screens.render_left(words, asked.subject))
            return ""
        try:
            async with database.transaction() as tx:
                begun = await refunds.begin(
                    tx,
                    charge_id=asked.subject,
                    operator=operator,
                    reason=str(asked.facts["reason"]),
                    is_forced=deed.wish is Wish.FORCE,
                )
        except StarsSpent:  # they were there when the button was made
            async with database.transaction() as tx:
                summary = await summarise(tx, charge_id=asked.subject)
            reason = str(asked.facts["reason"])
            await self._edit(
                query, screens.render_summary(words, summary, reason=reason, number=int(deed.subject))
            )
            return words.plain("Some of the stars have been spent meanwhile. Look again.")
        return await self._carry_out(begun, query, words, operator)

    async def _carry_out(self, begun: Begun, query: CallbackQuery, words: Words, operator: str) -> str:
        """Ask Telegram, show how it stands, and tell a second operator who was first."""
        await refunds.carry_out(self._desk.database, self._bank, begun.refund_id)
        async with self._desk.database.transaction() as tx:
            summary = await summarise(tx, charge_id=begun.charge_id)
        await self._edit(query, screens.render_refunded(words, summary.payment))
        if begun.operator != operator:
            return screens.word_first(words, operator=begun.operator, at=begun.begun_at)
        return ""

    async def _edit(self, query: CallbackQuery, screen: Screen) -> None:
        """Turn the message with the button into this screen; a message that is gone is sent anew."""
        chat_id = query.from_user.id
        if query.message is not None:
            try:
                await self._desk.messenger.edit_text(
                    screen, chat_id=chat_id, message_id=query.message.message_id
                )
            except NotModified:
                return
            except MessageGone:
                pass
            else:
                return
        await self._desk.send(screen, chat_id=chat_id)

    async def _say(self, message: Message, screen: Screen) -> None:
        await self._desk.send(screen, chat_id=message.chat.id)


async def _ask_back(tx: Tx, words: Words, *, charge_id: str, reason: str, operator: str) -> Screen:
    """A payment with the buttons of its refund; the reason is kept with the entry that they name."""
    summary = await summarise(tx, charge_id=charge_id)
    number = await log_deed(tx, operator=operator, action=_ASKED, subject=charge_id, facts={"reason": reason})
    return screens.render_summary(words, summary, reason=reason, number=number)


def _name_of(message: Message) -> str:
    assert message.from_user is not None  # the filter let nobody else pass
    return f"telegram:{message.from_user.id}"


def _nothing(words: Words) -> str:
    return words.plain("This button does nothing any more. Nothing was charged.")
