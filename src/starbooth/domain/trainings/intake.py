"""Taking in what a guest sends for a model: photos, files, zips.

Whatever cannot be taken is remembered in the set, so that the message that shows it can say so. Decodes one
picture at a time, see `pictures.decoding`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.pictures.decoding import in_turn
from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable
from starbooth.domain.pictures.looks import Looks, look_at
from starbooth.domain.pictures.photo import Photo, take_training_photo
from starbooth.domain.pictures.photo_zip import Entry, is_zip, read_zip
from starbooth.domain.trainings.errors import SetFull, SetTooHeavy
from starbooth.domain.trainings.gathering import (
    NewPhoto,
    add_photo,
    announce_file,
    doom_file,
    knows_source,
    new_key,
    refuse,
    require_room,
)
from starbooth.domain.trainings.photo_sets import Refused, read_open_set
from starbooth.outside.storage.contract import Storage

# Half of what an update may take: on a busy machine thirty large photos take longer.
LONGEST_TURN_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Something that a guest sent: by what it is known again; its file's name, empty for a plain photo."""

    source: str
    name: str = ""


class Intake:
    """Takes in for one open set. Raises NoSuchSet where it is open no more, and Unavailable."""

    def __init__(self, database: Database, storage: Storage, *, set_id: str, user_id: str) -> None:
        self._database, self._storage = database, storage
        self._set_id, self._user_id = set_id, user_id

    async def wants(self, sent: Sent) -> bool:
        """Whether to fetch it: false where it is there already, or the set is full, which is noted."""
        try:
            return await self._has_room_for(sent)
        except (SetFull, SetTooHeavy):
            await self._refuse(sent, None)
            return False

    async def _has_room_for(self, sent: Sent) -> bool:
        """False where it is there already. Raises: SetFull, SetTooHeavy."""
        async with self._database.transaction() as tx:
            photo_set = await read_open_set(tx, self._set_id, user_id=self._user_id)
            if await knows_source(tx, self._set_id, sent.source):
                return False
            await require_room(tx, photo_set.set_id)
        return True

    async def take(self, sent: Sent, body: bytes) -> None:
        """Take in a photo, or a zip of them; of a large zip as much as can be in half a minute.

        Repeat: harmless, goes on where it stopped. Raises: Unavailable also where a zip is not finished.
        """
        if not is_zip(body):
            await self._take_photo(sent, body)
            return
        try:
            await self._take_zip(sent, read_zip(body))
        except PhotoUnreadable as refusal:
            await self._refuse(sent, refusal)

    async def refuse(self, sent: Sent, refusal: PhotoUnreadable) -> None:
        """Note what could not even be fetched."""
        await self._refuse(sent, refusal)

    async def _take_zip(self, sent: Sent, entries: Iterator[Entry]) -> None:
        ends_at = time.monotonic() + LONGEST_TURN_S
        while (entry := await in_turn(next, entries, None)) is not None:
            part = Sent(source=f"{sent.source}/{entry.number}", name=entry.name)
            if entry.body is None:
                await self._refuse(part, PhotoUnreadable(entry.flaw or PhotoFlaw.NOT_A_PICTURE))
                continue
            try:
                is_wanted = await self._has_room_for(part)
            except (SetFull, SetTooHeavy):  # what is left is not even unpacked
                rest = Sent(source=f"{sent.source}/rest", name=sent.name)
                await self._refuse(rest, None, count=entry.after + 1)
                return
            if is_wanted:
                await self._take_photo(part, entry.body)
                if entry.after and time.monotonic() >= ends_at:
                    raise Unavailable("a large zip goes on in another turn")

    async def _take_photo(self, sent: Sent, body: bytes) -> None:
        try:
            taken, looks = await in_turn(_prepare, body)
        except PhotoUnreadable as refusal:
            await self._refuse(sent, refusal)
            return
        photo = NewPhoto(
            source=sent.source,
            key=new_key(self._set_id),
            width_px=taken.width_px,
            height_px=taken.height_px,
            given_px=taken.given_px,
            size_bytes=len(taken.body),
            looks=looks,
        )
        async with self._database.transaction() as tx:
            await announce_file(tx, photo.key)
        await self._storage.put(photo.key, taken.body, "image/jpeg")
        await self._enter(sent, photo)

    async def _enter(self, sent: Sent, photo: NewPhoto) -> None:
        """Have the set know a photo that lies in storage; where it cannot, the file goes again."""
        is_full = is_in = False
        try:
            async with self._database.transaction() as tx:
                photo_set = await read_open_set(tx, self._set_id, user_id=self._user_id)
                is_in = await add_photo(tx, photo_set, photo)
        except (SetFull, SetTooHeavy):
            is_full = True
        finally:
            if not is_in:
                async with self._database.transaction() as tx:
                    await doom_file(tx, photo.key)
        if is_full:
            await self._refuse(sent, None)

    async def _refuse(self, sent: Sent, refusal: PhotoUnreadable | None, *, count: int = 1) -> None:
        """refusal: None where there was no room, for so many."""
        refused = Refused(
            source=sent.source,
            name=sent.name,
            flaw=None if refusal is None else refusal.reason,
            limit=count if refusal is None else refusal.limit,
        )
        async with self._database.transaction() as tx:
            photo_set = await read_open_set(tx, self._set_id, user_id=self._user_id)
            await refuse(tx, photo_set, refused)


def _prepare(body: bytes) -> tuple[Photo, Looks]:
    taken = take_training_photo(body)
    return taken, look_at(taken.body)
