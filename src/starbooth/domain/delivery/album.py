"""An order's pictures as an album: sent once as tiles, each of which is edited into its picture.

Only the sending of tiles cannot be repeated, so it is noted before and tried twice at most. At worst a second
album of tiles is left behind; a picture arrives by an edit and is never doubled. What has no tile (its album
was lost, or the guest deleted it) gets a message of its own, in the same way as an order for one picture.

More pictures than an album holds are several albums, each of which is sent once one of its pictures is there.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from starbooth.base.database import Database
from starbooth.domain.delivery import tiles as rows
from starbooth.domain.delivery.owe import Delivery
from starbooth.domain.delivery.screen import Screen, Tile
from starbooth.domain.delivery.telegram_files import note_file_id
from starbooth.domain.delivery.tiles import PlacedTile
from starbooth.domain.pictures.developing import developing_tile
from starbooth.outside.storage.contract import Storage, StoredFileMissing
from starbooth.outside.telegram.errors import Blocked, MessageGone, NotModified, TelegramRefused, TooMany

_log = structlog.get_logger()
_MOST_SENDS = 2
ALBUM_SIZE = 10  # what Telegram puts together


class AlbumMessenger(Protocol):
    """What an album asks of a messenger. Raises as `show.Messenger` does."""

    async def send_text(
        self, screen: Screen, *, chat_id: int, reply_to_message_id: int | None, thread_id: int | None = None
    ) -> int:
        """Send words as a new message and return its id. Not safe to repeat."""
        ...

    async def send_album(
        self,
        pictures: Sequence[bytes],
        *,
        chat_id: int,
        reply_to_message_id: int | None,
        thread_id: int | None = None,
    ) -> Sequence[int]:
        """Send two to ten pictures as one album; returns their messages' ids in order. Not safe to repeat."""
        ...

    async def edit_picture(self, screen: Screen, body: bytes, *, chat_id: int, message_id: int) -> str | None:
        """Make an existing message this picture, with the screen's words below. Safe to repeat.

        Returns Telegram's name of the photo, None where it became none.
        """
        ...

    async def delete(self, message_ids: Sequence[int], *, chat_id: int) -> None:
        """Take messages of ours away. Safe to repeat; those that are gone or too old are passed over."""
        ...


@dataclass(kw_only=True)
class Album:
    """The album of one claimed delivery, and what it takes to bring it to what it should show."""

    database: Database
    messenger: AlbumMessenger
    storage: Storage
    delivery: Delivery
    placed: dict[int, PlacedTile] = field(init=False)
    sends: int = field(init=False)

    def __post_init__(self) -> None:
        self.placed = rows.read_tiles(self.delivery.album)
        self.sends = self.delivery.album_sends

    async def show(self, tiles: Sequence[Tile]) -> bool:
        """Send, edit and delete until the chat shows these tiles. True where any stands in the chat.

        Repeat: goes on where it stopped. Raises: Blocked, TelegramRefused, Unavailable.
        """
        await self._take_away([tile.number for tile in tiles if tile.is_void])
        albums = [tiles[start : start + ALBUM_SIZE] for start in range(0, len(tiles), ALBUM_SIZE)]
        for place, album in enumerate(albums):
            if len(albums) == 1 or any(tile.file_key is not None for tile in album):
                # At most one of several is tried twice, so that a chat that loses all is not flooded.
                await self._show_album(
                    [tile for tile in album if not tile.is_void], most_sends=place + _MOST_SENDS
                )
        return bool(self.placed)

    def is_below(self, message_id: int) -> bool:
        """Whether a tile stands below this message, where all of several albums should stand above it."""
        return any(each.message_id > message_id for each in self.placed.values())

    async def _show_album(self, standing: Sequence[Tile], *, most_sends: int) -> None:
        is_there = any(tile.number in self.placed for tile in standing)
        if not is_there and len(standing) > 1 and self.sends < most_sends:
            await self._send(standing)
        for tile in standing:
            placed = self.placed.get(tile.number)
            if tile.file_key is not None and (placed is None or placed.shows != tile.file_key):
                await self._show_picture(tile, tile.file_key)

    async def _send(self, standing: Sequence[Tile]) -> None:
        bodies = [
            await asyncio.to_thread(developing_tile, tile.width_px, tile.height_px, number=tile.number)
            for tile in standing
        ]
        async with self.database.statement() as tx:
            await rows.note_album_begun(tx, self.delivery.order_id)
        self.sends += 1
        try:
            ids = await self.messenger.send_album(
                bodies,
                chat_id=self.delivery.chat_id,
                reply_to_message_id=self.delivery.reply_to_message_id,
                thread_id=self.delivery.thread_id,
            )
        except (TooMany, Blocked):
            async with self.database.statement() as tx:
                await rows.note_album_unsent(tx, self.delivery.order_id)
            raise
        # Telegram may have taken a part of them only: the others come as messages of their own.
        sent = {tile.number: PlacedTile(message_id=each) for tile, each in zip(standing, ids, strict=False)}
        await self._note(sent)

    async def _show_picture(self, tile: Tile, file_key: str) -> None:
        try:
            body = await self.storage.get(file_key)
        except StoredFileMissing:  # deleted by its guest before it was shown
            await self._take_away([tile.number])
            return
        placed = self.placed.get(tile.number)
        if placed is None or not await self._has_become(placed, tile, body):
            placed = await self._send_alone(tile)
            await self._edit(placed, tile, body)
        await self._note({tile.number: PlacedTile(message_id=placed.message_id, shows=file_key)})

    async def _has_become(self, placed: PlacedTile, tile: Tile, body: bytes) -> bool:
        """Edit a tile into its picture. False where this message cannot become it: then it is taken away."""
        try:
            await self._edit(placed, tile, body)
        except (MessageGone, TelegramRefused) as error:
            _log.warning(
                "album.tile_gone", order=self.delivery.order_id, number=tile.number, reason=str(error)
            )
            await self._take_away([tile.number])
            return False
        return True

    async def _edit(self, placed: PlacedTile, tile: Tile, body: bytes) -> None:
        try:
            file_id = await self.messenger.edit_picture(
                Screen(html=tile.html), body, chat_id=self.delivery.chat_id, message_id=placed.message_id
            )
        except NotModified:
            return
        if file_id is not None and tile.file_key is not None:
            async with self.database.statement() as tx:
                await note_file_id(tx, tile.file_key, file_id)

    async def _send_alone(self, tile: Tile) -> PlacedTile:
        message_id = await self.messenger.send_text(
            Screen(html=tile.html),
            chat_id=self.delivery.chat_id,
            reply_to_message_id=self.delivery.reply_to_message_id,
            thread_id=self.delivery.thread_id,
        )
        placed = PlacedTile(message_id=message_id)
        await self._note({tile.number: placed})  # before the picture: the next try edits this message
        return placed

    async def _take_away(self, numbers: Sequence[int]) -> None:
        there = [number for number in numbers if number in self.placed]
        if not there:
            return
        ids = [self.placed[number].message_id for number in there]
        try:
            await self.messenger.delete(ids, chat_id=self.delivery.chat_id)
        except TelegramRefused as refusal:  # they stay; nothing that was paid for depends on it
            _log.warning("album.not_deleted", order=self.delivery.order_id, reason=refusal.reason)
        async with self.database.statement() as tx:
            await rows.forget_tiles(tx, self.delivery.order_id, there)
        for number in there:
            del self.placed[number]

    async def _note(self, tiles: dict[int, PlacedTile]) -> None:
        async with self.database.statement() as tx:
            await rows.note_tiles(tx, self.delivery.order_id, tiles)
        self.placed |= tiles
