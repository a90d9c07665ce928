"""Photo packs: /packs, and the buttons that lead from a model to an order. Private chats only.

One message is changed in place. What a press orders is keyed by the press, as everywhere.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from dataclasses import replace

from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import CallbackQuery, Message

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.packs.photo_packs import SIZES, find_pack, packs_for
from starbooth.domain.packs.request import ask_for_pack, list_pack_models, price_of_pack, read_pack_model
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.doors.bot import packs_screens as screens
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.packs_moves import PREFIX, Move, Verb, parse_move
from starbooth.doors.bot.presses import Again, Pressed, order_once
from starbooth.outside.telegram.errors import MessageGone, NotModified

_MOST_MODELS = 20


def packs_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    packs = _Packs(desk)
    router = Router()
    router.message.register(packs.on_packs, CommandFilter(Command.PACKS, ignore_case=True))
    router.callback_query.register(packs.on_press, F.data.startswith(PREFIX))
    return router


class _Packs:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_packs(self, message: Message) -> None:
        """Show the models that packs can be made of."""
        met = await self._desk.meet(message.from_user)
        async with self._desk.database.transaction() as tx:
            screen = await self._models(tx, met)
        await self._desk.send(screen, chat_id=message.chat.id)

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, and always answer the press."""
        met = await self._desk.meet(query.from_user)
        move = parse_move(query.data)
        if move is None:
            toast = met.words.plain("This button does nothing any more. Nothing was charged.")
            pressed = Pressed(toast=toast)
        else:
            pressed = await self._try(move, met, query)
        await self._desk.answer(query, pressed)

    async def _try(self, move: Move, met: Met, query: CallbackQuery) -> Pressed:
        try:
            if move.verb is Verb.ORDER:
                return await self._order(move, met, query)
            async with self._desk.database.transaction() as tx:
                screen = await self._draw(tx, move, met)
            if move.verb is Verb.SHOW:
                return Pressed(toast="", screen=screen)
            await self._put(screen, query)
            return Pressed(toast="")
        except NotEnoughStars as refusal:
            toast = word_refusal(refusal, met.words).striptags()
            shortage = await self._desk.word_shortage(refusal, met.words)
            return Pressed(toast=toast, is_alert=True, screen=shortage)
        except Refusal as refusal:
            await self._desk.count_refusal(refusal)
            return Pressed(toast=word_refusal(refusal, met.words).striptags(), is_alert=True)

    async def _draw(self, tx: Tx, move: Move, met: Met) -> Screen:
        if move.verb is Verb.MODELS:
            return await self._models(tx, met)
        user_id, language = met.guest.user_id, met.guest.language
        model = await read_pack_model(tx, move.lora_id, user_id=user_id)
        if move.verb in (Verb.MODEL, Verb.SHOW):
            return screens.render_packs(met.words, language, model, packs_for(model.lora_type))
        limits = self._desk.terms.limits
        pack = find_pack(move.pack, lora_type=model.lora_type, size=SIZES[0])
        prices = {}
        for size in SIZES:
            asked = await ask_for_pack(tx, model.lora_id, pack.name, size, user_id=user_id, language=language)
            prices[size] = await price_of_pack(tx, asked, user_id=user_id, limits=limits)
        return screens.render_pack(
            met.words, language, model, pack, prices, discount_percent=limits.series_discount_percent
        )

    async def _models(self, tx: Tx, met: Met) -> Screen:
        models = await list_pack_models(tx, user_id=met.guest.user_id, limit=_MOST_MODELS)
        return screens.render_models(met.words, models)

    async def _order(self, move: Move, met: Met, query: CallbackQuery) -> Pressed:
        """One of each pack of a model at a time. Repeat: the same press orders once."""
        user_id, language = met.guest.user_id, met.guest.language
        recipient = Recipient(chat_id=met.guest.chat_id, reply_to_message_id=None, language=language)
        async with self._desk.database.transaction() as tx:
            asked = await ask_for_pack(
                tx, move.lora_id, move.pack, move.size, user_id=user_id, language=language
            )
            again = Again(
                asked=asked,
                user_id=user_id,
                button=f"cb:pack:{move.lora_id}:{move.pack}:",
                query_id=query.id,
                price_stars=move.price_stars,
            )
            return await order_once(
                tx,
                again,
                repriced=lambda stars: str(replace(move, price_stars=stars)),
                recipient=recipient,
                limits=self._desk.terms.limits,
            )

    async def _put(self, screen: Screen, query: CallbackQuery) -> None:
        """Make the message of the button this screen; send one where it is gone. Repeat: harmless."""
        chat_id = query.from_user.id
        try:
            assert query.message is not None  # else no button of it could be pressed
            await self._desk.messenger.edit_text(screen, chat_id=chat_id, message_id=query.message.message_id)
        except NotModified:
            return
        except MessageGone:
            await self._desk.send(screen, chat_id=chat_id)
