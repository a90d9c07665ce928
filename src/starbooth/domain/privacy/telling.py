"""What an export tells: tables of rows that belong to a guest, and files by their names in the zip.

Each row is told as it is kept, in words that a person can read where there are some. What other people wrote
or own is not in it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starbooth.base.database import Database, sql

_ROWS_AT_ONCE = 500

# One table per file: columns as they are named in the file; `place` is by what pages go on, and is not told.
_TABLES = {
    "account": """
        SELECT u."id" AS place, u."id" AS account, u."telegramId" AS telegram_id, u."username" AS username,
            g.language, g.met_at, g.has_blocked_bot, u."stars" AS stars, u."totalBoughtStars" AS bought,
            u."totalSpentStars" AS spent, r.code AS invitation_code, m.shows AS maker_shows, m.pen_name
        FROM public."User" u LEFT JOIN starbooth.guests g ON g.user_id = u."id"
        LEFT JOIN starbooth.referral_codes r ON r.user_id = u."id"
        LEFT JOIN starbooth.makers m ON m.user_id = u."id"
        WHERE u."id" = :user_id""",
    "ledger": """
        SELECT "id" AS place, "id" AS row, "createdAt" AS at, "type"::text AS kind, "amount" AS stars,
            "status"::text AS status, "telegramPaymentChargeId" AS telegram_charge, metadata AS about
        FROM public."StarTransaction" WHERE "userId" = :user_id""",
    "payments": """
        SELECT charge_id AS place, charge_id AS telegram_charge, paid_at, amount_xtr AS telegram_stars,
            amount_stars AS stars, subscription_expires_at AS month_until
        FROM starbooth.payments WHERE user_id = :user_id""",
    "plans": """
        SELECT id AS place, created_at AS since, amount_xtr AS telegram_stars_a_month,
            amount_stars AS stars_a_month, state, paid_until
        FROM starbooth.subscriptions WHERE user_id = :user_id""",
    "orders": """
        SELECT id AS place, id AS "order", kind, state, created_at AS at, ended_at, price_stars, spent_stars,
            request -> 'asked' AS asked, request -> 'frozen' AS decided, error_code AS error
        FROM starbooth.orders WHERE user_id = :user_id""",
    "pictures": """
        SELECT g."id" AS place, g."id" AS picture, g."createdAt" AS at, g."prompt" AS prompt,
            g."negativePrompt" AS not_wanted, g."seed"::text AS seed, g."starsUsed" AS stars,
            b."name" AS model, g.metadata AS recipe,
            EXISTS (SELECT FROM starbooth.favourites f WHERE f.generation_id = g."id") AS is_favourite
        FROM public."Generation" g JOIN public."BaseModel" b ON b."id" = g."baseModelId"
        WHERE g."userId" = :user_id""",
    "models": """
        SELECT "id" AS place, "id" AS model, "name", "triggerWord" AS trigger_word, "type"::text AS kind,
            "status"::text AS status, "isPublic" AS is_public, "starsRequired" AS fee_stars, "createdAt" AS at
        FROM public."LoraModel" WHERE "userId" = :user_id""",
    "trainings": """
        SELECT "id" AS place, "loraId" AS model, "startedAt" AS began_at, "completedAt" AS ended_at,
            "status"::text AS status, "steps", "learningRate" AS learning_rate, "instancePrompt" AS words,
            "starsSpent" AS stars, "error", metadata AS recipe
        FROM public."Training" WHERE "userId" = :user_id""",
    "photo sets": """
        SELECT id AS place, id AS "set", state, name, trigger_word, lora_type::text AS kind, steps,
            learning_rate, created_at AS at, touched_at, kept_until
        FROM starbooth.photo_sets WHERE user_id = :user_id""",
    "photos of sets": """
        SELECT p.key AS place, p.set_id AS "set", p.number, p.caption, p.added_at AS at, p.facts
        FROM starbooth.set_photos p JOIN starbooth.photo_sets s ON s.id = p.set_id
        WHERE s.user_id = :user_id""",
    "consents": """
        SELECT id AS place, words, language, given_at, withdrawn_at
        FROM starbooth.consents WHERE user_id = :user_id""",
    "settings": """
        SELECT user_id AS place, choices, asks_first FROM starbooth.remembered WHERE user_id = :user_id""",
    "presets": """
        SELECT id AS place, name, choices, saved_at AS at FROM starbooth.presets WHERE user_id = :user_id""",
    "drafts": """
        SELECT id AS place, prompt, choices, created_at AS at, expires_at
        FROM starbooth.drafts WHERE user_id = :user_id""",
    "wishes": """
        SELECT id AS place, request AS wanted, price_stars, state, created_at AS at
        FROM starbooth.carts WHERE user_id = :user_id""",
    "codes": """
        SELECT code AS place, code, claimed_at AS at FROM starbooth.promo_claims WHERE user_id = :user_id""",
    "friends": """
        SELECT friend_id AS place, created_at AS at, rewarded_at
        FROM starbooth.referrals WHERE referrer_id = :user_id""",
    "refused prompts": """
        SELECT request_key AS place, cause, at FROM starbooth.prompt_refusals WHERE user_id = :user_id""",
    "favourite models": """
        SELECT lora_id AS place, lora_id AS model, marked_at AS at
        FROM starbooth.model_favourites WHERE user_id = :user_id""",
    "reports": """
        SELECT lora_id AS place, lora_id AS model, reason, reported_at AS at
        FROM starbooth.model_reports WHERE user_id = :user_id""",
    "fees": """
        SELECT order_id || lora_id AS place, order_id AS "order", lora_id AS model, fee_stars, pictures, free
        FROM starbooth.order_fees WHERE user_id = :user_id""",
    "earnings": """
        SELECT order_id || lora_id || kind AS place, lora_id AS model, kind,
            hundredths AS hundredths_of_a_star, earned_at AS at, payout
        FROM starbooth.earnings WHERE maker_id = :user_id""",
    "messages to operators": """
        SELECT a.key AS place, a.created_at AS at, a.facts ->> 'text' AS text
        FROM starbooth.alerts a JOIN public."User" u ON a.facts ->> 'telegram_id' = u."telegramId"
        WHERE a.kind = 'support' AND u."id" = :user_id""",
}
NAMES = tuple(_TABLES)

# Files by where they lie, and what they are called in the zip but for their ending.
_FILES = (
    """
    SELECT g."id" AS place,
        coalesce(g.metadata ->> 'fileKey', substring(g."imageUrl" from '/files/([^?#]+)$')) AS key,
        'pictures/' || to_char(g."createdAt", 'YYYY-MM-DD') || '-' || g."id" AS name
    FROM public."Generation" g WHERE g."userId" = :user_id""",
    """
    SELECT key AS place, key, 'photos/' || md5(key) AS name FROM starbooth.photos
    WHERE user_id = :user_id AND NOT is_forgotten""",
    """
    SELECT p.key AS place, p.key, 'photos of sets/' || p.set_id || '/' || p.number AS name
    FROM starbooth.set_photos p JOIN starbooth.photo_sets s ON s.id = p.set_id
    WHERE s.user_id = :user_id AND s.state <> 'doomed'""",
    """
    SELECT l."id" || what AS place, substring(url from '/files/([^?#]+)$') AS key,
        'models/' || l."id" || '/' || what AS name
    FROM public."LoraModel" l CROSS JOIN LATERAL (VALUES ('weights', l."weightsUrl"),
        ('config', l."configUrl"), ('preview', l."previewImageUrl")) AS f (what, url)
    WHERE l."userId" = :user_id""",
)


@dataclass(frozen=True, kw_only=True)
class ToldFile:
    """A file of the guest: where it lies, and what it is called in the zip."""

    key: str
    name: str


async def read_rows(database: Database, table: str, *, user_id: str) -> AsyncIterator[list[dict[str, Any]]]:
    """The guest's rows of this table, page by page, each page in a transaction of its own."""
    async for page in _pages(database, _TABLES[table], user_id):
        yield [{name: value for name, value in row.items() if name != "place"} for row in page]


async def read_files(database: Database, *, user_id: str) -> AsyncIterator[list[ToldFile]]:
    """The guest's files, page by page."""
    for statement in _FILES:
        async for page in _pages(database, statement, user_id):
            yield [
                ToldFile(key=row["key"], name=f"{row['name']}.{row['key'].rpartition('.')[2]}")
                for row in page
                if row["key"] is not None
            ]


async def _pages(database: Database, statement: str, user_id: str) -> AsyncIterator[list[dict[str, Any]]]:
    place = ""
    page = sql(
        f'SELECT * FROM ({statement}) AS told WHERE CAST(place AS text) COLLATE "C" > :place'  # noqa: S608 - constants
        ' ORDER BY CAST(place AS text) COLLATE "C" LIMIT :limit'
    )
    while True:
        async with database.transaction() as tx:
            rows = await tx.execute(page, {"user_id": user_id, "place": place, "limit": _ROWS_AT_ONCE})
            found = [dict(row._mapping) for row in rows]
        if found:
            yield found
        if len(found) < _ROWS_AT_ONCE:
            return
        place = str(found[-1]["place"])
