"""A booth that has been at work since release 0002 loses nothing on its way to this one."""

import json
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from starbooth.base.database import SESSION, Database, raw_dsn
from starbooth.base.migration import migrate
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.read import read_order
from tests.make.audits import assert_accounts_are_true

SCRIPTS = Path(__file__).parents[2] / "src" / "starbooth" / "migrations"
ADA, FLUX, BUY, HOLD, LATER, OPEN, PICTURE = (f"c{name:0>24}" for name in ("a", "f", "b", "h", "l", "o", "p"))
DONE, HELD, CART = (f"c{name:0>24}" for name in ("d", "e", "k"))

# What release 0002 had when the lights went out: one picture done, one waiting, one update not yet handled.
ROWS = f"""
    INSERT INTO public."User" ("id", "telegramId", "username", "stars", "totalBoughtStars", "totalSpentStars",
        "updatedAt") VALUES ('{ADA}', '7', 'ada', 94, 100, 3, now());
    INSERT INTO public."BaseModel" ("id", "name", "version", "type", "isDefault")
        VALUES ('{FLUX}', 'Flux', 'v1.0', 'FLUX', true);
    INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status",
        "telegramPaymentChargeId", "metadata") VALUES
        ('{BUY}', '{ADA}', 100, 'PURCHASE', 'COMPLETED', 'stx_1', '{{"key": "charge:stx_1"}}'),
        ('{HOLD}', '{ADA}', -3, 'GENERATION', 'COMPLETED', NULL, '{{"key": "hold:1"}}'),
        ('{LATER}', '{ADA}', -3, 'GENERATION', 'PENDING', NULL, '{{"key": "hold:2"}}'),
        ('{OPEN}', '{ADA}', 50, 'PURCHASE', 'PENDING', NULL, '{{"key": "invoice:2"}}');
    INSERT INTO public."Generation" ("id", "userId", "baseModelId", "prompt", "imageUrl", "seed", "starsUsed",
        "metadata") VALUES ('{PICTURE}', '{ADA}', '{FLUX}', 'a red boat', 'http://booth/files/1', 5, 3,
        '{{"orderId": "{DONE}", "number": 0, "fileKey": "pictures/{DONE}/0.png"}}');
    INSERT INTO starbooth.guests (user_id, chat_id, language) VALUES ('{ADA}', 7, 'ru');
    INSERT INTO starbooth.offers (base_model_id, endpoint, price_stars, width_px, height_px, steps, guidance)
        VALUES ('{FLUX}', 'fal-ai/flux/dev', 3, 1024, 768, 28, 3.5);
    INSERT INTO starbooth.orders (id, request_key, user_id, hold_id, kind, source, request, parts,
        price_stars, spent_stars, state, turn, ended_at, deadline_at) VALUES
        ('{DONE}', 'tg:7:1', '{ADA}', '{HOLD}', 'generation', 'bot',
            '{{"asked": {{"prompt": "a red boat"}}}}',
            1, 3, 3, 'done', 1, now(), now()),
        ('{HELD}', 'tg:7:2', '{ADA}', '{LATER}', 'generation', 'bot', '{{"asked": {{"prompt": "a fox"}}}}',
            1, 3, NULL, 'held', 2, NULL, now());
    INSERT INTO starbooth.tickets (order_id, number, seed, state, engine, endpoint, request_id, file_key)
        VALUES ('{DONE}', 0, 5, 'done', 'fal', 'fal-ai/flux/dev', 'r-1', 'pictures/{DONE}/0.png'),
            ('{HELD}', 0, 6, 'unsent', NULL, 'fal-ai/flux/dev', NULL, NULL);
    INSERT INTO starbooth.deliveries (order_id, chat_id, message_id, language, shown, state)
        VALUES ('{DONE}', 7, 11, 'ru', 1, 'delivered'), ('{HELD}', 7, 12, 'ru', 1, 'open');
    INSERT INTO starbooth.inbox (update_id, chat_key, body) VALUES (500, '7', '{{"update_id": 500}}');
    INSERT INTO starbooth.purchases (id, user_id, kind, amount_stars, amount_xtr, expires_at)
        VALUES ('{OPEN}', '{ADA}', 'pack', 50, 50, now());
    INSERT INTO starbooth.payments (charge_id, transaction_id, user_id, telegram_id, amount_stars, amount_xtr,
        payload, came_by, paid_at) VALUES ('stx_1', '{BUY}', '{ADA}', 7, 100, 100, 'p', 'update', now());
    INSERT INTO starbooth.carts (id, user_id, request_key, request, price_stars, expires_at)
        VALUES ('{CART}', '{ADA}', 'tg:7:3', '{{}}', 300, now());
"""
TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname IN ('public', 'starbooth') AND tablename !~ '^(alembic|pgqueuer)' ORDER BY 1
"""


async def bring_to(url: str, revision: str) -> None:
    def upgrade(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"), connect_args={"server_settings": SESSION}
    )
    async with engine.connect() as connection:
        await connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS starbooth")
        await connection.commit()
        await connection.run_sync(upgrade)
        await connection.commit()
    await engine.dispose()


async def read_rows(connection: asyncpg.Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of ours, by its table."""
    tables = [row[0] for row in await connection.fetch(TABLES)]
    return {
        table: [json.loads(row[0]) for row in await connection.fetch(f"SELECT to_jsonb(t) FROM {table} t")]
        for table in tables
    }


async def test_a_booth_of_release_0002_keeps_every_row_and_goes_on(empty_database_url: str) -> None:
    await bring_to(empty_database_url, "0002")
    connection = await asyncpg.connect(raw_dsn(make_url(empty_database_url)))
    await connection.execute(ROWS)
    before = await read_rows(connection)
    await migrate(empty_database_url)
    after = await read_rows(connection)
    await connection.close()
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]] if rows else []
        assert kept == rows, table
    assert sum(map(len, before.values())) == 19

    database = Database(empty_database_url)
    await assert_accounts_are_true(database)
    async with database.transaction() as tx:
        views = [await read_order(tx, order_id, slots=1) for order_id in (DONE, HELD)]
    await database.aclose()
    assert [view.state for view in views if view] == [OrderState.DONE, OrderState.HELD]
