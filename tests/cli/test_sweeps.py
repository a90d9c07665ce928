"""The worker's money timers, each called as several workers call them at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from aiogram import Bot

from starbooth.base.database import Database, sql
from starbooth.base.settings import Settings, read_settings
from starbooth.cli.sweeps import MoneySweeps, money_timers
from starbooth.domain.users.operators import raise_alert
from starbooth.outside.telegram.client import opened_bot
from tests.make.till import Till
from tests.outside.servers import started
from tests.playground.guest import Guest

TOKEN = "42:TEST"
WORKERS = 3


@pytest.fixture(scope="module")
def telegram_process() -> Iterator[str]:
    with started("starbooth.playground", "--token", TOKEN) as url:
        yield url.rstrip("/")


@pytest.fixture
def telegram_url(telegram_process: str) -> str:
    """The address of an empty playground."""
    httpx.post(f"{telegram_process}/control/reset", trust_env=False).raise_for_status()
    return telegram_process


@pytest.fixture
async def bot(telegram_url: str) -> AsyncIterator[Bot]:
    async with opened_bot(TOKEN, telegram_url) as bot:
        yield bot


@pytest.fixture
async def till(telegram_url: str, bot: Bot, database: Database) -> AsyncIterator[Till]:
    async with Till(telegram_url, bot, database) as till:
        yield till


@pytest.fixture
async def eve(telegram_url: str) -> AsyncIterator[Guest]:
    """An operator, who has written to the bot."""
    async with Guest(telegram_url, "Eve") as eve:
        await eve.say("/start")
        yield eve


@pytest.fixture
def settings(telegram_url: str, tmp_path: Path, eve: Guest) -> Settings:
    return read_settings(
        home=tmp_path, telegram_token=TOKEN, telegram_api=telegram_url, operators=(eve.user_id,)
    )


@pytest.fixture
def workers(database: Database, settings: Settings, bot: Bot) -> list[MoneySweeps]:
    return [MoneySweeps(database, settings, bot) for _ in range(WORKERS)]


async def count_runs(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(sql("SELECT count(*) FROM starbooth.reconciliations")) or 0)


class TestRefunds:
    async def test_one_whose_process_died_is_asked_for_and_its_guest_is_told_once(
        self, till: Till, workers: list[MoneySweeps]
    ) -> None:
        sale = await till.sell()
        await till.begin(sale)
        await asyncio.gather(*(each.ask_refunds() for each in workers))
        await asyncio.gather(*(each.tell_guests() for each in workers))
        assert (await till.guest.wallet()).xtr == 1000
        told = [each.text for each in await till.guest.messages() if "went back" in each.text]
        assert len(told) == 1
        assert "The reason: <it> did not work" in told[0]

    async def test_a_guest_out_of_reach_is_told_later_and_one_who_blocked_the_bot_never(
        self, database: Database, till: Till, workers: list[MoneySweeps]
    ) -> None:
        async def make_due() -> None:
            async with database.transaction() as tx:
                await tx.execute(
                    sql("UPDATE starbooth.refunds SET tell_at = now() WHERE tell_at IS NOT NULL")
                )

        async def owed() -> int:
            async with database.transaction() as tx:
                return int(
                    await tx.scalar(sql("SELECT count(*) FROM starbooth.refunds WHERE tell_at IS NOT NULL"))
                    or 0
                )

        await till.begin(await till.sell())
        await workers[0].ask_refunds()
        await till.guest.add_fault("server_error", method="sendmessage")
        await workers[0].tell_guests()
        assert await owed() == 1
        await make_due()
        await workers[0].tell_guests()
        assert await owed() == 0
        await till.begin(await till.sell())
        await workers[0].ask_refunds()
        await till.guest.block()
        await workers[0].tell_guests()
        assert await owed() == 0
        await till.guest.unblock()
        told = [each for each in await till.guest.messages() if "went back" in each.text]
        assert len(told) == 1


class TestReconciling:
    async def test_it_runs_once_at_the_start_and_then_only_when_it_is_due(
        self, database: Database, workers: list[MoneySweeps]
    ) -> None:
        first = workers[0]
        await first.reconcile()
        await first.reconcile()
        assert await count_runs(database) == 1
        await workers[1].reconcile()  # another worker's start
        assert await count_runs(database) == 2
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.reconciliations SET at = at - interval '16 min'"))
        await asyncio.gather(*(each.reconcile() for each in workers[:2]))
        assert 3 <= await count_runs(database) <= 4


class TestTimers:
    async def test_together_they_find_a_chargeback_and_tell_guest_and_operator(
        self, database: Database, settings: Settings, bot: Bot, till: Till, eve: Guest, telegram_url: str
    ) -> None:
        sale = await till.sell()
        async with httpx.AsyncClient(base_url=f"{telegram_url}/control", trust_env=False) as http:
            answer = await http.post("/stars/chargeback", json={"charge_id": sale.charge_id})
            answer.raise_for_status()
        async with database.transaction() as tx:
            await raise_alert(tx, key="k", kind="refund_stuck", facts={"telegram_id": 7, "reason": "x"})
        stop = asyncio.Event()
        timers = [timer for _ in range(2) for timer in money_timers(database, settings, bot, stop=stop)]
        working = asyncio.gather(*timers)
        try:
            await eve.wait_for(lambda message: "💸" in message.text, timeout_s=20)
            await till.guest.wait_for(lambda message: "went back" in message.text, timeout_s=20)
        finally:
            stop.set()
            await working
        assert len([each for each in await eve.messages() if "💸" in each.text]) == 1
