"""Cutting a set's photos to the person, once the guest has seen where and orders the training.

Until then only where to cut is known, and every photo can stay whole.
"""

from starbooth.base.database import Database
from starbooth.domain.pictures.cropping import Box, crop
from starbooth.domain.pictures.decoding import in_turn
from starbooth.domain.trainings.assistant import cut_of
from starbooth.domain.trainings.gathering import announce_file, doom_file, new_key, replace_by_cut
from starbooth.domain.trainings.photo_sets import SetPhoto, read_open_set, read_set_photos
from starbooth.outside.storage.contract import Storage


async def cut_photos(database: Database, storage: Storage, set_id: str, *, user_id: str) -> None:
    """Cut what is to be cut, photo by photo. Repeat: harmless, goes on where it stopped.

    Raises: NoSuchSet, Unavailable, StoredFileMissing.
    """
    async with database.transaction() as tx:
        photo_set = await read_open_set(tx, set_id, user_id=user_id)
        photos = await read_set_photos(tx, set_id)
    for photo in photos:
        box = cut_of(photo, photo_set.lora_type)
        if box is not None:
            await _cut(database, storage, set_id, photo, box, user_id=user_id)


async def _cut(
    database: Database, storage: Storage, set_id: str, photo: SetPhoto, box: Box, *, user_id: str
) -> None:
    part = await in_turn(crop, await storage.get(photo.key), box)
    key = new_key(set_id)
    async with database.transaction() as tx:
        await announce_file(tx, key)
    await storage.put(key, part, "image/jpeg")
    left, top, right, bottom = box
    async with database.transaction() as tx:
        await read_open_set(tx, set_id, user_id=user_id)
        if not await replace_by_cut(
            tx, set_id, photo, key=key, width_px=right - left, height_px=bottom - top
        ):
            await doom_file(tx, key)
