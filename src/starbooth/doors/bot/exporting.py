"""Exports on their way to guests: as a file in the chat, or a button for a link where it is too large."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import asyncio
from pathlib import Path

import structlog
from aiogram import Bot
from aiogram.types import FSInputFile

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.privacy import exports
from starbooth.domain.privacy.export_folders import export_folder
from starbooth.domain.privacy.exports import Export
from starbooth.doors.bot import privacy_screens as screens
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.words import words_for
from starbooth.outside.storage.contract import Storage, StoredFileMissing
from starbooth.outside.telegram.client import send_document
from starbooth.outside.telegram.errors import Blocked, TelegramRefused

LARGEST_BYTES = 49 * 1024 * 1024  # Telegram takes 50 MB from bots
_NAME = "starbooth.zip"
_log = structlog.get_logger()


async def send_next_export(
    database: Database, storage: Storage, bot: Bot, *, largest_bytes: int = LARGEST_BYTES
) -> bool:
    """Send one export that is built; false where none is due. A death in between may send it twice.

    Who takes no messages gets none, and the file goes. Raises: Unavailable, of the database.
    """
    async with database.transaction() as tx:
        export = await exports.claim_export(tx, is_built=True)
    if export is None:
        return False
    try:
        await _send(storage, bot, export, largest_bytes=largest_bytes)
    except Unavailable as error:
        _log.warning("export.postponed", export=export.export_id, reason=error.reason)
        async with database.transaction() as tx:
            await exports.postpone(tx, export)
    except (Blocked, TelegramRefused, StoredFileMissing) as error:
        _log.warning("export.undeliverable", export=export.export_id, reason=str(error))
        async with database.transaction() as tx:
            await exports.end_export(tx, export.export_id)
    else:
        async with database.transaction() as tx:
            await exports.note_sent(tx, export)
    return True


async def _send(storage: Storage, bot: Bot, export: Export, *, largest_bytes: int) -> None:
    words = words_for(export.language)
    assert export.key is not None, "a built export has a file"
    assert export.size_bytes is not None, "and its size with it"
    if export.size_bytes > largest_bytes:
        size_mb = -(-export.size_bytes // 1024**2)
        screen = screens.render_large_export(words, export_id=export.export_id, size_mb=size_mb)
        await BotMessenger(bot).send_text(screen, chat_id=export.chat_id, reply_to_message_id=None)
        return
    with export_folder() as folder:
        path = folder / _NAME
        await _fetch(storage, export.key, path)
        await send_document(bot, FSInputFile(path), screens.word_export(words), chat_id=export.chat_id)


async def _fetch(storage: Storage, key: str, path: Path) -> None:
    with path.open("wb") as file:
        async for piece in storage.stream(key):
            await asyncio.to_thread(file.write, piece)
