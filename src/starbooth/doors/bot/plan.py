"""The monthly plan: /plan, its buttons, and what Telegram says became of somebody's subscription."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import re

import structlog
from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import BotSubscriptionUpdated, CallbackQuery, Message
from aiogram.types import Update as ParsedUpdate

from starbooth.base.clock import now
from starbooth.base.errors import Refusal
from starbooth.domain.catalog.offers import default_offer
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.payments.purchases import Purchase, PurchaseKind, create_link
from starbooth.domain.payments.renewals import allow_renewing, stop_renewing
from starbooth.domain.payments.subscriptions import (
    Noted,
    Subscription,
    SubscriptionState,
    note_state,
    read_newest,
    read_subscription,
)
from starbooth.domain.users.guests import Guest
from starbooth.doors.bot import answers, plan_screens
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.inbox import NOTE, note_in_update
from starbooth.doors.bot.plan_screens import Wish
from starbooth.doors.bot.words import words_for
from starbooth.outside.telegram.errors import MessageGone, NotModified
from starbooth.outside.telegram.plans import TelegramPlans

_log = structlog.get_logger()

_FORM = re.compile(r"plan:(stop|renew):(c[a-z0-9]{24})")
# Telegram's word for each state; it may learn more of them.
_STATES = {
    "active": SubscriptionState.ACTIVE,
    "canceled": SubscriptionState.CANCELLED,
    "failed": SubscriptionState.FAILED,
}
_NEWS = "news"


def plan_router(desk: Desk) -> Router:
    """The updates that are about the plan."""
    handlers = _Handlers(desk)
    router = Router()
    router.message.register(handlers.on_plan, CommandFilter(Command.PLAN, ignore_case=True))
    router.callback_query.register(handlers.on_show, F.data == plan_screens.SHOW)
    router.callback_query.register(handlers.on_wish, F.data.startswith(plan_screens.PREFIX))
    router.subscription.register(handlers.on_subscription)
    return router


class _Handlers:
    def __init__(self, desk: Desk) -> None:
        self._desk, self._plans = desk, TelegramPlans(desk.bot)

    async def on_plan(self, message: Message) -> None:
        """Show the guest's plan, or the one on offer."""
        met = await self._desk.meet(message.from_user)
        await self._desk.send(await self._screen(met), chat_id=message.chat.id)

    async def on_show(self, query: CallbackQuery) -> None:
        """The same, from a button under another screen."""
        met = await self._desk.meet(query.from_user)
        await self._desk.send(await self._screen(met), chat_id=query.from_user.id)
        await self._desk.messenger.answer_press(query.id, "", is_alert=False)

    async def _screen(self, met: Met) -> Screen:
        async with self._desk.database.transaction() as tx:
            subscription = await read_newest(tx, user_id=met.guest.user_id)
            price_stars = (await default_offer(tx)).price_stars
        if subscription is not None and subscription.is_running(now()):
            return plan_screens.render_plan(met.words, subscription)
        plan = self._desk.terms.plan
        if plan is None:
            return plan_screens.render_no_plan(met.words)
        link = await self._link(met)
        return plan_screens.render_offer(met.words, plan, link=link, price_stars=price_stars)

    async def _link(self, met: Met) -> str:
        plan = self._desk.terms.plan
        assert plan is not None
        title, description = plan_screens.word_invoice(met.words, plan)

        async def ask_link(purchase: Purchase) -> str:
            return await self._plans.create_link(
                title=title,
                description=description,
                payload=purchase.purchase_id,
                amount_xtr=purchase.amount_xtr,
            )

        return await create_link(
            self._desk.database,
            ask_link,
            user_id=met.guest.user_id,
            kind=PurchaseKind.PLAN,
            pack=plan,
            life=self._desk.terms.invoice_life,
        )

    async def on_wish(self, query: CallbackQuery) -> None:
        """Stop the renewals or allow them again, and always answer the press."""
        met = await self._desk.meet(query.from_user)
        found = _FORM.fullmatch(query.data or "")
        subscription = None if found is None else await self._read(met.guest, found[2])
        if found is None or subscription is None:
            text = met.words.plain("This button does nothing any more. Nothing was charged.")
            await self._desk.messenger.answer_press(query.id, text, is_alert=False)
            return
        try:
            toast = await self._carry_out(Wish(found[1]), subscription, met)
        except Refusal as refusal:
            text = answers.word_refusal(refusal, met.words).striptags()
            await self._desk.messenger.answer_press(query.id, text, is_alert=True)
            return
        await self._refresh(query, met, subscription.id)
        await self._desk.messenger.answer_press(query.id, toast, is_alert=False)

    async def _read(self, guest: Guest, subscription_id: str) -> Subscription | None:
        async with self._desk.database.transaction() as tx:
            return await read_subscription(tx, subscription_id=subscription_id, user_id=guest.user_id)

    async def _carry_out(self, wish: Wish, subscription: Subscription, met: Met) -> str:
        """Ask Telegram, and return what to say where the button is."""
        if wish is Wish.STOP:
            await stop_renewing(self._desk.database, self._plans, subscription)
            return met.words.plain("Done: it will not be renewed.")
        await allow_renewing(self._desk.database, self._plans, subscription)
        await self._desk.send(plan_screens.render_renew(met.words), chat_id=met.guest.chat_id)
        return ""

    async def _refresh(self, query: CallbackQuery, met: Met, subscription_id: str) -> None:
        """Show under the button what is true now. A message that cannot be edited is let be."""
        subscription = await self._read(met.guest, subscription_id)
        if subscription is None or query.message is None:
            return
        screen = plan_screens.render_plan(met.words, subscription)
        try:
            await self._desk.messenger.edit_text(
                screen, chat_id=query.message.chat.id, message_id=query.message.message_id
            )
        except (NotModified, MessageGone):
            return

    async def on_subscription(self, change: BotSubscriptionUpdated, event_update: ParsedUpdate) -> None:
        """Note what became of a subscription; tell of a failed renewal once."""
        state = _STATES.get(change.state)
        if state is None:
            _log.warning("plan.unknown_state", update=event_update.update_id, state=change.state)
            return
        noted = await self._note(change, state, event_update.update_id)
        if noted is None:
            _log.warning("plan.unknown_subscription", update=event_update.update_id, state=change.state)
            return
        # A second handling of the same update finds it noted, but perhaps not told.
        is_owed = noted.is_news or (event_update.model_extra or {}).get(NOTE) == _NEWS
        if state is SubscriptionState.FAILED and is_owed:
            screen = plan_screens.render_failed(words_for(noted.language), noted.subscription)
            await self._desk.send(screen, chat_id=noted.chat_id)

    async def _note(
        self, change: BotSubscriptionUpdated, state: SubscriptionState, update_id: int
    ) -> Noted | None:
        async with self._desk.database.transaction() as tx:
            noted = await note_state(
                tx, payload=change.invoice_payload, telegram_id=change.user.id, state=state
            )
            if noted is not None and noted.is_news:
                await note_in_update(tx, update_id, _NEWS)
        return noted
