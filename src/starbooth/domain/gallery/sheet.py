"""The contact sheet of a page: its pictures small and numbered. Fetches files, so it holds no transaction."""

import asyncio
from collections.abc import Sequence

import structlog

from starbooth.domain.gallery.pages import PageEntry
from starbooth.domain.generations.craft import thumbnail_key
from starbooth.domain.pictures.thumbnail import contact_sheet, thumbnail
from starbooth.outside.storage.contract import Storage, StoredFileMissing
from starbooth.outside.storage.store import is_key

_log = structlog.get_logger()
COLUMNS = 3


async def draw_sheet(storage: Storage, entries: Sequence[PageEntry]) -> bytes:
    """A JPEG of the page, numbered from 1. Where a file is gone, or there is no picture, a tile is empty.

    Repeat: harmless. Raises: Unavailable.
    """
    thumbs = list(await asyncio.gather(*(_thumb(storage, entry) for entry in entries)))
    numbers = [str(place + 1) for place in range(len(thumbs))]
    return await asyncio.to_thread(contact_sheet, thumbs or [None], columns=COLUMNS, numbers=numbers or ["0"])


async def _thumb(storage: Storage, entry: PageEntry) -> bytes | None:
    """The thumbnail, or one made now of a picture from before there were any. It is not stored: the picture
    may be deleted meanwhile, and nobody would know of the file.
    """
    if entry.order_id is not None and entry.number is not None:
        key = thumbnail_key(entry.order_id, entry.number)
        if is_key(key):
            try:
                return await storage.get(key)
            except StoredFileMissing:
                pass
    if entry.file_key is None:
        return None
    try:
        body = await storage.get(entry.file_key)
    except StoredFileMissing:
        _log.warning("gallery.file_missing", key=entry.file_key)
        return None
    return await asyncio.to_thread(thumbnail, body)
