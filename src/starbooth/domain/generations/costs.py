"""What pictures and trainings cost the operator and what guests paid for them, added up from the tickets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from starbooth.base.database import Tx, sql

# An order's stars are shared among its pictures, so that a line by engine adds up as one by model does.
_COSTS = sql("""
    SELECT CASE o.kind WHEN 'training'
            THEN 'training: ' || coalesce(o.request -> 'frozen' ->> 'lora_type', '')
            ELSE coalesce(o.request -> 'frozen' ->> 'model_name', '') END AS model,
        coalesce(t.engine, '') AS engine,
        count(*) FILTER (WHERE t.state = 'done') AS made,
        count(*) FILTER (WHERE t.state = 'failed') AS failed,
        coalesce(sum(CAST(o.spent_stars AS numeric) / coalesce(nullif(done.n, 0), o.parts))
            FILTER (WHERE t.state = 'done' OR done.n = 0), 0) AS stars,
        coalesce(sum(CAST(t.facts ->> 'cost_usd' AS numeric)), 0) AS cost_usd,
        count(*) FILTER (WHERE t.state = 'done' AND t.facts ->> 'cost_usd' IS NULL) AS unpriced
    FROM starbooth.orders o
    JOIN starbooth.tickets t ON t.order_id = o.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM starbooth.tickets d WHERE d.order_id = o.id AND d.state = 'done') done
    WHERE o.ended_at > now() - CAST(:age AS interval)
    GROUP BY 1, 2 HAVING count(*) FILTER (WHERE t.state IN ('done', 'failed')) > 0
    ORDER BY 1, 2
""")


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """One model at one engine, or one kind of training. stars: what guests paid for it, gifts included.

    made: pictures, or LoRAs. failed: requests that brought none; what they cost nevertheless is in
    `cost_usd`, where the engine had finished them. unpriced: those whose cost is not known, so not in
    `cost_usd`.
    """

    model: str
    engine: str
    made: int
    failed: int
    stars: Decimal
    cost_usd: Decimal
    unpriced: int


async def read_costs(tx: Tx, *, age: timedelta) -> Sequence[CostLine]:
    """A line for each model and engine, of the orders that ended within this time. Only reads."""
    rows = await tx.execute(_COSTS, {"age": age})
    return [CostLine(**row._mapping) for row in rows]
