"""Long polling: updates are fetched, kept, and only then acknowledged by the next call's offset.

aiogram's own polling acknowledges before the work is done, so only its session is used. Updates stay plain
JSON here: one of a kind that aiogram does not know yet is kept like any other.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiogram import Bot
from aiogram.methods import TelegramMethod

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.doors.bot.inbox import Update, keep_updates
from starbooth.outside.telegram.client import telegram_errors
from starbooth.outside.telegram.errors import TelegramRefused

_log = structlog.get_logger()
_LONGEST_PAUSE_S = 30.0


class GetRawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """`getUpdates`, with its answer left as it is."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    timeout: int = 0
    allowed_updates: list[str]


async def poll_updates(
    bot: Bot,
    database: Database,
    *,
    allowed_updates: Sequence[str],
    stop: asyncio.Event,
    wake: asyncio.Event,
    wait_s: int = 30,
) -> None:
    """Receive updates until `stop` is set, setting `wake` whenever some were kept.

    Whatever Telegram, the network or the database does, it is logged and tried again after a growing pause.
    """
    stopping = asyncio.create_task(stop.wait())
    receiving = asyncio.create_task(_receive(bot, database, list(allowed_updates), wake, wait_s))
    try:
        # What is cut off here was not acknowledged: it comes again at the next start.
        done, _ = await asyncio.wait({stopping, receiving}, return_when=asyncio.FIRST_COMPLETED)
        if receiving in done:
            receiving.result()
    finally:
        for task in (stopping, receiving):
            task.cancel()
        await asyncio.gather(stopping, receiving, return_exceptions=True)


async def _receive(
    bot: Bot, database: Database, allowed_updates: list[str], wake: asyncio.Event, wait_s: int
) -> None:
    """Never ends by itself, except by a bug."""
    offset: int | None = None
    failures = 0
    while True:
        try:
            updates = await _fetch(bot, offset=offset, allowed_updates=allowed_updates, wait_s=wait_s)
            offset = await _keep(database, updates, wake) or offset
        except (Unavailable, TelegramRefused) as error:
            failures += 1
            pause_s = max(min(2.0 ** (failures - 1), _LONGEST_PAUSE_S), _asked_pause_s(error))
            _log.warning("polling.failed", reason=str(error), pause_s=pause_s)
            await asyncio.sleep(pause_s)
        else:
            failures = 0


async def _fetch(
    bot: Bot, *, offset: int | None, allowed_updates: list[str], wait_s: int
) -> list[dict[str, Any]]:
    call = GetRawUpdates(offset=offset, timeout=wait_s, allowed_updates=allowed_updates)
    with telegram_errors():
        return await bot(call, request_timeout=wait_s + 15)


async def _keep(database: Database, updates: Sequence[Update], wake: asyncio.Event) -> int | None:
    """Commit the updates and return the offset that acknowledges them; None where there were none."""
    if not updates:
        return None
    async with database.statement() as tx:
        await keep_updates(tx, updates)
    wake.set()
    return int(max(update["update_id"] for update in updates)) + 1


def _asked_pause_s(error: Exception) -> float:
    return error.retry_after_s or 0.0 if isinstance(error, Unavailable) else 0.0
