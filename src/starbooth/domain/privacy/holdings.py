"""Every file that the database names, and why: the one list. Who stores files of a new kind adds a line.

Knows no storage. What another program wrote under an address that is not ours, names none of our files.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from starbooth.base.database import Tx, sql
from starbooth.outside.storage.store import is_key

# Folders that are ours. A bucket may hold other things beside them, which are none of our business.
FOLDERS = frozenset(
    {"pictures", "thumbnails", "photos", "training", "samples", "models", "loras", "exports", "health"}
)

_KINDS = {
    "picture": """
        SELECT coalesce(metadata ->> 'fileKey', substring("imageUrl" from '/files/([^?#]+)$'))
        FROM public."Generation" """,
    "thumbnail": """
        SELECT 'thumbnails/' || (metadata ->> 'orderId') || '/' || (metadata ->> 'number') || '.jpg'
        FROM public."Generation" WHERE metadata ->> 'fileKey' IS NOT NULL""",
    "result": """
        SELECT t.file_key FROM starbooth.orders o JOIN starbooth.tickets t ON t.order_id = o.id
        WHERE o.state IN ('held', 'running')""",
    "thumbnail of a result": """
        SELECT 'thumbnails/' || o.id || '/' || t.number || '.jpg'
        FROM starbooth.orders o JOIN starbooth.tickets t ON t.order_id = o.id
        WHERE o.state IN ('held', 'running') AND o.kind = 'generation' AND t.file_key IS NOT NULL""",
    "photo": "SELECT key FROM starbooth.photos",
    "photo of a set": "SELECT key FROM starbooth.set_photos",
    "sample": "SELECT sample_key FROM starbooth.training_orders",
    "weights": """SELECT substring("weightsUrl" from '/files/([^?#]+)$') FROM public."LoraModel" """,
    "config": """SELECT substring("configUrl" from '/files/([^?#]+)$') FROM public."LoraModel" """,
    "export": "SELECT key FROM starbooth.exports",
    "preview": """SELECT substring("previewImageUrl" from '/files/([^?#]+)$') FROM public."LoraModel" """,
}
_NAMED = " UNION ALL ".join(
    f"SELECT '{kind}' AS kind, key FROM ({statement}) AS named (key) WHERE key IS NOT NULL"  # noqa: S608
    for kind, statement in _KINDS.items()
)
_STILL_NAMED = sql(f"SELECT kind, key FROM ({_NAMED}) n WHERE key = ANY (CAST(:keys AS text[]))")  # noqa: S608
_DOOMED = sql("SELECT key FROM starbooth.doomed_files")
_STILL_DOOMED = sql("SELECT key FROM starbooth.doomed_files WHERE key = ANY (CAST(:keys AS text[]))")


@dataclass(frozen=True, kw_only=True)
class Named:
    """A file that a row of ours names, and what it is there."""

    kind: str
    key: str


async def read_named(tx: Tx) -> AsyncIterator[Named]:
    """Every file that has to be there, piece by piece; one may come twice."""
    rows = await tx.stream(sql(f"SELECT kind, key FROM ({_NAMED}) n"))  # noqa: S608 - made of constants
    async for row in rows:
        if is_key(row.key):
            yield Named(kind=row.kind, key=row.key)


async def read_doomed(tx: Tx) -> AsyncIterator[str]:
    """Every file that is about to go: it may be there, or not any more."""
    rows = await tx.stream(_DOOMED)
    async for row in rows:
        yield row.key


async def find_named(tx: Tx, keys: Sequence[str]) -> list[Named]:
    """Those of these files that a row names at this moment."""
    rows = await tx.execute(_STILL_NAMED, {"keys": list(keys)})
    return [Named(kind=row.kind, key=row.key) for row in rows]


async def find_accounted(tx: Tx, keys: Sequence[str]) -> set[str]:
    """Those of these files that a row names or dooms at this moment."""
    doomed = (await tx.execute(_STILL_DOOMED, {"keys": list(keys)})).scalars()
    return {each.key for each in await find_named(tx, keys)} | set(doomed)
