"""The guest's purse: the balance, the history to leaf through, and the table to take along.

Nothing here moves a star. A page is found by the key in its button, so an old button still works.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import csv
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import CallbackQuery, FSInputFile, Message

from starbooth.base.clock import now
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.orders import statement
from starbooth.domain.users.pace import Pace, TooOften, take_turn
from starbooth.doors.bot import purse_screens as screens
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met
from starbooth.outside.telegram.client import send_document
from starbooth.outside.telegram.errors import MessageGone, NotModified

MOST_ROWS = 50_000
TABLES = Pace(kind="table", most=1, within=timedelta(minutes=1))
_PAGE = 8
_LATELY = 5


def purse_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    purse = _Purse(desk)
    router = Router()
    router.message.register(purse.on_balance, CommandFilter(Command.BALANCE, ignore_case=True))
    router.callback_query.register(purse.on_table, F.data == screens.SEND_TABLE)
    router.callback_query.register(purse.on_turn, F.data.startswith(screens.PREFIX))
    return router


class _Purse:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_balance(self, message: Message) -> None:
        """Tell the balance and the last movements."""
        met = await self._desk.meet(message.from_user)
        await self._desk.send(await self._balance(met), chat_id=message.chat.id)

    async def on_turn(self, query: CallbackQuery) -> None:
        """Make the message another page, or the balance again; where it cannot be one, send it anew."""
        met = await self._desk.meet(query.from_user)
        screen = await self._page(met, query.data)
        if screen is None:
            text = met.words.plain("This button does nothing any more. Nothing was charged.")
            await self._desk.messenger.answer_press(query.id, text, is_alert=False)
            return
        chat_id = query.from_user.id
        try:
            if query.message is None:
                raise MessageGone
            message_id = query.message.message_id
            await self._desk.messenger.edit_text(screen, chat_id=chat_id, message_id=message_id)
        except NotModified:
            pass
        except MessageGone:
            await self._desk.send(screen, chat_id=chat_id)
        await self._desk.messenger.answer_press(query.id, "", is_alert=False)

    async def on_table(self, query: CallbackQuery) -> None:
        """Send every movement as a table, within limits."""
        met = await self._desk.meet(query.from_user)
        try:
            async with self._desk.database.transaction() as tx:
                await take_turn(tx, user_id=met.guest.user_id, pace=TABLES, key=query.id)
        except TooOften as refusal:
            toast = word_refusal(refusal, met.words).striptags()
            await self._desk.messenger.answer_press(query.id, toast, is_alert=True)
            return
        toast = met.words.plain("The table is on its way.")
        await self._desk.messenger.answer_press(query.id, toast, is_alert=False)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stars.csv"
            is_cut = await self._write_table(met, path)
            caption = screens.render_export(met.words, is_cut=is_cut, most=MOST_ROWS)
            file = FSInputFile(path, filename=f"stars-{now():%Y-%m-%d}.csv")
            await send_document(self._desk.bot, file, str(caption), chat_id=query.from_user.id)

    async def _balance(self, met: Met) -> Screen:
        async with self._desk.database.transaction() as tx:
            await statement.at_one_moment(tx)
            totals = await statement.read_totals(tx, user_id=met.guest.user_id)
            page = await statement.read_newest(tx, user_id=met.guest.user_id, limit=_LATELY)
        return screens.render_balance(met.words, totals, page.entries)

    async def _page(self, met: Met, action: str | None) -> Screen | None:
        if action == screens.SHOW_BALANCE:
            return await self._balance(met)
        place = screens.parse_place(action)
        if place is None and action != screens.SHOW_HISTORY:
            return None
        user_id = met.guest.user_id
        async with self._desk.database.transaction() as tx:
            await statement.at_one_moment(tx)
            if place is None:
                page = await statement.read_newest(tx, user_id=user_id, limit=_PAGE)
            elif place[0] == "older":
                page = await statement.read_older(tx, place[1], user_id=user_id, limit=_PAGE)
            else:
                page = await statement.read_newer(tx, place[1], user_id=user_id, limit=_PAGE)
        return screens.render_history(met.words, page)

    async def _write_table(self, met: Met, path: Path) -> bool:
        """Write the table, and return whether older rows than it takes were left out."""
        async with self._desk.database.transaction() as tx:
            await statement.at_one_moment(tx)
            with _opened(path) as file:
                rows = csv.writer(file)
                rows.writerow(screens.table_head(met.words))
                count = 0
                async for entry in statement.walk(tx, user_id=met.guest.user_id, most=MOST_ROWS + 1):
                    count += 1
                    if count <= MOST_ROWS:
                        rows.writerow(screens.table_row(met.words, entry))
        return count > MOST_ROWS


def _opened(path: Path) -> TextIO:
    """A file that spreadsheets open as UTF-8, which its first mark tells them."""
    return path.open("w", encoding="utf-8-sig", newline="")
