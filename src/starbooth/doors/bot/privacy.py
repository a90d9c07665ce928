"""A guest's own data: photos and consents that go, and /deletemyaccount with its two questions.

What a press does is the same when it is handled twice. Only who presses what deletes their account is not
met: a second handling would make them a new guest.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from collections.abc import Awaitable, Callable

from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import CallbackQuery, Message, User

from starbooth.base.clock import now
from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.gifts.before import Marks
from starbooth.domain.privacy.exports import ask_export, read_key
from starbooth.domain.privacy.farewell import begin_farewell, count_belongings
from starbooth.domain.privacy.guest_photos import count_photos, delete_photos, withdraw_consents
from starbooth.domain.users.guests import Language, find_guest
from starbooth.doors.bot import privacy_screens as screens
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met, words_of
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.privacy_moves import OF_ACCOUNT, PREFIX, Move, Verb, parse_move
from starbooth.doors.bot.words import words_for
from starbooth.outside.telegram.errors import Blocked, MessageGone, NotModified, TelegramRefused

# Below /privacy and the like, which stay as they are.
_ANSWERED_BELOW = (Verb.PHOTOS, Verb.CONSENT, Verb.LEAVE, Verb.LINK)


def privacy_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    handlers = _Privacy(desk)
    router = Router()
    leave = CommandFilter(Command.DELETEMYACCOUNT, ignore_case=True)
    router.message.register(handlers.on_leave, leave)
    router.message.register(handlers.on_export, CommandFilter(Command.EXPORT, ignore_case=True))
    router.callback_query.register(handlers.on_press, F.data.startswith(PREFIX))
    return router


class _Privacy:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_leave(self, message: Message) -> None:
        """Say what would go with the account, and ask."""
        met = await self._desk.meet(message.from_user)
        await self._desk.send(await self._leaving(met), chat_id=message.chat.id)

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, and always answer the press."""
        move = parse_move(query.data)
        if move is None:
            await self._answer(
                query,
                words_of(query.from_user).plain("This button does nothing any more. Nothing was charged."),
            )
            return
        if move.verb in OF_ACCOUNT:
            await self._turn(query, await self._go(move, query.from_user))
        elif move.verb is Verb.EXPORT:
            await self._export(query)
            return
        elif move.verb in _ANSWERED_BELOW:
            met = await self._desk.meet(query.from_user)
            await self._desk.send(await self._ask(move, met), chat_id=query.from_user.id)
        else:
            met = await self._desk.meet(query.from_user)
            await self._turn(query, await self._do(move.verb, met))
        await self._answer(query, "")

    async def on_export(self, message: Message) -> None:
        """Have all that is kept of the guest sent to them."""
        met = await self._desk.meet(message.from_user)
        try:
            async with self._desk.database.transaction() as tx:
                key = f"tg:{message.chat.id}:{message.message_id}"
                await ask_export(tx, guest=met.guest, key=key)
        except Refusal as refusal:
            await self._desk.refuse(refusal, met.words, message)
            return
        await self._desk.send(screens.render_export_asked(met.words), chat_id=message.chat.id)

    async def _export(self, query: CallbackQuery) -> None:
        met = await self._desk.meet(query.from_user)
        try:
            async with self._desk.database.transaction() as tx:
                await ask_export(tx, guest=met.guest, key=query.id)
        except Refusal as refusal:
            text = word_refusal(refusal, met.words).striptags()
            await self._desk.messenger.answer_press(query.id, text, is_alert=True)
            return
        await self._desk.send(screens.render_export_asked(met.words), chat_id=query.from_user.id)
        await self._answer(query, "")

    async def _link(self, export_id: str, met: Met) -> Screen:
        async with self._desk.database.transaction() as tx:
            key = await read_key(tx, export_id, user_id=met.guest.user_id)
        if key is None:
            return screens.render_export_gone(met.words)
        return screens.render_link(met.words, url=self._desk.terms.file_link(key))

    async def _ask(self, move: Move, met: Met) -> Screen:
        verb = move.verb
        if verb is Verb.LEAVE:
            return await self._leaving(met)
        if verb is Verb.LINK:
            return await self._link(move.subject, met)
        async with self._desk.database.transaction() as tx:
            kept = await count_photos(tx, user_id=met.guest.user_id)
        render = screens.render_photos if verb is Verb.PHOTOS else screens.render_consent
        return render(met.words, kept)

    async def _leaving(self, met: Met) -> Screen:
        user_id = met.guest.user_id
        async with self._desk.database.transaction() as tx:
            has = await count_belongings(tx, user_id=user_id)
        return screens.render_leaving(met.words, has, user_id=user_id)

    async def _do(self, verb: Verb, met: Met) -> Screen:
        if verb is Verb.KEEP:
            return screens.render_kept(met.words)
        async with self._desk.database.transaction() as tx:
            if verb is Verb.WITHDRAW:
                gone = await withdraw_consents(tx, user_id=met.guest.user_id)
            else:
                gone = await delete_photos(tx, user_id=met.guest.user_id)
        return screens.render_photos_gone(met.words, gone)

    async def _go(self, move: Move, person: User) -> Screen:
        """The second question, or the end of the account that the button names."""
        words = words_of(person)
        async with self._desk.database.transaction() as tx:
            guest = await find_guest(tx, telegram_id=person.id)
            if guest is None or guest.user_id != move.subject:
                return screens.render_left_before(words)
            if move.verb is Verb.LEAVE_SURELY:
                return screens.render_leaving_surely(words, user_id=guest.user_id)
            await begin_farewell(tx, guest=guest, marks=self._marks, today=now().date())
        return screens.render_left(words)

    @property
    def _marks(self) -> Marks:
        assert self._desk.terms.marks is not None, "this bot was opened without the booth's secret"
        return self._desk.terms.marks

    async def _turn(self, query: CallbackQuery, screen: Screen) -> None:
        """Make the message that bears the button this one. Repeat: harmless."""
        if query.message is None:
            return
        try:
            await self._desk.messenger.edit_text(
                screen, chat_id=query.from_user.id, message_id=query.message.message_id
            )
        except NotModified:
            return
        except MessageGone:
            await self._desk.send(screen, chat_id=query.from_user.id)

    async def _answer(self, query: CallbackQuery, toast: str) -> None:
        await self._desk.messenger.answer_press(query.id, toast, is_alert=False)


def farewell_by(messenger: BotMessenger) -> Callable[[int, Language], Awaitable[None]]:
    """Says the last words in a chat; one that takes no messages is let be. Raises: TelegramUnavailable."""

    async def tell(chat_id: int, language: Language) -> None:
        try:
            await messenger.send_text(
                screens.render_farewell(words_for(language)), chat_id=chat_id, reply_to_message_id=None
            )
        except (Blocked, TelegramRefused):
            return

    return tell
