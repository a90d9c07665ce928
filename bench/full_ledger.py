"""A ledger of any size with everything in it that the rules know, written past the triggers in one statement.

Of a hundred stories fifty are orders paid in full and twenty-five are purchases, most of them paid.
"""

import asyncpg

# Story by story: the share of a hundred it has, and its rows. The second row is the refund of the first.
_STORIES = """
    (0, 49, 'GENERATION', 'COMPLETED', -8, NULL, NULL),
    (50, 59, 'GENERATION', 'COMPLETED', -8, 'COMPLETED', 2),
    (60, 67, 'GENERATION', 'REFUNDED', -8, 'COMPLETED', 8),
    (68, 68, 'GENERATION', 'PENDING', -8, NULL, NULL),
    (69, 70, 'TRAINING', 'COMPLETED', -60, NULL, NULL),
    (71, 87, 'PURCHASE', 'COMPLETED', 100, NULL, NULL),
    (88, 89, 'PURCHASE', 'FAILED', 100, NULL, NULL),
    (90, 90, 'PURCHASE', 'PENDING', 100, NULL, NULL),
    (91, 92, 'PURCHASE', 'REFUNDED', 100, 'COMPLETED', -100),
    (93, 93, 'PURCHASE', 'COMPLETED', 100, 'PENDING', -100),
    (94, 94, 'PURCHASE', 'COMPLETED', 100, 'FAILED', -100),
    (95, 98, 'BONUS', 'COMPLETED', 20, NULL, NULL),
    (99, 99, 'ADMIN_GRANT', 'COMPLETED', 20, NULL, NULL)
"""
_ACCOUNTS = """
    INSERT INTO public."User" ("id", "telegramId", "updatedAt")
    SELECT 'c' || left(md5('user' || n), 24), n::text, now() FROM generate_series(0, $1::integer - 1) AS n
"""
_ROWS = f"""
    INSERT INTO public."StarTransaction"
        ("id", "userId", "amount", "type", "status", "telegramPaymentChargeId", "metadata", "createdAt")
    SELECT each.id, 'c' || left(md5('user' || ((hashint4(n) & 2147483647) % $2)), 24), each.amount,
        CAST(each.type AS public."TransactionType"), CAST(each.status AS public."TransactionStatus"),
        each.charge_id, each.metadata, now() - interval '1 second' * (10 * ($1 - n))
    FROM generate_series(1, $1::integer) AS n
    JOIN (VALUES {_STORIES}) AS story (first, last, type, status, amount, refund_status, refund_amount)
        ON n % 100 BETWEEN story.first AND story.last
    CROSS JOIN LATERAL (
        SELECT 'c' || left(md5('row' || n), 24) AS row_id, 'c' || left(md5('refund' || n), 24) AS refund_id
    ) AS ids
    CROSS JOIN LATERAL (
        SELECT row_id AS id, story.type, story.status, story.amount,
            CASE WHEN story.type = 'PURCHASE' AND story.status IN ('COMPLETED', 'REFUNDED')
                THEN 'stxMeasured' || md5('charge' || n) || n END AS charge_id,
            jsonb_build_object('key', 'key:' || n, 'orderId', md5(n::text)) AS metadata
        UNION ALL
        SELECT refund_id, 'REFUND', story.refund_status, story.refund_amount, NULL,
            jsonb_build_object('key', 'refund:' || row_id, 'refundOf', row_id)
        WHERE story.refund_status IS NOT NULL
    ) AS each
"""
_PURCHASES = """
    INSERT INTO starbooth.purchases (id, user_id, kind, amount_stars, amount_xtr, expires_at, is_closed)
    SELECT "id", "userId", 'pack', "amount", "amount", now(), "status" <> 'PENDING'
    FROM public."StarTransaction" WHERE "type" = 'PURCHASE'
"""
_PAYMENTS = """
    INSERT INTO starbooth.payments (charge_id, transaction_id, purchase_id, user_id, telegram_id,
        amount_stars, amount_xtr, payload, came_by, paid_at)
    SELECT "telegramPaymentChargeId", "id", "id", "userId", 1, "amount", "amount", "id", 'update', now()
    FROM public."StarTransaction" WHERE "telegramPaymentChargeId" IS NOT NULL
"""
# Written from the stories, not from what the audit thinks of a row.
_SUMS = f"""
    UPDATE public."User" u SET "stars" = s.stars, "totalBoughtStars" = s.bought, "totalSpentStars" = s.spent
    FROM (
        SELECT 'c' || left(md5('user' || ((hashint4(n) & 2147483647) % $2)), 24) AS user_id,
            sum(CASE WHEN type = 'PURCHASE' AND status IN ('PENDING', 'FAILED') THEN 0 ELSE amount END
                + CASE WHEN refund_status IN ('PENDING', 'COMPLETED') THEN refund_amount ELSE 0 END) AS stars,
            sum(CASE WHEN type = 'PURCHASE' AND status = 'COMPLETED' THEN amount ELSE 0 END) AS bought,
            sum(CASE WHEN type IN ('GENERATION', 'TRAINING') AND status = 'COMPLETED'
                THEN -amount - coalesce(refund_amount, 0) ELSE 0 END) AS spent
        FROM generate_series(1, $1::integer) AS n
        JOIN (VALUES {_STORIES}) AS story (first, last, type, status, amount, refund_status, refund_amount)
            ON n % 100 BETWEEN story.first AND story.last
        GROUP BY 1
    ) AS s
    WHERE s.user_id = u."id"
"""


async def fill(connection: "asyncpg.Connection[asyncpg.Record]", *, stories: int, accounts: int) -> int:
    """Write the stories of that many accounts, which must be the first ones. Returns the ledger's rows."""
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("SET LOCAL synchronous_commit = off")
        await connection.execute(_ACCOUNTS, accounts)
        await connection.execute(_ROWS, stories, accounts)
        await connection.execute(_PURCHASES)
        await connection.execute(_PAYMENTS)
        await connection.execute(_SUMS, stories, accounts)
    await connection.execute("VACUUM ANALYZE")
    return int(await connection.fetchval('SELECT count(*) FROM public."StarTransaction"'))
