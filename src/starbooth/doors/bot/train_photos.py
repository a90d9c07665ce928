"""Photos, files and zips that come while a guest gathers photos for a model: taken in, counted, shown.

Each is an update of its own, also in an album. The message that shows the set is changed once nothing more
waits, or after some seconds; in the end it stands below what was sent. Handled twice, a photo is there once.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from aiogram import F, Router
from aiogram.types import Message
from aiogram.types import Update as ParsedUpdate

from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable
from starbooth.domain.pictures.photo import LARGEST_PHOTO_MB
from starbooth.domain.pictures.photo_zip import shown_name
from starbooth.domain.trainings.errors import NoSuchSet
from starbooth.domain.trainings.intake import Intake, Sent
from starbooth.domain.trainings.photo_sets import PhotoSet, change_set, find_gathering, read_open_set
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.inbox import is_file_waiting
from starbooth.doors.bot.train_moves import Page
from starbooth.doors.bot.train_views import draw_page, put_view, read_train_panel
from starbooth.outside.telegram.client import fetch_file
from starbooth.outside.telegram.errors import FileTooLarge

_LARGEST_BYTES = LARGEST_PHOTO_MB * 1024 * 1024
_SHOW_EVERY_S = 3.0
_SETS_REMEMBERED = 1000  # forgetting one only means to show it once more


@dataclass(frozen=True, kw_only=True)
class _File:
    file_id: str
    sent: Sent


def train_photos_router(desk: Desk) -> Router:
    """The handler, in a router of its own: before the one that paints from photos."""
    photos = _TrainPhotos(desk)
    router = Router()
    router.message.register(photos.on_photo, F.photo | F.document | F.animation, photos.is_gathering)
    return router


class _TrainPhotos:
    """The handler."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shown_at: OrderedDict[str, float] = OrderedDict()

    async def is_gathering(self, message: Message) -> bool | dict[str, Any]:
        """Whether this guest gathers photos at the moment; then this one belongs to them."""
        if message.from_user is None or message.chat.id < 0:
            return False
        async with self._desk.database.statement() as tx:
            set_id = await find_gathering(tx, telegram_id=message.from_user.id)
        return False if set_id is None else {"set_id": set_id}

    async def on_photo(self, message: Message, set_id: str, event_update: ParsedUpdate) -> None:
        """Take it in, and show the set."""
        met = await self._desk.meet(message.from_user)
        try:
            await self._take(message, met, set_id)
            await self._show(message, met, set_id, event_update.update_id)
        except NoSuchSet as refusal:  # ordered or deleted at this very moment
            await self._desk.refuse(refusal, met.words, message)

    async def _take(self, message: Message, met: Met, set_id: str) -> None:
        intake = Intake(self._desk.database, self._desk.storage, set_id=set_id, user_id=met.guest.user_id)
        file = _file_of(message)
        if not await intake.wants(file.sent):
            return
        try:
            body = await fetch_file(self._desk.bot, file.file_id, limit_bytes=_LARGEST_BYTES)
        except FileTooLarge:
            await intake.refuse(file.sent, PhotoUnreadable(PhotoFlaw.TOO_LARGE, limit=LARGEST_PHOTO_MB))
            return
        await intake.take(file.sent, body)

    async def _show(self, message: Message, met: Met, set_id: str, update_id: int) -> None:
        """Show the set as it is, unless more is about to come anyway."""
        chat_id = message.chat.id
        async with self._desk.database.transaction() as tx:
            is_more = await is_file_waiting(tx, chat_id=chat_id, after_update_id=update_id)
            if is_more and not self._is_time(set_id):
                return
            photo_set = await read_open_set(tx, set_id, user_id=met.guest.user_id)
            panel = await read_train_panel(tx, photo_set)
            view = draw_page(met, panel, Page.PHOTOS, is_busy=is_more)
        stands = photo_set.message_id
        is_above = stands is not None and stands < message.message_id
        shown = await put_view(
            self._desk, view, chat_id=chat_id, message_id=None if is_above and not is_more else stands
        )
        if shown != stands:
            await note_message(self._desk, photo_set, shown)
            if stands is not None:
                await self._desk.messenger.delete([stands], chat_id=chat_id)

    def _is_time(self, set_id: str) -> bool:
        now = time.monotonic()
        if now - self._shown_at.get(set_id, 0.0) < _SHOW_EVERY_S:
            return False
        self._shown_at[set_id] = now
        self._shown_at.move_to_end(set_id)
        if len(self._shown_at) > _SETS_REMEMBERED:
            self._shown_at.popitem(last=False)
        return True


async def note_message(desk: Desk, photo_set: PhotoSet, message_id: int) -> None:
    """Remember which message shows a set, if it is still gathered. Repeat: harmless."""
    async with desk.database.transaction() as tx:
        try:
            now = await read_open_set(tx, photo_set.set_id, user_id=photo_set.user_id)
        except NoSuchSet:
            return
        await change_set(tx, replace(now, message_id=message_id))


def _file_of(message: Message) -> _File:
    if message.photo:
        largest = message.photo[-1]
        return _File(file_id=largest.file_id, sent=Sent(source=f"tg:{largest.file_unique_id}"))
    document = message.document or message.animation
    assert document is not None  # the filters let nothing else pass
    sent = Sent(source=f"tg:{document.file_unique_id}", name=shown_name(document.file_name or ""))
    return _File(file_id=document.file_id, sent=sent)
