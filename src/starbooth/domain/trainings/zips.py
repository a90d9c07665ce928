"""A guest's photos at an engine: one zip for an order, lent while it runs, and taken back when it has ended.

What is lent is written down, so that a zip is used again by the next try and deleted whoever dies. Only a
kill between the upload and its note leaves one that nobody knows; it expires by itself.
"""

from datetime import timedelta

import structlog

from starbooth.base.database import Database, sql
from starbooth.base.errors import Unavailable
from starbooth.domain.orders.run import TicketRow
from starbooth.domain.running.craft import MaterialGone
from starbooth.domain.running.outside import Outside
from starbooth.domain.trainings.material import zip_photos
from starbooth.domain.trainings.photo_sets import SetPhoto
from starbooth.outside.engine.contract import Engine
from starbooth.outside.storage.contract import StoredFileMissing

_log = structlog.get_logger()
_AT_ONCE = 20
# One that is about to expire may be gone before an engine that is busy fetches it.
_STILL_GOOD = timedelta(minutes=30)

_LENT = sql("""
    SELECT url FROM starbooth.lent_zips
    WHERE order_id = :order_id AND engine = :engine AND expires_at > now() + :still_good
    ORDER BY expires_at DESC LIMIT 1
""")
_NOTE = sql("""
    INSERT INTO starbooth.lent_zips (engine, url, order_id, expires_at)
    VALUES (:engine, :url, :order_id, now() + :life) ON CONFLICT DO NOTHING
""")
_OVER = sql("""
    SELECT z.engine, z.url, z.order_id, z.expires_at <= now() AS has_expired FROM starbooth.lent_zips z
    WHERE z.expires_at <= now() OR NOT EXISTS (SELECT FROM starbooth.orders o
        WHERE o.id = z.order_id AND o.state IN ('held', 'running'))
    ORDER BY random() LIMIT :limit
""")
_FORGET = sql("DELETE FROM starbooth.lent_zips WHERE engine = :engine AND url = :url")


async def lend_zip(
    database: Database,
    outside: Outside,
    engine: Engine,
    ticket: TicketRow,
    photos: list[SetPhoto],
    *,
    life: timedelta,
) -> str:
    """The address of these photos at this engine, uploaded if it does not have them.

    Raises: MaterialGone("photos_gone"), EngineRefused, Unavailable.
    """
    names = {"order_id": ticket.order_id, "engine": engine.name}
    async with database.statement() as tx:
        lent = await tx.scalar(_LENT, {**names, "still_good": _STILL_GOOD})
    if lent is not None:
        return str(lent)
    bodies = []
    for photo in photos:
        try:
            bodies.append((await outside.storage.get(photo.key), photo.caption))
        except StoredFileMissing as missing:
            raise MaterialGone("photos_gone") from missing
    lifetime = life + _STILL_GOOD * 2
    url = await engine.upload(zip_photos(bodies), "application/zip", lifetime_s=int(lifetime.total_seconds()))
    async with database.statement() as tx:
        await tx.execute(_NOTE, {**names, "url": url, "life": lifetime})
    return url


async def take_back_zips(database: Database, outside: Outside) -> int:
    """Delete the zips of orders that have ended where they lie; returns how many are gone.

    An engine that cannot delete lets them expire. Repeat: harmless, also several at once; an engine out of
    reach is asked again.
    """
    async with database.statement() as tx:
        over = (await tx.execute(_OVER, {"limit": _AT_ONCE})).all()
    gone = 0
    for each in over:
        if each.has_expired or await _is_deleted(outside, each.engine, each.url):
            async with database.statement() as tx:
                await tx.execute(_FORGET, {"engine": each.engine, "url": each.url})
            gone += 1
    return gone


async def _is_deleted(outside: Outside, name: str, url: str) -> bool:
    engine = outside.engines.get(name)
    if engine is None:
        return False
    try:
        return await engine.delete_upload(url)
    except Unavailable as error:
        _log.info("zip.delete_failed", engine=name, reason=error.reason)
        return False
