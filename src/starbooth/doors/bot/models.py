"""/models: own models and public ones, in one message that every press edits.

What a list shows stands in its row, found by the number in the button and only by its guest. Every button
says what shall be, so a press that comes twice does the same as once.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from dataclasses import replace
from datetime import timedelta

from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import BufferedInputFile, CallbackQuery, Message

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.generations.choices import MOST_LORAS, LoraChoice
from starbooth.domain.models import lists, own
from starbooth.domain.models.asking import (
    AwaitedOfModel,
    WhatOfModel,
    await_of_model,
    forget_awaited_of_model,
)
from starbooth.domain.models.cards import ModelCard, read_card
from starbooth.domain.models.errors import NoSuchList, NoSuchModel, WeightsMissing
from starbooth.domain.models.favourites import mark_model, unmark_model
from starbooth.domain.models.lists import ModelList
from starbooth.domain.models.makers import Shows, read_maker, show_maker, take_pen_name
from starbooth.domain.models.previews import list_candidates, set_preview
from starbooth.domain.models.reports import Reason, report_model
from starbooth.domain.models.shelves import Goes, Shelf
from starbooth.domain.studio.panel import change_panel, read_panel
from starbooth.domain.users.pace import Pace, take_turn
from starbooth.doors.bot import models_cards as cards
from starbooth.doors.bot import models_screens as screens
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.model_moves import ALL_MODELS, PREFIX, Move, Verb, parse_move
from starbooth.doors.bot.models_views import (
    CANDIDATES,
    View,
    put,
    read_own,
    view_card,
    view_of,
    view_page,
    view_previews,
    view_share,
)
from starbooth.outside.storage.contract import StoredFileMissing
from starbooth.outside.telegram.client import send_document

_EXPORTS = Pace(kind="export_weights", most=5, within=timedelta(hours=1))
_LARGEST_UPLOAD = 48 * 1024 * 1024  # what a bot may send, less what goes around it
_TURNS = frozenset({Verb.SHELF, Verb.ON, Verb.BACK, Verb.PAGE})


def models_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    handlers = _Models(desk)
    router = Router()
    router.message.register(handlers.on_models, CommandFilter(Command.MODELS, ignore_case=True))
    router.callback_query.register(handlers.on_press, F.data.startswith(PREFIX))
    return router


class _Models:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_models(self, message: Message) -> None:
        """Open a list of the guest's own models."""
        met = await self._desk.meet(message.from_user)
        key = f"tg:{message.chat.id}:{message.message_id}"
        await self._open(met, message.chat.id, request_key=key, shelf=Shelf.OWN)

    async def _open(self, met: Met, chat_id: int, *, request_key: str, shelf: Shelf) -> None:
        async with self._desk.database.transaction() as tx:
            shown = await lists.open_list(tx, user_id=met.guest.user_id, request_key=request_key, shelf=shelf)
            view = await view_page(tx, met, shown)
        await put(self._desk, view, chat_id=chat_id, message_id=None)

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, show what there is then, and always answer the press."""
        met = await self._desk.meet(query.from_user)
        if query.data == ALL_MODELS:
            await self._open(met, query.from_user.id, request_key=f"press:{query.id}", shelf=Shelf.USED)
            await self._desk.messenger.answer_press(query.id, "", is_alert=False)
            return
        move = parse_move(query.data)
        message_id = query.message.message_id if query.message else None
        answer = self._desk.messenger.answer_press
        if move is None:
            text = met.words.plain("This button does nothing any more. Nothing was charged.")
            await answer(query.id, text, is_alert=False)
            return
        try:
            if move.verb is Verb.EXPORT:
                await self._export(query, met, move)
                return
            view = await self._press(met, move, message_id)
        except Refusal as refusal:
            await answer(query.id, word_refusal(refusal, met.words).striptags(), is_alert=True)
            return
        await put(self._desk, view, chat_id=query.from_user.id, message_id=message_id)
        await answer(query.id, view.toast, is_alert=view.is_alert)

    async def _press(self, met: Met, move: Move, message_id: int | None) -> View:
        try:
            if move.verb is Verb.PREVIEW:
                return await self._show_preview(met, move)
            async with self._desk.database.transaction() as tx:
                return await self._do(tx, met, move, message_id)
        except NoSuchModel as refusal:  # deleted or private meanwhile: say so, above what is still there
            toast = word_refusal(refusal, met.words).striptags()
        async with self._desk.database.transaction() as tx:
            shown = (await lists.read_list(tx, move.list_id, user_id=met.guest.user_id)).opening(None)
            await lists.move_list(tx, shown)
            return (await view_page(tx, met, shown)).saying(toast, is_alert=True)

    async def _do(self, tx: Tx, met: Met, move: Move, message_id: int | None) -> View:
        user_id = met.guest.user_id
        shown = await lists.read_list(tx, move.list_id, user_id=user_id)
        await forget_awaited_of_model(tx, user_id=user_id)
        if move.verb in _TURNS:
            shown = _turned(shown, move)
            await lists.move_list(tx, shown)
            return await view_page(tx, met, shown)
        if move.verb is Verb.SEARCH:
            await self._ask(tx, met, shown, WhatOfModel.SEARCH, message_id)
            page = await view_page(tx, met, shown)
            return replace(page, screen=screens.render_question(met.words, shown))
        assert move.lora_id is not None  # no such move without one
        shown = shown.opening(move.lora_id)
        await lists.move_list(tx, shown)
        if move.verb in _OF_MAKER:
            return await self._do_own(tx, met, move, shown, message_id)
        return await self._do_any(tx, met, move, shown)

    async def _do_any(self, tx: Tx, met: Met, move: Move, shown: ModelList) -> View:
        """What everybody may do with a model that they see."""
        words, user_id, lora_id = met.words, met.guest.user_id, str(move.lora_id)
        toast = ""
        match move.verb:
            case Verb.MARK:
                await mark_model(tx, lora_id, user_id=user_id)
            case Verb.UNMARK:
                await unmark_model(tx, lora_id, user_id=user_id)
            case Verb.REASON:
                await report_model(tx, lora_id, Reason(move.value), user_id=user_id)
                toast = words.plain("Thank you. We look at it.")
        card = await read_card(tx, lora_id, user_id=user_id)
        match move.verb:
            case Verb.REPORT:
                return view_of(cards.render_reasons(words, shown, card), card)
            case Verb.USE:
                toast = await _use(tx, met, card)
            case Verb.LEAVE:
                await _leave(tx, met, card)
                toast = words.plain("Your pictures are made without it from now on.")
        view = await view_card(tx, self._desk, met, shown, card)
        return view.saying(toast, is_alert=move.verb is Verb.USE)

    async def _do_own(self, tx: Tx, met: Met, move: Move, shown: ModelList, message_id: int | None) -> View:
        """What a maker does with a model of theirs."""
        words, user_id = met.words, met.guest.user_id
        card = await read_own(tx, met, str(move.lora_id))
        match move.verb:
            case Verb.RENAME:
                await self._ask(tx, met, shown, WhatOfModel.NAME, message_id)
                return view_of(cards.render_name_question(words, shown, card), card)
            case Verb.PREVIEWS:
                return await view_previews(tx, met, shown, card)
            case Verb.FEES:
                return view_of(cards.render_fees(words, shown, card), card)
            case Verb.ASK_DELETE:
                return view_of(cards.render_delete(words, shown, card), card)
            case Verb.DELETE:
                await own.delete_model(tx, card.lora_id, user_id=user_id)
                shown = shown.opening(None)
                await lists.move_list(tx, shown)
                return (await view_page(tx, met, shown)).saying(words.plain("Deleted."))
            case Verb.SHOW_AS if move.value == Shows.PEN_NAME:
                return await self._show_pen_name(tx, met, shown, card, message_id)
        toast = await self._share(tx, met, move, card)
        card = await read_own(tx, met, card.lora_id)
        return (await view_share(tx, self._desk, met, shown, card)).saying(toast)

    async def _share(self, tx: Tx, met: Met, move: Move, card: ModelCard) -> str:
        """Set who may use it, for what, and by which name the maker is shown; what to say of it."""
        words, user_id = met.words, met.guest.user_id
        match move.verb:
            case Verb.PUBLISH:
                await own.publish_model(tx, card.lora_id, user_id=user_id)
                return words.plain("It is public now.")
            case Verb.UNPUBLISH:
                await own.unpublish_model(tx, card.lora_id, user_id=user_id)
                return words.plain("It is private now.")
            case Verb.FEE:
                await own.set_fee(tx, card.lora_id, int(move.value), user_id=user_id)
            case Verb.SHOW_AS:
                await show_maker(tx, Shows(move.value), user_id=user_id)
        return ""

    async def _show_pen_name(
        self, tx: Tx, met: Met, shown: ModelList, card: ModelCard, message_id: int | None
    ) -> View:
        """Show the pen name that there is, or, where it is shown already or there is none, ask for one."""
        maker = await read_maker(tx, user_id=met.guest.user_id)
        if maker.pen_name is not None and maker.shows is not Shows.PEN_NAME:
            await take_pen_name(tx, maker.pen_name, user_id=met.guest.user_id)
            return await view_share(tx, self._desk, met, shown, card)
        await self._ask(tx, met, shown, WhatOfModel.PEN_NAME, message_id)
        return view_of(cards.render_pen_name_question(met.words, shown, card), card)

    async def _ask(
        self, tx: Tx, met: Met, shown: ModelList, what: WhatOfModel, message_id: int | None
    ) -> None:
        if message_id is None:
            raise NoSuchList
        user_id = met.guest.user_id
        await lists.note_message(tx, shown.list_id, message_id, user_id=user_id)
        await await_of_model(tx, AwaitedOfModel(what=what, message_id=message_id), user_id=user_id)

    async def _show_preview(self, met: Met, move: Move) -> View:
        """Copy the chosen picture. Between two transactions, as it fetches and stores files."""
        user_id, lora_id = met.guest.user_id, str(move.lora_id)
        async with self._desk.database.transaction() as tx:
            shown = await lists.read_list(tx, move.list_id, user_id=user_id)
            await read_own(tx, met, lora_id)
            found = await list_candidates(tx, lora_id, user_id=user_id, limit=CANDIDATES)
        place = int(move.value) - 1
        if not 0 <= place < len(found):
            raise NoSuchModel
        await set_preview(
            self._desk.database,
            self._desk.storage,
            lora_id,
            found[place],
            public_url=self._desk.terms.public_url,
            user_id=user_id,
        )
        async with self._desk.database.transaction() as tx:
            card = await read_own(tx, met, lora_id)
            return await view_card(tx, self._desk, met, shown, card)

    async def _export(self, query: CallbackQuery, met: Met, move: Move) -> None:
        """Send the weights as a file, or a link that opens them for an hour where they are too large."""
        user_id = met.guest.user_id
        async with self._desk.database.transaction() as tx:
            card = await read_own(tx, met, str(move.lora_id))
            await take_turn(tx, user_id=user_id, pace=_EXPORTS, key=query.id)
        await send_weights(self._desk, met, card, chat_id=query.from_user.id)
        await self._desk.messenger.answer_press(query.id, "", is_alert=False)


_OF_MAKER = frozenset(
    {
        Verb.SHARE,
        Verb.SHOW_AS,
        Verb.PUBLISH,
        Verb.UNPUBLISH,
        Verb.FEES,
        Verb.FEE,
        Verb.RENAME,
        Verb.PREVIEWS,
        Verb.ASK_DELETE,
        Verb.DELETE,
    }
)


async def send_weights(desk: Desk, met: Met, card: ModelCard, *, chat_id: int) -> None:
    """Send the model's weights or a link to them. Not safe to repeat. Raises: WeightsMissing, Unavailable."""
    if card.weights_key is None:
        raise WeightsMissing
    try:
        is_small = await desk.storage.size(card.weights_key) <= _LARGEST_UPLOAD
        body = await desk.storage.get(card.weights_key) if is_small else None
    except StoredFileMissing as missing:
        raise WeightsMissing from missing
    if body is not None:
        file = BufferedInputFile(body, f"{card.trigger_word or 'model'}.safetensors")
        await send_document(desk.bot, file, "", chat_id=chat_id)
        return
    link = Button(label=met.words.plain("Fetch the file"), url=desk.terms.file_link(card.weights_key))
    told = met.words.say(
        "The weights of {name} are too large for the chat. The link opens for an hour.", name=card.name
    )
    await desk.send(Screen(html=str(told), rows=((link,),)), chat_id=chat_id)


