"""(b) What the house adds to the engine's own time: from the guest's words to the picture in the chat.

Real processes: playground, web, bot, one worker, and a darkroom whose painter takes no time. Everything runs
on this machine's cores, the playground and this driver too.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from bench.figures import Figure, Measurement, median, percentile
from starbooth.base.database import raw_dsn
from tests.journeys.house import House, Plan, opened_house
from tests.playground.guest import Guest

_SETTINGS = {
    "WELCOME_STARS": "10000",
    "ACTIVE_ORDERS_PER_GUEST": "1000",
    "ENGINE_SLOTS": "32",
    "LOG_LEVEL": "WARNING",
}
_PROMPT = "a red balloon over the sea at sunset"

# From the transaction that held the stars to the one after Telegram had the picture.
_TOOK_MS = """
    SELECT extract(epoch FROM d.delivered_at - o.created_at)::double precision * 1000
    FROM starbooth.deliveries d JOIN starbooth.orders o ON o.id = d.order_id
    WHERE o.created_at >= $1 AND d.state = 'delivered'
"""


async def measure(*, alone: int = 150, guests: int = 30, orders_each: int = 25) -> Measurement:
    """One order after the other, then many at once. About a minute and a half."""
    with tempfile.TemporaryDirectory(prefix="journey-", ignore_cleanup_errors=True) as folder:
        async with opened_house(Path(folder), Plan(settings=_SETTINGS)) as house:
            seen_ms, placed_ms = await _one_by_one(house, count=alone)
            rate, crowd_ms = await _crowd(house, guests=guests, orders_each=orders_each)
    return Measurement(
        figures=(
            Figure(name="placing to delivered, idle, p50", value=median(placed_ms), unit="ms", at_most=60),
            Figure(name="placing to delivered, idle, p99", value=percentile(placed_ms, 99), unit="ms"),
            Figure(name="guest's words to picture seen, idle, p50", value=median(seen_ms), unit="ms"),
            Figure(name="guest's words to picture seen, idle, p99", value=percentile(seen_ms, 99), unit="ms"),
            Figure(name="orders delivered per second, saturated", value=rate, unit="1/s", at_least=60),
            Figure(name="placing to delivered, saturated, p50", value=median(crowd_ms), unit="ms"),
        ),
        details={"seen_ms": seen_ms, "placed_ms": placed_ms},
    )


async def _one_by_one(house: House, *, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each order, as the guest sees it and as the database saw it. Ten warm up before."""
    seen_ms = []
    async with Guest(house.playground_url, "Ada") as ada:
        for number in range(10 + count):
            if number == 10:
                began_at = await _now(house)
            began = time.perf_counter()
            said = await ada.say(f"{_PROMPT}, {number}")
            await ada.wait_for(lambda message: bool(message.photo_id), after=said, timeout_s=60)
            seen_ms.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.05)  # so that the last order's leavings do not weigh on this one
    await asyncio.sleep(1)
    return seen_ms[10:], await _took_ms(house, began_at)


async def _crowd(house: House, *, guests: int, orders_each: int) -> tuple[float, list[float]]:
    """Orders delivered per second while more are waiting, and how long each took."""
    began_at = await _now(house)
    began = time.perf_counter()
    await asyncio.gather(*(_ask_at_once(house, number, orders_each) for number in range(guests)))
    wanted = guests * orders_each
    while len(took_ms := await _took_ms(house, began_at)) < wanted:
        assert time.perf_counter() - began < 180, (
            f"{len(took_ms)} of {wanted} delivered\n{house.last_words()}"
        )
        await asyncio.sleep(0.1)
    return wanted / (time.perf_counter() - began), took_ms


async def _ask_at_once(house: House, number: int, orders: int) -> None:
    async with Guest(house.playground_url, f"Guest {number}") as guest:
        for order in range(orders):
            await guest.say(f"{_PROMPT}, {order}")


async def _now(house: House) -> object:
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))
    try:
        return await connection.fetchval("SELECT now()")
    finally:
        await connection.close()


async def _took_ms(house: House, since: object) -> list[float]:
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))
    try:
        return [float(row[0]) for row in await connection.fetch(_TOOK_MS, since)]
    finally:
        await connection.close()
