"""Guests' photos to start from: whose each is, how long it is kept, and which may go.

Knows the files by their keys only. A photo is kept for a day, and for a week after it was last painted from,
so that "again" still works under its pictures; then it is forgotten first and deleted after that, so nobody
can begin to use what is about to go.
"""

from datetime import timedelta
from typing import ClassVar

from starbooth.base.database import Database, Tx, sql
from starbooth.base.errors import Refusal, Unavailable
from starbooth.domain.generations.asking import PhotoReference
from starbooth.outside.storage.contract import Storage

PHOTO_LIFE = timedelta(days=7)
UNUSED_LIFE = timedelta(days=1)
# Who forgets a photo has its file to itself for so long: a second one at work must not delete it once more,
# when the same photo may have come anew.
_TO_DELETE_IT = timedelta(minutes=10)

# A cart may be younger than its photo's last use, and an operator may let orders take very long.
_FORGET = sql("""
    UPDATE starbooth.photos p SET is_forgotten = true, kept_until = now() + :lease
    WHERE p.key IN (
        SELECT key FROM starbooth.photos WHERE kept_until <= now() ORDER BY kept_until LIMIT :limit)
        AND p.kept_until <= now()
        AND NOT EXISTS (SELECT FROM starbooth.drafts d WHERE d.photo_key = p.key)
        AND NOT EXISTS (SELECT FROM starbooth.carts c
            WHERE c.user_id = p.user_id AND c.state = 'waiting' AND c.request -> 'photo' ->> 'key' = p.key)
        AND NOT EXISTS (SELECT FROM starbooth.orders o
            WHERE o.user_id = p.user_id AND o.state IN ('held', 'running')
                AND o.request -> 'asked' -> 'photo' ->> 'key' = p.key)
    RETURNING p.key
""")


class PhotoGone(Refusal):
    """The photo is not kept any more, or is somebody else's. Nothing was charged."""

    code: ClassVar[str] = "photo_gone"


async def expect_photo(tx: Tx, key: str, *, user_id: str) -> None:
    """Say that a photo is about to be stored under this key, so that nobody deletes one that lies there.

    Repeat: harmless. Raises: Unavailable while an earlier one is being deleted; then nothing may be stored.
    """
    found = await tx.scalar(
        sql(
            "UPDATE starbooth.photos SET kept_until = CASE WHEN is_forgotten THEN kept_until"
            " ELSE greatest(kept_until, now() + :life) END"
            " WHERE key = :key AND user_id = :user_id RETURNING is_forgotten"
        ),
        {"key": key, "user_id": user_id, "life": UNUSED_LIFE},
    )
    if found:
        raise Unavailable("an earlier photo of this name is being deleted")


async def keep_photo(tx: Tx, photo: PhotoReference, *, user_id: str) -> None:
    """Know a photo that lies in storage, as this guest's; it was expected before it was stored.

    Repeat: harmless, and keeps it for longer.
    """
    await tx.execute(
        sql("""
            INSERT INTO starbooth.photos (key, user_id, width_px, height_px, kept_until)
            VALUES (:key, :user_id, :width_px, :height_px, now() + :life)
            ON CONFLICT (key) DO UPDATE SET kept_until = greatest(photos.kept_until, excluded.kept_until)
                WHERE photos.user_id = excluded.user_id AND NOT photos.is_forgotten
        """),
        {**vars(photo), "user_id": user_id, "life": UNUSED_LIFE},
    )


def vary_photo_key(order_id: str, number: int | str) -> str:
    """Where the copy of a finished picture lies that variations of it start from."""
    return f"photos/of-{order_id}-{number}.jpg"


async def forget_vary_photo(tx: Tx, order_id: str, number: int | str, *, user_id: str) -> None:
    """Let go of a picture's copy: it is deleted once nothing under way needs it. Repeat: harmless."""
    await tx.execute(
        sql(
            "UPDATE starbooth.photos SET kept_until = now()"
            " WHERE key = :key AND user_id = :user_id AND NOT is_forgotten"
        ),
        {"key": vary_photo_key(order_id, number), "user_id": user_id},
    )


async def use_photo(tx: Tx, key: str, *, user_id: str, life: timedelta = PHOTO_LIFE) -> None:
    """Keep this guest's photo for so long at least, as something begins to need it.

    Locks: the photo, so that it is not forgotten meanwhile. Repeat: harmless. Raises: PhotoGone.
    """
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.photos SET kept_until = greatest(kept_until, now() + :life)"
            " WHERE key = :key AND user_id = :user_id AND NOT is_forgotten RETURNING 1"
        ),
        {"key": key, "user_id": user_id, "life": life},
    )
    if rows.first() is None:
        raise PhotoGone


async def delete_old_photos(database: Database, storage: Storage, *, limit: int) -> int:
    """Delete photos that nothing needs, at most `limit`, and return how many.

    Repeat: harmless, also several at once; what a storage out of reach leaves is deleted ten minutes later.
    Raises: Unavailable.
    """
    async with database.transaction() as tx:
        keys = list((await tx.execute(_FORGET, {"limit": limit, "lease": _TO_DELETE_IT})).scalars())
    for key in keys:
        await storage.delete(key)
        async with database.transaction() as tx:
            await tx.execute(
                sql("DELETE FROM starbooth.photos WHERE key = :key AND is_forgotten"), {"key": key}
            )
    return len(keys)
