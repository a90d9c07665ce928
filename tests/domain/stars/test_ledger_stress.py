"""Real processes on the same few accounts at once, one of them killed in the middle."""

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest

ROOT = Path(__file__).parents[3]
PROCESSES = 4
STARS = 60


async def start_hammer(url: str, seed: int) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.domain.stars.hammer", url, str(seed), cwd=ROOT, stdout=PIPE
    )


async def lowest_balance(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text('SELECT min("stars") FROM public."User"')) or 0)


async def count_movements(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text('SELECT count(*) FROM public."StarTransaction"')) or 0)


@pytest.fixture
async def hammers(database: Database, database_url: str) -> AsyncIterator[list[Process]]:
    """Processes at work on three accounts of few stars; none of them outlives the test."""
    for _ in range(3):
        await make_guest(database, stars=STARS)
    processes = [await start_hammer(database_url, seed) for seed in range(PROCESSES)]
    yield processes
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.slow
async def test_no_star_is_lost_made_or_overspent_by_processes_at_once(
    database: Database, hammers: list[Process]
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while await count_movements(database) < 200:
        assert loop.time() - began < 60, "the processes did not get going"
        await asyncio.sleep(0.1)
    doomed, *others = hammers
    kill_at, stop_at = loop.time() + random.uniform(0.5, 1.5), loop.time() + 5
    while loop.time() < stop_at:
        assert await lowest_balance(database) >= 0
        if loop.time() >= kill_at and doomed.returncode is None:
            doomed.kill()
            await doomed.wait()
        await asyncio.sleep(0.05)
    assert doomed.returncode == -signal.SIGKILL
    assert all([await stop(process) > 20 for process in others])
    assert await lowest_balance(database) >= 0
    await assert_accounts_are_true(database)


async def stop(process: Process) -> int:
    """Tell a process to stop and return how many movements it says it did."""
    process.terminate()
    output, _ = await asyncio.wait_for(process.communicate(), timeout=20)
    assert process.returncode == 0
    return int(output)
