"""Groups: orders that are placed and answered there, and buttons that only their own guest can press.

Whoever asks pays, as in private. What one person writes is never held up or silenced by another: refusals
count per person, and each person's updates wait for their own only (see `inbox.chat_key`).
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from dataclasses import dataclass
from datetime import timedelta

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, Chat, ChatMemberUpdated, MaybeInaccessibleMessageUnion, Message
from aiogram.types import Update as ParsedUpdate

from starbooth.base.errors import Refusal
from starbooth.domain.catalog.offers import default_offer
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.generations.errors import StarsMissing
from starbooth.domain.generations.request import PictureRequest, request_pictures
from starbooth.domain.orders.cart import remember
from starbooth.domain.orders.place import Source
from starbooth.domain.orders.read import read_order
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.studio.remembered import read_remembered
from starbooth.domain.users.errors import NoSuchGuest
from starbooth.domain.users.guests import find_user
from starbooth.domain.users.pace import Pace, TooOften, take_turn
from starbooth.doors.bot import answers, presses
from starbooth.doors.bot import groups_screens as screens
from starbooth.doors.bot.actions import Action, parse_action
from starbooth.doors.bot.addressing import Addressed, read_address
from starbooth.doors.bot.cancelling import cancel_newest
from starbooth.doors.bot.commands import Command, offered_commands
from starbooth.doors.bot.desk import Desk, Met, words_of

ANSWERS = Pace(kind="group_answer", most=5, within=timedelta(minutes=1))
_OUTSIDE = ("left", "kicked")


def groups_router(desk: Desk) -> Router:
    """The handlers. Nothing that is said or pressed outside private chats goes past them."""
    groups = _Groups(desk)
    router = Router()
    router.message.register(groups.on_message, F.chat.func(_is_shared))
    router.callback_query.register(groups.on_press, F.message.chat.func(_is_shared))
    router.my_chat_member.register(groups.on_membership, F.chat.func(_is_shared))
    return router


def _is_shared(chat: Chat) -> bool:
    return chat.type != ChatType.PRIVATE


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where an answer goes: below the message that asked, in its topic."""

    chat_id: int
    thread_id: int | None
    message_id: int | None


