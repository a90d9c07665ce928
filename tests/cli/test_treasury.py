"""`starbooth refund`, `payments` and `reconcile`, as an operator runs them."""

import asyncio
import functools
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from starbooth.base.database import Database, sql
from starbooth.outside.telegram.client import opened_bot
from tests.cli.commands import starbooth
from tests.make.audits import assert_accounts_are_true
from tests.make.till import Till
from tests.outside.servers import started
from tests.playground.guest import Stars

TOKEN = "42:TEST"
Run = Callable[..., Coroutine[Any, Any, subprocess.CompletedProcess[str]]]


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
async def till(telegram_url: str, database: Database) -> AsyncIterator[Till]:
    async with opened_bot(TOKEN, telegram_url) as bot, Till(telegram_url, bot, database) as till:
        yield till


@pytest.fixture
def run(database_url: str, telegram_url: str, tmp_path: Path) -> Run:
    """Run a command; nobody is at its terminal."""
    command = functools.partial(
        starbooth,
        home=tmp_path,
        DATABASE_URL=database_url,
        STARBOOTH_TELEGRAM_TOKEN=TOKEN,
        STARBOOTH_TELEGRAM_API=telegram_url,
    )
    return functools.partial(asyncio.to_thread, command)


class TestRefund:
    async def test_it_shows_what_was_spent_and_gives_the_money_back_once(
        self, till: Till, database: Database, run: Run
    ) -> None:
        sale = await till.sell()
        said = await run("refund", sale.charge_id, "--reason", "sorry", "--yes")
        assert (said.returncode, said.stderr) == (0, "")
        assert "50 XTR for 50 stars, paid " in said.stdout
        assert "Since then: 0 orders, 0 pictures, 0 stars spent. Balance: 50." in said.stdout
        assert "Refunded." in said.stdout
        assert (await till.guest.wallet()).xtr == 1000
        again = await run("refund", sale.charge_id, "--yes")
        assert again.returncode == 0
        assert "It has been refunded. command:" in again.stdout
        assert (await till.guest.wallet()).xtr == 1000
        await assert_accounts_are_true(database)

    async def test_nothing_happens_where_nobody_says_yes(
        self, till: Till, run: Run, database: Database
    ) -> None:
        sale = await till.sell()
        said = await run("refund", sale.charge_id)
        assert said.returncode == 1
        assert "Left as it is." in said.stdout
        assert (await till.guest.wallet()).xtr == 950

    async def test_spent_stars_need_force(self, till: Till, run: Run) -> None:
        sale = await till.sell()
        await till.spend(sale, 12)
        said = await run("refund", sale.charge_id, "--yes")
        assert said.returncode == 1
        assert "12 stars short" in said.stdout
        assert "50 stars are needed and 38 are there" in said.stderr
        forced = await run("refund", sale.charge_id, "--yes", "--force")
        assert forced.returncode == 0
        assert (await till.guest.wallet()).xtr == 1000

    async def test_an_answer_that_is_lost_is_told_and_found_by_reconciling(
        self, till: Till, run: Run
    ) -> None:
        sale = await till.sell()
        await till.guest.add_fault("dropped_after", method="refundstarpayment")
        said = await run("refund", sale.charge_id, "--yes")
        assert said.returncode == 1
        assert "Telegram has not answered for sure." in said.stderr
        assert (await run("reconcile")).returncode == 0
        again = await run("refund", sale.charge_id, "--yes")
        assert "It has been refunded." in again.stdout
        assert (await till.guest.wallet()).xtr == 1000

    async def test_an_unknown_charge_is_refused(self, run: Run) -> None:
        said = await run("refund", "stx_no", "--yes")
        assert said.returncode == 1
        assert "No payment with the charge id 'stx_no'" in said.stderr
        assert "Traceback" not in said.stderr


class TestPayments:
    async def test_they_are_listed_whole_and_can_be_narrowed(self, till: Till, run: Run) -> None:
        first, second = await till.sell(), await till.sell(amount_xtr=100)
        said = await run("payments")
        for sale in (first, second):
            assert sale.charge_id in said.stdout
        assert "unknown_purchase" in said.stdout
        one = await run("payments", "--limit", "1", "--flagged", "--user", "@ada")
        assert second.charge_id in one.stdout
        assert first.charge_id not in one.stdout

    @pytest.mark.parametrize("limit", ["0", "-1", "10abc", "1e3", "99999999999"])
    async def test_a_senseless_limit_is_refused(self, run: Run, limit: str) -> None:
        said = await run("payments", "--limit", limit)
        assert said.returncode == 2
        assert "Traceback" not in said.stderr
        assert said.stderr

    async def test_nobody_and_nothing_are_told_as_such(self, run: Run) -> None:
        assert "There is no such payment." in (await run("payments")).stdout
        assert "Nobody is known as '@no'" in (await run("payments", "--user", "@no")).stderr


class TestReconcile:
    async def test_a_lost_payment_and_a_chargeback_are_put_right_and_told(
        self, till: Till, telegram_url: str, run: Run, database: Database
    ) -> None:
        lost, back = await till.sell(is_credited=False), await till.sell()
        async with Stars(telegram_url) as stars:
            await stars.chargeback(back.charge_id)
        said = await run("reconcile", "--fresh")
        assert said.returncode == 0, said.stderr
        assert "never came as an update" in said.stdout.replace("\n", " ")
        assert "went back without us" in said.stdout
        assert "Telegram says 50 XTR, and its list adds up to 50 XTR." in said.stdout
        assert "3 rows read, 2 differences put right, 0 left." in said.stdout
        assert await credited(database) == {lost.charge_id, back.charge_id}
        again = await run("reconcile")
        assert again.returncode == 0
        assert "0 differences put right, 0 left." in again.stdout

    async def test_what_cannot_be_put_right_is_named_with_advice_and_fails(
        self, till: Till, run: Run, database: Database
    ) -> None:
        sale = await till.sell()
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.payments SET amount_xtr = 51"))
        said = await run("reconcile")
        assert said.returncode == 1
        table = said.stdout
        assert "other_amount" in table
        assert "put the stars right by a grant" in table.replace("\n", " ").replace("  ", "")
        assert sale.charge_id[:10] in table
        assert "1 left." in table

    async def test_telegram_out_of_reach_is_a_sentence(self, run: Run, till: Till) -> None:
        await till.guest.add_fault("server_error", method="getstartransactions")
        said = await run("reconcile")
        assert said.returncode == 1
        assert "starbooth doctor" in said.stderr
        assert "Traceback" not in said.stderr


async def credited(database: Database) -> set[str]:
    async with database.transaction() as tx:
        return set((await tx.execute(sql("SELECT charge_id FROM starbooth.payments"))).scalars())
