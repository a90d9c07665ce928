"""Real processes on the same few accounts for a minute, killed at random, their connections cut."""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from tests.domain.stars.hammer import AT_ONCE, MOVEMENTS, amount_of_charge, read_journal
from tests.make.audits import run_audit
from tests.make.guests import make_guest

ROOT = Path(__file__).parents[3]
PROCESSES = 8
ACCOUNTS = 3
LASTS_S = 30.0

_CUT_ONE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'starbooth'
    ORDER BY random() LIMIT 1
"""
# By how much an account is further below zero than refunds took it.
_OVERSPENT = """
    SELECT count(*) FROM public."User" u WHERE u."stars" < (
        SELECT coalesce(sum("amount"), 0) FROM public."StarTransaction" t
        WHERE t."userId" = u."id" AND t."type" = 'REFUND' AND t."amount" < 0 AND t."status" <> 'FAILED')
"""
_KEYED = """
    SELECT metadata ->> 'key' AS key, "id", "userId" AS user_id, "amount" FROM public."StarTransaction"
    WHERE "type" <> 'REFUND' AND metadata ->> 'key' !~ '^(charge|made):'
"""
_CHARGED = """
    SELECT "telegramPaymentChargeId" AS charge_id, "id", "userId" AS user_id, "amount"
    FROM public."StarTransaction" WHERE "type" = 'PURCHASE' AND "status" IN ('COMPLETED', 'REFUNDED')
"""


class Smithy:
    """The processes at work, and what befalls them."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self.hammers: list[Process] = []
        self.kills = 0

    async def start(self, seed: int) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.domain.stars.hammer", self._url, str(seed), str(self._folder)),
            cwd=ROOT,
            stdout=PIPE,
        )

    async def kill_one(self) -> None:
        """Kill one in the middle of whatever it does and start it again."""
        seed = random.randrange(PROCESSES)
        self.hammers[seed].kill()
        assert await self.hammers[seed].wait() == -signal.SIGKILL, "it had ended by itself"
        self.hammers[seed] = await self.start(seed)
        self.kills += 1

    async def stop(self) -> None:
        """Let each finish what it is about. Its wishes are all answered then."""
        for hammer in self.hammers:
            assert hammer.stdout is not None
            assert await asyncio.wait_for(hammer.stdout.readline(), timeout=30) == b"ready\n"
            hammer.terminate()
        for hammer in self.hammers:
            assert await asyncio.wait_for(hammer.wait(), timeout=30) == 0


@asynccontextmanager
async def opened_smithy(url: str, folder: Path) -> AsyncIterator[Smithy]:
    """None of the processes outlives the block."""
    smithy = Smithy(url, folder)
    smithy.hammers = [await smithy.start(seed) for seed in range(PROCESSES)]
    try:
        yield smithy
    finally:
        for hammer in smithy.hammers:
            if hammer.returncode is None:
                hammer.kill()
                await hammer.wait()


async def count(database: Database, statement: str) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text(statement)) or 0)


async def assert_zero_differences(database: Database) -> None:
    found = await run_audit(database)
    assert found.is_clean, found
    assert await count(database, _OVERSPENT) == 0


async def until_all_are_at_work(smithy: Smithy, folder: Path) -> None:
    for _ in range(600):
        if len(os.listdir(folder)) >= AT_ONCE * PROCESSES:
            return
        assert all(hammer.returncode is None for hammer in smithy.hammers)
        await asyncio.sleep(0.1)
    raise AssertionError("the processes did not get going")


async def torment(smithy: Smithy, database: Database) -> int:
    """Half a minute of kills and cuts, with audits meanwhile. Returns how many audits there were."""
    loop, audits = asyncio.get_running_loop(), 0
    ends_at = loop.time() + LASTS_S
    while loop.time() < ends_at:
        await asyncio.sleep(random.uniform(0.1, 1.0))
        if random.random() < 0.6:
            await smithy.kill_one()
        async with database.transaction() as tx:
            await tx.execute(text(_CUT_ONE))
        await assert_zero_differences(database)
        audits += 1
    return audits


def read_answers(folder: Path) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each wish with its values and its answer, of all callers."""
    answers = []
    for path in sorted(folder.glob("*.journal")):
        lines = read_journal(path)
        assert len(lines) % 2 == 0, f"{path.name} ends with a wish that was never answered"
        for wish, answer in zip(lines[::2], lines[1::2], strict=True):
            answers.append((wish["wish"], wish["values"], answer))
    return answers


@pytest.mark.slow
async def test_no_star_is_lost_made_or_overspent_by_processes_that_are_killed(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    for _ in range(ACCOUNTS):
        await make_guest(database, stars=20)
    async with opened_smithy(database_url, tmp_path) as smithy:
        await until_all_are_at_work(smithy, tmp_path)
        audits = await torment(smithy, database)
        await smithy.stop()
    assert smithy.kills >= 8
    assert audits >= 10
    await assert_zero_differences(database)
    answers = read_answers(tmp_path)
    await assert_every_wish_took_place_once(database, answers)
    await assert_every_charge_counts_once(database, answers)
    assert_all_was_tried(answers)


async def assert_every_wish_took_place_once(
    database: Database, answers: list[tuple[str, dict[str, Any], dict[str, Any]]]
) -> None:
    """Holds, gifts and invoices: the rows are those that were answered, no more and no fewer."""
    wished = {
        (values["key"], answer["row"], values["user_id"], values.get("amount", -values.get("price_stars", 0)))
        for _, values, answer in answers
        if "key" in values and "row" in answer
    }
    async with database.transaction() as tx:
        written = [tuple(row) for row in await tx.execute(text(_KEYED))]
    assert len(written) == len(set(written))
    assert set(written) == wished


async def assert_every_charge_counts_once(
    database: Database, answers: list[tuple[str, dict[str, Any], dict[str, Any]]]
) -> None:
    """Each charge that anybody came with: one row, its stars, and the account of whoever was told so."""
    async with database.transaction() as tx:
        rows = (await tx.execute(text(_CHARGED))).all()
    credited = {row.charge_id: row for row in rows}
    assert len(rows) == len(credited)
    payments = [(values, answer) for name, values, answer in answers if name == "pay"]
    assert {values["charge_id"] for values, _ in payments} == set(credited)
    for values, answer in payments:
        row = credited[values["charge_id"]]
        assert row.amount == values["amount"] == amount_of_charge(int(row.charge_id.removeprefix("charge-")))
        if "row" in answer:
            assert (row.id, row.user_id) == (answer["row"], values["user_id"])
        else:
            assert answer["refused"] == "KeyReused"
            assert row.user_id != values["user_id"]


def assert_all_was_tried(answers: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
    """Every movement took place, and charges were raced: by callers of the same account and of another."""
    moved = Counter(name for name, _, answer in answers if answer.get("is_repeat") is False)
    assert set(moved) == set(MOVEMENTS), moved
    payments = [answer for name, _, answer in answers if name == "pay"]
    assert sum(answer.get("is_repeat", False) for answer in payments) >= 50
    assert sum(answer.get("refused") == "KeyReused" for answer in payments) >= 5
