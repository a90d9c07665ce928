"""The gallery: one message that is a contact sheet, or one picture of it. Every press edits that message.

A page is found by the place in its button, so a button pressed ten times shows one page. What the gallery
shows stands in its row; the row is found by the number in the button, and only by its guest.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from dataclasses import dataclass
from datetime import timedelta

from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.filters import CommandObject
from aiogram.types import BufferedInputFile, CallbackQuery, Message
from aiogram.types import Update as ParsedUpdate

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.gallery import galleries
from starbooth.domain.gallery.again import offer_again
from starbooth.domain.gallery.errors import NoFile, NoSuchGallery, NoSuchPicture, NothingToSearch
from starbooth.domain.gallery.galleries import Gallery
from starbooth.domain.gallery.pages import Goes, PageEntry, read_page, read_words
from starbooth.domain.gallery.pictures import (
    KeptPicture,
    delete_picture,
    mark_favourite,
    read_picture,
    unmark_favourite,
)
from starbooth.domain.gallery.sheet import draw_sheet
from starbooth.domain.studio.awaited import await_search, forget_awaited, read_awaited_search
from starbooth.domain.users.pace import Pace, take_turn
from starbooth.doors.bot import gallery_screens as screens
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.gallery_moves import PREFIX, Move, Verb, parse_move
from starbooth.doors.bot.inbox import NOTE, note_in_update
from starbooth.outside.storage.contract import StoredFileMissing
from starbooth.outside.telegram.client import send_document
from starbooth.outside.telegram.errors import MessageGone, NotModified

PAGE = 9
ORIGINALS = Pace(kind="original", most=5, within=timedelta(minutes=1))
_NOTE = "gallery:"


def gallery_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    handlers = _Galleries(desk)
    router = Router()
    router.message.register(handlers.on_gallery, CommandFilter(Command.GALLERY, ignore_case=True))
    router.callback_query.register(handlers.on_press, F.data.startswith(PREFIX))
    return router


@dataclass(frozen=True, kw_only=True)
class _View:
    """What the message is to show: a sheet of these pictures, or this one picture."""

    screen: Screen
    gallery: Gallery
    entries: tuple[PageEntry, ...] = ()
    picture: KeptPicture | None = None
    toast: str = ""
    is_alert: bool = False


class _Galleries:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_gallery(self, message: Message, command: CommandObject) -> None:
        """Open a gallery, of what the words behind the command say, if any."""
        met = await self._desk.meet(message.from_user)
        try:
            async with self._desk.database.transaction() as tx:
                words = await read_words(tx, command.args) if command.args else ()
                gallery = await galleries.open_gallery(
                    tx,
                    user_id=met.guest.user_id,
                    request_key=f"tg:{message.chat.id}:{message.message_id}",
                    words=words,
                )
                view = await view_page(tx, met, gallery)
        except NothingToSearch as refusal:
            await self._desk.refuse(refusal, met.words, message)
            return
        if not view.entries and not words:
            await self._desk.send(screens.render_empty(met.words), chat_id=message.chat.id)
            return
        await _put(self._desk, view, chat_id=message.chat.id, message_id=None)

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, show what there is then, and always answer the press."""
        met = await self._desk.meet(query.from_user)
        move = parse_move(query.data)
        message_id = query.message.message_id if query.message else None
        answer = self._desk.messenger.answer_press
        if move is None:
            text = met.words.plain("This button does nothing any more. Nothing was charged.")
            await answer(query.id, text, is_alert=False)
            return
        try:
            if move.verb is Verb.ORIGINAL:
                await self._send_original(query, met, move)
                return
            view = await self._press(met, move, message_id)
        except Refusal as refusal:
            await answer(query.id, word_refusal(refusal, met.words).striptags(), is_alert=True)
            return
        await _put(self._desk, view, chat_id=query.from_user.id, message_id=message_id)
        await answer(query.id, view.toast, is_alert=view.is_alert)

    async def _press(self, met: Met, move: Move, message_id: int | None) -> _View:
        try:
            async with self._desk.database.transaction() as tx:
                return await self._do(tx, met, move, message_id)
        except NoSuchPicture as refusal:  # deleted meanwhile: say so, above what is still there
            toast = word_refusal(refusal, met.words).striptags()
        async with self._desk.database.transaction() as tx:
            gallery = await galleries.read_gallery(tx, move.gallery_id, user_id=met.guest.user_id)
            return await view_page(tx, met, gallery, toast=toast, is_alert=True)

    async def _do(self, tx: Tx, met: Met, move: Move, message_id: int | None) -> _View:
        user_id = met.guest.user_id
        gallery = await galleries.read_gallery(tx, move.gallery_id, user_id=user_id)
        if move.verb is Verb.SEARCH:
            return await self._ask(tx, met, gallery, message_id)
        if move.picture_id is None:
            gallery = _turned(gallery, move)
            await galleries.move_gallery(tx, gallery)
            await _forget_search(tx, user_id)
            return await view_page(tx, met, gallery)
        match move.verb:
            case Verb.MARK:
                await mark_favourite(tx, move.picture_id, user_id=user_id)
            case Verb.UNMARK:
                await unmark_favourite(tx, move.picture_id, user_id=user_id)
            case Verb.DELETE:
                await delete_picture(tx, move.picture_id, user_id=user_id)
                return await view_page(tx, met, gallery, toast=met.words.plain("Deleted."))
        return await view_picture(tx, met, gallery, move.picture_id, asks_delete=move.verb is Verb.ASK_DELETE)

    async def _ask(self, tx: Tx, met: Met, gallery: Gallery, message_id: int | None) -> _View:
        if message_id is None:
            raise NoSuchGallery
        user_id = met.guest.user_id
        await galleries.note_message(tx, gallery.gallery_id, message_id, user_id=user_id)
        await await_search(tx, user_id=user_id, message_id=message_id)
        page = await read_page(tx, gallery.wanted, limit=PAGE, place=gallery.place, goes=gallery.goes)
        screen = screens.render_question(met.words, gallery)
        return _View(screen=screen, gallery=gallery, entries=page.pictures)

    async def _send_original(self, query: CallbackQuery, met: Met, move: Move) -> None:
        assert move.picture_id is not None
        user_id = met.guest.user_id
        async with self._desk.database.transaction() as tx:
            await take_turn(tx, user_id=user_id, pace=ORIGINALS, key=query.id)
            picture = await read_picture(tx, move.picture_id, user_id=user_id)
        await send_original(self._desk, picture, chat_id=query.from_user.id)
        await self._desk.messenger.answer_press(query.id, "", is_alert=False)


