"""A photo with words: taken in, kept, and shown in a panel that paints from it. Where it has none, asked for.

Handled twice, the photo is stored under the same name again and the same panel is shown. Of an album the
first photo counts.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from datetime import timedelta

from aiogram import F, Router
from aiogram.types import Message

from starbooth.base.errors import Refusal
from starbooth.domain.catalog.offers import list_offers
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.generations.asking import PhotoReference
from starbooth.domain.generations.errors import PromptEmpty
from starbooth.domain.generations.photos import expect_photo, keep_photo
from starbooth.domain.generations.request import clean_prompt
from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable
from starbooth.domain.pictures.photo import LARGEST_PHOTO_MB, take_photo_in_turn
from starbooth.domain.studio.awaited import forget_awaited
from starbooth.domain.studio.drafts import Draft, draft_id_for, read_draft
from starbooth.domain.studio.errors import NoSuchDraft
from starbooth.domain.studio.remembered import read_remembered
from starbooth.domain.users.pace import Pace, take_turn
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.panel_answers import show_draft
from starbooth.outside.telegram.client import fetch_file
from starbooth.outside.telegram.errors import FileTooLarge

# Also of finished pictures to vary: each is unpacked, which takes memory and a second of a processor.
PHOTOS = Pace(kind="photo", most=15, within=timedelta(minutes=1))
_LARGEST_BYTES = LARGEST_PHOTO_MB * 1024 * 1024


def photos_router(desk: Desk) -> Router:
    """The handlers, in a router of its own, for private chats."""
    photos = _Photos(desk)
    router = Router()
    router.message.register(photos.on_photo, F.photo)
    router.message.register(photos.on_photo, F.document.mime_type.startswith("image/"))
    return router


class _Photos:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_photo(self, message: Message) -> None:
        """Open a panel that paints from this photo."""
        met = await self._desk.meet(message.from_user)
        draft_id = draft_id_for(f"photo:{message.chat.id}:{message.media_group_id or message.message_id}")
        if await self._is_of_seen_album(message, met, draft_id):
            return
        if not await self._is_any_model_able():
            words = met.words.say("No model here can start from a photo. Nothing was charged.")
            await self._desk.send(Screen(html=str(words)), chat_id=message.chat.id)
            return
        try:
            prompt = _words_of(message)
            photo = await self._take_in(message, met, key=f"photos/{draft_id}.jpg")
            await self._open(message, met, draft_id, prompt, photo)
        except Refusal as refusal:
            await self._desk.refuse(refusal, met.words, message)

    async def _is_of_seen_album(self, message: Message, met: Met, draft_id: str) -> bool:
        """Whether another photo of this one's album has opened the panel."""
        if message.media_group_id is None:
            return False
        async with self._desk.database.transaction() as tx:
            try:
                draft = await read_draft(tx, draft_id, user_id=met.guest.user_id)
            except NoSuchDraft:
                return False
        return draft.asked_by != message.message_id

    async def _is_any_model_able(self) -> bool:
        async with self._desk.database.transaction() as tx:
            return any(each.is_on and each.photo_endpoint is not None for each in await list_offers(tx))

    async def _take_in(self, message: Message, met: Met, *, key: str) -> PhotoReference:
        """Fetch the photo, make it plain, and keep it under this key. Repeat: harmless.

        Raises: TooOften, PhotoUnreadable, Unavailable.
        """
        async with self._desk.database.transaction() as tx:
            await take_turn(tx, user_id=met.guest.user_id, pace=PHOTOS, key=key)
        try:
            body = await fetch_file(self._desk.bot, _file_id(message), limit_bytes=_LARGEST_BYTES)
        except FileTooLarge as error:
            raise PhotoUnreadable(PhotoFlaw.TOO_LARGE, limit=LARGEST_PHOTO_MB) from error
        taken = await take_photo_in_turn(body)
        async with self._desk.database.statement() as tx:
            await expect_photo(tx, key, user_id=met.guest.user_id)
        await self._desk.storage.put(key, taken.body, "image/jpeg")
        photo = PhotoReference(key=key, width_px=taken.width_px, height_px=taken.height_px)
        async with self._desk.database.transaction() as tx:
            await keep_photo(tx, photo, user_id=met.guest.user_id)
        return photo

    async def _open(
        self, message: Message, met: Met, draft_id: str, prompt: str, photo: PhotoReference
    ) -> None:
        async with self._desk.database.transaction() as tx:
            remembered = await read_remembered(tx, user_id=met.guest.user_id)
            await forget_awaited(tx, user_id=met.guest.user_id)
        draft = Draft(
            draft_id=draft_id,
            user_id=met.guest.user_id,
            chat_id=message.chat.id,
            prompt=prompt,
            choices=remembered.choices,
            photo=photo,
            asked_by=message.message_id,
        )
        await show_draft(self._desk, met, draft)


def _file_id(message: Message) -> str:
    if message.photo:
        return message.photo[-1].file_id
    assert message.document is not None  # the filters let nothing else pass
    return message.document.file_id


def _words_of(message: Message) -> str:
    """The caption as a prompt; empty where there are no words in it. Raises: PromptTooLong."""
    try:
        return clean_prompt(message.caption or "")
    except PromptEmpty:
        return ""
