"""The audit: every balance and total recomputed from the ledger, each difference and each odd row named.

Which rows count is design part 3: COMPLETED and REFUNDED rows, and PENDING ones with a negative amount.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

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
    """What an audit saw. `odd_rows`: rows that no movement leaves behind, each with what is odd about it.

    A charge id that no payment of ours names is not odd by itself: another program may sell stars through the
    same tables, and what Telegram was paid is the reconciliation's question. A paid invoice of ours is odd
    without its payment. What makers earned is named by the order or by the ledger row of the payout.
    """

    accounts: int
    rows: int
    differences: tuple[Difference, ...]
    odd_rows: tuple[tuple[str, str], ...]

    @property
    def is_clean(self) -> bool:
        """Whether every star is accounted for."""
        return not self.differences and not self.odd_rows


# The statements below read the ledger from end to end; what belongs together meets in a hash, nothing is
# looked up row by row. A planner that has no figures about a table yet would try that; and compiling the
# statements costs more than it saves.
_READ_IN_PASSES = text("""
    SELECT set_config('work_mem', '128MB', true), set_config('jit', 'off', true),
        set_config('enable_nestloop', 'off', true)
""")

_DIFFERENCES = text("""
    WITH given_back AS (
        SELECT metadata ->> 'refundOf' AS row_id, sum("amount") AS amount
        FROM public."StarTransaction"
        WHERE metadata ->> 'refundOf' IS NOT NULL AND "type" = 'REFUND' AND "status" = 'COMPLETED'
        GROUP BY 1
    ), sums AS (
        SELECT t."userId" AS user_id,
            sum(t."amount") FILTER (WHERE t."status" IN ('COMPLETED', 'REFUNDED')
                OR (t."status" = 'PENDING' AND t."amount" < 0)) AS stars,
            sum(t."amount") FILTER (WHERE t."type" = 'PURCHASE' AND t."status" = 'COMPLETED') AS bought,
            sum(-t."amount" - coalesce(b.amount, 0)) FILTER (
                WHERE t."type" IN ('GENERATION', 'TRAINING') AND t."status" = 'COMPLETED') AS spent
        FROM public."StarTransaction" t LEFT JOIN given_back b ON b.row_id = t."id"
        GROUP BY t."userId"
    ), accounts AS (
        SELECT coalesce(u."id", s.user_id) AS user_id, coalesce(u."stars", 0) AS stars,
            coalesce(u."totalBoughtStars", 0) AS bought, coalesce(u."totalSpentStars", 0) AS spent,
            coalesce(s.stars, 0)::bigint AS true_stars, coalesce(s.bought, 0)::bigint AS true_bought,
            coalesce(s.spent, 0)::bigint AS true_spent
        FROM public."User" u FULL JOIN sums s ON s.user_id = u."id"
    )
    SELECT * FROM accounts WHERE (stars, bought, spent) <> (true_stars, true_bought, true_spent)
    ORDER BY user_id