def _turned(gallery: Gallery, move: Move) -> Gallery:
    """The gallery as a button wants it that is about no picture."""
    match move.verb:
        case Verb.OLDER:
            return gallery.at(move.place, Goes.OLDER)
        case Verb.NEWER:
            return gallery.at(move.place, Goes.NEWER)
        case Verb.ALL:
            return gallery.showing(favourites_only=False, words=())
        case Verb.FAVOURITES:
            return gallery.showing(favourites_only=True, words=())
        case _:
            return gallery


async def view_page(tx: Tx, met: Met, gallery: Gallery, *, toast: str = "", is_alert: bool = False) -> _View:
    """The page that the gallery is at; the first one where nothing is left there."""
    page = await read_page(tx, gallery.wanted, limit=PAGE, place=gallery.place, goes=gallery.goes)
    if not page.pictures and gallery.place is not None and page.searched_to is None:
        gallery = gallery.at(None)
        page = await read_page(tx, gallery.wanted, limit=PAGE)
    screen = screens.render_page(met.words, gallery, page)
    return _View(screen=screen, gallery=gallery, entries=page.pictures, toast=toast, is_alert=is_alert)


async def view_picture(
    tx: Tx, met: Met, gallery: Gallery, picture_id: str, *, asks_delete: bool = False
) -> _View:
    """One picture of the gallery. Raises: NoSuchPicture."""
    picture = await read_picture(tx, picture_id, user_id=met.guest.user_id)
    screen = screens.render_picture(
        met.words, gallery, picture, again_stars=await _again_stars(tx, picture), asks_delete=asks_delete
    )
    return _View(screen=screen, gallery=gallery, picture=picture)


