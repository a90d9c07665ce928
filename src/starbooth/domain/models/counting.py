"""Counting how often models are used, from what orders paid or would have paid for them.

Not while an order ends: a model that many use would be a row that every order waits for.
"""

from starbooth.base.database import Tx, sql

_COUNT = sql("""
    WITH ended AS (
        SELECT order_id, lora_id FROM starbooth.order_fees
        WHERE pictures IS NOT NULL AND NOT is_counted LIMIT :limit FOR UPDATE SKIP LOCKED
    ), counted AS (
        UPDATE starbooth.order_fees f SET is_counted = true FROM ended e
        WHERE (f.order_id, f.lora_id) = (e.order_id, e.lora_id) RETURNING f.lora_id, f.pictures
    ), sums AS (
        SELECT lora_id, sum(pictures) AS pictures FROM counted GROUP BY lora_id
    ), added AS (
        UPDATE starbooth.model_cards c SET uses = uses + s.pictures FROM sums s WHERE c.lora_id = s.lora_id
    )
    SELECT count(*) FROM counted
""")


async def count_uses(tx: Tx, *, limit: int = 10_000) -> int:
    """Add pictures that others made to their models' cards; returns how many orders that were.

    Repeat: harmless, each order is counted once, also where several count at once.
    """
    return int(await tx.scalar(_COUNT, {"limit": limit}) or 0)
