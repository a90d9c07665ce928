"""The cart: what was wanted starts once the stars are there, once, at the price shown, or never."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.prices import parse_pack
from starbooth.domain.crafts import all_crafts
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.cart import start_funded, sweep_carts
from starbooth.domain.generations.errors import StarsMissing
from starbooth.domain.generations.request import Limits
from starbooth.domain.orders import cart
from starbooth.domain.orders.place import PlacedOrder
from starbooth.domain.running.finish import cancel_waiting
from starbooth.domain.stars.ledger import credit_bonus
from starbooth.domain.users.guests import Language
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.orders import place_pictures
from tests.make.payments import GUEST, open_invoice, pay, payment_of

LIMITS = Limits(active_orders=3, deadline=timedelta(minutes=15))
LIFE = timedelta(hours=24)
SMALL = parse_pack("2=2")


async def want(
    database: Database, user_id: str, *, key: str = "tg:7:1", pictures: int = 1, life: timedelta = LIFE
) -> None:
    """Ask for pictures that the stars do not suffice for, and have them remembered."""
    recipient = Recipient(chat_id=GUEST, reply_to_message_id=5, language=Language.SPANISH)
    with pytest.raises(StarsMissing) as refused:
        await place_pictures(database, user_id, request_key=key, pictures=pictures, recipient=recipient)
    async with database.transaction() as tx:
        await cart.remember(tx, refused.value.wish, life=life)


async def start(database: Database, user_id: str, *, limits: Limits = LIMITS) -> PlacedOrder | None:
    async with database.transaction() as tx:
        return await start_funded(tx, user_id=user_id, limits=limits)


async def buy(database: Database, user_id: str) -> None:
    await pay(database, payment_of(await open_invoice(database, user_id)))


async def give(database: Database, user_id: str, amount: int) -> None:
    async with database.transaction() as tx:
        await credit_bonus(tx, user_id=user_id, amount=amount, key=f"given:{amount}", facts={})


async def carts(database: Database) -> list[tuple[str, str]]:
    async with database.transaction() as tx:
        rows = await tx.execute(text("SELECT request_key, state FROM starbooth.carts ORDER BY created_at"))
        return [(row[0], row[1]) for row in rows]


async def count_orders(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM starbooth.orders")) or 0)


async def set_price(database: Database, price_stars: int) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.offers SET price_stars = :price"), {"price": price_stars})


@pytest.fixture
async def ada(database: Database) -> str:
    return await make_guest(database, telegram_id=GUEST, stars=1)


class TestStarting:
    async def test_a_payment_starts_it_once_however_many_try(self, database: Database, ada: str) -> None:
        await want(database, ada)
        assert await start(database, ada) is None
        await buy(database, ada)
        started = await asyncio.gather(*(start(database, ada) for _ in range(5)))
        assert len([placed for placed in started if placed]) == 1
        assert await read_stars(database, ada) == (263, 0, 265)
        assert await carts(database) == [("tg:7:1", "ordered")]
        await assert_accounts_are_true(database)

    async def test_the_price_shown_is_kept_when_it_rises_meanwhile(
        self, database: Database, ada: str
    ) -> None:
        await want(database, ada, pictures=2)
        await set_price(database, 50)
        await buy(database, ada)
        placed = await start(database, ada)
        assert placed is not None
        assert placed.price_stars == 6

    async def test_the_chat_that_asked_waits_for_it(self, database: Database, ada: str) -> None:
        await want(database, ada)
        await buy(database, ada)
        placed = await start(database, ada)
        assert placed is not None
        async with database.transaction() as tx:
            row = (await tx.execute(text("SELECT * FROM starbooth.deliveries"))).one()
        assert (row.order_id, row.chat_id, row.reply_to_message_id, row.language) == (
            placed.order_id,
            GUEST,
            5,
            "es",
        )

    async def test_a_job_reminds_the_worker(self, database: Database, ada: str) -> None:
        await want(database, ada)
        await buy(database, ada)
        async with database.transaction() as tx:
            found = await tx.scalar(
                text("SELECT convert_from(payload, 'UTF8') FROM starbooth.pgqueuer WHERE entrypoint = :name"),
                {"name": cart.STARS_ARRIVED},
            )
        assert ada in str(found)

    async def test_the_message_handled_again_is_the_same_order(self, database: Database, ada: str) -> None:
        await want(database, ada)
        await buy(database, ada)
        again = await place_pictures(database, ada, request_key="tg:7:1")
        placed = await start(database, ada)
        assert placed is not None
        assert (placed.order_id, placed.is_repeat) == (again.order_id, True)
        assert await count_orders(database) == 1


class TestWaiting:
    async def test_stars_that_were_not_bought_do_not_start_it(self, database: Database, ada: str) -> None:
        await want(database, ada)
        await give(database, ada, 100)
        assert await start(database, ada) is None
        assert await sweep_carts(database, limits=LIMITS) == 0
        assert await read_stars(database, ada) == (101, 0, 0)

    async def test_too_small_a_pack_leaves_it_until_the_next(self, database: Database, ada: str) -> None:
        await want(database, ada, pictures=4)
        small = await open_invoice(database, ada, pack=SMALL)
        credited = await pay(database, payment_of(small))
        assert credited.cart is not None
        assert credited.cart.wish.price_stars - credited.balance_stars == 9
        assert await start(database, ada) is None
        await buy(database, ada)
        assert await sweep_carts(database, limits=LIMITS) == 1

    async def test_too_many_orders_leave_it_until_one_has_ended(self, database: Database, ada: str) -> None:
        await want(database, ada)
        await buy(database, ada)
        other = await place_pictures(database, ada)
        only_one = Limits(active_orders=1, deadline=LIMITS.deadline)
        assert await start(database, ada, limits=only_one) is None
        assert await sweep_carts(database, limits=only_one) == 0
        async with database.transaction() as tx:
            await cancel_waiting(tx, crafts=all_crafts(), order_id=other.order_id, user_id=ada)
        assert await sweep_carts(database, limits=only_one) == 1

    async def test_the_newest_wish_takes_the_place_of_the_older(self, database: Database, ada: str) -> None:
        await want(database, ada, key="tg:7:1")
        await want(database, ada, key="tg:7:2")
        await want(database, ada, key="tg:7:1")
        assert await carts(database) == [("tg:7:1", "dropped"), ("tg:7:2", "waiting")]
        await buy(database, ada)
        assert await start(database, ada) is not None
        assert await start(database, ada) is None
        assert await count_orders(database) == 1

    async def test_a_wish_is_not_remembered_again_once_it_was_ordered(
        self, database: Database, ada: str
    ) -> None:
        await want(database, ada, pictures=2)
        await buy(database, ada)
        await start(database, ada)
        wish = cart.Wish(request_key="tg:7:1", user_id=ada, request={}, price_stars=6)
        async with database.transaction() as tx:
            await cart.remember(tx, wish, life=LIFE)
        assert await carts(database) == [("tg:7:1", "ordered")]


class TestEnding:
    async def test_one_that_is_too_old_is_forgotten_and_costs_nothing(
        self, database: Database, ada: str
    ) -> None:
        await want(database, ada, life=timedelta(0))
        await buy(database, ada)
        assert await sweep_carts(database, limits=LIMITS) == 0
        assert await start(database, ada) is None
        assert await carts(database) == [("tg:7:1", "dropped")]
        assert await read_stars(database, ada) == (266, 0, 265)

    async def test_its_guest_can_forget_it(self, database: Database, ada: str) -> None:
        await want(database, ada)
        async with database.transaction() as tx:
            assert await cart.drop_cart(tx, user_id=ada)
        async with database.transaction() as tx:
            assert not await cart.drop_cart(tx, user_id=ada)
        await buy(database, ada)
        assert await start(database, ada) is None
