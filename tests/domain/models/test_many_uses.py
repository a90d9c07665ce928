"""Ten thousand uses of a public model by a hundred guests: paid to the star, while other orders end."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.models.counting import count_uses
from starbooth.domain.models.earnings import pay_out, read_earnings
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.loras import make_lora
from tests.make.orders import end_order, place_pictures

GUESTS, ORDERS_EACH, PICTURES = 100, 24, 4
PRICE, FEE, SHARE = 3, 5, 50
PAID = GUESTS * (ORDERS_EACH * PICTURES - 3)

# Orders that ended before, as their ends left them: 24 of each guest, of four pictures, the first three free.
_GUESTS = text("""
    INSERT INTO public."User" ("id", "telegramId", "stars", "totalSpentStars", "updatedAt")
    SELECT 'g' || n, 'g' || n, 1000000 - :spent, :spent, now() FROM generate_series(1, :guests) n
""")
_GIFTS = text("""
    INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status", "metadata")
    SELECT 'b' || n, 'g' || n, 1000000, 'BONUS', 'COMPLETED', '{}' FROM generate_series(1, :guests) n
""")
_HOLDS = text("""
    INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status", "metadata")
    SELECT 'h' || n || '-' || k, 'g' || n, CASE k WHEN 1 THEN CAST(:fee AS integer) * 3 ELSE 0 END - :price,
        'GENERATION', 'COMPLETED', '{}' FROM generate_series(1, :guests) n, generate_series(1, :orders) k
""")
_ORDERS = text("""
    INSERT INTO starbooth.orders (id, request_key, user_id, hold_id, kind, source, request, parts,
        price_stars, spent_stars, state, turn, progress, ended_at, deadline_at)
    SELECT 'o' || n || '-' || k, 'o' || n || '-' || k, 'g' || n, 'h' || n || '-' || k, 'generation', 'bot',
        '{}', 4, paid, paid, 'done', k, 1, now(), now()
    FROM generate_series(1, :guests) n, generate_series(1, :orders) k,
        LATERAL (SELECT :price - CASE k WHEN 1 THEN CAST(:fee AS integer) * 3 ELSE 0 END AS paid) p
""")
_FEES = text("""
    INSERT INTO starbooth.order_fees (order_id, lora_id, user_id, maker_id, fee_stars, share_percent, free,
        pictures)
    SELECT 'o' || n || '-' || k, :lora, 'g' || n, :maker, :fee, :share, CASE k WHEN 1 THEN 3 ELSE 0 END, 4
    FROM generate_series(1, :guests) n, generate_series(1, :orders) k
""")
_EARNINGS = text("""
    INSERT INTO starbooth.earnings (order_id, lora_id, kind, maker_id, hundredths)
    SELECT 'o' || n || '-' || k, :lora, 'use', :maker,
        CAST(:fee AS integer) * :share * CASE k WHEN 1 THEN 1 ELSE 4 END
    FROM generate_series(1, :guests) n, generate_series(1, :orders) k
""")


async def write_ended_orders(database: Database, maker: str, lora: str) -> None:
    facts = {
        "guests": GUESTS,
        "orders": ORDERS_EACH,
        "price": PICTURES * (PRICE + FEE),
        "fee": FEE,
        "share": SHARE,
        "lora": lora,
        "maker": maker,
        "spent": ORDERS_EACH * PICTURES * (PRICE + FEE) - 3 * FEE,
    }
    async with database.transaction() as tx:
        for statement in (_GUESTS, _GIFTS, _HOLDS, _ORDERS, _FEES, _EARNINGS):
            names = statement.compile().params
            await tx.execute(statement, {name: facts[name] for name in names})


async def test_ten_thousand_uses_by_a_hundred_guests_are_paid_to_the_star(database_url: str) -> None:
    database = Database(database_url, connections=10)
    maker = await make_guest(database)
    lora = await make_lora(database, maker, is_public=True, fee_stars=FEE)
    await write_ended_orders(database, maker, lora)

    async def use(guest: str) -> None:
        placed = await place_pictures(database, guest, pictures=PICTURES, loras=[lora], share_percent=SHARE)
        assert placed.price_stars == PICTURES * (PRICE + FEE)
        await end_order(database, placed.order_id, done=PICTURES)

    paid_stars = 0

    async def pay() -> None:
        nonlocal paid_stars
        for _ in range(10):
            stars = await pay_out(database, interval=timedelta(0))
            paid_stars += stars

    guests = [f"g{n}" for n in range(1, GUESTS + 1)]
    await asyncio.gather(*(use(each) for each in guests), pay(), pay())
    await pay()
    earned = (PAID + GUESTS * PICTURES) * FEE * SHARE  # in hundredths of a star
    async with database.transaction() as tx:
        found = await read_earnings(tx, maker_id=maker)
        counted = await count_uses(tx)
        uses = await tx.scalar(text("SELECT uses FROM starbooth.model_cards"))
    assert found.paid_stars == paid_stars == (await read_stars(database, maker))[0] == earned // 100
    assert found.waiting_hundredths == earned % 100
    assert (counted, uses) == (GUESTS * (ORDERS_EACH + 1), 10_000)
    await assert_accounts_are_true(database)
    await database.aclose()
