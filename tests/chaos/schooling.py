"""Guests train models in a real house while its processes are killed; then everything is written down.

Knows how to torment and what to collect. What must hold afterwards is in the tests.
"""

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.orders.errors import NoSuchOrder
from starbooth.domain.privacy.holdings import read_named
from starbooth.domain.trainings.errors import TooLateToStop
from starbooth.domain.trainings.stop import ask_to_stop
from starbooth.outside.storage.store import open_storage
from tests.journeys.house import House, Plan, opened_house
from tests.make.guests import make_guest
from tests.make.pictures import make_picture
from tests.make.trainings import LIMITS, make_photo_set, photo_key, place_training

GUESTS, TRAININGS_EACH = 10, 3
FUNDS = 1000
STOPS = 6
_STEPS = 100
_TRAINING_S = 0.5
_TORMENT_S = 18.0
_POSTGRESQL_DIES_AT_S = 7.0
_SETTLES_WITHIN_S = 120.0
_VICTIMS = ("worker-1", "worker-2", "engine", "engine")

Row = dict[str, Any]
Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Reports:
    """All there is to know once the dust has settled. fallen: who ended without being killed.

    named, stored: the files that the database names, and those that there are. taken: how often the engine
    took the training of each order.
    """

    kills: Counter[str]
    fallen: Counter[str]
    stops_asked: Counter[str]
    orders: Sequence[Row]
    users: Sequence[Row]
    lent_zips: int
    named: frozenset[str]
    stored: frozenset[str]
    taken: Counter[str]
    audit: tuple[int, str]
    is_settled: bool
    last_words: str


async def torment_a_school(folder: Path, *, seed: int) -> Reports:
    """Run the whole story in `folder`: a minute or two. The seed decides who dies when."""
    dice = random.Random(seed)
    plan = Plan(workers=2, paint_s=_TRAINING_S, settings={"FIRST_PICTURES": "0"})
    async with opened_house(folder, plan) as house:
        database = Database(house.database_url, connections=4)
        try:
            story = _Story(house, database, dice)
            await story.enrol()
            await asyncio.gather(story.kill(), story.stop_some())
            is_settled = await story.settle()
            return await story.collect(is_settled=is_settled)
        finally:
            await database.aclose()


