"""/words: operators keep the list of what prompts must not hold, and see who was refused. For everybody else
there is no such command.

Each handler can run twice for one update: adding again changes nothing, and what is gone stays gone.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import structlog
from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.filters import CommandObject
from aiogram.types import CallbackQuery, Message

from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.prompts import word_list
from starbooth.domain.prompts.errors import NoSuchPhrase, PhraseRefused
from starbooth.domain.prompts.gate import list_refused
from starbooth.doors.bot import word_list_screens as screens
from starbooth.doors.bot.desk import Desk, words_of
from starbooth.doors.bot.word_list_screens import PREFIX, parse_turn
from starbooth.doors.bot.words import Words
from starbooth.outside.telegram.errors import MessageGone, NotModified

_log = structlog.get_logger()
_GUESTS_SHOWN = 5


def word_list_router(desk: Desk) -> Router:
    """The handlers, in a router of its own. What is not an operator's falls through to the next router."""
    room = _WordRoom(desk)
    router = Router()
    router.message.register(room.on_words, CommandFilter("words", ignore_case=True), room.is_from_operator)
    router.callback_query.register(room.on_press, F.data.startswith(PREFIX), room.is_from_operator)
    return router


class _WordRoom:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def is_from_operator(self, event: Message | CallbackQuery) -> bool:
        """A filter. Who tries without being one is logged, by id, and finds nothing here."""
        if self._desk.is_operator(event.from_user):
            return True
        _log.warning(
            "operators.not_one", telegram_id=event.from_user.id if event.from_user else None, tried="/words"
        )
        return False

    async def on_words(self, message: Message, command: CommandObject) -> None:
        """`/words`, `/words add ENTRY # note`, `/words remove ENTRY`, `/words test PROMPT`."""
        words = words_of(message.from_user)
        await self._desk.meet(message.from_user)
        assert message.from_user is not None  # the filter let nobody else pass
        verb, _, rest = (command.args or "").partition(" ")
        try:
            screen = await self._do(words, verb.lower(), rest.strip(), f"telegram:{message.from_user.id}")
        except (PhraseRefused, NoSuchPhrase) as refusal:
            screen = screens.render_refusal(words, refusal)
        await self._desk.send(screen, chat_id=message.chat.id)

    async def _do(self, words: Words, verb: str, rest: str, operator: str) -> Screen:
        """Do what the command says. Raises: PhraseRefused, NoSuchPhrase."""
        if not verb:
            return await self._list(words, page=0)
        if verb not in ("add", "remove", "test") or not rest:
            return screens.render_usage(words)
        async with self._desk.database.transaction() as tx:
            if verb == "test":
                return screens.render_tried(words, await word_list.find_in(tx, [rest]))
            if verb == "remove":
                gone = await word_list.remove_entry(tx, typed=rest, operator=operator)
                return screens.render_removed(words, gone)
            entry, _, note = rest.partition("#")
            kept = await word_list.add_entry(tx, typed=entry, note=note.strip(), operator=operator)
        return screens.render_added(words, kept)

    async def _list(self, words: Words, *, page: int, removed: str = "") -> Screen:
        async with self._desk.database.transaction() as tx:
            entries = await word_list.list_entries(tx)
            refused = await list_refused(tx, limit=_GUESTS_SHOWN)
        return screens.render_list(words, entries, refused, page=page, removed=removed)

    async def on_press(self, query: CallbackQuery) -> None:
        """Another page, or an entry less. Always answers the press."""
        words = words_of(query.from_user)
        turn = parse_turn(query.data)
        toast = ""
        if turn is None:
            toast = words.plain("This button does nothing any more. Nothing was charged.")
        else:
            removed = ""
            if turn.remove is not None:
                try:
                    removed = await self._remove(turn.remove, query)
                except Refusal:
                    toast = words.plain("The list does not have this entry.")
            await self._edit(query, await self._list(words, page=turn.page, removed=removed))
        await self._desk.messenger.answer_press(query.id, toast, is_alert=bool(toast))

    async def _remove(self, number: int, query: CallbackQuery) -> str:
        async with self._desk.database.transaction() as tx:
            return await word_list.remove_numbered(
                tx, number=number, operator=f"telegram:{query.from_user.id}"
            )

    async def _edit(self, query: CallbackQuery, screen: Screen) -> None:
        """Turn the list with the button into this one; a message that is gone is sent anew."""
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
