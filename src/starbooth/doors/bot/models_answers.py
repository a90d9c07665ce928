"""Texts that answer what a list of models asked: words to search by, a model's name, a maker's pen name."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import re

from aiogram.types import Message
from aiogram.types import Update as ParsedUpdate

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.models import lists
from starbooth.domain.models.asking import WhatOfModel, forget_awaited_of_model, read_awaited_of_model
from starbooth.domain.models.errors import NoSuchList, NoSuchModel
from starbooth.domain.models.lists import ModelList
from starbooth.domain.models.makers import take_pen_name
from starbooth.domain.models.own import rename_model
from starbooth.domain.models.shelves import PUBLIC_SHELVES, Shelf, read_words
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.inbox import NOTE, note_in_update
from starbooth.doors.bot.models_views import View, put, read_own, view_card, view_page, view_share

_NOTE = re.compile(rf"model:({'|'.join(WhatOfModel)}):([0-9]{{1,19}})")


async def take_model_answer(desk: Desk, message: Message, met: Met, update: ParsedUpdate) -> bool:
    """Take the message as the answer to what a list of models asked; false where none asked.

    Nonsense is refused in words, and the list goes on asking. Repeat: what was done is noted in the update,
    so a second handling shows the same and takes the words for nothing else.
    """
    user_id = met.guest.user_id
    done = _NOTE.fullmatch(str((update.model_extra or {}).get(NOTE) or ""))
    try:
        async with desk.database.transaction() as tx:
            if done is not None:
                what, message_id = WhatOfModel(done[1]), int(done[2])
                shown = await lists.find_list(tx, message_id, user_id=user_id)
            else:
                awaited = await read_awaited_of_model(tx, user_id=user_id)
                if awaited is None:
                    return False
                what, message_id = awaited.what, awaited.message_id
                shown = await lists.find_list(tx, message_id, user_id=user_id)
                shown = await _apply(tx, met, shown, what, message.text or "")
                await forget_awaited_of_model(tx, user_id=user_id)
                await note_in_update(tx, update.update_id, f"model:{what}:{message_id}")
            view = await _view(tx, desk, met, shown, what)
    except Refusal as refusal:
        if isinstance(refusal, NoSuchModel | NoSuchList):
            async with desk.database.transaction() as tx:
                await forget_awaited_of_model(tx, user_id=user_id)
        await desk.refuse(refusal, met.words, message)
        return True
    await put(desk, view, chat_id=message.chat.id, message_id=message_id)
    return True


async def _apply(tx: Tx, met: Met, shown: ModelList, what: WhatOfModel, text: str) -> ModelList:
    """Do what the answer says; the list as it is then."""
    user_id = met.guest.user_id
    match what:
        case WhatOfModel.SEARCH:
            words = read_words(text)
            shelf = shown.wanted.shelf
            shown = shown.showing(shelf if shelf in PUBLIC_SHELVES else Shelf.USED, words)
            await lists.move_list(tx, shown)
        case WhatOfModel.NAME:
            await rename_model(tx, shown.lora_id or "", text, user_id=user_id)
        case WhatOfModel.PEN_NAME:
            await take_pen_name(tx, text, user_id=user_id)
    return shown


async def _view(tx: Tx, desk: Desk, met: Met, shown: ModelList, what: WhatOfModel) -> View:
    if what is WhatOfModel.SEARCH:
        return await view_page(tx, met, shown)
    card = await read_own(tx, met, shown.lora_id or "")
    if what is WhatOfModel.NAME:
        return await view_card(tx, desk, met, shown, card)
    return await view_share(tx, desk, met, shown, card)