""")

# A row of each kind against the statuses it may have and what was given back of it; null where all is well.
_ODD_ROWS = text("""
    WITH given_back AS (
        SELECT metadata ->> 'refundOf' AS row_id,
            count(*) FILTER (WHERE "status" <> 'FAILED') AS live_refunds,
            sum("amount") FILTER (WHERE "status" <> 'FAILED') AS live_amount,
            count(*) FILTER (WHERE "status" = 'COMPLETED') AS refunds,
            coalesce(sum("amount") FILTER (WHERE "status" = 'COMPLETED'), 0) AS amount,
            bool_or("type" <> 'REFUND') AS is_by_other_rows
        FROM public."StarTransaction" WHERE metadata ->> 'refundOf' IS NOT NULL
        GROUP BY 1
    ), judged AS (
        SELECT t."id", CASE
            WHEN b.is_by_other_rows THEN 'pointed at by a row that is no refund'
            WHEN t."type" <> 'PURCHASE' AND t."telegramPaymentChargeId" IS NOT NULL
                THEN 'no purchase, but with a charge id'
            WHEN t."type" IN ('GENERATION', 'TRAINING') THEN CASE
                WHEN t."amount" > 0 THEN 'a hold that gives'
                WHEN t."status" = 'FAILED' THEN 'a hold that failed'
                WHEN t."status" = 'REFUNDED' AND coalesce(b.amount, 0) <> -t."amount"
                    THEN 'released, but not given back exactly'
                WHEN t."status" = 'COMPLETED' AND b.amount NOT BETWEEN 0 AND -t."amount"
                    THEN 'given back more than was held, or less than nothing'
                WHEN t."status" = 'PENDING' AND b.amount <> 0 THEN 'given back although it has not ended'
                WHEN b.live_refunds > 1 THEN 'given back more than once'
                WHEN b.live_refunds <> b.refunds THEN 'given back by a row that does not stand'
                END
            WHEN t."type" = 'PURCHASE' THEN CASE
                WHEN t."amount" <= 0 THEN 'a purchase that gives nothing'
                WHEN t."status" IN ('COMPLETED', 'REFUNDED') AND t."telegramPaymentChargeId" IS NULL
                    THEN 'paid, but without a charge id'
                WHEN t."status" IN ('PENDING', 'FAILED') AND t."telegramPaymentChargeId" IS NOT NULL
                    THEN 'not paid, but with a charge id'
                WHEN t."status" = 'REFUNDED' AND (b.refunds, b.amount) IS DISTINCT FROM (1, -t."amount")
                    THEN 'refunded, but not by one row of exactly its amount'
                WHEN t."status" = 'COMPLETED' AND b.refunds > 0 THEN 'given back, but still counted as bought'
                WHEN t."status" IN ('PENDING', 'FAILED') AND b.live_refunds > 0
                    THEN 'given back although it was not paid'
                WHEN b.live_refunds > 1 THEN 'given back more than once'
                WHEN b.live_refunds = 1 AND b.live_amount <> -t."amount"
                    THEN 'being given back, but not by exactly its amount'
                END
            WHEN t."type" = 'REFUND' THEN
                CASE WHEN t."status" = 'REFUNDED' THEN 'a refund that was refunded' END
            WHEN t."status" <> 'COMPLETED' THEN 'a gift that is not completed'
            WHEN t."type" = 'BONUS' AND t."amount" <= 0 THEN 'a bonus that gives nothing'
            END AS what
        FROM public."StarTransaction" t LEFT JOIN given_back b ON b.row_id = t."id"
    )
    SELECT "id", what FROM judged WHERE what IS NOT NULL
    UNION ALL
    SELECT r."id", CASE WHEN t."userId" = r."userId" THEN 'gives back what cannot be given back'
        ELSE 'points at no ledger row of its account' END
    FROM (SELECT *, metadata ->> 'refundOf' AS of_id FROM public."StarTransaction" WHERE "type" = 'REFUND') r
    LEFT JOIN public."StarTransaction" t ON t."id" = r.of_id
    WHERE (t."userId" = r."userId" AND t."type" IN ('GENERATION', 'TRAINING', 'PURCHASE')) IS NOT TRUE
    ORDER BY 1, 2
""")

# The papers of a purchase against its row: the invoice that we sent, the payment that Telegram told us of.
_ODD_PAPERS = text("""
    WITH papers AS (
        SELECT coalesce(p.transaction_id, i.id) AS row_id, p.charge_id, p.user_id AS payer_id,
            p.amount_stars AS paid_stars, i.user_id AS invoiced_id, i.amount_stars AS invoiced_stars
        FROM starbooth.payments p FULL JOIN starbooth.purchases i ON i.id = p.transaction_id
    ), judged AS (
        SELECT w.row_id, CASE
            WHEN t."id" IS NULL THEN 'has a payment or an invoice, but is not in the ledger'
            WHEN t."type" <> 'PURCHASE' THEN 'has a payment or an invoice, but is no purchase'
            WHEN w.invoiced_id IS NOT NULL AND (t."userId", t."amount") <> (w.invoiced_id, w.invoiced_stars)
                THEN 'differs from its invoice in owner or amount'
            WHEN w.charge_id IS NULL AND t."status" IN ('COMPLETED', 'REFUNDED')
                THEN 'its invoice was paid, but there is no payment'
            WHEN w.charge_id IS NOT NULL AND t."status" NOT IN ('COMPLETED', 'REFUNDED')
                THEN 'there is a payment, but it was not credited'
            WHEN w.charge_id IS NOT NULL AND (t."userId", t."amount", t."telegramPaymentChargeId")
                IS DISTINCT FROM (w.payer_id, w.paid_stars, w.charge_id)
                THEN 'differs from its payment in owner, amount or charge id'
            END AS what
        FROM papers w LEFT JOIN public."StarTransaction" t ON t."id" = w.row_id
    )
    SELECT row_id AS id, what FROM judged WHERE what IS NOT NULL ORDER BY 1, 2