async def _again_stars(tx: Tx, picture: KeptPicture) -> int | None:
    """What one more like it costs; None where it cannot be had any more."""
    try:
        return (await offer_again(tx, picture)).price_stars
    except Refusal:
        return None


async def _put(desk: Desk, view: _View, *, chat_id: int, message_id: int | None) -> None:
    """Make the message this view, or send one where there is none. Repeat: harmless where there is one."""
    body = await _draw(desk, view)
    if message_id is not None:
        try:
            await desk.messenger.edit_picture(view.screen, body, chat_id=chat_id, message_id=message_id)
        except NotModified:
            return
        except MessageGone:
            pass
        else:
            return
    await desk.messenger.send_picture(view.screen, body, chat_id=chat_id)


async def _draw(desk: Desk, view: _View) -> bytes:
    """The picture as it lies in storage, or the sheet. Where a file is lost, an empty tile stands for it."""
    if view.picture is None or view.picture.file_key is None:
        return await draw_sheet(desk.storage, view.entries)
    try:
        return await desk.storage.get(view.picture.file_key)
    except StoredFileMissing:
        return await draw_sheet(desk.storage, ())


async def send_original(desk: Desk, picture: KeptPicture, *, chat_id: int) -> int:
    """Send the picture's file as it lies in storage, its recipe inside; the message. Not safe to repeat.

    Raises: NoFile, and what sending raises.
    """
    if picture.file_key is None:
        raise NoFile
    try:
        body = await desk.storage.get(picture.file_key)
    except StoredFileMissing as missing:
        raise NoFile from missing
    kind = picture.file_key.rpartition(".")[2]
    file = BufferedInputFile(body, f"picture-{picture.at:%Y-%m-%d}-{picture.seed or 0}.{kind}")
    return await send_document(desk.bot, file, "", chat_id=chat_id)


async def take_search(desk: Desk, message: Message, met: Met, update: ParsedUpdate) -> bool:
    """Take the message as the words that a gallery asked for; false where none asked.

    Repeat: what was done is noted in the update, so a second handling shows the same and takes nothing else.
    """
    user_id = met.guest.user_id
    note = str((update.model_extra or {}).get(NOTE) or "")
    try:
        async with desk.database.transaction() as tx:
            if note.startswith(_NOTE):
                message_id: int | None = int(note.removeprefix(_NOTE))
            else:
                message_id = await read_awaited_search(tx, user_id=user_id)
            if message_id is None:
                return False
            found = await galleries.find_gallery(tx, message_id, user_id=user_id)
            words = await read_words(tx, message.text or "")
            gallery = found.showing(favourites_only=found.wanted.favourites_only, words=words)
            await galleries.move_gallery(tx, gallery)
            await forget_awaited(tx, user_id=user_id)
            await note_in_update(tx, update.update_id, f"{_NOTE}{message_id}")
            view = await view_page(tx, met, gallery)
    except Refusal as refusal:
        await desk.refuse(refusal, met.words, message)
        return True
    await _put(desk, view, chat_id=message.chat.id, message_id=message_id)
    return True


async def _forget_search(tx: Tx, user_id: str) -> None:
    """Who turns pages does not look for words any more; what a panel asked stands."""
    if await read_awaited_search(tx, user_id=user_id) is not None:
        await forget_awaited(tx, user_id=user_id)
