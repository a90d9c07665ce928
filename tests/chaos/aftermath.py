"""Guests order pictures from a real house while its processes are killed; then everything is written down.

Knows how to torment and what to collect. What must hold afterwards is in the tests.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from starbooth.base.database import raw_dsn
from tests.journeys.house import House, Plan, opened_house
from tests.playground.guest import Guest, Message

GUESTS = 21
ORDERS_EACH = 10
WELCOME_STARS = 50
_TORMENT_S = 34.0
_POSTGRESQL_DIES_AT_S = (9.0, 21.0)
_SETTLES_WITHIN_S = 120.0
_LANGUAGES = ("en", "es", "ru")
# Worker and engine again and again; the others now and then.
_VICTIMS = ("worker-1", "worker-2", "engine") * 4 + ("bot", "bot", "web")

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A guest's chat at the end: what they asked for, and every message. `photos`: bytes by message id."""

    guest_id: int
    prompts: Sequence[str]
    messages: Sequence[Message]
    photos: dict[int, bytes]


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """All there is to know once the dust has settled. `fallen`: who ended without being killed."""

    kills: Counter[str]
    fallen: Counter[str]
    chats: Sequence[Chat]
    orders: Sequence[Row]
    tickets: Sequence[Row]
    generations: Sequence[Row]
    deliveries: Sequence[Row]
    users: Sequence[Row]
    bonuses: Sequence[Row]
    files: dict[str, bytes]
    engine: dict[str, int]
    audit: tuple[int, str]
    is_settled: bool
    last_words: str


async def torment_a_house(folder: Path, *, seed: int) -> Aftermath:
    """Run the whole story in `folder`: two to three minutes. The seed decides who dies when."""
    dice = random.Random(seed)
    plan = Plan(
        workers=2,
        paint_s=0.12,
        settings={
            "WELCOME_STARS": str(WELCOME_STARS),
            "ACTIVE_ORDERS_PER_GUEST": str(ORDERS_EACH),
            "ENGINE_SLOTS": "6",
        },
    )
    async with opened_house(folder, plan) as house, AsyncExitStack() as stack:
        guests = [
            await stack.enter_async_context(
                Guest(house.playground_url, f"Guest {number}", language_code=_LANGUAGES[number % 3])
            )
            for number in range(GUESTS)
        ]
        await _add_bad_luck(guests[0])
        villain = Villain(house, random.Random(dice.random()))
        tormenting = asyncio.create_task(villain.torment())
        prompts = await asyncio.gather(*(_write(guest, random.Random(dice.random())) for guest in guests))
        await tormenting
        await guests[0].clear_faults()
        is_settled = await _wait_until_settled(house, orders=GUESTS * ORDERS_EACH)
        chats = [await _read_chat(guest, asked) for guest, asked in zip(guests, prompts, strict=True)]
        return await _collect(house, villain, chats, is_settled=is_settled)


async def _add_bad_luck(guest: Guest) -> None:
    """Telegram has its moods too: updates that come twice, answers that get lost, refusals for a while."""
    await guest.add_fault("doubled_update", method="message", count=None, probability=0.1, seed=1)
    await guest.add_fault("dropped_after", method="editmessagemedia", count=8, probability=0.2, seed=2)
    await guest.add_fault("server_error", method="editmessagemedia", count=8, probability=0.2, seed=3)
    await guest.add_fault("too_many_requests", method="sendmessage", count=8, probability=0.1, seed=4)


async def _write(guest: Guest, dice: random.Random) -> list[str]:
    """Say hello or not, and ask for pictures with pauses as people make them. No prompt comes twice."""
    if dice.random() < 0.5:
        await guest.say("/start")
    prompts = []
    for number in range(ORDERS_EACH):
        await asyncio.sleep(dice.uniform(0.2, 4.8))
        prompt = f"a red balloon over the sea, number {number} of {guest.user_id}"
        await guest.say(prompt)
        prompts.append(prompt)
    return prompts


