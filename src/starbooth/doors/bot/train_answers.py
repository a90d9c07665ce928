"""Plain words that answer a question about a set of photos: a name, a word, a caption, steps, a rate."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import math
import re
from dataclasses import replace

from aiogram.types import Message
from aiogram.types import Update as ParsedUpdate

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.studio.awaited import AwaitedOfSet, WhatOfSet, forget_awaited, read_awaited_of_set
from starbooth.domain.trainings.captions import clean_caption
from starbooth.domain.trainings.errors import NameRefused, NoSuchSet, RecipeRefused
from starbooth.domain.trainings.gathering import caption_photo
from starbooth.domain.trainings.offers import TrainingOffer, read_training_offer
from starbooth.domain.trainings.photo_sets import LONGEST_NAME, PhotoSet, change_set, find_open_set
from starbooth.domain.trainings.trigger_words import check_trigger_word
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.inbox import NOTE, note_in_update
from starbooth.doors.bot.train_moves import Page
from starbooth.doors.bot.train_views import draw_page, put_view, read_train_panel

_NOTE = re.compile(r"set:([0-9]{1,19}):([a-z])")
_PAGES = {
    WhatOfSet.NAME: Page.CHOICES,
    WhatOfSet.WORD: Page.CHOICES,
    WhatOfSet.CAPTION: Page.CAPTIONS,
    WhatOfSet.STEPS: Page.ADVANCED,
    WhatOfSet.RATE: Page.ADVANCED,
}


async def take_answer_for_set(desk: Desk, message: Message, met: Met, update: ParsedUpdate) -> bool:
    """Take the message as the answer to what a set asked; false where none asked.

    Nonsense is refused in words, and the question stands. Repeat: what was done is noted in the update, so a
    second handling shows the set and takes the words for nothing else.
    """
    user_id = met.guest.user_id
    noted = _NOTE.fullmatch(str((update.model_extra or {}).get(NOTE) or ""))
    try:
        async with desk.database.transaction() as tx:
            awaited = await read_awaited_of_set(tx, user_id=user_id)
            if noted is None and awaited is None:
                return False
            photo_set = await find_open_set(tx, user_id=user_id)
            if photo_set is None:
                await forget_awaited(tx, user_id=user_id)
                raise NoSuchSet
            if noted is not None or awaited is None:
                page = Page.PHOTOS if noted is None else Page(noted[2])
            else:
                page = _PAGES[awaited.what]
                photo_set = await _apply(tx, photo_set, awaited, message.text or "")
                await forget_awaited(tx, user_id=user_id)
                await note_in_update(tx, update.update_id, f"set:{awaited.message_id or 0}:{page}")
            view = draw_page(met, await read_train_panel(tx, photo_set), page)
    except Refusal as refusal:
        await desk.refuse(refusal, met.words, message)
        return True
    await put_view(desk, view, chat_id=message.chat.id, message_id=photo_set.message_id)
    return True


async def _apply(tx: Tx, photo_set: PhotoSet, awaited: AwaitedOfSet, text: str) -> PhotoSet:
    """Do what the answer says. Raises: NameRefused, TriggerRefused, CaptionTooLong, NoSuchPhoto, …"""
    match awaited.what:
        case WhatOfSet.NAME:
            photo_set = replace(photo_set, name=_read_name(text))
        case WhatOfSet.WORD:
            word = await check_trigger_word(tx, text, user_id=photo_set.user_id)
            photo_set = replace(photo_set, trigger_word=word)
        case WhatOfSet.CAPTION:
            await caption_photo(tx, photo_set.set_id, awaited.number or 0, clean_caption(text))
        case WhatOfSet.STEPS:
            photo_set = replace(photo_set, steps=_read_steps(text, await _offer(tx, photo_set)))
        case WhatOfSet.RATE:
            photo_set = replace(photo_set, learning_rate=_read_rate(text, await _offer(tx, photo_set)))
    await change_set(tx, photo_set)
    return photo_set


async def _offer(tx: Tx, photo_set: PhotoSet) -> TrainingOffer:
    offer = None if photo_set.lora_type is None else await read_training_offer(tx, photo_set.lora_type)
    if offer is None:
        raise NoSuchSet
    return offer


def _read_name(text: str) -> str:
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise NameRefused(limit=LONGEST_NAME)
    return name


def _read_steps(text: str, offer: TrainingOffer) -> int:
    written = text.strip()
    steps = int(written) if re.fullmatch(r"[0-9]{1,6}", written) and written.isascii() else -1
    if not offer.least_steps <= steps <= offer.most_steps:
        raise RecipeRefused("steps", least=offer.least_steps, most=offer.most_steps)
    return steps


def _read_rate(text: str, offer: TrainingOffer) -> float:
    try:
        rate = float(text.strip().replace(",", "."))
    except ValueError:
        rate = math.nan
    if not offer.least_learning_rate <= rate <= offer.most_learning_rate:  # nor where it is no number
        raise RecipeRefused("learning_rate", least=offer.least_learning_rate, most=offer.most_learning_rate)
    return rate
