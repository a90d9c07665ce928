"""Guests' photos go: in time, when they say so, and when they take back their consent to learn from them.

Photos are in sets for trainings and, one by one, in what pictures were painted from. A set that is doomed is
found by nobody; its files are written down to be deleted, and `Training.imageUrls` is emptied, all in one
transaction. A training of such photos that waits is cancelled and costs nothing; one that runs is asked to
stop and is paid by the steps that ran, as when its guest presses "stop".
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from starbooth.base.database import Database, Tx, sql
from starbooth.domain.trainings.errors import TooLateToStop
from starbooth.domain.trainings.photo_sets import SET_LIFE
from starbooth.domain.trainings.stop import ask_to_stop

# A set goes when its time is up and no training needs it. The end of a training moves that time on. While a
# set is gathered, every touch keeps it for `SET_LIFE`: the operator may want another life.
_DUE = sql("""
    SELECT s.id FROM starbooth.photo_sets s
    WHERE CASE s.state WHEN 'doomed' THEN true
            WHEN 'collecting' THEN s.kept_until <= now() - CAST(:longer AS interval)
            ELSE s.kept_until <= now() END
        AND NOT EXISTS (SELECT FROM starbooth.training_orders t JOIN starbooth.orders o ON o.id = t.order_id
            WHERE t.set_id = s.id AND o.state IN ('held', 'running'))
    ORDER BY s.kept_until LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_OF_GUEST = sql("""
    SELECT id FROM starbooth.photo_sets WHERE user_id = :user_id AND state <> 'doomed' FOR UPDATE
""")
_DOOM = sql("UPDATE starbooth.photo_sets SET state = 'doomed' WHERE id = ANY (CAST(:ids AS text[]))")
_EMPTY = sql("""
    UPDATE public."Training" r SET "imageUrls" = '{}' FROM starbooth.training_orders t
    WHERE t.set_id = ANY (CAST(:ids AS text[])) AND r."id" = t.training_id AND r."imageUrls" <> '{}'
""")
_DOOM_FILES = sql("""
    WITH gone AS (
        DELETE FROM starbooth.set_photos WHERE set_id = ANY (CAST(:ids AS text[])) RETURNING key
    ), doomed AS (
        INSERT INTO starbooth.doomed_files (key) SELECT key FROM gone ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM gone
""")
_FORGET = sql("DELETE FROM starbooth.photo_sets WHERE id = ANY (CAST(:ids AS text[]))")
_ACTIVE = sql("""
    SELECT o.id FROM starbooth.orders o JOIN starbooth.training_orders t ON t.order_id = o.id
    WHERE o.user_id = :user_id AND o.state IN ('held', 'running') AND t.stop_asked_at IS NULL ORDER BY o.id
""")
# Drafts and wishes with a photo go with it; what is painted from one now keeps it until it has ended.
_FORGET_DRAFTS = sql("DELETE FROM starbooth.drafts WHERE user_id = :user_id AND photo_key IS NOT NULL")
_DROP_CARTS = sql("""
    UPDATE starbooth.carts SET state = 'dropped'
    WHERE user_id = :user_id AND state = 'waiting' AND request -> 'photo' ->> 'key' IS NOT NULL
""")
_HURRY_PHOTOS = sql("""
    WITH due AS (
        UPDATE starbooth.photos SET kept_until = now()
        WHERE user_id = :user_id AND kept_until > now() RETURNING 1
    ) SELECT count(*) FROM due
""")
_COUNT = sql("""
    SELECT (SELECT count(*) FROM starbooth.set_photos p JOIN starbooth.photo_sets s ON s.id = p.set_id
            WHERE s.user_id = :user_id) AS for_models,
        (SELECT count(*) FROM starbooth.photos
            WHERE user_id = :user_id AND kept_until > now()) AS for_pictures,
        (SELECT count(*) FROM starbooth.consents
            WHERE user_id = :user_id AND withdrawn_at IS NULL) AS consents
""")


@dataclass(frozen=True, kw_only=True)
class PhotosKept:
    """What there is of a guest's photos, and how many consents to learn from some stand."""

    for_models: int
    for_pictures: int
    consents: int


@dataclass(frozen=True, kw_only=True)
class PhotosGone:
    """What went, or is about to. stopped: orders for trainings that were cancelled or asked to stop."""

    photos: int
    stopped: Sequence[str]
    consents: int = 0


async def count_photos(tx: Tx, *, user_id: str) -> PhotosKept:
    """What there is of this guest's photos."""
    row = (await tx.execute(_COUNT, {"user_id": user_id})).one()
    return PhotosKept(**row._mapping)


async def delete_photos(tx: Tx, *, user_id: str) -> PhotosGone:
    """All photos of this guest go, as soon as nothing that is painted at this moment needs them.

    Locks: the orders that are stopped, perhaps the account, the guest's sets. Repeat: harmless, finds none.
    """
    stopped = list((await tx.execute(_ACTIVE, {"user_id": user_id})).scalars())
    for order_id in stopped:
        with suppress(TooLateToStop):  # it has just ended
            await ask_to_stop(tx, order_id=order_id, user_id=user_id)
    ids = list((await tx.execute(_OF_GUEST, {"user_id": user_id})).scalars())
    photos = await _doom(tx, ids)
    await tx.execute(_FORGET_DRAFTS, {"user_id": user_id})
    await tx.execute(_DROP_CARTS, {"user_id": user_id})
    single = int(await tx.scalar(_HURRY_PHOTOS, {"user_id": user_id}) or 0)
    return PhotosGone(photos=photos + single, stopped=stopped)


async def withdraw_consents(tx: Tx, *, user_id: str) -> PhotosGone:
    """Take back every consent to learn from photos: the photos go, trainings of them are asked to stop.

    Models that are finished stay until their guest deletes them. Repeat: harmless.
    """
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.consents SET withdrawn_at = now()"
            " WHERE user_id = :user_id AND withdrawn_at IS NULL RETURNING 1"
        ),
        {"user_id": user_id},
    )
    consents = len(rows.all())
    gone = await delete_photos(tx, user_id=user_id)
    return PhotosGone(photos=gone.photos, stopped=gone.stopped, consents=consents)


async def forget_old_sets(database: Database, *, life: timedelta, limit: int) -> int:
    """Let photos for trainings go that are due, and doomed sets that nothing needs; how many sets.

    life: of a set that is gathered, from its last touch on. Repeat: harmless, also several at once.
    """
    async with database.transaction() as tx:
        ids = list((await tx.execute(_DUE, {"longer": life - SET_LIFE, "limit": limit})).scalars())
        await _doom(tx, ids)
        await tx.execute(_FORGET, {"ids": ids})
    return len(ids)


async def _doom(tx: Tx, ids: Sequence[str]) -> int:
    if not ids:
        return 0
    values = {"ids": list(ids)}
    await tx.execute(_DOOM, values)
    await tx.execute(_EMPTY, values)
    return int(await tx.scalar(_DOOM_FILES, values) or 0)
