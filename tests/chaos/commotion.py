"""Guests spend play money in a real house while its processes are killed; then everything is written down.

Payments are doubled, lost, made twice and made without asking; operators refund some, two at once or killed
half-way; stores take others back without a word. Knows how to torment and what to collect. What must hold
afterwards is in the tests.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from sqlalchemy import make_url

from starbooth.base.database import raw_dsn
from tests.journeys.house import House, Plan, opened_house
from tests.playground.guest import Guest, Message, Stars

GUESTS = 10
WELCOME_STARS = 4
PROMO, PROMO_STARS, PROMO_CLAIMS = "CHAOS", 5, 6
_SHORTEST_TORMENT_S, _LONGEST_TORMENT_S = 20.0, 75.0
_POSTGRESQL_DIES_AT_S = 12.0
# However slow the machine is: the torment goes on until so much was done.
ENOUGH = Counter(
    {"killed": 8, "payment": 30, "short": 3, "plan paid": 1, "month paid": 1, "returned": 5, "redeemed": 1}
)
_SETTLES_WITHIN_S = 75.0
_PATIENCE_S = 7.0  # of a guest who gets no answer
_LANGUAGES = ("en", "es", "ru")
_VICTIMS = ("bot", "bot", "worker-1", "worker-2", "web")
_PACKS = "3=3, 5+1=5"  # a picture costs three stars, so purses are soon empty

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Books:
    """What Telegram and we say about the money, once the dust has settled.

    counts: what was done. fallen: who ended without being killed. listed: Telegram's rows.
    """

    counts: Counter[str]
    fallen: Counter[str]
    listed: Sequence[Row]
    balance_xtr: int
    payments: Sequence[Row]
    refunds: Sequence[Row]
    ledger: Sequence[Row]
    carts: Sequence[Row]
    orders: Sequence[Row]
    users: Sequence[Row]
    subscriptions: Sequence[Row]
    claims: int
    audit: tuple[int, str]
    reconcile: tuple[int, str]
    is_settled: bool
    last_words: str


@dataclass
class _Story:
    """What the people of a story share: what was done, and how long it has gone on."""

    house: House
    stars: Stars
    began_at: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    fallen: Counter[str] = field(default_factory=Counter)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began_at

    @property
    def is_over(self) -> bool:
        is_enough = self.counts >= ENOUGH and self.elapsed_s >= _SHORTEST_TORMENT_S
        return is_enough or self.elapsed_s >= _LONGEST_TORMENT_S

    async def count_rows(self) -> int:
        """Note how much Telegram lists by now; returns how many payments."""
        rows = await self.stars.transactions()
        self.counts["payment"] = sum("source" in row for row in rows)
        self.counts["returned"] = len(rows) - self.counts["payment"]
        return self.counts["payment"]


async def torment_the_till(folder: Path, *, seed: int) -> Books:
    """Run the whole story in `folder`, about a minute. The seed decides who dies when."""
    dice = random.Random(seed)
    settings = {
        "WELCOME_STARS": str(WELCOME_STARS),
        "PACKS": _PACKS,
        "PLAN": "7=7",
        "RECONCILE_MINUTES": "1",
        "REFERRAL_STARS": "0",
    }
    plan = Plan(workers=2, paint_s=0.1, settings=settings)
    async with opened_house(folder, plan) as house, AsyncExitStack() as stack:
        stars = await stack.enter_async_context(Stars(house.playground_url))
        guests = [
            await stack.enter_async_context(
                Guest(house.playground_url, f"Guest {number}", language_code=_LANGUAGES[number % 3])
            )
            for number in range(GUESTS)
        ]
        code, said = await house.command("promo", "add", PROMO, str(PROMO_STARS), "--uses", str(PROMO_CLAIMS))
        assert code == 0, said
        story = _Story(house, stars)
        await _add_bad_luck(stars)
        people = [_live(story, guest, random.Random(dice.random())) for guest in guests]
        others = (_kill, _refund, _charge_back)
        await asyncio.gather(*people, *(act(story, random.Random(dice.random())) for act in others))
        return await _settle(story)


async def _add_bad_luck(stars: Stars) -> None:
    """Everything that Telegram can do wrong with money, now and then."""
    often: dict[str, Any] = {"count": None, "method": "successful_payment"}
    await stars.set_fault("doubled_update", **often, probability=0.2, seed=1)
    await stars.set_fault("lost_update", **often, probability=0.15, seed=2)
    await stars.set_fault("unasked_payment", **often, probability=0.2, seed=3)
    await stars.set_fault("double_payment", **often, probability=0.1, seed=4)
    back: dict[str, Any] = {"count": None, "method": "refundstarpayment"}
    await stars.set_fault("already_refunded", **back, probability=0.15, seed=5)
    await stars.set_fault("dropped_after", **back, probability=0.3, seed=6)
    await stars.set_fault("lost_update", method="refunded_payment", count=None, probability=0.4, seed=7)


async def _live(story: _Story, guest: Guest, dice: random.Random) -> None:
    """Buy, paint, and redeem the code until the story is over. Nobody answers now and then: so be it."""
    await guest.say("/start")
    while not story.is_over:
        await asyncio.sleep(dice.uniform(0.1, 1.0))
        act = dice.choice((_buy, _paint, _paint, _paint, _redeem, _subscribe))
        try:
            await act(story, guest, dice)
        except (TimeoutError, httpx.ReadTimeout):
            story.counts["unanswered"] += 1


async def _buy(story: _Story, guest: Guest, dice: random.Random) -> None:
    asked = await guest.say("/buy")
    await _pay_a_pack(story, guest, dice, after=asked)


async def _paint(story: _Story, guest: Guest, dice: random.Random) -> None:
    """Ask for a picture; where the stars do not suffice, buy some, and the picture begins by itself."""
    asked = await guest.say(f"a red boat for {guest.user_id}, wish {dice.randrange(10**9)}")
    story.counts["wishes"] += 1
    answer = await guest.wait_for(
        lambda message: bool(_pack_buttons(message) or message.photo_id), after=asked, timeout_s=_PATIENCE_S
    )
    if not answer.photo_id:
        story.counts["short"] += 1
        await _pay_a_pack(story, guest, dice, after=asked)


async def _redeem(story: _Story, guest: Guest, dice: random.Random) -> None:
    await guest.say(f"/promo {PROMO}")
    story.counts["redeemed"] += 1
    await asyncio.sleep(dice.uniform(0.0, 0.5))


async def _subscribe(story: _Story, guest: Guest, dice: random.Random) -> None:
    """Take the monthly plan, let a month of it pass, or change one's mind about the next."""
    running = (await guest.wallet()).subscriptions
    if not running:
        asked = await guest.say("/plan")
        offer = await guest.wait_for(
            lambda message: bool(_links(message)), after=asked, timeout_s=_PATIENCE_S
        )
        paid = await guest.pay(_links(offer)[0])
        story.counts[f"plan {paid.status}"] += 1
        return
    plan = dice.choice(running)
    if dice.random() < 0.3 and not plan["is_canceled_by_bot"]:
        change = guest.enable_subscription if plan["is_canceled"] else guest.cancel_subscription
        await change(plan["charge_id"])
    else:
        month = await guest.next_month(plan["charge_id"])
        story.counts[f"month {month.status}"] += 1


