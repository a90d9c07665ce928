"""The buttons under a training: stop it early, and paint with what it made."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from aiogram import F, Router
from aiogram.types import CallbackQuery

from starbooth.base.errors import Refusal
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.orders.errors import NoSuchOrder
from starbooth.domain.studio.drafts import Draft, draft_id_for
from starbooth.domain.studio.loras import base_model_of
from starbooth.domain.studio.remembered import read_remembered
from starbooth.domain.trainings.read import TrainingView, read_training
from starbooth.domain.trainings.stop import ask_to_stop
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.panel_answers import show_draft
from starbooth.doors.bot.training_moves import PREFIX, TrainingMove, TrainingVerb, parse_training_move


def trainings_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    router = Router()
    router.callback_query.register(_Trainings(desk).on_press, F.data.startswith(PREFIX))
    return router


class _Trainings:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, and always answer the press. Repeat: harmless."""
        met = await self._desk.meet(query.from_user)
        move = parse_training_move(query.data)
        answer = self._desk.messenger.answer_press
        if move is None:
            text = met.words.plain("This button does nothing any more. Nothing was charged.")
            await answer(query.id, text, is_alert=False)
            return
        try:
            toast = await self._press(move, met, query)
        except Refusal as refusal:
            await answer(query.id, word_refusal(refusal, met.words).striptags(), is_alert=True)
            return
        await answer(query.id, toast, is_alert=False)

    async def _press(self, move: TrainingMove, met: Met, query: CallbackQuery) -> str:
        if move.verb is TrainingVerb.PAINT:
            await self._paint(move, met, query)
            return ""
        async with self._desk.database.transaction() as tx:
            ends_later = await ask_to_stop(tx, order_id=move.order_id, user_id=met.guest.user_id)
        if ends_later:
            return met.words.plain("It stops after this step.")
        return met.words.plain("Cancelled. Your stars are back.")

    async def _paint(self, move: TrainingMove, met: Met, query: CallbackQuery) -> None:
        training = await self._own(move, met)
        draft_id = draft_id_for(f"cb:{query.id}")
        await open_draft_with_lora(self._desk, met, training.lora_id, draft_id=draft_id)

    async def _own(self, move: TrainingMove, met: Met) -> TrainingView:
        async with self._desk.database.transaction() as tx:
            training = await read_training(tx, move.order_id)
        if training is None or training.user_id != met.guest.user_id:
            raise NoSuchOrder
        return training


async def open_draft_with_lora(desk: Desk, met: Met, lora_id: str, *, draft_id: str) -> None:
    """Open a panel that paints with this model at its full weight, and asks for words.

    Repeat: the same id shows the same panel. Raises: LoraNotFound where it is gone, or somebody else's.
    """
    async with desk.database.transaction() as tx:
        base_model_id = await base_model_of(tx, lora_id, user_id=met.guest.user_id)
        remembered = (await read_remembered(tx, user_id=met.guest.user_id)).choices
    choices = Choices(
        base_model_id=base_model_id,
        shape=remembered.shape,
        count=remembered.count,
        loras=(LoraChoice(lora_id=lora_id),),
    )
    draft = Draft(
        draft_id=draft_id,
        user_id=met.guest.user_id,
        chat_id=met.guest.chat_id,
        prompt="",
        choices=choices,
    )
    await show_draft(desk, met, draft)