""")

# What makers earn: from the fees of ended orders over the rows that were gathered to the bonuses paid.
_ODD_EARNINGS = text("""
    WITH earned AS (
        SELECT f.order_id, f.lora_id, f.maker_id,
            f.fee_stars * (f.pictures - f.free) * f.share_percent AS hundredths
        FROM starbooth.order_fees f WHERE f.pictures IS NOT NULL
    ), uses AS (
        SELECT coalesce(w.order_id, e.order_id) AS id, CASE
            WHEN w.order_id IS NULL THEN 'earns for a maker, but had no fee'
            WHEN (w.maker_id, w.hundredths) IS DISTINCT FROM (coalesce(e.maker_id, w.maker_id),
                coalesce(e.hundredths, 0)) THEN 'earned other than its fee says'
            END AS what
        FROM earned w FULL JOIN (SELECT * FROM starbooth.earnings WHERE kind = 'use') e
            ON (e.order_id, e.lora_id) = (w.order_id, w.lora_id)
    ), backs AS (
        SELECT b.order_id AS id, 'took back other than it earned' AS what
        FROM starbooth.earnings b LEFT JOIN starbooth.earnings u
            ON (u.order_id, u.lora_id, u.kind) = (b.order_id, b.lora_id, 'use')
        WHERE b.kind = 'taken_back'
            AND (u.maker_id, u.hundredths) IS DISTINCT FROM (b.maker_id, -b.hundredths)
    ), gathered AS (
        SELECT maker_id, payout AS number, sum(hundredths) AS hundredths
        FROM starbooth.earnings WHERE payout IS NOT NULL GROUP BY 1, 2
    ), chain AS (
        SELECT *, coalesce(lag(rest_hundredths) OVER w, 0) AS rest_before, row_number() OVER w AS place
        FROM starbooth.payouts WINDOW w AS (PARTITION BY maker_id ORDER BY number)
    ), paid AS (
        SELECT coalesce(p.transaction_id, 'payout:' || g.maker_id || ':' || g.number) AS id, CASE
            WHEN p.number IS NULL THEN 'earnings went into a payout that there is none of'
            WHEN p.number <> p.place THEN 'a payout before it is missing'
            WHEN p.carried_hundredths <> p.rest_before THEN 'carries on other than was left before it'
            WHEN p.gathered_hundredths IS DISTINCT FROM g.hundredths THEN 'is not the sum of its earnings'
            WHEN (t."userId", t."amount", t."type"::text, t.metadata ->> 'key') IS DISTINCT FROM
                (p.maker_id, p.paid_stars, 'BONUS', 'payout:' || p.maker_id || ':' || p.number)
                THEN 'differs from its payout in owner, amount or key'
            END AS what
        FROM chain p FULL JOIN gathered g ON (g.maker_id, g.number) = (p.maker_id, p.number)
        LEFT JOIN public."StarTransaction" t ON t."id" = p.transaction_id
    ), unknown AS (
        SELECT t."id", 'pays a maker, but is no payout' AS what
        FROM public."StarTransaction" t LEFT JOIN starbooth.payouts p ON p.transaction_id = t."id"
        WHERE t."type" = 'BONUS' AND t.metadata ->> 'payout' IS NOT NULL AND p.number IS NULL
    )
    SELECT id, what
    FROM (TABLE uses UNION ALL TABLE backs UNION ALL TABLE paid UNION ALL TABLE unknown) judged
    WHERE what IS NOT NULL ORDER BY 1, 2
""")

_COUNTS = text("""
    SELECT (SELECT count(*) FROM public."User") AS accounts,
           (SELECT count(*) FROM public."StarTransaction") AS rows
""")


async def audit(tx: Tx) -> Audit:
    """Recompute everything as of one moment. Reads only, locks nothing; safe to repeat.

    `tx` must be fresh: the moment is fixed by its first statement, which must be this one's. It should end
    after it: it plans for large passes from here on.
    """
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    await tx.execute(_READ_IN_PASSES)
    counts = (await tx.execute(_COUNTS)).one()
    differences = tuple(each for row in await tx.execute(_DIFFERENCES) for each in _differences_of(row))
    odd_rows = [
        (row.id, row.what)
        for statement in (_ODD_ROWS, _ODD_PAPERS, _ODD_EARNINGS)
        for row in await tx.execute(statement)
    ]
    return Audit(
        accounts=counts.accounts, rows=counts.rows, differences=differences, odd_rows=tuple(sorted(odd_rows))
    )


def _differences_of(account: Row[Any]) -> Iterator[Difference]:
    """Each figure of one account that is not true."""
    for figure, written, computed in (
        ("stars", account.stars, account.true_stars),
        ("totalBoughtStars", account.bought, account.true_bought),
        ("totalSpentStars", account.spent, account.true_spent),
    ):
        if written != computed:
            yield Difference(user_id=account.user_id, figure=figure, written=written, computed=computed)
