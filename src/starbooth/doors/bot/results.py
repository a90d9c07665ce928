"""What the buttons under finished pictures do, in private chats.

What a press orders is keyed by the press, and what it sets ("a favourite", never "the other way round") is
the same when it is handled twice. Only a file that is sent may come twice.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from contextlib import suppress
from dataclasses import replace

from aiogram import F, Router
from aiogram.types import CallbackQuery

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.gallery.errors import NoFile, NoSuchPicture
from starbooth.domain.gallery.of_order import find_picture
from starbooth.domain.gallery.pictures import (
    KeptPicture,
    delete_picture,
    mark_favourite,
    read_picture,
    unmark_favourite,
)
from starbooth.domain.generations.asking import Asked, PhotoReference, read_asked
from starbooth.domain.generations.choices import Shape
from starbooth.domain.generations.photos import expect_photo, keep_photo, vary_photo_key
from starbooth.domain.generations.quote import read_fees_of, read_offer_of
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.errors import NoSuchOrder
from starbooth.domain.orders.read import read_order
from starbooth.domain.pictures.photo import take_photo_in_turn
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.studio.drafts import Draft, draft_id_for
from starbooth.domain.users.pace import take_turn
from starbooth.doors.bot import result_rows as rows
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.gallery import ORIGINALS, send_original
from starbooth.doors.bot.panel_answers import show_draft
from starbooth.doors.bot.photos import PHOTOS
from starbooth.doors.bot.presses import Again, Pressed, again_of, order_once
from starbooth.doors.bot.result_moves import Move, Verb, parse_move
from starbooth.doors.bot.result_rows import Result
from starbooth.outside.storage.contract import StoredFileMissing
from starbooth.outside.telegram.errors import MessageGone, NotModified, TelegramRefused

# Close enough to be the same picture, far enough to be another one.
VARY_STRENGTH = 0.7
_SHORTEST_OWN_PX = 64  # a small engine paints small pictures, and what it painted it can paint from
_PRESSES = r"(r|like):"
_LONGEST_CAPTION = 300


def results_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    results = _Results(desk)
    router = Router()
    router.callback_query.register(results.on_press, F.data.regexp(_PRESSES))
    return router


class _Results:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, and always answer the press."""
        met = await self._desk.meet(query.from_user)
        move = parse_move(query.data)
        if move is None:
            pressed = Pressed(
                toast=met.words.plain("This button does nothing any more. Nothing was charged.")
            )
        else:
            pressed = await self._try(move, met, query)
        await self._desk.answer(query, pressed)

    async def _try(self, move: Move, met: Met, query: CallbackQuery) -> Pressed:
        try:
            return await self._press(move, met, query)
        except NotEnoughStars as refusal:
            toast = word_refusal(refusal, met.words).striptags()
            screen = await self._desk.word_shortage(refusal, met.words)
            return Pressed(toast=toast, is_alert=True, screen=screen)
        except Refusal as refusal:
            await self._desk.count_refusal(refusal)
            return Pressed(toast=word_refusal(refusal, met.words).striptags(), is_alert=True)

    async def _press(self, move: Move, met: Met, query: CallbackQuery) -> Pressed:
        message_id = query.message.message_id if query.message else None
        result = await self._read(move, met)
        match move.verb:
            case Verb.VIEW | Verb.OVERVIEW | Verb.SHAPES | Verb.DELETE | Verb.KEEP:
                await self._turn(move, result, met, message_id)
                return Pressed(toast="")
            case Verb.VARY:
                return await self._order(move, result, met, query)
            case Verb.SHAPE:
                pressed = await self._order(move, result, met, query)
                await self._fold(move, result, met, message_id)
                return pressed
            case Verb.WORDS:
                return await self._ask_for_words(move, result, met, query)
            case Verb.ORIGINAL:
                return await self._send_original(move, met, query)
            case Verb.DELETE_NOW:
                return await self._delete(move, result, met, message_id)

    async def _read(self, move: Move, met: Met) -> Result:
        """The guest's own finished order. Raises: NoSuchOrder."""
        async with self._desk.database.transaction() as tx:
            view = await read_order(tx, move.order_id, slots=1)
            if view is None or view.user_id != met.guest.user_id or view.state is not OrderState.DONE:
                raise NoSuchOrder
            if move.number >= view.parts:
                raise NoSuchOrder
            fees = await read_fees_of(tx, view)
            return Result(view=view, offer=await read_offer_of(tx, view), fees=fees)

    async def _turn(self, move: Move, result: Result, met: Met, message_id: int | None) -> None:
        """Other buttons below the same message, and a favourite set or not."""
        shown = await self._draw(move, result, met)
        await self._show_rows(shown, met, message_id)

    async def _fold(self, move: Move, result: Result, met: Met, message_id: int | None) -> None:
        """Put the picture's own buttons back where a list stood. Repeat: harmless."""
        with suppress(NoSuchPicture):  # deleted meanwhile: its list stays, which still orders
            await self._turn(replace(move, verb=Verb.VIEW, value=""), result, met, message_id)

    async def _draw(self, move: Move, result: Result, met: Met) -> tuple[rows.Row, ...]:
        number, words = move.number, met.words
        match move.verb:
            case Verb.OVERVIEW:
                return rows.overview_rows(words, result)
            case Verb.SHAPES:
                return rows.shape_rows(words, result, number)
            case Verb.DELETE:
                return rows.delete_rows(words, result, number)
        async with self._desk.database.transaction() as tx:
            user_id = met.guest.user_id
            picture_id = await find_picture(tx, move.order_id, number, user_id=user_id)
            if move.verb is Verb.KEEP:
                await (mark_favourite if move.value == "1" else unmark_favourite)(
                    tx, picture_id, user_id=user_id
                )
            picture = await read_picture(tx, picture_id, user_id=user_id)
        return rows.picture_rows(words, result, number, is_favourite=picture.is_favourite)

    async def _show_rows(self, shown: tuple[rows.Row, ...], met: Met, message_id: int | None) -> None:
        """Repeat: harmless. A message that cannot be changed any more keeps its buttons, which go on."""
        if message_id is None:
            return
        try:
            await self._desk.messenger.edit_rows(shown, chat_id=met.guest.chat_id, message_id=message_id)
        except (NotModified, MessageGone):
            return

    async def _order(self, move: Move, result: Result, met: Met, query: CallbackQuery) -> Pressed:
        """Order a variation, or the same in another shape; one of each button at a time."""
        value, price = _read_value(move)
        if move.verb is Verb.VARY:
            async with self._desk.database.transaction() as tx:
                await take_turn(tx, user_id=met.guest.user_id, pace=PHOTOS, key=query.id)
            asked = await self._vary(move, result, met)
        else:
            asked = reshape(result, move.number, Shape(value))
        again = Again(
            asked=asked,
            user_id=met.guest.user_id,
            button=f"cb:{move.verb}:{value}:{move.order_id}:{move.number}:",
            query_id=query.id,
            price_stars=price,
        )
        async with self._desk.database.transaction() as tx:
            return await order_once(
                tx,
                again,
                repriced=lambda stars: str(replace(move, value=f"{value}:{stars}" if value else str(stars))),
                recipient=_recipient(met, query),
                limits=self._desk.terms.limits,
            )

    async def _vary(self, move: Move, result: Result, met: Met) -> Asked:
        """The same words, starting from the picture itself. Repeat: the photo is kept under the same name.

        Raises: NoSuchPicture, NoFile, PhotoUnreadable, Unavailable.
        """
        body = await self._fetch(move, met)
        taken = await take_photo_in_turn(body, shortest_side_px=_SHORTEST_OWN_PX)
        photo = PhotoReference(
            key=vary_photo_key(move.order_id, move.number),
            width_px=taken.width_px,
            height_px=taken.height_px,
        )
        async with self._desk.database.statement() as tx:
            await expect_photo(tx, photo.key, user_id=met.guest.user_id)
        await self._desk.storage.put(photo.key, taken.body, "image/jpeg")
        async with self._desk.database.transaction() as tx:
            await keep_photo(tx, photo, user_id=met.guest.user_id)
        asked = again_of(result.view, move.number)
        choices = replace(asked.choices, count=1, shape=None, strength=VARY_STRENGTH)
        return replace(asked, choices=choices, photo=photo)

    async def _fetch(self, move: Move, met: Met) -> bytes:
        """A picture's file. Raises: NoSuchPicture, NoFile, Unavailable."""
        async with self._desk.database.transaction() as tx:
            picture = await self._read_picture(tx, move, met)
        if picture.file_key is None:
            raise NoFile
        try:
            return await self._desk.storage.get(picture.file_key)
        except StoredFileMissing as error:
            raise NoFile from error

    async def _read_picture(self, tx: Tx, move: Move, met: Met) -> KeptPicture:
        user_id = met.guest.user_id
        picture_id = await find_picture(tx, move.order_id, move.number, user_id=user_id)
        return await read_picture(tx, picture_id, user_id=user_id)

    async def _ask_for_words(self, move: Move, result: Result, met: Met, query: CallbackQuery) -> Pressed:
        """Open a panel with this picture's seed, which waits for its words."""
        asked = read_asked(result.view.request["asked"])
        draft = Draft(
            draft_id=draft_id_for(f"words:{query.id}"),
            user_id=met.guest.user_id,
            chat_id=met.guest.chat_id,
            prompt="",
            choices=replace(
                again_of(result.view, move.number).choices,
                count=1,
                seed=result.view.pictures[move.number].seed,
            ),
            photo=asked.photo,
        )
        await show_draft(self._desk, met, draft)
        return Pressed(toast="")

    async def _send_original(self, move: Move, met: Met, query: CallbackQuery) -> Pressed:
        """Send the file as it is stored, with its recipe inside. Raises: TooOften, NoSuchPicture, NoFile."""
        async with self._desk.database.transaction() as tx:
            await take_turn(tx, user_id=met.guest.user_id, pace=ORIGINALS, key=query.id)
            picture = await self._read_picture(tx, move, met)
        await send_original(self._desk, picture, chat_id=met.guest.chat_id)
        return Pressed(toast="")

    async def _delete(self, move: Move, result: Result, met: Met, message_id: int | None) -> Pressed:
        """Delete the picture with its files, and take its message out of the chat where Telegram lets us."""
        user_id = met.guest.user_id
        async with self._desk.database.transaction() as tx:
            picture_id = await find_picture(tx, move.order_id, move.number, user_id=user_id)
            await delete_picture(tx, picture_id, user_id=user_id)
        if result.view.parts > 1:
            await self._show_rows(rows.overview_rows(met.words, result), met, message_id)
            return Pressed(
                toast=met.words.plain("Deleted for good. Its copy in this chat is yours to delete.")
            )
        if message_id is not None and not await self._take_back(met, message_id):
            await self._show_rows((), met, message_id)
            return Pressed(
                toast=met.words.plain("Deleted for good. Its copy in this chat is yours to delete.")
            )
        return Pressed(toast=met.words.plain("Deleted for good."))

    async def _take_back(self, met: Met, message_id: int) -> bool:
        try:
            await self._desk.messenger.delete([message_id], chat_id=met.guest.chat_id)
        except TelegramRefused:  # older than two days
            return False
        return True


def reshape(result: Result, number: int, shape: Shape) -> Asked:
    """The same words and the same seed in another shape."""
    asked = again_of(result.view, number)
    seed = result.view.pictures[number].seed
    return replace(asked, choices=replace(asked.choices, count=1, seed=seed, shape=shape), photo=None)


def _read_value(move: Move) -> tuple[str, int | None]:
    """What to do and for which price: of "square:3" the shape and 3, of "3" nothing and 3."""
    value, _, price = move.value.rpartition(":")
    return value, int(price) if price.isdigit() else None


def _recipient(met: Met, query: CallbackQuery) -> Recipient:
    message_id = query.message.message_id if query.message else None
    return Recipient(chat_id=met.guest.chat_id, reply_to_message_id=message_id, language=met.guest.language)
