"""/train and every button of a set of photos, up to the press that orders. One message, changed in place.

A press sets a value in the database first and shows it then; handled twice it sets the same. The set is
locked while a press is about it, so ten presses of the button with the price make one order.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import CallbackQuery, Message

from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.studio.awaited import forget_awaited
from starbooth.domain.trainings.offers import list_training_offers
from starbooth.domain.trainings.photo_sets import change_set, open_set, reopen_set
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.train_changes import change
from starbooth.doors.bot.train_moves import PREFIX, Move, Page, Verb, parse_move
from starbooth.doors.bot.train_order import order_training
from starbooth.doors.bot.train_photos import note_message
from starbooth.doors.bot.train_views import SetView, draw_page, put_view, read_train_panel


def train_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    handlers = _Train(desk)
    router = Router()
    router.message.register(handlers.on_train, CommandFilter(Command.TRAIN, ignore_case=True))
    router.callback_query.register(handlers.on_press, F.data.startswith(PREFIX))
    return router


class _Train:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_train(self, message: Message) -> None:
        """Open a set, or show the one that is open, below everything else."""
        met = await self._desk.meet(message.from_user)
        if not await self._is_any_sold():
            words = met.words.say("No models are trained here at the moment. Nothing was charged.")
            await self._desk.send(Screen(html=str(words)), chat_id=message.chat.id)
            return
        async with self._desk.database.transaction() as tx:
            photo_set = await open_set(tx, user_id=met.guest.user_id, chat_id=message.chat.id)
            await change_set(tx, photo_set)
            panel = await read_train_panel(tx, photo_set)
            view = draw_page(met, panel, Page.PHOTOS)
        shown = await put_view(self._desk, view, chat_id=message.chat.id, message_id=None)
        await note_message(self._desk, photo_set, shown)
        if photo_set.message_id is not None:
            await self._desk.messenger.delete([photo_set.message_id], chat_id=message.chat.id)

    async def _is_any_sold(self) -> bool:
        async with self._desk.database.statement() as tx:
            return any(each.is_on for each in await list_training_offers(tx))

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, show the set as it is then, and always answer the press."""
        met = await self._desk.meet(query.from_user)
        move = parse_move(query.data)
        message_id = query.message.message_id if query.message else None
        answer = self._desk.messenger.answer_press
        if move is None:
            text = met.words.plain("This button does nothing any more. Nothing was charged.")
            await answer(query.id, text, is_alert=False)
            return
        try:
            view = await self._press(move, met, query, message_id)
        except NotEnoughStars as refusal:
            await self._offer_stars(refusal, met, query)
            return
        except Refusal as refusal:
            await self._desk.count_refusal(refusal)
            await answer(query.id, word_refusal(refusal, met.words).striptags(), is_alert=True)
            return
        if view is not None:
            await put_view(self._desk, view, chat_id=query.from_user.id, message_id=message_id)
        await answer(query.id, "" if view is None else view.toast, is_alert=False)

    async def _press(
        self, move: Move, met: Met, query: CallbackQuery, message_id: int | None
    ) -> SetView | None:
        if move.verb is Verb.ORDER:
            return await order_training(self._desk, move, met, query_id=query.id)
        if move.verb is Verb.AGAIN:
            await self._again(move, met, query)
            return None
        async with self._desk.database.transaction() as tx:
            await forget_awaited(tx, user_id=met.guest.user_id)
            return await change(tx, self._desk, move, met, message_id)

    async def _again(self, move: Move, met: Met, query: CallbackQuery) -> None:
        """Gather on with the photos of a training that came to nothing, in a message of its own."""
        async with self._desk.database.transaction() as tx:
            photo_set = await reopen_set(tx, move.set_id, user_id=met.guest.user_id)
            panel = await read_train_panel(tx, photo_set)
            view = draw_page(met, panel, Page.PHOTOS)
        shown = await put_view(self._desk, view, chat_id=query.from_user.id, message_id=photo_set.message_id)
        await note_message(self._desk, photo_set, shown)

    async def _offer_stars(self, refusal: NotEnoughStars, met: Met, query: CallbackQuery) -> None:
        """Too few stars: offer some below the set, which stays as it is."""
        screen = await self._desk.word_shortage(refusal, met.words)
        await self._desk.send(screen, chat_id=query.from_user.id)
        toast = word_refusal(refusal, met.words).striptags()
        await self._desk.messenger.answer_press(query.id, toast, is_alert=True)
