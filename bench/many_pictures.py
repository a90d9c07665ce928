"""Pictures of any number, written past the triggers: many guests, and one who has a fifth of all.

The prompts are made of parts as guests write them: a subject, where it is, how it is painted. How often a
part comes falls with its place in the list, as with words of a language. Some words are rare, and one
stopped: every third picture of the big guest's first half has it, and none since.
"""

import time
from collections.abc import Mapping
from datetime import timedelta

import asyncpg

BIG = "cthegreatestguestofallofu"
STOPPED, RARE, RARER = "lighthouse", "zeppelin", "axolotl"

_SUBJECTS = [
    *(
        "cat",
        "fox",
        "woman",
        "portrait",
        "dog",
        "castle",
        "dragon",
        "city",
        "forest",
        "robot",
        "girl",
        "house",
    ),
    *("mountain", "sea", "ship", "bird", "horse", "flower", "wizard", "knight", "garden", "car", "train"),
    *("bridge", "tower", "owl", "wolf", "tiger", "elephant", "king", "queen", "dancer", "musician", "chef"),
    *("astronaut", "samurai", "pirate", "market", "library", "kitchen", "island", "river", "waterfall"),
    *("desert", "village", "street", "cafe", "lamp", "clock"),
]
_KINDS = [
    *("red", "old", "young", "happy", "small", "golden", "giant", "sleeping", "ancient", "lonely", "smiling"),
    *("blue", "wooden", "glass", "white", "dark", "mysterious", "elegant", "rusty", "fluffy", "flying"),
]
_PLACES = [
    *("at sunset", "in the forest", "by the sea", "at night", "in the rain", "in a hat", "under the stars"),
    *("in the snow", "on a hill", "in an old town", "on the moon", "at the window", "in a green valley"),
    *("in morning fog", "on a busy street", "in an autumn park", "behind a waterfall", "above the clouds"),
]
_STYLES = [
    *("highly detailed", "in watercolor", "oil painting", "studio photograph, 85 mm, shallow depth of field"),
    *("cinematic light, film grain", "pencil drawing on paper", "digital art, trending colours", "pixel art"),
    *(
        "art nouveau poster",
        "soft pastel colours",
        "volumetric light, sharp focus",
        "in the style of a comic",
    ),
]


def _share(salt: int) -> str:
    """SQL for a number from 0 up to 1, always the same for the same `n`."""
    return f"((hashint8extended(n, {salt}) & 1048575) / 1048576.0)"


def _pick(values: list[str], salt: int) -> str:
    """SQL for one of the values, the first ones far more often."""
    quoted = ", ".join(f"'{each}'" for each in values)
    return f"(ARRAY[{quoted}])[1 + floor({len(values)} * power({_share(salt)}, 2))::integer]"


