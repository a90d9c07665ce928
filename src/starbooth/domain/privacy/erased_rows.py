"""Which rows go with an account, and which stay without words and names. Made of constants.

What stays is what the books add up by: orders, fees, payments, gifts. Of payments also Telegram's number of
who paid: nothing can be paid back without it, and Telegram's own list tells it anyway. A table with a guest's
rows that stands in neither list fails `tests/domain/privacy/test_erasing.py`.
"""

# ruff: noqa: S608

from starbooth.base.database import sql

# Tables that name accounts and keep their rows.
KEPT = frozenset(
    {
        "User",
        "StarTransaction",
        "orders",
        "purchases",
        "payments",
        "subscriptions",
        "promo_claims",
        "referrals",
    }
    | {"order_fees", "earnings", "payouts", "farewells"}
)

_KEY_FORM = "'^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){0,7}$'"
PICTURES = sql(f"""
    WITH gone AS (
        DELETE FROM public."Generation" WHERE "id" IN (
            SELECT "id" FROM public."Generation" WHERE "userId" = :user_id LIMIT :limit)
        RETURNING coalesce(metadata ->> 'fileKey', substring("imageUrl" from '/files/([^?#]+)$')) AS key,
            'thumbnails/' || (metadata ->> 'orderId') || '/' || (metadata ->> 'number') || '.jpg' AS small_key
    ), doomed AS (
        INSERT INTO starbooth.doomed_files (key)
        SELECT k FROM gone CROSS JOIN LATERAL (VALUES (key), (small_key)) AS keys (k) WHERE k ~ {_KEY_FORM}
        ON CONFLICT DO NOTHING
    ), unnamed AS (
        DELETE FROM starbooth.telegram_files WHERE file_key IN (SELECT key FROM gone)
    )
    SELECT count(*) FROM gone
""")


def _dooming(selected: str) -> str:
    return f"INSERT INTO starbooth.doomed_files (key) {selected} ON CONFLICT DO NOTHING"