class Villain:
    """Kills a random part at random moments and starts it again, as a supervisor would."""

    def __init__(self, house: House, dice: random.Random) -> None:
        self._house = house
        self._dice = dice
        self.kills: Counter[str] = Counter()
        self.fallen: Counter[str] = Counter()

    async def torment(self) -> None:
        """Kill for `_TORMENT_S`, PostgreSQL too, and leave everything running."""
        hours_of_postgresql = list(_POSTGRESQL_DIES_AT_S)
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < _TORMENT_S:
            await asyncio.sleep(self._dice.uniform(0.1, 1.6))
            self.raise_the_fallen()
            if hours_of_postgresql and elapsed > hours_of_postgresql[0]:
                hours_of_postgresql.pop(0)
                self._house.kill_postgresql()
                self.kills["postgresql"] += 1
                continue
            victim = self._dice.choice(_VICTIMS)
            self._house.kill(victim)
            self.kills[victim] += 1
            await asyncio.sleep(self._dice.uniform(0.0, 0.5))
            self._house.start(victim)
        self.raise_the_fallen()

    def raise_the_fallen(self) -> None:
        """Start whoever ended by themselves, and remember that they did."""
        for name in self._house.fallen():
            self.fallen[name] += 1
            self._house.kill(name)
            self._house.start(name)


_IS_SETTLED = """
    SELECT (SELECT count(*) FROM starbooth.orders) >= $1
        AND NOT EXISTS (SELECT FROM starbooth.orders WHERE state IN ('held', 'running'))
        AND NOT EXISTS (SELECT FROM starbooth.deliveries WHERE state = 'open')
        AND NOT EXISTS (SELECT FROM starbooth.inbox WHERE state = 'waiting')
"""


async def _wait_until_settled(house: House, *, orders: int) -> bool:
    """Whether all work came to its end in time."""
    deadline = time.monotonic() + _SETTLES_WITHIN_S
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))
    try:
        while time.monotonic() < deadline:
            if await connection.fetchval(_IS_SETTLED, orders):
                return True
            await asyncio.sleep(0.5)
        return False
    finally:
        await connection.close()


async def _read_chat(guest: Guest, prompts: list[str]) -> Chat:
    messages = await guest.messages()
    photos = {
        message.message_id: await guest.download(message.photo_id) for message in messages if message.photo_id
    }
    return Chat(guest_id=guest.user_id, prompts=prompts, messages=messages, photos=photos)


async def _collect(house: House, villain: Villain, chats: Sequence[Chat], *, is_settled: bool) -> Aftermath:
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))

    async def rows(statement: str) -> list[Row]:
        return [dict(row) for row in await connection.fetch(statement)]

    try:
        return Aftermath(
            kills=villain.kills,
            fallen=villain.fallen,
            chats=chats,
            orders=await rows(
                "SELECT o.*, o.request -> 'asked' ->> 'prompt' AS prompt, g.chat_id"
                " FROM starbooth.orders o JOIN starbooth.guests g USING (user_id)"
            ),
            tickets=await rows("SELECT * FROM starbooth.tickets"),
            generations=await rows(
                """SELECT *, "metadata" ->> 'orderId' AS order_id,
                    ("metadata" ->> 'number')::integer AS number FROM public."Generation" """
            ),
            deliveries=await rows("SELECT * FROM starbooth.deliveries"),
            users=await rows('SELECT * FROM public."User"'),
            bonuses=await rows("""SELECT * FROM public."StarTransaction" WHERE "type" = 'BONUS'"""),
            files=_read_files(house.storage),
            engine=await house.engine_figures(),
            audit=await house.command("audit"),
            is_settled=is_settled,
            last_words=house.last_words(),
        )
    finally:
        await connection.close()


def _read_files(storage: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(storage)): path.read_bytes() for path in storage.rglob("*") if path.is_file()
    }