def _links(message: Message) -> list[str]:
    return [str(each["url"]) for each in message.buttons if "url" in each]


async def _pay_a_pack(story: _Story, guest: Guest, dice: random.Random, *, after: Message) -> None:
    """Choose a pack and pay its invoice, sometimes from two phones, sometimes once more."""
    shown = await guest.wait_for(
        lambda message: bool(_pack_buttons(message)), after=after, timeout_s=_PATIENCE_S
    )
    await guest.press(shown, dice.choice(_pack_buttons(shown)), timeout_s=1)
    invoice = await guest.wait_for(lambda message: bool(message.invoice), after=shown, timeout_s=_PATIENCE_S)
    at_once = 2 if dice.random() < 0.3 else 1
    paying = await asyncio.gather(*(guest.pay(invoice) for _ in range(at_once)))
    if dice.random() < 0.3:
        paying.append(await guest.pay(invoice))
    story.counts.update(f"payment {paid.status}" for paid in paying)


def _pack_buttons(message: Message) -> list[str]:
    return [
        str(each["text"])
        for each in message.buttons
        if str(each.get("callback_data", "")).startswith("buy:pack:")
    ]


async def _kill(story: _Story, dice: random.Random) -> None:
    """Kill one after the other, PostgreSQL once, and leave everything running."""
    victims: list[str] = []
    while not story.is_over:
        await asyncio.sleep(dice.uniform(1.5, 4.0))
        _raise_the_fallen(story)
        if story.elapsed_s > _POSTGRESQL_DIES_AT_S and not story.counts["killed postgresql"]:
            story.house.kill_postgresql()
            story.counts.update(("killed", "killed postgresql"))
            continue
        victims = victims or dice.sample(_VICTIMS, len(_VICTIMS))
        victim = victims.pop()
        story.house.kill(victim)
        story.counts.update(("killed", f"killed {victim}"))
        story.house.start(victim)
        await _wait_for_a_payment(story)


def _raise_the_fallen(story: _Story) -> None:
    for name in story.house.fallen():
        story.fallen[name] += 1
        story.house.kill(name)
        story.house.start(name)


