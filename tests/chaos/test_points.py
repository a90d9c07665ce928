"""A kill at the one moment that matters must come to one run of the engine, one picture, one charge."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import make_url

from starbooth.base.database import raw_dsn
from tests.journeys.house import House, Plan, opened_house
from tests.playground.guest import Guest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(200),
]

PRICE_STARS = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    """A house whose painter takes two seconds and whose engine goes wrong on command."""
    folder = Path(tempfile.mkdtemp(prefix="points-"))
    try:
        async with opened_house(folder, Plan(paint_s=2.0, has_engine_faults=True)) as house:
            yield house
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="module")
async def guest(house: House) -> AsyncIterator[Guest]:
    """A new guest of that house, whom the bot has welcomed. Whoever an earlier test left dead is started."""
    await house.set_engine_faults()
    house.start_missing()
    async with Guest(house.playground_url, "Ada") as guest:
        hello = await guest.say("/start")
        await guest.wait_for(lambda message: bool(message.text), after=hello, timeout_s=60)
        yield guest


class TestKillOfTheWorker:
    async def test_after_the_engine_took_the_order_the_webhook_adopts_it(
        self, house: House, guest: Guest
    ) -> None:
        await self._kill_after_buying(house, guest)
        assert await _wait_for_ticket(house, guest, "sent"), "the webhook did not store the engine's id"
        house.start("worker-1")
        await _expect_one_of_everything(house, guest)

    async def test_with_the_webhook_lost_too_the_next_worker_asks_again_and_buys_nothing(
        self, house: House, guest: Guest
    ) -> None:
        await self._kill_after_buying(house, guest, {"place": "webhook", "webhook": "lost", "times": 1})
        house.start("worker-1")
        await _expect_one_of_everything(house, guest)

    async def _kill_after_buying(
        self, house: House, guest: Guest, *more_faults: Mapping[str, object]
    ) -> None:
        """Kill the worker when the engine has taken the order and the answer was lost on its way."""
        await house.set_engine_faults({"place": "submit", "drop": "after"}, *more_faults)
        accepted = (await house.engine_figures())["accepted"]
        await guest.say("a red balloon over the sea")
        deadline = time.monotonic() + 30
        while (await house.engine_figures())["accepted"] == accepted:
            assert time.monotonic() < deadline, house.last_words()
            await asyncio.sleep(0.02)
        house.kill("worker-1")
        await house.set_engine_faults(*more_faults)
        assert [row["request_id"] for row in await _fetch(house, guest, "t.request_id")] == [None]


class TestKillOfTheEngine:
    async def test_in_the_middle_of_a_picture_it_paints_it_again_as_the_same_run(
        self, house: House, guest: Guest
    ) -> None:
        await guest.say("a red balloon over the sea")
        assert await _wait_for_ticket(house, guest, "sent"), house.last_words()
        await asyncio.sleep(0.5)
        house.kill("engine")
        house.start("engine")
        await _expect_one_of_everything(house, guest)


class TestKillOfTheWebProcess:
    async def test_without_webhooks_the_worker_finds_the_picture_by_asking(
        self, house: House, guest: Guest
    ) -> None:
        house.kill("web")
        await guest.say("a red balloon over the sea")
        await _expect_one_of_everything(house, guest)
        house.start("web")
        await house.wait_until_up("web")


async def _expect_one_of_everything(house: House, guest: Guest) -> None:
    """One picture in the chat, one run of the engine for one ticket, one price charged."""
    try:
        await guest.wait_for(lambda message: bool(message.photo_id), timeout_s=60)
    except TimeoutError as error:
        pytest.fail(f"{error}\n{house.last_words()}")
    assert len([each for each in await guest.messages() if each.photo_id]) == 1
    tickets = await _fetch(house, guest, 't.state, t.request_id, o.state AS order_state, u."totalSpentStars"')
    assert [(row["state"], row["order_state"], row["totalSpentStars"]) for row in tickets] == [
        ("done", "done", PRICE_STARS)
    ]
    figures = await house.engine_figures()
    assert figures["accepted"] == figures["runs"] == await _count_request_ids(house)
    code, said = await house.command("audit")
    assert code == 0, said


async def _wait_for_ticket(house: House, guest: Guest, state: str) -> bool:
    """Whether the guest's one ticket comes to this state within some seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if [row["state"] for row in await _fetch(house, guest, "t.state")] == [state]:
            return True
        await asyncio.sleep(0.05)
    return False


async def _fetch(house: House, guest: Guest, columns: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))
    try:
        rows: list[asyncpg.Record] = await connection.fetch(
            f"""SELECT {columns} FROM starbooth.tickets t JOIN starbooth.orders o ON o.id = t.order_id
                JOIN public."User" u ON u."id" = o.user_id WHERE u."telegramId" = $1""",
            str(guest.user_id),
        )
        return rows
    finally:
        await connection.close()


async def _count_request_ids(house: House) -> int:
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)))
    try:
        return int(await connection.fetchval("SELECT count(DISTINCT request_id) FROM starbooth.tickets"))
    finally:
        await connection.close()