# One of five is the big guest's. Of the others some have thousands and most a few.
_ROWS = f"""
    INSERT INTO public."Generation"
        ("id", "userId", "baseModelId", "prompt", "imageUrl", "seed", "starsUsed", "metadata", "createdAt")
    SELECT 'c' || left(md5('picture' || n), 24), user_id, $4,
        concat_ws(' ', 'a', {_pick(_KINDS, 1)},
            CASE WHEN user_id = '{BIG}' AND n < $2 / 2 AND n % 3 = 0 THEN '{STOPPED}'
                WHEN n % 10007 = 0 THEN '{RARE}' WHEN n % 100003 = 0 THEN '{RARER}'
                ELSE {_pick(_SUBJECTS, 2)} END,
            {_pick(_PLACES, 3)}) || ', ' || {_pick(_STYLES, 4)}
            || CASE WHEN n % 3 = 0 THEN ', ' || {_pick(_STYLES, 5)} ELSE '' END
            || CASE WHEN n % 7 = 0 THEN ', ' || {_pick(_KINDS, 6)} || ' background' ELSE '' END,
        'https://booth.invalid/files/pictures/' || order_id || '/0.png',
        hashint8extended(n, 7) & 9223372036854775807, 3,
        jsonb_build_object('orderId', order_id, 'number', 0, 'fileKey', 'pictures/' || order_id || '/0.png',
            'model_name', 'Flux', 'steps', 28, 'guidance', 3.5, 'width_px', 1024, 'height_px', 1024),
        timestamp '2024-01-01' + n * $5::interval
    FROM generate_series($1::bigint, $2::bigint) AS n
    CROSS JOIN LATERAL (SELECT 'c' || left(md5('order' || n), 24) AS order_id,
        CASE WHEN n % 5 = 0 THEN '{BIG}' ELSE 'c' || left(md5('user' ||
            floor($3::integer * power({_share(8)}, 3))::integer), 24) END AS user_id) AS owner
"""
_USERS = """
    INSERT INTO public."User" ("id", "telegramId", "updatedAt")
    SELECT DISTINCT "userId", "userId", now() FROM public."Generation"
"""
_INDEXES = """
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
    FROM pg_index WHERE indrelid = 'public."Generation"'::regclass AND NOT indisprimary
"""
_ORDERS = """
    INSERT INTO starbooth.orders (id, request_key, user_id, hold_id, kind, source, request, parts,
        price_stars, spent_stars, state, turn, created_at, started_at, ended_at, deadline_at)
    SELECT 'o' || n, n::text, $3, n::text, 'generation', 'bot', '{"asked": {"prompt": "a boat"}}', 1,
        3, CASE WHEN has_ended THEN 3 END, CASE WHEN has_ended THEN 'done' ELSE 'held' END, n, at,
        CASE WHEN has_ended THEN at END, CASE WHEN has_ended THEN at + interval '3 s' END,
        at + interval '1 day'
    FROM generate_series(1, $1::integer + $2::integer) AS n
    CROSS JOIN LATERAL (SELECT n <= $1 AS has_ended, now() - ($1 + $2 - n) * interval '1 s' AS at) AS facts
"""
_TICKETS = """
    INSERT INTO starbooth.tickets (order_id, number, seed, endpoint)
    SELECT id, 0, 7, 'fal-ai/flux/dev' FROM starbooth.orders
"""


async def fill(
    connection: "asyncpg.Connection[asyncpg.Record]", *, pictures: int, accounts: int
) -> Mapping[str, float]:
    """Write that many pictures of up to that many guests over two years; how long the steps took, in seconds.

    The table is not logged, since nothing is measured of writing it, and its indexes are made afterwards.
    """
    took_s: dict[str, float] = {}
    model_id = await connection.fetchval('SELECT "id" FROM public."BaseModel" WHERE "isDefault"')
    indexes = await connection.fetch(_INDEXES)
    await connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
    await connection.execute("ALTER TABLE starbooth.favourites SET UNLOGGED")
    await connection.execute('ALTER TABLE public."Generation" SET UNLOGGED')
    for index in indexes:
        await connection.execute(f"DROP INDEX public.{index['name'].removeprefix('public.')}")
    began = time.monotonic()
    step = timedelta(days=730) / pictures
    await connection.execute(_ROWS, 1, pictures, accounts, model_id, step)
    await connection.execute(_USERS)
    took_s["rows"] = time.monotonic() - began
    for index in indexes:
        began = time.monotonic()
        await connection.execute(index["definition"])
        took_s[index["name"]] = time.monotonic() - began
    await connection.execute('VACUUM ANALYZE public."Generation"')
    return took_s


async def fill_orders(connection: "asyncpg.Connection[asyncpg.Record]", *, ended: int, waiting: int) -> None:
    """Write the big guest's orders: those that ended, and those that wait."""
    await connection.execute(_ORDERS, ended, waiting, BIG)
    await connection.execute(_TICKETS)
    await connection.execute("VACUUM ANALYZE starbooth.orders, starbooth.tickets")
