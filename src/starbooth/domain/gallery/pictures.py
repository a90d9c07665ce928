"""One picture of a guest: its full recipe, whether it is marked, and deleting it with its files.

Every function finds the guest's own pictures only. Where one is deleted, its row goes at once, in the
transaction that writes down which files have to follow; `delete_doomed_files` sees to those. What the stars
did stays as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from starbooth.base.database import Database, Tx, sql
from starbooth.base.errors import Unavailable
from starbooth.domain.delivery.telegram_files import forget_file_ids
from starbooth.domain.gallery.errors import NoSuchPicture
from starbooth.domain.generations.craft import thumbnail_key
from starbooth.domain.generations.photos import forget_vary_photo
from starbooth.outside.storage.contract import Storage
from starbooth.outside.storage.store import is_key

_log = structlog.get_logger()
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class UsedLora:
    """A LoRA that a picture was made with. `name` is as it was called then."""

    name: str
    weight: float
    lora_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class KeptPicture:
    """Everything that is known of how a picture came about. None: not known; other programs write rows too.

    prompt: the guest's words; words: what was painted where that differs. file_key: where it lies in storage.
    order_id, number: the ticket that it came of. at: naive UTC.
    """

    picture_id: str
    user_id: str
    at: datetime
    prompt: str
    negative: str
    model_name: str
    base_model_id: str
    seed: int | None
    stars: int
    is_favourite: bool
    file_key: str | None
    order_id: str | None
    number: int | None
    words: str | None = None
    size_px: tuple[int, int] | None = None
    steps: int | None = None
    guidance: float | None = None
    strength: float | None = None
    has_photo: bool = False
    loras: Sequence[UsedLora] = field(default=())


_READ = sql("""
    SELECT g."id" AS picture_id, g."userId" AS user_id, g."createdAt" AS at, g."prompt",
        coalesce(g."negativePrompt", '') AS negative, b."name" AS model_name,
        g."baseModelId" AS base_model_id, g."seed", g."starsUsed" AS stars, g.metadata,
        g."loraId" AS lora_id, l."name" AS lora_name,
        coalesce(g.metadata ->> 'fileKey', substring(g."imageUrl" from '/files/([^?#]+)$')) AS file_key,
        EXISTS (SELECT FROM starbooth.favourites m WHERE m.generation_id = g."id") AS is_favourite
    FROM public."Generation" g
    JOIN public."BaseModel" b ON b."id" = g."baseModelId"
    LEFT JOIN public."LoraModel" l ON l."id" = g."loraId"
    WHERE g."id" = :id AND g."userId" = :user_id
""")
_MARK = sql("""
    INSERT INTO starbooth.favourites (generation_id, user_id, picture_at)
    SELECT g."id", g."userId", g."createdAt" FROM public."Generation" g
    WHERE g."id" = :id AND g."userId" = :user_id FOR KEY SHARE
    ON CONFLICT (generation_id) DO UPDATE SET picture_at = excluded.picture_at
    RETURNING 1
""")
_DELETE = sql("""
    WITH gone AS (
        DELETE FROM public."Generation" WHERE "id" = :id AND "userId" = :user_id
        RETURNING coalesce(metadata ->> 'fileKey', substring("imageUrl" from '/files/([^?#]+)$')) AS file_key,
            metadata ->> 'orderId' AS order_id, metadata ->> 'number' AS number),
    noted AS ( -- for a worker that is late with the same file
        UPDATE starbooth.tickets t SET facts = t.facts || '{"isDeleted": true}'
        FROM gone JOIN starbooth.orders o ON o.id = gone.order_id AND o.user_id = :user_id
        WHERE t.order_id = o.id AND t.number::text = gone.number)
    SELECT file_key, order_id, number FROM gone
""")
_DUE = sql("SELECT key, tries FROM starbooth.doomed_files WHERE due_at <= now() ORDER BY due_at LIMIT :limit")
_POSTPONE = sql("""
    UPDATE starbooth.doomed_files SET tries = tries + 1, due_at = now() + :pause WHERE key = :key
