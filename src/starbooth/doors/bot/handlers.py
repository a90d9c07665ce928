"""The handlers: each turns one kind of update into one question to the domain, and words the answer.

Every handler can run twice for one update (see `inbox`), so whatever it asks for bears a key made from the
update: a second run finds the first one's order or bonus, and only the answer is sent again.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import structlog
from aiogram import Bot, Dispatcher, F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command as CommandFilter
from aiogram.filters import CommandObject
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message
from aiogram.types import Update as ParsedUpdate
from pydantic import ValidationError

from starbooth.base.database import Database
from starbooth.base.errors import Refusal
from starbooth.domain.catalog.offers import default_offer
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.checking import PromptCheck
from starbooth.domain.generations.choices import Choices
from starbooth.domain.generations.request import PictureRequest, request_pictures
from starbooth.domain.orders.place import Source
from starbooth.domain.payments.read import is_credited
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.studio.awaited import forget_awaited_of
from starbooth.domain.studio.remembered import Remembered, read_remembered, read_standing
from starbooth.domain.users.guests import Guest, language_for, note_blocked
from starbooth.domain.users.operators import raise_alert
from starbooth.doors.bot import answers, presses
from starbooth.doors.bot.actions import Action, parse_action
from starbooth.doors.bot.addressing import COMMAND
from starbooth.doors.bot.cancelling import cancel_newest
from starbooth.doors.bot.commands import Command, offered_commands
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.gallery import gallery_router, take_search
from starbooth.doors.bot.gifts import gifts_router
from starbooth.doors.bot.groups import groups_router
from starbooth.doors.bot.groups_screens import render_how
from starbooth.doors.bot.inbox import NOTE, Update
from starbooth.doors.bot.inline import inline_router
from starbooth.doors.bot.models import models_router
from starbooth.doors.bot.models_answers import take_model_answer
from starbooth.doors.bot.models_review import review_router
from starbooth.doors.bot.operators import operators_router
from starbooth.doors.bot.packs import packs_router
from starbooth.doors.bot.panel import panel_router
from starbooth.doors.bot.panel_answers import ask_first, take_answer
from starbooth.doors.bot.papers import papers_router
from starbooth.doors.bot.paying import payments_router, shop_router
from starbooth.doors.bot.paying_screens import render_stuck
from starbooth.doors.bot.photos import photos_router
from starbooth.doors.bot.plan import plan_router
from starbooth.doors.bot.presses import Pressed
from starbooth.doors.bot.privacy import privacy_router
from starbooth.doors.bot.purse import purse_router
from starbooth.doors.bot.results import results_router
from starbooth.doors.bot.returns import returns_router
from starbooth.doors.bot.terms import Terms
from starbooth.doors.bot.train import train_router
from starbooth.doors.bot.train_answers import take_answer_for_set
from starbooth.doors.bot.train_photos import train_photos_router
from starbooth.doors.bot.trainings import trainings_router
from starbooth.doors.bot.word_list import word_list_router
from starbooth.doors.bot.words import words_for
from starbooth.outside.storage.contract import Storage
from starbooth.outside.telegram.errors import Blocked

_log = structlog.get_logger()

ALLOWED_UPDATES = (
    "message",
    "callback_query",
    "inline_query",
    "my_chat_member",
    "subscription",
    "pre_checkout_query",
)
# In this order; the first handler that fits an update has it to itself.
_BEFORE_CAPTIONS = (
    *(payments_router, returns_router, inline_router),
    *(groups_router, train_photos_router, photos_router),
)
_AFTER_CAPTIONS = (
    *(shop_router, plan_router, operators_router, word_list_router),
    *(purse_router, panel_router, train_router, trainings_router),
    *(results_router, gallery_router, packs_router, models_router, review_router),
    *(gifts_router, papers_router, privacy_router),
)
_ALBUMS_REMEMBERED = 1000
# What a guest can send that is no text. Everything else without text is Telegram's own notice, not theirs.
_THINGS = frozenset(
    {"photo", "sticker", "animation", "dice", "game", "voice", "audio", "video", "video_note", "story"}
    | {"location", "venue", "contact", "poll", "document", "paid_media", "checklist", "unknown"}
)


class UpdateNotUnderstood(Exception):
    """Telegram sent something that is not of the form that we know. The text names the places."""


class Handlers:
    """The handlers of one bot. Hands nothing from one update to the next, but for albums already answered."""

    def __init__(
        self,
        database: Database,
        bot: Bot,
        terms: Terms,
        prompt_check: PromptCheck | None = None,
        *,
        storage: Storage | None = None,
    ) -> None:
        """storage: where guests' photos are kept."""
        self._desk = Desk(database, bot, terms, prompt_check, storage=storage)
        self._albums: OrderedDict[str, None] = OrderedDict()
        self._dispatcher = Dispatcher(disable_fsm=True)  # its states would pile up in memory, one per guest
        for router in _BEFORE_CAPTIONS:
            self._dispatcher.include_router(router(self._desk))
        self._dispatcher.include_router(self._captions())
        for router in _AFTER_CAPTIONS:
            self._dispatcher.include_router(router(self._desk))
        self._dispatcher.include_router(self._router())

    def _captions(self) -> Router:
        """What no command can be in."""
        router = Router()
        router.message.register(self.on_thing, F.caption)  # it comes with a thing, and is no command
        return router

    def _router(self) -> Router:
        router = Router()
        router.message.register(self.on_start, CommandFilter(Command.START, ignore_case=True))
        router.message.register(self.on_help, CommandFilter(Command.HELP, ignore_case=True))
        router.message.register(self.on_cancel, CommandFilter(Command.CANCEL, ignore_case=True))
        router.message.register(self.on_paint, CommandFilter(Command.PAINT, ignore_case=True))
        router.message.register(self.on_unknown_command, F.text.regexp(COMMAND))
        router.message.register(self.on_prompt, F.text)
        router.message.register(self.on_thing)
        router.callback_query.register(self.on_press)
        router.my_chat_member.register(self.on_membership, F.chat.type == ChatType.PRIVATE)
        return router

    async def handle(self, update: Update) -> None:
        """Handle one update. Kinds that we do not ask for are let go. Repeat: see the head of this file.

        Raises: Unavailable, to be called again.
        """
        if not any(kind in update for kind in ALLOWED_UPDATES):
            return
        parsed = self._parse(update)
        await self._forget_question(update)
        try:
            await self._dispatcher.feed_update(self._desk.bot, parsed)
        except Blocked:
            await self._note_blocked(update)

    async def _forget_question(self, update: Update) -> None:
        """Any command calls off what a panel asked to be written.

        But for the words of a photo, which only /cancel does: written behind /buy, they would be painted
        without it.
        """
        message = update.get("message") or {}
        found = COMMAND.match(message.get("text") or "")
        if found and _chat_type(message) == ChatType.PRIVATE:
            command = found[1].lower()
            async with self._desk.database.transaction() as tx:
                await forget_awaited_of(
                    tx, telegram_id=message["from"]["id"], with_words_of_photos=command == Command.CANCEL
                )

    def _parse(self, update: Update) -> ParsedUpdate:
        try:
            return ParsedUpdate.model_validate(update, context={"bot": self._desk.bot})
        except ValidationError as error:
            # Without its cause, which quotes what the guest wrote and would be logged.
            places = [".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False)]
            raise UpdateNotUnderstood(", ".join(places)) from None

    async def apologise(self, update: Update) -> None:
        """Tell a guest that their update could not be handled. Not safe to repeat.

        Nobody waits in a chat for what is urgent; Telegram has told its guest by itself.
        """
        payload = update.get("message") or update.get("callback_query") or {}
        person = payload.get("from") or {}
        if not isinstance(person.get("id"), int) or _chat_type(payload) != ChatType.PRIVATE:
            return
        words = words_for(language_for(person.get("language_code")))
        is_payment = "successful_payment" in payload
        if is_payment and await self._is_credited(payload["successful_payment"]):
            return  # only the thanks failed
        screen = render_stuck(words) if is_payment else answers.render_trouble(words)
        await self._desk.send(screen, chat_id=person["id"])

    async def alarm(self, update: Update) -> None:
        """Tell the operators of money that cannot be written down. Repeat: they are told once."""
        message = update.get("message") or {}
        if "successful_payment" in message and await self._is_credited(message["successful_payment"]):
            return  # only the thanks fail
        paid = message.get("successful_payment") or message.get("refunded_payment") or {}
        person = message.get("from") or (update.get("subscription") or {}).get("user") or {}
        facts = {
            "update": update["update_id"],
            "telegram_id": person.get("id"),
            "charge": paid.get("telegram_payment_charge_id"),
            "xtr": paid.get("total_amount"),
        }
        async with self._desk.database.transaction() as tx:
            await raise_alert(tx, key=f"stuck:{update['update_id']}", kind="payment_stuck", facts=facts)

    async def _is_credited(self, paid: dict[str, Any]) -> bool:
        until = paid.get("subscription_expiration_date")
        async with self._desk.database.transaction() as tx:
            return await is_credited(
                tx,
                charge_id=str(paid.get("telegram_payment_charge_id")),
                until=datetime.fromtimestamp(until, UTC) if isinstance(until, int) else None,
            )

    async def on_start(self, message: Message) -> None:
        """Greet, and give the welcome gift once in a lifetime."""
        met = await self._desk.meet(message.from_user, is_start=True)
        screen = answers.render_welcome(
            met.words,
            name=message.from_user.first_name if message.from_user else "",
            gift_stars=met.gift_stars,
            balance_stars=met.stars,
            price_stars=await self._price_stars(),
        )
        await self._desk.send(screen, chat_id=message.chat.id)

    async def on_help(self, message: Message) -> None:
        """Say how it works."""
        met = await self._desk.meet(message.from_user)
        screen = answers.render_help(
            met.words, commands=offered_commands(self._desk.terms), price_stars=await self._price_stars()
        )
        await self._desk.send(screen, chat_id=message.chat.id)

    async def on_cancel(self, message: Message, event_update: ParsedUpdate) -> None:
        """Cancel the guest's newest order, if it still waits. A second run must not cancel the next one."""
        met = await self._desk.meet(message.from_user)
        try:
            returned_stars = await cancel_newest(self._desk.database, met.guest, event_update)
        except Refusal as refusal:
            await self._desk.refuse(refusal, met.words, message)
            return
        if returned_stars is None:
            screen = answers.render_nothing_waits(met.words)
        else:
            screen = answers.render_cancelled(met.words, returned_stars=returned_stars)
        await self._desk.send(screen, chat_id=message.chat.id)

    async def on_prompt(self, message: Message, event_update: ParsedUpdate) -> None:
        """Order a picture of what is written, or take it as the answer to what was asked."""
        met = await self._desk.meet(message.from_user)
        async with self._desk.database.statement() as tx:
            remembered, is_asked = await read_standing(tx, user_id=met.guest.user_id)
        # A text that was an answer once is one still, when it is handled again.
        if is_asked or NOTE in (event_update.model_extra or {}):
            if await take_answer_for_set(self._desk, message, met, event_update):
                return
            if await take_search(self._desk, message, met, event_update):
                return
            if await take_model_answer(self._desk, message, met, event_update):
                return
            if await take_answer(self._desk, message, met, event_update):
                return
        await self._paint(message, met, message.text or "", remembered)

    async def on_paint(self, message: Message, command: CommandObject) -> None:
        """Order a picture by a command, as in groups, or say how."""
        met = await self._desk.meet(message.from_user)
        if command.args:
            async with self._desk.database.statement() as tx:
                remembered = await read_remembered(tx, user_id=met.guest.user_id)
            await self._paint(message, met, command.args, remembered)
            return
        await self._desk.send(render_how(met.words), chat_id=message.chat.id)

    async def _paint(self, message: Message, met: Met, prompt: str, remembered: Remembered) -> None:
        """Order it as the guest chose, or open a panel for who is asked first.

        Of an order the delivery tells, with the message that becomes the picture.
        """
        if met.gift_stars:
            await self._desk.send(
                answers.render_gift(met.words, gift_stars=met.gift_stars), chat_id=message.chat.id
            )
        try:
            if remembered.asks_first:
                await ask_first(self._desk, message, met, prompt, remembered.choices)
            else:
                await self._order(message, met.guest, prompt, remembered.choices)
        except Refusal as refusal:
            await self._desk.refuse(refusal, met.words, message)

    async def _order(self, message: Message, guest: Guest, prompt: str, choices: Choices) -> None:
        ask = PictureRequest(
            request_key=f"tg:{message.chat.id}:{message.message_id}",
            user_id=guest.user_id,
            source=Source.BOT,
            prompt=prompt,
            choices=choices,
        )
        await self._desk.check_prompt(ask)
        # No reply: the answer stands right below and quotes the words, which a forwarded picture keeps.
        recipient = Recipient(chat_id=message.chat.id, reply_to_message_id=None, language=guest.language)
        async with self._desk.database.transaction() as tx:
            await request_pictures(tx, ask, limits=self._desk.terms.limits, recipient=recipient)

    async def on_unknown_command(self, message: Message) -> None:
        """Say that there is no such command: it is no prompt either, so nothing is charged."""
        met = await self._desk.meet(message.from_user)
        await self._desk.send(answers.render_unknown_command(met.words), chat_id=message.chat.id)

    async def on_thing(self, message: Message) -> None:
        """Answer what cannot be painted from; an album once."""
        kind = message.content_type
        if kind not in _THINGS or (message.media_group_id and self._has_seen_album(message.media_group_id)):
            return
        met = await self._desk.meet(message.from_user)
        await self._desk.send(answers.render_unpaintable(met.words, kind), chat_id=message.chat.id)

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, and always answer the press."""
        met = await self._desk.meet(query.from_user)
        action = parse_action(query.data)
        if action is None:
            text = met.words.plain("This button does nothing any more. Nothing was charged.")
            await self._desk.messenger.answer_press(query.id, text, is_alert=False)
            return
        try:
            pressed = await self._press(action, query, met.guest)
        except NotEnoughStars as refusal:
            toast = answers.word_refusal(refusal, met.words).striptags()
            screen = await self._desk.word_shortage(refusal, met.words)
            pressed = Pressed(toast=toast, is_alert=True, screen=screen)
        except Refusal as refusal:
            await self._desk.count_refusal(refusal)
            pressed = Pressed(toast=answers.word_refusal(refusal, met.words).striptags(), is_alert=True)
        await self._desk.answer(query, pressed)

    async def _press(self, action: Action, query: CallbackQuery, guest: Guest) -> Pressed:
        async with self._desk.database.transaction() as tx:
            return await presses.press(
                tx,
                action,
                guest=guest,
                query_id=query.id,
                recipient=Recipient(
                    chat_id=guest.chat_id,
                    reply_to_message_id=query.message.message_id if query.message else None,
                    language=guest.language,
                ),
                limits=self._desk.terms.limits,
            )

    async def on_membership(self, change: ChatMemberUpdated) -> None:
        """Remember who blocked the bot, and who came back."""
        if change.new_chat_member.status != "kicked":
            await self._desk.meet(change.from_user)
            return
        async with self._desk.database.transaction() as tx:
            await note_blocked(tx, chat_id=change.chat.id)

    async def _price_stars(self) -> int:
        async with self._desk.database.transaction() as tx:
            return (await default_offer(tx)).price_stars

    async def _note_blocked(self, update: Update) -> None:
        payload = update.get("message") or update.get("callback_query") or {}
        if _chat_type(payload) == ChatType.PRIVATE:
            async with self._desk.database.transaction() as tx:
                await note_blocked(tx, chat_id=payload["from"]["id"])
        _log.info("update.blocked", update=update["update_id"])

    def _has_seen_album(self, media_group_id: str) -> bool:
        if media_group_id in self._albums:
            return True
        self._albums[media_group_id] = None
        if len(self._albums) > _ALBUMS_REMEMBERED:
            self._albums.popitem(last=False)
        return False


def _chat_type(payload: Any) -> str | None:
    chat = (payload.get("message") or payload).get("chat") or {}
    found: str | None = chat.get("type")
    return found
