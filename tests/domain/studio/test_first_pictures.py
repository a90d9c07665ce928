"""A model that was trained well paints its first pictures by itself: once, at no price, and for its guest."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.request import Limits
from starbooth.domain.studio.first_pictures import order_first_pictures
from starbooth.domain.users.guests import Language
from tests.make.guests import make_guest, read_stars
from tests.make.trainings import make_photo_set, place_training

LIMITS = Limits(active_orders=10, deadline=timedelta(minutes=15))


@pytest.fixture
async def trained(database: Database) -> str:
    """A guest whose training has just ended well."""
    ada = await make_guest(database, stars=1000)
    chat = Recipient(chat_id=7, reply_to_message_id=None, language=Language.ENGLISH)
    await place_training(database, ada, await make_photo_set(database, ada), recipient=chat)
    async with database.transaction() as tx:
        await tx.execute(
            text("UPDATE starbooth.orders SET state = 'done', ended_at = now(), spent_stars = 0")
        )
        await tx.execute(
            text(
                """UPDATE public."LoraModel" SET "status" = 'COMPLETED',"""
                """ "weightsUrl" = 'https://booth.invalid/files/models/a/weights.safetensors'"""
            )
        )
    return ada


async def pictures(database: Database) -> list[tuple[str, int, int, str, int]]:
    """Orders for pictures: whose, how many, at what price, the words, and the chat."""
    async with database.transaction() as tx:
        rows = await tx.execute(
            text("""
                SELECT o.user_id, o.parts, o.price_stars, o.request -> 'asked' ->> 'prompt', d.chat_id
                FROM starbooth.orders o LEFT JOIN starbooth.deliveries d ON d.order_id = o.id
                WHERE o.kind = 'generation'
            """)
        )
        return [tuple(row) for row in rows]


async def test_they_are_ordered_once_at_no_price(database: Database, trained: str) -> None:
    before = await read_stars(database, trained)
    placed = await asyncio.gather(
        *(order_first_pictures(database, limits=LIMITS, count=2) for _ in range(3)), return_exceptions=False
    )
    assert await order_first_pictures(database, limits=LIMITS, count=2) == 0
    ((user_id, parts, price, prompt, chat_id),) = await pictures(database)
    assert sum(placed) >= 1
    assert (user_id, parts, price, chat_id) == (trained, 2, 0, 7)
    assert "lighthouse" in prompt
    assert await read_stars(database, trained) == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE starbooth.orders SET ended_at = now() - interval '2 hours'",
        """UPDATE public."LoraModel" SET "status" = 'FAILED'""",
    ],
)
async def test_none_are_made_of_what_failed_or_is_long_past(
    database: Database, trained: str, change: str
) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(change))
    assert await order_first_pictures(database, limits=LIMITS, count=2) == 0
    assert await pictures(database) == []


async def test_an_operator_can_do_without(database: Database, trained: str) -> None:
    assert await order_first_pictures(database, limits=LIMITS, count=0) == 0
    assert await pictures(database) == []


async def test_a_refusal_puts_them_off(database: Database, trained: str) -> None:
    nothing = Limits(active_orders=0, deadline=timedelta(minutes=15))
    assert await order_first_pictures(database, limits=nothing, count=2) == 0
    assert await order_first_pictures(database, limits=LIMITS, count=2) == 1
