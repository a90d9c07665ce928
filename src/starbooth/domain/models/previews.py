"""The preview of a model: one of the pictures that its maker made with it, copied, so that it outlives it."""

import asyncio
from dataclasses import dataclass

import structlog

from starbooth.base.database import Database, Tx, sql
from starbooth.base.ids import new_id
from starbooth.domain.models.cards import FILE_OF, stored
from starbooth.domain.models.errors import NoSuchModel
from starbooth.domain.pictures.thumbnail import preview, thumbnail
from starbooth.outside.storage.contract import Storage, StoredFileMissing

_log = structlog.get_logger()

_PICTURES = sql("""
    SELECT "id" AS picture_id, metadata ->> 'fileKey' AS file_key FROM public."Generation"
    WHERE "loraId" = :id AND "userId" = :user_id AND metadata ->> 'fileKey' IS NOT NULL
    ORDER BY "createdAt" DESC, "id" DESC LIMIT :limit
""")
_SHOW = sql(f"""
    WITH before AS (
        SELECT "id", {FILE_OF.format(url='"previewImageUrl"')} AS key FROM public."LoraModel"
        WHERE "id" = :id AND "userId" = :user_id FOR NO KEY UPDATE
    ), shown AS (
        UPDATE public."LoraModel" l SET "previewImageUrl" = :url, "updatedAt" = timezone('UTC', now())
        FROM before b WHERE l."id" = b."id" RETURNING b.key
    )
    SELECT key FROM shown
""")  # noqa: S608 - made of constants
# The first preview is the training's last sample.
_FORGET_SAMPLE = sql("""
    UPDATE starbooth.training_orders SET sample_key = NULL WHERE lora_id = :id AND sample_key = :key
""")
_DOOM = sql("INSERT INTO starbooth.doomed_files (key) VALUES (:key) ON CONFLICT DO NOTHING")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A picture that may become the preview."""

    picture_id: str
    file_key: str


async def list_candidates(tx: Tx, lora_id: str, *, user_id: str, limit: int) -> list[Candidate]:
    """The maker's newest pictures with this model."""
    rows = await tx.execute(_PICTURES, {"id": lora_id, "user_id": user_id, "limit": limit})
    return [Candidate(**row._mapping) for row in rows if stored(row.file_key) is not None]


async def set_preview(
    database: Database, storage: Storage, lora_id: str, candidate: Candidate, *, public_url: str, user_id: str
) -> None:
    """Make a small copy of this picture the model's preview; the one before goes.

    The copy is written down as doomed before it is stored and taken off that list by the transaction that
    names it, so a kill in between leaves no stray. Repeat: harmless.
    Raises: NoSuchModel, StoredFileMissing, Unavailable.
    """
    body = await asyncio.to_thread(preview, await storage.get(candidate.file_key))
    key = f"models/{lora_id}/{new_id()}.jpg"
    async with database.transaction() as tx:
        await tx.execute(
            sql("INSERT INTO starbooth.doomed_files (key, due_at) VALUES (:key, now() + interval '10 min')"),
            {"key": key},
        )
    await storage.put(key, body, "image/jpeg")
    async with database.transaction() as tx:
        url = f"{public_url}/files/{key}"
        row = (await tx.execute(_SHOW, {"id": lora_id, "user_id": user_id, "url": url})).first()
        if row is None:
            raise NoSuchModel
        await tx.execute(sql("DELETE FROM starbooth.doomed_files WHERE key = :key"), {"key": key})
        if stored(row.key) is not None:
            await tx.execute(_FORGET_SAMPLE, {"id": lora_id, "key": row.key})
            await tx.execute(_DOOM, {"key": row.key})


async def read_tile(storage: Storage, key: str | None) -> bytes | None:
    """The preview small enough for a tile; None where there is none. Raises: Unavailable."""
    body = await read_preview(storage, key)
    return None if body is None else await asyncio.to_thread(thumbnail, body)


async def read_preview(storage: Storage, key: str | None) -> bytes | None:
    """The preview; None where there is none. Raises: Unavailable."""
    if key is None:
        return None
    try:
        return await storage.get(key)
    except StoredFileMissing:
        _log.warning("models.preview_missing", key=key)
        return None