class _Groups:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_message(self, message: Message, event_update: ParsedUpdate) -> None:
        """Be quiet unless what is said is meant for us."""
        addressed = await self._read_address(message)
        if addressed is None:
            return
        if message.sender_chat is not None or message.from_user is None or message.from_user.is_bot:
            if addressed.command in (None, Command.PAINT):
                screen = screens.render_nameless(words_of(message.from_user))
                await self._send(screen, _place(message))
            return
        if addressed.command in (None, Command.PAINT):
            await self._paint(message, addressed.words)
        elif addressed.command == Command.CANCEL:
            await self._cancel(message, event_update)
        else:
            await self._point_the_way(message, addressed)

    async def _read_address(self, message: Message) -> Addressed | None:
        me = await self._desk.bot.me()
        return read_address(
            message.text or message.caption or "",
            username=me.username or "",
        )

    async def _paint(self, message: Message, prompt: str) -> None:
        """Order a picture. On success the delivery answers, below the message that asked."""
        is_order = bool(prompt) and message.text is not None
        met = await self._desk.meet(message.from_user, is_start=is_order, is_elsewhere=True)
        place = _place(message)
        if not is_order:
            kind = message.content_type
            is_thing = message.text is None
            screen = (
                answers.render_unpaintable(met.words, kind) if is_thing else screens.render_how(met.words)
            )
            await self._answer(met, place, screen)
            return
        if met.gift_stars:
            await self._send(answers.render_gift(met.words, gift_stars=met.gift_stars), place)
        try:
            ask = await self._read_ask(message, met, prompt)
            await self._desk.check_prompt(ask)
            async with self._desk.database.transaction() as tx:
                await request_pictures(
                    tx, ask, limits=self._desk.terms.limits, recipient=_recipient(place, met)
                )
        except NotEnoughStars as refusal:
            await self._answer(met, place, await self._word_shortage(refusal, met))
        except Refusal as refusal:
            await self._desk.count_refusal(refusal)
            await self._answer(met, place, Screen(html=str(answers.word_refusal(refusal, met.words))))

    async def _read_ask(self, message: Message, met: Met, prompt: str) -> PictureRequest:
        """What is asked for, as the guest chose in private. Who is asked first there is not asked here."""
        async with self._desk.database.statement() as tx:
            remembered = await read_remembered(tx, user_id=met.guest.user_id)
        return PictureRequest(
            request_key=f"tg:{message.chat.id}:{message.message_id}",
            user_id=met.guest.user_id,
            source=Source.BOT,
            prompt=prompt,
            choices=remembered.choices,
        )

    async def _word_shortage(self, refusal: NotEnoughStars, met: Met) -> Screen:
        is_kept = isinstance(refusal, StarsMissing) and bool(self._desk.terms.packs)
        await self._remember(refusal)
        return screens.render_short_here(
            met.words, username=await self._username(), price_stars=refusal.price_stars, is_kept=is_kept
        )

    async def _remember(self, refusal: NotEnoughStars) -> None:
        if isinstance(refusal, StarsMissing):
            async with self._desk.database.transaction() as tx:
                await remember(tx, refusal.wish, life=self._desk.terms.invoice_life)

    async def _cancel(self, message: Message, event_update: ParsedUpdate) -> None:
        """Cancel the newest order of who asks, wherever it was placed."""
        met = await self._desk.meet(message.from_user, is_elsewhere=True)
        place = _place(message)
        try:
            returned_stars = await cancel_newest(self._desk.database, met.guest, event_update)
        except Refusal as refusal:
            await self._answer(met, place, Screen(html=str(answers.word_refusal(refusal, met.words))))
            return
        if returned_stars is None:
            screen = answers.render_nothing_waits(met.words)
        else:
            screen = answers.render_cancelled(met.words, returned_stars=returned_stars)
        await self._answer(met, place, screen)

    async def _point_the_way(self, message: Message, addressed: Addressed) -> None:
        """Say how it works here, or where the rest can be done. Others' commands are not answered."""
        offered = {each.value for each in offered_commands(self._desk.terms)}
        if addressed.command not in offered and not addressed.is_named:
            return
        met = await self._desk.meet(message.from_user, is_elsewhere=True)
        if addressed.command in (Command.START, Command.HELP):
            screen = await self._hello(message)
        elif addressed.command in offered:
            screen = screens.render_in_private(met.words, username=await self._username())
        else:
            screen = answers.render_unknown_command(met.words)
        await self._answer(met, _place(message), screen)

    async def on_membership(self, change: ChatMemberUpdated) -> None:
        """Say how it works, once the bot has come into a group."""
        has_come = change.new_chat_member.status not in _OUTSIDE
        if change.chat.type == ChatType.CHANNEL or not has_come:
            return
        if change.old_chat_member.status in _OUTSIDE:
            place = _Place(chat_id=change.chat.id, thread_id=None, message_id=None)
            await self._send(await self._hello(change), place)

    async def _hello(self, event: Message | ChatMemberUpdated) -> Screen:
        async with self._desk.database.transaction() as tx:
            price_stars = (await default_offer(tx)).price_stars
        words = words_of(event.from_user)
        return screens.render_hello(words, username=await self._username(), price_stars=price_stars)

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says for whose order it is; anybody else is told so, and nobody but them."""
        words = words_of(query.from_user)
        action = parse_action(query.data)
        toast, is_alert = screens.word_private_only(words), True
        if action is not None and not await self._is_theirs(action, query.from_user.id):
            toast = screens.word_not_yours(words)
        elif action is not None:
            toast, is_alert = await self._press(action, query)
        await self._desk.messenger.answer_press(query.id, toast, is_alert=is_alert)

    async def _is_theirs(self, action: Action, telegram_id: int) -> bool:
        async with self._desk.database.transaction() as tx:
            view = await read_order(tx, action.order_id, slots=1)
            try:
                return view is not None and view.user_id == await find_user(tx, str(telegram_id))
            except NoSuchGuest:
                return False

    async def _press(self, action: Action, query: CallbackQuery) -> tuple[str, bool]:
        met = await self._desk.meet(query.from_user, is_elsewhere=True)
        assert query.message is not None  # else it would not be a group's
        place = _place(query.message)
        try:
            async with self._desk.database.transaction() as tx:
                pressed = await presses.press(
                    tx,
                    action,
                    guest=met.guest,
                    query_id=query.id,
                    recipient=_recipient(place, met),
                    limits=self._desk.terms.limits,
                )
        except NotEnoughStars as refusal:
            await self._remember(refusal)
            return screens.word_short_here(met.words, refusal.price_stars).striptags(), True
        except Refusal as refusal:
            await self._desk.count_refusal(refusal)
            return answers.word_refusal(refusal, met.words).striptags(), True
        if pressed.screen is not None:
            await self._send(pressed.screen, place)
        return pressed.toast, pressed.is_alert

    async def _answer(self, met: Met, place: _Place, screen: Screen) -> None:
        """Answer with anything but a picture, within limits: nobody can have us flood a group."""
        key = f"{place.chat_id}:{place.message_id}"
        try:
            async with self._desk.database.transaction() as tx:
                await take_turn(tx, user_id=met.guest.user_id, pace=ANSWERS, key=key)
        except TooOften:
            return
        await self._send(screen, place)

    async def _send(self, screen: Screen, place: _Place) -> None:
        await self._desk.send(
            screen, chat_id=place.chat_id, reply_to=place.message_id, thread_id=place.thread_id
        )

    async def _username(self) -> str:
        return (await self._desk.bot.me()).username or ""


def _place(message: MaybeInaccessibleMessageUnion) -> _Place:
    # A reply in a group without topics has a thread id too, and that is no topic.
    thread_id = None
    if isinstance(message, Message) and message.is_topic_message:
        thread_id = message.message_thread_id
    return _Place(chat_id=message.chat.id, thread_id=thread_id, message_id=message.message_id)


def _recipient(place: _Place, met: Met) -> Recipient:
    return Recipient(
        chat_id=place.chat_id,
        reply_to_message_id=place.message_id,
        language=met.guest.language,
        thread_id=place.thread_id,
    )
