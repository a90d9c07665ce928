"""(d) What web, bot and worker weigh at rest, and whether the worker grows over thousands of orders.

The orders are placed by this program through the domain, as the bot does, with a chat that waits for each;
the worker starts them, a darkroom without a model paints them, and they are delivered in the playground.
"""

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from bench.figures import Figure, Measurement
from bench.processes import memory_mb, proportional_mb
from starbooth.base.database import Database
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.place import Source
from starbooth.domain.stars import ledger
from starbooth.domain.users.guests import Language, find_user
from tests.journeys.house import House, Plan, opened_house
from tests.playground.guest import Guest

_PARTS = ("web", "bot", "worker-1")
_SETTINGS = {"ENGINE_SLOTS": "32", "LOG_LEVEL": "WARNING"}
_MOST_ACTIVE = 150
_LIMITS = Limits(active_orders=1_000_000, deadline=timedelta(hours=1))
# The first thousand orders fill pools and caches, and are not held against the worker.
_SETTLED_AFTER = 1000


async def measure(*, orders: int = 10_000, at_most_s: float = 420.0) -> Measurement:
    """Weigh at rest; then run up to `orders` orders within `at_most_s`, weighing the worker as they end."""
    with tempfile.TemporaryDirectory(prefix="memory-", ignore_cleanup_errors=True) as folder:
        async with (
            opened_house(Path(folder), Plan(settings=_SETTINGS)) as house,
            Guest(house.playground_url, "Ada") as ada,
        ):
            await ada.say("/start")
            await ada.wait_for(lambda message: bool(message.text), timeout_s=60)
            await asyncio.sleep(10)
            resident = {part: memory_mb(house.pid(part)) for part in _PARTS}
            proportional = {part: proportional_mb(house.pid(part)) for part in _PARTS}
            weights = await _work(house, ada.user_id, orders=orders, at_most_s=at_most_s)
    settled = [weight for done, weight in weights if done >= min(_SETTLED_AFTER, orders // 4)]
    return Measurement(
        figures=(
            Figure(
                name="web + bot + worker at rest, shared pages counted once",
                value=sum(proportional.values()),
                unit="MB",
                at_most=300,
            ),
            Figure(
                name="web + bot + worker at rest, shared pages counted in each",
                value=sum(resident.values()),
                unit="MB",
            ),
            *(Figure(name=f"{part} at rest, resident", value=resident[part], unit="MB") for part in _PARTS),
            Figure(name="orders that the worker ran", value=weights[-1][0], unit=""),
            Figure(name="worker after its first orders, resident", value=settled[0], unit="MB"),
            Figure(name="worker after its last orders, resident", value=settled[-1], unit="MB"),
            Figure(
                name="growth per 1,000 orders",
                value=1000 * (settled[-1] - settled[0]) / max(1, weights[-1][0] - _SETTLED_AFTER),
                unit="MB",
                at_most=1,
            ),
        ),
        details={"resident": resident, "proportional": proportional, "weights": weights},
    )


async def _work(house: House, telegram_id: int, *, orders: int, at_most_s: float) -> list[tuple[int, float]]:
    """Place orders while others are delivered; the worker's MB by the number of orders that have ended."""
    database = Database(house.database_url, connections=4)
    try:
        async with database.transaction() as tx:
            user_id = await find_user(tx, str(telegram_id))
            await ledger.credit_bonus(tx, user_id=user_id, amount=1_000_000, key="measured", facts={})
        began, placed, weights = time.monotonic(), 0, [(0, memory_mb(house.pid("worker-1")))]
        while (ended := await _count_ended(database)) < orders and time.monotonic() - began < at_most_s:
            if ended >= weights[-1][0] + 200:
                weights.append((ended, memory_mb(house.pid("worker-1"))))
            while placed < min(orders, ended + _MOST_ACTIVE):
                await _place(database, user_id, telegram_id, number=placed)
                placed += 1
            await asyncio.sleep(0.1)
        weights.append((ended, memory_mb(house.pid("worker-1"))))
    finally:
        await database.aclose()
    return weights


async def _place(database: Database, user_id: str, chat_id: int, *, number: int) -> None:
    ask = PictureRequest(
        request_key=f"measured:{number}",
        user_id=user_id,
        source=Source.BOT,
        prompt=f"a red balloon over the sea, {number}",
    )
    chat = Recipient(chat_id=chat_id, reply_to_message_id=None, language=Language.ENGLISH)
    async with database.transaction() as tx:
        await request_pictures(tx, ask, limits=_LIMITS, recipient=chat)


async def _count_ended(database: Database) -> int:
    async with database.statement() as tx:
        found = await tx.scalar(text("SELECT count(*) FROM starbooth.deliveries WHERE state = 'delivered'"))
    return int(found or 0)