def _turned(shown: ModelList, move: Move) -> ModelList:
    """The list as a button wants it that is about no model."""
    match move.verb:
        case Verb.SHELF:
            assert move.shelf is not None  # no such move without one
            return shown.showing(move.shelf)
        case Verb.ON:
            return shown.at(move.place, Goes.ON)
        case Verb.BACK:
            return shown.at(move.place, Goes.BACK)
        case _:
            return shown.opening(None)


async def _use(tx: Tx, met: Met, card: ModelCard) -> str:
    """Have the guest's pictures made with it from now on; what to say of that."""
    panel = await read_panel(tx, None, user_id=met.guest.user_id)
    others = tuple(each for each in panel.choices.loras if each.lora_id != card.lora_id)
    is_of_other = panel.offer.base_model_id != card.base_model_id
    wanted = replace(
        panel.choices,
        base_model_id=card.base_model_id if is_of_other else panel.choices.base_model_id,
        loras=(LoraChoice(lora_id=card.lora_id), *(() if is_of_other else others[: MOST_LORAS - 1])),
    )
    changed = await change_panel(tx, panel, wanted)
    if all(each.lora_id != card.lora_id for each in changed.choices.loras):
        raise NoSuchModel  # its base model is not on offer
    return met.words.plain(
        "Done: from now on your pictures are made with it. Write what you would like to see; /settings takes"
        " it out again."
    )


async def _leave(tx: Tx, met: Met, card: ModelCard) -> None:
    panel = await read_panel(tx, None, user_id=met.guest.user_id)
    left = tuple(each for each in panel.choices.loras if each.lora_id != card.lora_id)
    await change_panel(tx, panel, replace(panel.choices, loras=left))
