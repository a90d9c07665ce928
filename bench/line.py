"""From a free engine to the next order's start, with a thousand guests waiting.

A real house with one slot, so that the engine has nothing to do between two orders. Free is when the darkroom
wrote down that a picture is done; the next start is when it accepted the next order. In between: the webhook,
fetching and storing the picture, ending the order, claiming the next, and the submit. All pictures are
delivered meanwhile, and those who wait are told of their place.
"""

import asyncio
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg
from sqlalchemy import make_url, text

from bench.contest import open_accounts
from bench.figures import Figure, Measurement, median, percentile
from starbooth.base.database import Database, raw_dsn
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.place import Source
from starbooth.domain.orders.read import read_order
from starbooth.domain.users.guests import Language
from tests.journeys.house import House, Plan, opened_house
from tests.playground.guest import Guest

GUESTS = 1000
_SETTINGS = {"ENGINE_SLOTS": "1", "LOG_LEVEL": "WARNING"}
_LIMITS = Limits(active_orders=10, deadline=timedelta(hours=1))
# What is between the starts of orders that had waited for a slot, as the database knows it.
_LINE = """
    SELECT id, now() AS at FROM starbooth.orders WHERE state = 'held'
    ORDER BY turn, created_at, id LIMIT :count
"""
_RUNS = "SELECT started_at, ended_at FROM starbooth.orders WHERE state = 'done' ORDER BY started_at"


async def measure(*, guests: int = GUESTS, seconds: float = 60.0, paint_s: float = 0.05) -> Measurement:
    """Let everybody wait, and watch the line for `seconds`. About a minute and a half."""
    with tempfile.TemporaryDirectory(prefix="line-", ignore_cleanup_errors=True) as folder:
        plan = Plan(settings=_SETTINGS, paint_s=paint_s)
        async with (
            opened_house(Path(folder), plan) as house,
            Guest(house.playground_url, "Ada") as ada,
        ):
            await house.stop("worker-1")
            await _fill_the_line(house, ada.user_id, guests)
            house.start("worker-1")
            await _let_run(house, seconds=seconds, runs=guests // 10)
            promised = await _promises(house, count=guests // 4)
            await _let_run(house, seconds=seconds, runs=guests // 2)
            kept = await _kept(house, promised)
            at_engine = _gaps_at_the_engine(Path(folder) / "darkroom")
            in_database = await _gaps_in_the_database(house)
    return Measurement(
        figures=(
            Figure(name="guests waiting", value=guests, unit=""),
            Figure(name="orders started meanwhile", value=len(at_engine), unit=""),
            Figure(
                name="free engine to the next order there, p50",
                value=median(at_engine),
                unit="ms",
                at_most=50,
            ),
            Figure(
                name="free engine to the next order there, p99", value=percentile(at_engine, 99), unit="ms"
            ),
            Figure(name="order's end to the next one's start, p50", value=median(in_database), unit="ms"),
            Figure(
                name="order's end to the next one's start, p99", value=percentile(in_database, 99), unit="ms"
            ),
            Figure(name="wait promised ÷ wait, p10", value=percentile(kept, 10), unit=""),
            Figure(name="wait promised ÷ wait, p50", value=median(kept), unit=""),
            Figure(name="wait promised ÷ wait, p90", value=percentile(kept, 90), unit=""),
        ),
        details={"kept": kept, "at_engine_ms": at_engine, "in_database_ms": in_database},
    )


async def _fill_the_line(house: House, chat_id: int, guests: int) -> None:
    """One order of each of so many guests; the pictures all go to one chat."""
    await open_accounts(house.database_url, guests)
    database = Database(house.database_url, connections=1)
    chat = Recipient(chat_id=chat_id, reply_to_message_id=None, language=Language.ENGLISH)
    try:
        for number in range(1, guests + 1):
            ask = PictureRequest(
                request_key=f"measured:{number}",
                user_id=str(number),
                source=Source.BOT,
                prompt=f"a red balloon over the sea, {number}",
            )
            async with database.transaction() as tx:
                await request_pictures(tx, ask, limits=_LIMITS, recipient=chat)
    finally:
        await database.aclose()


async def _let_run(house: House, *, seconds: float, runs: int) -> None:
    """Return after `seconds`, or when so many have their picture: the line must not run empty."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        if (await house.engine_figures())["runs"] >= runs:
            return


def _gaps_at_the_engine(folder: Path) -> list[float]:
    journal = sqlite3.connect(f"file:{folder / 'journal.sqlite'}?mode=ro", uri=True)
    try:
        runs = journal.execute(
            "SELECT accepted_at, ended_at FROM jobs WHERE ended_at IS NOT NULL ORDER BY accepted_at"
        ).fetchall()
    finally:
        journal.close()
    return _gaps(runs)


async def _promises(house: House, *, count: int) -> Mapping[str, tuple[float, float]]:
    """When, by the database's clock, and the wait in seconds that the next so many in line were told."""
    database = Database(house.database_url, connections=1)
    try:
        async with database.transaction() as tx:
            rows = (await tx.execute(text(_LINE), {"count": count})).all()
            views = [await read_order(tx, row.id, slots=1) for row in rows]
        told = [(view.order_id, view.wait.total_seconds()) for view in views if view and view.wait]
        return {order_id: (rows[0].at.timestamp(), wait_s) for order_id, wait_s in told}
    finally:
        await database.aclose()


async def _kept(house: House, promised: Mapping[str, tuple[float, float]]) -> list[float]:
    """The wait that was promised ÷ the wait that it was."""
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))
    try:
        rows = await connection.fetch(
            "SELECT id, ended_at FROM starbooth.orders WHERE state = 'done' AND id = ANY ($1)", list(promised)
        )
    finally:
        await connection.close()
    return [promised[row["id"]][1] / (row["ended_at"].timestamp() - promised[row["id"]][0]) for row in rows]


async def _gaps_in_the_database(house: House) -> list[float]:
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))
    try:
        rows = await connection.fetch(_RUNS)
    finally:
        await connection.close()
    return _gaps([(row["started_at"].timestamp(), row["ended_at"].timestamp()) for row in rows])


def _gaps(runs: Sequence[tuple[float, float]]) -> list[float]:
    """Milliseconds from each end to the next start."""
    return [1000 * (later[0] - earlier[1]) for earlier, later in itertools.pairwise(runs)]