async def _wait_for_a_payment(story: _Story) -> None:
    """Who is killed as soon as they rise can do nothing wrong: let the house do something first."""
    before = await story.count_rows()
    for _ in range(40):
        if story.is_over or await story.count_rows() > before:
            return
        await asyncio.sleep(0.2)


async def _refund(story: _Story, dice: random.Random) -> None:
    """Operators refund payments: alone, two of them at once, or with their machine dying half-way."""
    while not story.is_over:
        await asyncio.sleep(dice.uniform(0.5, 1.5))
        charge_id = await _some_charge(story, dice)
        if charge_id is None:
            continue
        how = dice.choice(("alone", "twice", "killed"))
        story.counts[f"refund {how}"] += 1
        if how == "killed":
            await _run_refund(story.house, charge_id, dies_after_s=dice.uniform(1.0, 2.2))
        else:
            times = 2 if how == "twice" else 1
            await asyncio.gather(*(_run_refund(story.house, charge_id) for _ in range(times)))


async def _run_refund(house: House, charge_id: str, *, dies_after_s: float | None = None) -> None:
    """`starbooth refund` as an operator types it. What it says is not believed: the books are compared."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starbooth", "refund", charge_id, "--yes", "--force", "--reason", "chaos"),
        cwd=house.folder,
        env=house.environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await asyncio.wait_for(child.wait(), dies_after_s or 30)
    except TimeoutError:
        os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


async def _charge_back(story: _Story, dice: random.Random) -> None:
    """A store takes money back now and then, and Telegram's support gives some."""
    while not story.is_over:
        await asyncio.sleep(dice.uniform(3.0, 6.0))
        charge_id = await _some_charge(story, dice)
        act = dice.choice((story.stars.chargeback, story.stars.refund))
        if charge_id is not None:
            try:
                await act(charge_id)
            except httpx.HTTPStatusError:  # an operator was quicker
                continue
            story.counts["taken back"] += 1


async def _some_charge(story: _Story, dice: random.Random) -> str | None:
    rows = await story.stars.transactions()
    gone = {row["id"] for row in rows if "receiver" in row}
    left = [row["id"] for row in rows if row["id"] not in gone]
    return dice.choice(left) if left else None


_IS_SETTLED = """
    SELECT NOT EXISTS (SELECT FROM starbooth.inbox WHERE state = 'waiting')
        AND NOT EXISTS (SELECT FROM starbooth.orders WHERE state IN ('held', 'running'))
        AND NOT EXISTS (SELECT FROM starbooth.refunds WHERE state = 'asked')
        AND NOT EXISTS (SELECT FROM starbooth.deliveries WHERE state = 'open')
"""
_CARTS = """
    SELECT c.*, u."stars" AS balance_stars, (
        SELECT count(*) FROM starbooth.orders o WHERE o.request_key = c.request_key) AS orders
    FROM starbooth.carts c JOIN public."User" u ON u."id" = c.user_id
"""


async def _settle(story: _Story) -> Books:
    """Let Telegram behave, everybody come back, and what is under way end; then reconcile and collect."""
    house = story.house
    await story.stars.clear_faults()
    _raise_the_fallen(story)
    house.start_missing()
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))
    try:
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        await _is_settled(connection)
        await house.command(
            "reconcile", "--fresh"
        )  # what this finds is put right; the next one finds nothing
        is_settled = await _is_settled(connection)
        reconcile = await house.command("reconcile", "--fresh")
        return Books(
            counts=story.counts,
            fallen=story.fallen,
            listed=await story.stars.transactions(),
            balance_xtr=await story.stars.balance_xtr(),
            payments=await _fetch(connection, "SELECT * FROM starbooth.payments"),
            refunds=await _fetch(connection, "SELECT * FROM starbooth.refunds"),
            ledger=await _fetch(connection, 'SELECT * FROM public."StarTransaction"'),
            carts=await _fetch(connection, _CARTS),
            orders=await _fetch(connection, "SELECT * FROM starbooth.orders"),
            users=await _fetch(connection, 'SELECT * FROM public."User"'),
            subscriptions=await _fetch(connection, "SELECT * FROM starbooth.subscriptions"),
            claims=await connection.fetchval("SELECT count(*) FROM starbooth.promo_claims"),
            audit=await house.command("audit"),
            reconcile=reconcile,
            is_settled=is_settled,
            last_words=house.last_words(),
        )
    finally:
        await connection.close()


async def _is_settled(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    """Whether what is under way ends in time. A refund that was killed is asked for a minute later."""
    deadline = time.monotonic() + _SETTLES_WITHIN_S
    while time.monotonic() < deadline:
        if await connection.fetchval(_IS_SETTLED):
            return True
        await asyncio.sleep(0.5)
    return False


async def _fetch(connection: "asyncpg.Connection[asyncpg.Record]", query: str) -> list[Row]:
    return [dict(row) for row in await connection.fetch(query)]