# In this order: what is named by others goes after them. Each has the parameter `user_id`.
OF_ACCOUNT = (
    # Models: others keep the pictures that they made with them.
    'DELETE FROM public."Training" WHERE "userId" = :user_id',
    """
    WITH gone AS (
        DELETE FROM public."LoraModel" WHERE "userId" = :user_id
        RETURNING "weightsUrl" AS weights, "configUrl" AS config, "previewImageUrl" AS preview
    )
    """
    + _dooming(
        "SELECT k FROM gone CROSS JOIN LATERAL (VALUES (weights), (config), (preview)) AS urls (url)"
        " CROSS JOIN LATERAL (SELECT substring(url from '/files/([^?#]+)$')) AS keys (k)"
        f" WHERE k ~ {_KEY_FORM}"
    ),
    """
    WITH mine AS (
        SELECT t.order_id, t.sample_key FROM starbooth.training_orders t
        JOIN starbooth.orders o ON o.id = t.order_id WHERE o.user_id = :user_id AND t.sample_key IS NOT NULL
    ), emptied AS (
        UPDATE starbooth.training_orders SET sample_key = NULL WHERE order_id IN (SELECT order_id FROM mine)
    )
    """
    + _dooming("SELECT sample_key FROM mine"),
    # Photos.
    """
    WITH gone AS (
        DELETE FROM starbooth.set_photos WHERE set_id IN (
            SELECT id FROM starbooth.photo_sets WHERE user_id = :user_id) RETURNING key
    )
    """
    + _dooming("SELECT key FROM gone"),
    "DELETE FROM starbooth.photo_sets WHERE user_id = :user_id",
    "DELETE FROM starbooth.consents WHERE user_id = :user_id",
    "DELETE FROM starbooth.awaited WHERE user_id = :user_id",
    "DELETE FROM starbooth.drafts WHERE user_id = :user_id",
    """
    WITH gone AS (DELETE FROM starbooth.photos WHERE user_id = :user_id RETURNING key)
    """
    + _dooming("SELECT key FROM gone"),
    # Exports.
    """
    WITH gone AS (DELETE FROM starbooth.exports WHERE user_id = :user_id RETURNING key)
    """
    + _dooming("SELECT key FROM gone WHERE key IS NOT NULL"),
    # What was chosen, wanted and shown.
    """
    WITH gone AS (DELETE FROM starbooth.model_favourites WHERE user_id = :user_id RETURNING lora_id)
    UPDATE starbooth.model_cards SET favourites = greatest(0, favourites - 1)
    WHERE lora_id IN (SELECT lora_id FROM gone)
    """,
    "DELETE FROM starbooth.model_reports WHERE user_id = :user_id",
    "DELETE FROM starbooth.model_lists WHERE user_id = :user_id",
    "DELETE FROM starbooth.model_news WHERE user_id = :user_id",
    "DELETE FROM starbooth.makers WHERE user_id = :user_id",
    "DELETE FROM starbooth.remembered WHERE user_id = :user_id",
    "DELETE FROM starbooth.presets WHERE user_id = :user_id",
    "DELETE FROM starbooth.galleries WHERE user_id = :user_id",
    "DELETE FROM starbooth.favourites WHERE user_id = :user_id",
    "DELETE FROM starbooth.carts WHERE user_id = :user_id",
    "DELETE FROM starbooth.guest_turns WHERE user_id = :user_id",
    "DELETE FROM starbooth.prompt_refusals WHERE user_id = :user_id",
    "DELETE FROM starbooth.gift_news WHERE user_id = :user_id",
    "DELETE FROM starbooth.referral_codes WHERE user_id = :user_id",
    "DELETE FROM starbooth.guests WHERE user_id = :user_id",
    """
    DELETE FROM starbooth.deliveries d USING starbooth.orders o
    WHERE o.id = d.order_id AND o.user_id = :user_id
    """,
    # Figures that stay, without what was said and where.
    "UPDATE starbooth.promo_claims SET request_key = 'gone' WHERE user_id = :user_id",
    """
    UPDATE starbooth.orders SET request_key = 'gone:' || id, error_detail = NULL,
        request = jsonb_build_object('asked', '{}'::jsonb, 'frozen', coalesce((
            SELECT jsonb_object_agg(key, value) FROM jsonb_each(request -> 'frozen')
            WHERE key IN ('base_model_id', 'model_name', 'width_px', 'height_px', 'steps', 'guidance')
        ), '{}'))
    WHERE user_id = :user_id
    """,
    """
    UPDATE starbooth.tickets SET facts = facts - 'detail' WHERE facts ? 'detail'
        AND order_id IN (SELECT id FROM starbooth.orders WHERE user_id = :user_id)
    """,
    """
    UPDATE public."StarTransaction" SET metadata = metadata - 'asked'
    WHERE "userId" = :user_id AND metadata ? 'asked'
    """,
)

# What is kept by the chat's number rather than by the account. Each has the parameter `chat`, a text.
OF_CHAT = (
    """
    UPDATE starbooth.inbox SET body = '{}', chat_key = 'gone:' || update_id
    WHERE state <> 'waiting' AND (chat_key IN (CAST(:chat AS text), 'user:' || CAST(:chat AS text))
        OR chat_key LIKE '%:' || CAST(:chat AS text))
    """,
    """
    DELETE FROM starbooth.alerts
    WHERE kind = 'support' AND facts ->> 'telegram_id' = CAST(:chat AS text)
    """,
    """
    UPDATE starbooth.alerts SET facts = '{}'
    WHERE sent_at IS NOT NULL AND facts ->> 'telegram_id' = CAST(:chat AS text)
    """,
    # Of who paid, Telegram's list keeps the number alone.
    """
    UPDATE starbooth.telegram_transactions SET body = jsonb_set(body, place,
        jsonb_build_object('id', telegram_id, 'is_bot', false, 'first_name', ''))
    FROM (VALUES ('in', '{source,user}'::text[]), ('out', '{receiver,user}')) AS places (way, place)
    WHERE telegram_id = CAST(CAST(:chat AS text) AS bigint) AND direction = way AND body #> place IS NOT NULL
    """,
)