""")


async def read_picture(tx: Tx, picture_id: str, *, user_id: str) -> KeptPicture:
    """The picture with its full recipe. Raises: NoSuchPicture."""
    row = (await tx.execute(_READ, {"id": picture_id, "user_id": user_id})).first()
    if row is None:
        raise NoSuchPicture
    facts = dict(row._mapping)
    metadata: Mapping[str, Any] = facts.pop("metadata") or {}
    lora = facts.pop("lora_id"), facts.pop("lora_name")
    facts["file_key"] = file_key if (file_key := facts["file_key"]) is not None and is_key(file_key) else None
    facts["model_name"] = _text(metadata.get("model_name")) or facts["model_name"]
    return KeptPicture(**facts, **_told(metadata), loras=_loras(metadata, *lora))


def _told(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What the metadata of a row tells. Rows of other programs may hold anything."""
    width_px, height_px = _whole(metadata.get("width_px")), _whole(metadata.get("height_px"))
    return {
        "order_id": _text(metadata.get("orderId")),
        "number": _whole(metadata.get("number")),
        "words": _text(metadata.get("words")),
        "size_px": (width_px, height_px) if width_px and height_px else None,
        "steps": _whole(metadata.get("steps")),
        "guidance": _number(metadata.get("guidance")),
        "strength": _number(metadata.get("strength")),
        "has_photo": metadata.get("hasPhoto") is True,
    }


def _loras(metadata: Mapping[str, Any], lora_id: str | None, lora_name: str | None) -> tuple[UsedLora, ...]:
    noted = metadata.get("loras")
    used = [
        UsedLora(name=name, weight=weight, lora_id=_text(each.get("lora_id")))
        for each in (noted if isinstance(noted, list) else [])
        if isinstance(each, dict)
        and (name := _text(each.get("name"))) is not None
        and (weight := _number(each.get("weight"))) is not None
    ]
    if not used and lora_name is not None:
        return (UsedLora(name=lora_name, weight=1.0, lora_id=lora_id),)
    return tuple(used)


async def mark_favourite(tx: Tx, picture_id: str, *, user_id: str) -> None:
    """Put the picture among the guest's favourites. Locks: the picture against being deleted meanwhile.

    Repeat: harmless. Raises: NoSuchPicture.
    """
    rows = await tx.execute(_MARK, {"id": picture_id, "user_id": user_id})
    if rows.first() is None:
        raise NoSuchPicture


async def unmark_favourite(tx: Tx, picture_id: str, *, user_id: str) -> None:
    """Take the picture out of the guest's favourites. Repeat: harmless. Raises: NoSuchPicture."""
    values = {"id": picture_id, "user_id": user_id}
    owns = sql('SELECT true FROM public."Generation" WHERE "id" = :id AND "userId" = :user_id')
    if not await tx.scalar(owns, values):
        raise NoSuchPicture
    await tx.execute(
        sql("DELETE FROM starbooth.favourites WHERE generation_id = :id AND user_id = :user_id"), values
    )


async def delete_picture(tx: Tx, picture_id: str, *, user_id: str) -> None:
    """Delete the picture. Its file, its thumbnail and the copy that it was varied from follow once `tx` has
    committed; its order and stars stay.

    Raises: NoSuchPicture, also where it was deleted before.
    """
    row = (await tx.execute(_DELETE, {"id": picture_id, "user_id": user_id})).first()
    if row is None:
        raise NoSuchPicture
    thumbnail = row.order_id and thumbnail_key(row.order_id, row.number)
    keys = [key for key in (row.file_key, thumbnail) if key is not None and is_key(key)]
    await tx.execute(
        sql(
            "INSERT INTO starbooth.doomed_files (key) SELECT unnest(CAST(:keys AS text[]))"
            " ON CONFLICT DO NOTHING"
        ),
        {"keys": keys},
    )
    await forget_file_ids(tx, keys)
    if row.order_id is not None:
        await forget_vary_photo(tx, row.order_id, row.number, user_id=user_id)


async def delete_doomed_files(database: Database, storage: Storage, *, limit: int) -> int:
    """Delete files whose picture was deleted, at most `limit`; returns how many are gone.

    A kill in between leaves the file's row, and the next one deletes it once more. Repeat: harmless, also
    several at once. A file that storage does not let go is tried again, less and less often.
    """
    async with database.statement() as tx:
        due = (await tx.execute(_DUE, {"limit": limit})).all()
    gone = 0
    for row in due:
        gone += await _delete_file(database, storage, row.key, tries=row.tries)
    return gone


async def _delete_file(database: Database, storage: Storage, key: str, *, tries: int) -> bool:
    try:
        await storage.delete(key)
    except Unavailable as error:
        _log.warning("doomed_file.postponed", key=key, tries=tries, reason=error.reason)
        pause = min(timedelta(seconds=10 * 2 ** min(tries, 10)), _LONGEST_PAUSE)
        async with database.statement() as tx:
            await tx.execute(_POSTPONE, {"key": key, "pause": pause})
        return False
    async with database.statement() as tx:
        await tx.execute(sql("DELETE FROM starbooth.doomed_files WHERE key = :key"), {"key": key})
    return True


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
