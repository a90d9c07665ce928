"""The rows of a training under way: what is known of it while an engine works, and where its files lie."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starbooth.base.database import Tx, sql


@dataclass(frozen=True, kw_only=True)
class TrainingRow:
    """What belongs to an order for a training. set_id None: the photos are gone for good."""

    order_id: str
    training_id: str
    lora_id: str
    set_id: str | None
    stop_asked_at: datetime | None
    steps_ran: int
    sample_key: str | None


_READ = sql("""
    SELECT order_id, training_id, lora_id, set_id, stop_asked_at, steps_ran, sample_key
    FROM starbooth.training_orders WHERE order_id = :order_id
""")


async def read_training_row(tx: Tx, order_id: str) -> TrainingRow | None:
    """The row of this order; None where its guest was erased."""
    row = (await tx.execute(_READ, {"order_id": order_id})).first()
    return None if row is None else TrainingRow(**row._mapping)


async def note_begun(tx: Tx, row: TrainingRow, *, image_urls: list[str]) -> None:
    """The training goes to an engine. image_urls: of the photos. Repeat: harmless."""
    await tx.execute(
        sql("""
            UPDATE public."Training" SET "status" = 'PROCESSING', "imageUrls" = :image_urls,
                "startedAt" = now() AT TIME ZONE 'UTC'
            WHERE "id" = :training_id AND "status" = 'PENDING'
        """),
        {"training_id": row.training_id, "image_urls": image_urls},
    )
    await tx.execute(
        sql("""
            UPDATE public."LoraModel" SET "status" = 'TRAINING', "updatedAt" = now() AT TIME ZONE 'UTC'
            WHERE "id" = :lora_id AND "status" = 'PENDING'
        """),
        {"lora_id": row.lora_id},
    )


async def note_steps(tx: Tx, order_id: str, *, steps_ran: int) -> None:
    """Store how many steps the engine says to have done. Fewer than before: it began anew."""
    await tx.execute(
        sql(
            "UPDATE starbooth.training_orders SET steps_ran = :steps_ran"
            " WHERE order_id = :order_id AND steps_ran <> :steps_ran"
        ),
        {"order_id": order_id, "steps_ran": steps_ran},
    )


async def note_sample(tx: Tx, order_id: str, *, sample_key: str) -> bool:
    """Name the newest sample of a running training; the one before it goes. False where it has ended."""
    row: Any = (
        await tx.execute(
            sql("""
                UPDATE starbooth.training_orders t SET sample_key = :sample_key
                FROM starbooth.training_orders before
                WHERE t.order_id = :order_id AND before.order_id = t.order_id
                    AND EXISTS (SELECT FROM starbooth.orders
                        WHERE id = :order_id AND state = 'running' FOR NO KEY UPDATE)
                RETURNING before.sample_key AS earlier
            """),
            {"order_id": order_id, "sample_key": sample_key},
        )
    ).first()
    if row is None:
        return False
    await tx.execute(sql("DELETE FROM starbooth.doomed_files WHERE key = :key"), {"key": sample_key})
    if row.earlier is not None and row.earlier != sample_key:
        await doom_file(tx, row.earlier)
    return True


async def doom_file(tx: Tx, key: str, *, after: timedelta = timedelta()) -> None:
    """Have a file deleted from storage, at once or later, unless `note_sample` names it before.

    Written before a file is stored, it leaves nothing behind where a kill comes between. Repeat: harmless.
    """
    await tx.execute(
        sql(
            "INSERT INTO starbooth.doomed_files (key, due_at) VALUES (:key, now() + :after)"
            " ON CONFLICT DO NOTHING"
        ),
        {"key": key, "after": after},
    )