class _Story:
    def __init__(self, house: House, database: Database, dice: random.Random) -> None:
        self._house, self._database, self._dice = house, database, dice
        self._began_at = time.monotonic()
        self._orders: list[tuple[str, str]] = []
        self._kills: Counter[str] = Counter()
        self._fallen: Counter[str] = Counter()
        self._stops: Counter[str] = Counter()

    async def enrol(self) -> None:
        """Order everything; half of it is pressed twice at the same moment."""
        storage = open_storage(f"file://{self._house.storage}")
        await self._make_room()
        for number in range(GUESTS):
            guest = await make_guest(self._database, stars=FUNDS, telegram_id=9_000 + number)
            for turn in range(TRAININGS_EACH):
                set_id = await make_photo_set(self._database, guest, steps=_STEPS, name=f"{number}-{turn}")
                for photo in range(1, 5):
                    body = make_picture(
                        width_px=256, height_px=256, kind="JPEG", colour=f"#{photo}{turn}{number}"
                    )
                    await storage.put(photo_key(set_id, photo), body, "image/jpeg")
                presses = 1 + turn % 2
                placed = await asyncio.gather(
                    *(self._order(guest, set_id, key=f"{number}-{turn}") for _ in range(presses))
                )
                assert len(set(placed)) == 1
                self._orders.append((placed[0], guest))

    async def _make_room(self) -> None:
        """Engines train one at a time unless told otherwise; workers write them down when they start."""
        for _ in range(200):
            async with self._database.transaction() as tx:
                rows = await tx.execute(text("UPDATE starbooth.engines SET training_slots = 4 RETURNING 1"))
                if rows.first() is not None:
                    return
            await asyncio.sleep(0.1)
        raise TimeoutError

    async def _order(self, guest: str, set_id: str, *, key: str) -> str:
        limits = replace(LIMITS, active_trainings=TRAININGS_EACH)
        placed = await place_training(
            self._database, guest, set_id, request_key=f"school:{key}", limits=limits
        )
        return placed.order_id

    @property
    def _is_over(self) -> bool:
        return time.monotonic() - self._began_at > _TORMENT_S

    async def kill(self) -> None:
        """Kill one after the other, PostgreSQL once, and leave everything running."""
        self._began_at = time.monotonic()
        while not self._is_over:
            await asyncio.sleep(self._dice.uniform(0.3, 2.0))
            self._raise_the_fallen()
            if time.monotonic() - self._began_at > _POSTGRESQL_DIES_AT_S and not self._kills["postgresql"]:
                self._house.kill_postgresql()
                self._kills["postgresql"] += 1
                continue
            victim = self._dice.choice(_VICTIMS)
            self._house.kill(victim)
            self._kills[victim] += 1
            await asyncio.sleep(self._dice.uniform(0.0, 0.5))
            self._house.start(victim)
        self._raise_the_fallen()

    def _raise_the_fallen(self) -> None:
        for name in self._house.fallen():
            self._fallen[name] += 1
            self._house.kill(name)
            self._house.start(name)

    async def stop_some(self) -> None:
        """Some guests change their minds, whatever state their training is in."""
        for order_id, guest in self._dice.sample(self._orders, STOPS):
            await asyncio.sleep(self._dice.uniform(0.5, 3.0))
            try:
                is_running = await _patiently(partial(self._ask_to_stop, order_id, guest))
            except (TooLateToStop, NoSuchOrder):
                self._stops["too late"] += 1
            else:
                self._stops["running" if is_running else "waiting"] += 1

    async def _ask_to_stop(self, order_id: str, guest: str) -> bool:
        async with self._database.transaction() as tx:
            return await ask_to_stop(tx, order_id=order_id, user_id=guest)

    async def settle(self) -> bool:
        """Whether everything comes to its end, and everything that is due to go is gone, in time."""
        deadline = time.monotonic() + _SETTLES_WITHIN_S
        while time.monotonic() < deadline:
            if await _patiently(self._is_settled):
                return True
            await asyncio.sleep(0.5)
        return False

    async def _is_settled(self) -> bool:
        async with self._database.transaction() as tx:
            return bool(
                await tx.scalar(
                    text("""
                        SELECT NOT EXISTS (SELECT FROM starbooth.orders WHERE state IN ('held', 'running'))
                            AND NOT EXISTS (SELECT FROM starbooth.lent_zips)
                            AND NOT EXISTS (SELECT FROM starbooth.doomed_files WHERE due_at <= now())
                    """)
                )
            )

    async def collect(self, *, is_settled: bool) -> Reports:
        """Everything that the tests look at."""
        async with self._database.transaction() as tx:
            named = frozenset([each.key async for each in read_named(tx)])
            # A worker that died over a sample has written down that it goes, in its time.
            due = set((await tx.execute(text("SELECT key FROM starbooth.doomed_files"))).scalars())
            lent = int(await tx.scalar(text("SELECT count(*) FROM starbooth.lent_zips")))
            orders = await tx.execute(
                text("""
                    SELECT o.id, o.user_id, o.state, o.price_stars, o.spent_stars, o.error_code, k.request_id,
                        k.spent, k.facts, t."status"::text AS training, t."starsSpent" AS stars_spent,
                        t."metadata" AS recipe, l."status"::text AS lora, l."weightsUrl" AS weights_url
                    FROM starbooth.orders o JOIN starbooth.tickets k ON k.order_id = o.id
                    JOIN starbooth.training_orders x ON x.order_id = o.id
                    JOIN public."Training" t ON t."id" = x.training_id
                    JOIN public."LoraModel" l ON l."id" = x.lora_id
                """)
            )
            users = await tx.execute(text('SELECT "id", "stars", "totalSpentStars" FROM public."User"'))
            rows = [[dict(row._mapping) for row in each] for each in (orders, users)]
        return Reports(
            kills=self._kills,
            fallen=self._fallen,
            stops_asked=self._stops,
            orders=rows[0],
            users=rows[1],
            lent_zips=lent,
            named=named,
            stored=frozenset(_stored(self._house.storage) - due),
            taken=_taken(self._house.folder / "darkroom"),
            audit=await self._house.command("audit"),
            is_settled=is_settled,
            last_words=self._house.last_words(),
        )


async def _patiently(act: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do it, again while PostgreSQL is down."""
    for _ in range(60):
        try:
            return await act()
        except Unavailable:
            await asyncio.sleep(0.5)
    raise TimeoutError


def _stored(storage: Path) -> set[str]:
    return {str(path.relative_to(storage)) for path in storage.rglob("*") if path.is_file()}


def _taken(folder: Path) -> Counter[str]:
    """From the engine's own journal: the addresses of its webhooks name the orders."""
    journal = sqlite3.connect(f"file:{folder / 'journal.sqlite'}?mode=ro", uri=True)
    try:
        urls = [row[0] for row in journal.execute("SELECT webhook_url FROM jobs")]
    finally:
        journal.close()
    return Counter(urlsplit(url).path.split("/")[3] for url in urls)
