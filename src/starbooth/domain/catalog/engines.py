"""The engines as an operator runs them: which are used, in which order, with how much, and how each does.

Knows no engine's address and calls none. A breaker stands between us and an endpoint that fails: after some
failures in a row nothing is sent there for a while, then one ticket at a time until one works.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starbooth.base.database import Tx, sql

FAILURES_TO_OPEN = 3
FIRST_PAUSE = timedelta(seconds=20)
LONGEST_PAUSE = timedelta(minutes=5)
PROBE_TIME = timedelta(seconds=20)


@dataclass(frozen=True, kw_only=True)
class EngineRow:
    """One engine. `slots`: tickets for pictures that it is given at one time; `at_work`: that it has now.

    training_slots, trainings_at_work: the same for trainings; no slots means that it trains nothing.
    """

    name: str
    is_on: bool
    slots: int
    position: int
    at_work: int
    training_slots: int = 1
    trainings_at_work: int = 0


@dataclass(frozen=True, kw_only=True)
class BreakerRow:
    """An endpoint of an engine where something is wrong. `open_until` None: it is used all the same."""

    engine: str
    endpoint: str
    failures: int
    cause: str
    open_until: datetime | None


async def seed_engines(tx: Tx, names: Sequence[str], *, slots: int) -> None:
    """Know these engines, in this order, with so many slots each; what an operator changed stays.

    Repeat: harmless.
    """
    await tx.execute(
        sql("""
            INSERT INTO starbooth.engines (name, slots, position)
            SELECT name, :slots, place FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS n (name, place)
            ON CONFLICT DO NOTHING
        """),
        {"names": list(names), "slots": slots},
    )


async def list_engines(tx: Tx) -> list[EngineRow]:
    """Every engine that was ever named, in order of preference."""
    rows = await tx.execute(
        sql("""
            SELECT e.name, e.is_on, e.slots, e.position, e.training_slots,
                busy.pictures AS at_work, busy.trainings AS trainings_at_work
            FROM starbooth.engines e, LATERAL (
                SELECT count(*) FILTER (WHERE o.kind = 'generation') AS pictures,
                    count(*) FILTER (WHERE o.kind = 'training') AS trainings
                FROM starbooth.tickets t JOIN starbooth.orders o ON o.id = t.order_id
                WHERE t.engine = e.name AND t.state IN ('sending', 'sent')) busy
            ORDER BY e.position, e.name
        """)
    )
    return [EngineRow(**row._mapping) for row in rows]


async def able_engines(tx: Tx, names: Sequence[str]) -> list[str]:
    """Those of these engines that this booth has and uses, in this order.

    All of them where no worker has written down yet what there is.
    """
    rows = await tx.execute(sql("SELECT name, is_on FROM starbooth.engines"))
    used = {row.name: row.is_on for row in rows}
    return [name for name in names if not used or used.get(name)]


async def change_engine(
    tx: Tx,
    name: str,
    *,
    is_on: bool | None,
    slots: int | None,
    position: int | None,
    training_slots: int | None = None,
) -> bool:
    """Change what is not None; workers see it within seconds. False where there is no such engine."""
    rows = await tx.execute(
        sql("""
            UPDATE starbooth.engines SET is_on = coalesce(:is_on, is_on),
                slots = coalesce(CAST(:slots AS integer), slots),
                position = coalesce(CAST(:position AS integer), position),
                training_slots = coalesce(CAST(:training_slots AS integer), training_slots),
                updated_at = now()
            WHERE name = :name RETURNING 1
        """),
        {
            "name": name,
            "is_on": is_on,
            "slots": slots,
            "position": position,
            "training_slots": training_slots,
        },
    )
    return rows.first() is not None


async def list_breakers(tx: Tx) -> list[BreakerRow]:
    """Every endpoint where something is wrong."""
    rows = await tx.execute(
        sql("SELECT engine, endpoint, failures, cause, open_until FROM starbooth.breakers ORDER BY 1, 2")
    )
    return [BreakerRow(**row._mapping) for row in rows]


async def claim_probes(tx: Tx) -> list[tuple[str, str]]:
    """Take the right to try each endpoint whose pause is over with one ticket; nobody else may meanwhile."""
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.breakers SET open_until = now() + :time WHERE open_until <= now()"
            " RETURNING engine, endpoint"
        ),
        {"time": PROBE_TIME},
    )
    return [(row.engine, row.endpoint) for row in rows]


async def note_trouble(
    tx: Tx, *, engine: str, endpoint: str, cause: str, is_grave: bool, is_of_run: bool = False
) -> bool:
    """Count one failure; the third in a row, or a grave one, opens the breaker. True where it just opened.

    is_of_run: the engine took the ticket and broke down over it.

    The pause doubles with every failed probe, up to five minutes.
    """
    row = (
        await tx.execute(
            sql("""
                INSERT INTO starbooth.breakers AS b
                    (engine, endpoint, failures, cause, is_of_runs, open_until)
                VALUES (:engine, :endpoint, CAST(:weight AS integer), :cause, :is_of_run,
                    CASE WHEN CAST(:weight AS integer) >= :to_open THEN now() + :first END)
                ON CONFLICT (engine, endpoint) DO UPDATE SET failures = b.failures + CAST(:weight AS integer),
                    cause = excluded.cause, updated_at = now(),
                    is_of_runs = b.is_of_runs OR excluded.is_of_runs,
                    open_until = CASE WHEN b.failures + CAST(:weight AS integer) >= :to_open THEN
                        now() + least(CAST(:longest AS interval), CAST(:first AS interval) * power(2,
                            least(10, (b.failures + CAST(:weight AS integer) - :to_open) / :to_open))) END
                RETURNING failures >= :to_open
                    AND failures - CAST(:weight AS integer) < :to_open AS has_opened
            """),
            {
                "engine": engine,
                "endpoint": endpoint,
                "cause": cause,
                "is_of_run": is_of_run,
                "weight": FAILURES_TO_OPEN if is_grave else 1,
                "to_open": FAILURES_TO_OPEN,
                "first": FIRST_PAUSE,
                "longest": LONGEST_PAUSE,
            },
        )
    ).one()
    return bool(row.has_opened)


async def note_success(tx: Tx, *, engine: str, endpoint: str, has_painted: bool = True) -> bool:
    """The endpoint works: close its breaker. Repeat: harmless.

    has_painted: False where it has only taken a ticket, which says nothing where it fails what it takes.
    Returns whether nothing is wrong any more.
    """
    is_closed = await tx.scalar(
        sql("""
            WITH closed AS (
                DELETE FROM starbooth.breakers WHERE engine = :engine AND endpoint = :endpoint
                    AND (:has_painted OR NOT is_of_runs) RETURNING 1)
            SELECT EXISTS (SELECT FROM closed) OR NOT EXISTS (
                SELECT FROM starbooth.breakers WHERE engine = :engine AND endpoint = :endpoint)
        """),
        {"engine": engine, "endpoint": endpoint, "has_painted": has_painted},
    )
    return bool(is_closed)
