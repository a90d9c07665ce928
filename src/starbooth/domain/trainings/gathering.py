"""Gathering: how photos come into a set, and go again.

A photo is kept once however often it arrives, by its source, and keeps its number while others go, so that a
button pressed twice takes away one photo. All of it on a set that was read in the same `tx`, which locks it.
"""

import json
from dataclasses import dataclass
from datetime import timedelta

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.domain.pictures.looks import Looks
from starbooth.domain.trainings.errors import NoSuchPhoto, SetFull, SetTooHeavy
from starbooth.domain.trainings.photo_sets import PhotoSet, Refused, SetPhoto, change_set, refused_facts

MOST_PHOTOS = 30
MOST_SET_MB = 100
_TO_NAME_A_FILE = timedelta(minutes=10)
_MOST_REFUSED = 40  # told of one by one; a guest who sends more has seen enough

_TOTALS = sql("""
    SELECT count(*) AS photos, coalesce(sum((facts ->> 'bytes')::bigint), 0) AS bytes,
        coalesce(max(number), 0) + 1 AS next
    FROM starbooth.set_photos WHERE set_id = :id
""")
_ADD = sql("""
    INSERT INTO starbooth.set_photos (set_id, number, source, key, width_px, height_px, facts)
    VALUES (:set_id, :number, :source, :key, :width_px, :height_px, CAST(:facts AS jsonb))
""")
_REMOVE = sql("""
    WITH gone AS (
        DELETE FROM starbooth.set_photos WHERE set_id = :id AND number = :number RETURNING key
    )
    INSERT INTO starbooth.doomed_files (key) SELECT key FROM gone ON CONFLICT DO NOTHING
""")
_CUT = sql("""
    WITH cut AS (
        UPDATE starbooth.set_photos SET key = :key, width_px = :width_px, height_px = :height_px,
            facts = facts || '{"is_cut": true}'
        WHERE set_id = :id AND number = :number AND key = :old_key RETURNING 1
    )
    INSERT INTO starbooth.doomed_files (key) SELECT :old_key FROM cut
    ON CONFLICT (key) DO UPDATE SET due_at = now() RETURNING 1
""")


@dataclass(frozen=True, kw_only=True)
class NewPhoto:
    """A photo that lies in storage under `key`, and by what it came."""

    source: str
    key: str
    width_px: int
    height_px: int
    given_px: int
    size_bytes: int
    looks: Looks


def new_key(set_id: str) -> str:
    """A name for a file of this set: it tells nothing of what the file was called."""
    return f"training/{set_id}/{new_id()}.jpg"


async def knows_source(tx: Tx, set_id: str, source: str) -> bool:
    """Whether what came by this is in the set, so that it need not be fetched again."""
    found = await tx.scalar(
        sql("SELECT EXISTS (SELECT FROM starbooth.set_photos WHERE set_id = :id AND source = :source)"),
        {"id": set_id, "source": source},
    )
    return bool(found)


async def require_room(tx: Tx, set_id: str) -> int:
    """The number that the next photo gets. Raises: SetFull, SetTooHeavy."""
    totals = (await tx.execute(_TOTALS, {"id": set_id})).one()
    if totals.photos >= MOST_PHOTOS:
        raise SetFull(limit=MOST_PHOTOS)
    if totals.bytes >= MOST_SET_MB * 1024 * 1024:
        raise SetTooHeavy(limit=MOST_SET_MB)
    return int(totals.next)


async def add_photo(tx: Tx, photo_set: PhotoSet, photo: NewPhoto) -> bool:
    """Add a photo to a set that was read in this `tx`. False where what came by this source is there already;
    then the file of this key is nobody's. Raises: SetFull, SetTooHeavy.
    """
    if await knows_source(tx, photo_set.set_id, photo.source):
        return False
    number = await require_room(tx, photo_set.set_id)
    facts = {"bytes": photo.size_bytes, "given_px": photo.given_px, "looks": photo.looks.to_json()}
    await tx.execute(
        _ADD,
        {
            "set_id": photo_set.set_id,
            "number": number,
            "source": photo.source,
            "key": photo.key,
            "width_px": photo.width_px,
            "height_px": photo.height_px,
            "facts": json.dumps(facts),
        },
    )
    await _name_file(tx, photo.key)
    await change_set(tx, photo_set)
    return True


async def _name_file(tx: Tx, key: str) -> None:
    """A photo names this file now: it stays."""
    await tx.execute(sql("DELETE FROM starbooth.doomed_files WHERE key = :key"), {"key": key})


async def announce_file(tx: Tx, key: str) -> None:
    """Say that a file is about to be stored: unless a photo names it within minutes, it goes again, so that a
    kill in between leaves no stray.
    """
    await tx.execute(
        sql(
            "INSERT INTO starbooth.doomed_files (key, due_at) VALUES (:key, now() + :patience)"
            " ON CONFLICT DO NOTHING"
        ),
        {"key": key, "patience": _TO_NAME_A_FILE},
    )


async def doom_file(tx: Tx, key: str) -> None:
    """Have a file deleted that no photo names. Repeat: harmless."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.doomed_files (key) VALUES (:key)"
            " ON CONFLICT (key) DO UPDATE SET due_at = now()"
        ),
        {"key": key},
    )


async def remove_photo(tx: Tx, set_id: str, number: int) -> None:
    """Take a photo out; its file goes. Repeat: harmless."""
    await tx.execute(_REMOVE, {"id": set_id, "number": number})


async def caption_photo(tx: Tx, set_id: str, number: int, caption: str) -> None:
    """Say something else of a photo; empty goes back to our words. Raises: NoSuchPhoto."""
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.set_photos SET caption = :caption"
            " WHERE set_id = :id AND number = :number RETURNING 1"
        ),
        {"id": set_id, "number": number, "caption": caption},
    )
    if rows.first() is None:
        raise NoSuchPhoto


async def keep_whole(tx: Tx, set_id: str, number: int, *, is_whole: bool) -> None:
    """Leave a photo as it is when the others are cut to their faces, or do not. Repeat: harmless."""
    await tx.execute(
        sql(
            "UPDATE starbooth.set_photos SET facts = facts || CAST(:facts AS jsonb)"
            " WHERE set_id = :id AND number = :number"
        ),
        {"id": set_id, "number": number, "facts": json.dumps({"keeps_whole": is_whole})},
    )


async def replace_by_cut(
    tx: Tx, set_id: str, photo: SetPhoto, *, key: str, width_px: int, height_px: int
) -> bool:
    """Have the part of a photo that lies under `key` stand for it; the whole goes. False where that was done
    before, or the photo is gone; then the file of this key is nobody's.
    """
    rows = await tx.execute(
        _CUT,
        {
            "id": set_id,
            "number": photo.number,
            "old_key": photo.key,
            "key": key,
            "width_px": width_px,
            "height_px": height_px,
        },
    )
    is_cut = rows.first() is not None
    if is_cut:
        await _name_file(tx, key)
    return is_cut


async def refuse(tx: Tx, photo_set: PhotoSet, refused: Refused) -> None:
    """Remember what was not taken until the guest has seen it. Repeat: the same source counts once."""
    others = [each for each in photo_set.refused if each.source != refused.source]
    if len(others) < _MOST_REFUSED:
        await tx.execute(
            sql(
                "UPDATE starbooth.photo_sets SET refused = refused || CAST(:refused AS jsonb) WHERE id = :id"
            ),
            {"id": photo_set.set_id, "refused": json.dumps({refused.source: refused_facts(refused)})},
        )
