"""The audit: every balance and total recomputed from the ledger, and each difference named.

Which rows count is design part 3: COMPLETED and REFUNDED rows, and PENDING ones with a negative amount.
"""

from dataclasses import dataclass

from sqlalchemy import text

from starbooth.base.database import Tx


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One figure of one account that is not the sum of its ledger rows. In stars."""

    user_id: str
    figure: str
    written: int
    computed: int


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit saw. `odd_rows`: ledger rows that contradict each other, with what is odd about them."""

    accounts: int
    rows: int
    differences: tuple[Difference, ...]
    odd_rows: tuple[tuple[str, str], ...]

    @property
    def is_clean(self) -> bool:
        """Whether every star is accounted for."""
        return not self.differences and not self.odd_rows


_DIFFERENCES = text("""
    WITH given_back AS (
        SELECT metadata ->> 'refundOf' AS hold_id, sum("amount") AS amount
        FROM public."StarTransaction" WHERE metadata ->> 'refundOf' IS NOT NULL AND "type" = 'REFUND'
        GROUP BY 1
    ), sums AS (
        SELECT t."userId",
            sum(t."amount") FILTER (WHERE t."status" IN ('COMPLETED', 'REFUNDED')
                OR (t."status" = 'PENDING' AND t."amount" < 0)) AS stars,
            sum(t."amount") FILTER (WHERE t."type" = 'PURCHASE' AND t."status" = 'COMPLETED') AS bought,
            sum(-t."amount" - coalesce(b.amount, 0)) FILTER (
                WHERE t."type" IN ('GENERATION', 'TRAINING') AND t."status" = 'COMPLETED') AS spent
        FROM public."StarTransaction" t LEFT JOIN given_back b ON b.hold_id = t."id"
        GROUP BY t."userId"
    )
    SELECT u."id" AS user_id, f.figure, f.written, f.computed
    FROM public."User" u LEFT JOIN sums s ON s."userId" = u."id"
    CROSS JOIN LATERAL (VALUES
        ('stars', u."stars"::bigint, coalesce(s.stars, 0)::bigint),
        ('totalBoughtStars', u."totalBoughtStars", coalesce(s.bought, 0)),
        ('totalSpentStars', u."totalSpentStars", coalesce(s.spent, 0)::bigint)
    ) AS f (figure, written, computed)
    WHERE f.written <> f.computed
    ORDER BY 1, 2
""")

_ODD_ROWS = text("""
    WITH refunds AS (
        SELECT r."id", r."userId", r."amount", r.metadata ->> 'refundOf' AS of_id
        FROM public."StarTransaction" r WHERE r.metadata ->> 'refundOf' IS NOT NULL
    ), holds AS (
        SELECT h."id", h."status", h."amount", coalesce(sum(r."amount"), 0) AS given_back
        FROM public."StarTransaction" h LEFT JOIN refunds r ON r.of_id = h."id"
        WHERE h."type" IN ('GENERATION', 'TRAINING')
        GROUP BY h."id"
    )
    SELECT r."id", 'points at no ledger row of its account' AS what FROM refunds r
        WHERE NOT EXISTS (
            SELECT FROM public."StarTransaction" h WHERE h."id" = r.of_id AND h."userId" = r."userId")
    UNION ALL
    SELECT "id", 'released, but not given back exactly' FROM holds
        WHERE "status" = 'REFUNDED' AND given_back <> -"amount"
    UNION ALL
    SELECT "id", 'given back more than was held, or less than nothing' FROM holds
        WHERE "status" = 'COMPLETED' AND given_back NOT BETWEEN 0 AND -"amount"
    UNION ALL
    SELECT "id", 'given back although it has not ended' FROM holds
        WHERE "status" = 'PENDING' AND given_back <> 0
    UNION ALL
    SELECT "id", 'a hold that gives' FROM holds WHERE "amount" > 0
    UNION ALL
    SELECT "id", 'a hold that failed' FROM holds WHERE "status" = 'FAILED'
    ORDER BY 1, 2
""")

_COUNTS = text("""
    SELECT (SELECT count(*) FROM public."User") AS accounts,
           (SELECT count(*) FROM public."StarTransaction") AS rows
""")


async def audit(tx: Tx) -> Audit:
    """Recompute everything as of one moment. Reads only, locks nothing; safe to repeat.

    `tx` must be fresh: the moment is fixed by its first statement, which must be this one's.
    """
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    counts = (await tx.execute(_COUNTS)).one()
    differences = tuple(
        Difference(user_id=row.user_id, figure=row.figure, written=row.written, computed=row.computed)
        for row in await tx.execute(_DIFFERENCES)
    )
    odd_rows = tuple((row.id, row.what) for row in await tx.execute(_ODD_ROWS))
    return Audit(accounts=counts.accounts, rows=counts.rows, differences=differences, odd_rows=odd_rows)
