"""Requests at engines that nobody waits for any more, until their engines were told to stop."""

from dataclasses import dataclass

from starbooth.base.database import Tx, sql


async def note_abandoned(tx: Tx, *, engine: str, endpoint: str, request_id: str) -> None:
    """Note that nobody waits for this request any more. Repeat: harmless."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.abandoned (engine, endpoint, request_id)"
            " VALUES (:engine, :endpoint, :request_id) ON CONFLICT DO NOTHING"
        ),
        {"engine": engine, "endpoint": endpoint, "request_id": request_id},
    )


@dataclass(frozen=True, kw_only=True)
class Abandoned:
    """A request that nobody waits for. `is_old`: so old that the engine has surely forgotten it."""

    engine: str
    endpoint: str
    request_id: str
    is_old: bool


async def find_abandoned(tx: Tx, *, limit: int) -> list[Abandoned]:
    """Requests whose engines were not told to stop yet, in any order: no dead engine must hide another."""
    rows = await tx.execute(
        sql(
            "SELECT engine, endpoint, request_id, noted_at < now() - interval '1 day' AS is_old"
            " FROM starbooth.abandoned ORDER BY random() LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [Abandoned(**row._mapping) for row in rows]


async def forget_abandoned(tx: Tx, each: Abandoned) -> None:
    """The engine was told, or it is too late. Repeat: harmless."""
    await tx.execute(
        sql("DELETE FROM starbooth.abandoned WHERE engine = :engine AND request_id = :request_id"),
        {"engine": each.engine, "request_id": each.request_id},
    )
