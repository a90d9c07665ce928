"""Inline mode: `@bot words` in any chat offers a guest their own pictures, and nobody anybody else's."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import re
from datetime import datetime, timedelta

from aiogram import F, Router
from aiogram.types import InlineQuery, InlineQueryResultsButton, Message

from starbooth.domain.gallery.pages import Place
from starbooth.domain.gallery.sharing import SharedPage, read_one_shared, read_shared
from starbooth.domain.users.errors import NoSuchGuest
from starbooth.domain.users.guests import find_user
from starbooth.doors.bot.desk import Desk, words_of
from starbooth.doors.bot.pieces import shorten
from starbooth.doors.bot.result_moves import SHARE_QUERY
from starbooth.outside.telegram.client import answer_inline

START_PARAMETER = "inline"
CACHE_S = 5  # a new picture should be there when it is looked for
_PAGE = 30
_LONGEST_CAPTION = 200
_OFFSET = re.compile(r"([0-9]{1,16})\.([A-Za-z0-9_-]{1,40})")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive UTC, as the contract has its times


def inline_router(desk: Desk) -> Router:
    """The handler, in a router of its own."""
    router = Router()
    inline = _Inline(desk)
    router.inline_query.register(inline.on_query)
    router.message.register(inline.on_shared, F.via_bot.id == desk.bot.id)
    return router


class _Inline:
    """The handler."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_query(self, query: InlineQuery) -> None:
        """Offer the guest's own pictures, newest first. Repeat: an answered query is let go."""
        page = await self._read(query)
        words = words_of(query.from_user)
        button = None
        if not page.pictures and not query.offset:
            label = words.plain("Paint a picture to share")
            button = InlineQueryResultsButton(text=label, start_parameter=START_PARAMETER)
        await answer_inline(
            self._desk.bot,
            query.id,
            [
                (each.picture_id, each.file_id, shorten(each.prompt, limit=_LONGEST_CAPTION))
                for each in page.pictures
            ],
            next_offset="" if page.next_place is None else write_offset(page.next_place),
            cache_s=CACHE_S,
            button=button,
        )

    async def on_shared(self, message: Message) -> None:
        """A picture of ours that was shared where we see it is no order and no photo to paint from."""

    async def _read(self, query: InlineQuery) -> SharedPage:
        place = read_offset(query.offset) if query.offset else None
        async with self._desk.database.transaction() as tx:
            try:
                user_id = await find_user(tx, str(query.from_user.id))
            except NoSuchGuest:
                return SharedPage(pictures=(), next_place=None)
            asked = SHARE_QUERY.fullmatch(query.query.strip())
            if asked is not None:
                return await read_one_shared(tx, asked[1], int(asked[2]), user_id=user_id)
            return await read_shared(tx, user_id=user_id, text=query.query, limit=_PAGE, place=place)


def write_offset(place: Place) -> str:
    """The place as Telegram hands it back for the next page: at most 64 bytes."""
    return f"{round((place.at - _EPOCH).total_seconds() * 1000)}.{place.picture_id}"


def read_offset(text: str) -> Place | None:
    """The place that `write_offset` wrote; None, the beginning, for anything else."""
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    try:
        at = _EPOCH + timedelta(milliseconds=int(found[1]))
    except OverflowError:
        return None
    return Place(at=at, picture_id=found[2])
