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
    """What an audit saw. `odd_rows` are ledger rows that contradict each other, with what is odd about them."""

    accounts: int
    rows: int
    differences: tuple[Difference, ...]
    odd_rows: tuple[tuple[str, str], ...]

    @property
    def is_clean(self) -> bool:
        """Whether every star is accounted for."""
        return not self.differences and not self.odd_rows


_SUMS = """
    WITH spent_back AS (
        SELECT metadata ->> 'refundOf' AS hold_id, sum("amount") AS amount
        FROM public."StarTransaction" WHERE metadata ->> 'refundOf' IS NOT NULL AND "type" = 'REFUND'
        GROUP BY 1
    ), sums AS (
        SELECT t."userId",
            sum(t."amount") FILTER (WHERE t."status" IN ('COMPLETED', 'REFUNDED')
                OR (t."status" = 'PENDING' AND t."amount" < 0)) AS stars,
            sum(t."amount") FILTER (WHERE t."type" = 'PURCHASE' AND t."status" = 'COMPLETED') AS bought,
            sum(-t."amount" - coalesce(b.amount, 0)) FILTER (
                WHERE t."type" IN ('GENERATION', 'TRAINING') AND t."status" = 'COMPLETED') AS spent,
            count(*) AS rows
        FROM public."StarTransaction" t LEFT JOIN spent_back b ON b.hold_id = t."id"
        GROUP BY t."userId"
    )
"""

_DIFFERENCES = text(
    _SUMS
    + """
    SELECT u."id" AS user_id, f.figure, f.written, f.computed
    FROM public."User" u LEFT JOIN sums s ON s."userId" = u."id"
    CROSS JOIN LATERAL (VALUES
        ('stars', u."stars", coalesce(s.stars, 0)),
        ('totalBoughtStars', u."totalBoughtStars", coalesce(s.bought, 0)),
        ('totalSpentStars', u."totalSpentStars", coalesce(s.spent, 0))
    ) AS f (figure, written, computed)
    WHERE f.written <> f.computed
    ORDER BY 1, 2
"""
)

_ODD_ROWS = text("""
    SELECT r."id", 'refund points at no ledger row' AS what FROM public."StarTransaction" r
        WHERE metadata ->> 'refundOf' IS NOT NULL AND NOT EXISTS (
            SELECT FROM public."StarTransaction" h WHERE h."id" = r.metadata ->> 'refundOf')
    UNION ALL
    SELECT h."id", 'given back more or less than was released' FROM public."StarTransaction" h
        WHERE h."type" IN ('GENERATION', 'TRAINING') AND h."status" = 'REFUNDED' AND -h."amount" <> (
            SELECT coalesce(sum(r."amount"), 0) FROM public."StarTransaction" r
            WHERE r.metadata ->> 'refundOf' = h."id")
    UNION ALL
    SELECT t."id", 'a hold of a sign that only credits have' FROM public."StarTransaction" t
        WHERE t."type" IN ('GENERATION', 'TRAINING') AND t."amount" > 0
    ORDER BY 1
""")

_COUNTS = text("""
    SELECT (SELECT count(*) FROM public."User") AS accounts,
           (SELECT count(*) FROM public."StarTransaction") AS rows
""")


async def audit(tx: Tx) -> Audit:
    """Recompute everything. Reads only; `tx` should see one moment (REPEATABLE READ). Safe to repeat."""
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    counts = (await tx.execute(_COUNTS)).one()
    differences = tuple(
        Difference(user_id=row.user_id, figure=row.figure, written=row.written, computed=row.computed)
        for row in await tx.execute(_DIFFERENCES)
    )
    odd_rows = tuple((row.id, row.what) for row in await tx.execute(_ODD_ROWS))
    return Audit(accounts=counts.accounts, rows=counts.rows, differences=differences, odd_rows=odd_rows)
