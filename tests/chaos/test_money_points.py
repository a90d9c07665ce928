"""A kill at the one moment that matters must come to one credit of each charge and one refund of it."""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import make_url

from starbooth.base.database import raw_dsn
from tests.journeys.house import House, Plan, opened_house
from tests.playground.guest import Guest, Message, Stars

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(200),
]

PACK_STARS = 50
_DYING = Path(__file__).with_name("dying_refund.py")
# No timer may put right what the test is about.
_SETTINGS = {"PACKS": f"{PACK_STARS}=50", "WELCOME_STARS": "0", "RECONCILE_MINUTES": "1440"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    """A house that sells one pack."""
    folder = Path(tempfile.mkdtemp(prefix="till-"))
    try:
        async with opened_house(folder, Plan(settings=_SETTINGS)) as house:
            yield house
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="module")
async def stars(house: House) -> AsyncIterator[Stars]:
    """Telegram's side, behaving well at first. Whoever an earlier test left dead is started."""
    house.start_missing()
    async with Stars(house.playground_url) as stars:
        await stars.clear_faults()
        yield stars


@pytest_asyncio.fixture(loop_scope="module")
async def guest(house: House, stars: Stars) -> AsyncIterator[Guest]:
    """A new guest with 1000 Telegram Stars, whom the bot has welcomed."""
    async with Guest(house.playground_url, "Ada") as guest:
        hello = await guest.say("/start")
        await guest.wait_for(lambda message: bool(message.text), after=hello, timeout_s=60)
        yield guest


class TestKillOfTheBot:
    async def test_after_a_payment_was_kept_and_before_it_was_handled(
        self, house: House, guest: Guest, stars: Stars
    ) -> None:
        invoice = await _order_invoice(guest)
        async with _connected(house) as connection, _held_account(house, guest):
            assert (await guest.pay(invoice)).status == "paid"
            await _wait_until(
                connection,
                "EXISTS (SELECT FROM starbooth.inbox WHERE state = 'waiting'"
                " AND body -> 'message' ? 'successful_payment')",
            )
            house.kill("bot")
        house.start("bot")
        await _expect(house, guest, stars, paid=1)

    async def test_after_the_credit_and_before_the_thanks(
        self, house: House, guest: Guest, stars: Stars
    ) -> None:
        invoice = await _order_invoice(guest)
        await stars.set_fault("slow", method="sendmessage", chat_id=guest.user_id, seconds=3, count=1)
        assert (await guest.pay(invoice)).status == "paid"
        async with _connected(house) as connection:
            await _wait_until(connection, f"EXISTS ({_PAYMENTS_OF} = '{guest.user_id}')")
        house.kill("bot")
        assert not await _thanks(guest)
        house.start("bot")
        await guest.wait_for(lambda message: "Thank you" in message.text, timeout_s=60)
        await _expect(house, guest, stars, paid=1)

    async def test_before_it_answered_whether_the_payment_may_go_on(
        self, house: House, guest: Guest, stars: Stars
    ) -> None:
        invoice = await _order_invoice(guest)
        house.kill("bot")
        paying = asyncio.create_task(guest.pay(invoice))
        await asyncio.sleep(0.5)
        house.start("bot")
        paid = await paying
        await _expect(house, guest, stars, paid=1 if paid.status == "paid" else 0)


class TestKillOfARefund:
    async def test_after_it_began_and_before_telegram_was_asked(
        self, house: House, guest: Guest, stars: Stars
    ) -> None:
        charge_id = await _buy(house, guest)
        await _die(house, charge_id, "begun")
        await _expect(house, guest, stars, paid=1, refunded=1)

    async def test_after_telegram_gave_the_money_back_and_before_it_was_written_down(
        self, house: House, guest: Guest, stars: Stars
    ) -> None:
        charge_id = await _buy(house, guest)
        await stars.set_fault("lost_update", method="refunded_payment", chat_id=guest.user_id)
        await _die(house, charge_id, "called")
        code, said = await house.command("reconcile")
        assert code == 0, said
        await _expect(house, guest, stars, paid=1, refunded=1)

    async def test_the_next_operator_finds_it_done(self, house: House, guest: Guest, stars: Stars) -> None:
        charge_id = await _buy(house, guest)
        await _die(house, charge_id, "called")
        await _expect(house, guest, stars, paid=1, refunded=1)
        code, said = await house.command("refund", charge_id, "--yes", "--reason", "once more")
        assert code == 0, said
        await _expect(house, guest, stars, paid=1, refunded=1)


class TestKillOfTheDatabase:
    async def test_a_payment_that_comes_meanwhile_is_not_acknowledged_and_comes_again(
        self, house: House, guest: Guest, stars: Stars
    ) -> None:
        invoice = await _order_invoice(guest)
        await stars.set_fault("unasked_payment", method="*", chat_id=guest.user_id)
        house.kill_postgresql()
        assert (await guest.pay(invoice)).status == "paid"
        await _expect(house, guest, stars, paid=1)


class TestAfterAllThat:
    @pytest.mark.usefixtures("stars")
    async def test_audit_and_reconciler_find_nothing(self, house: House) -> None:
        for command in (("audit",), ("reconcile", "--fresh")):
            code, said = await house.command(*command)
            assert code == 0, said


_PAYMENTS_OF = "SELECT FROM starbooth.payments WHERE telegram_id::text"
_BOOKS = """
    SELECT (SELECT count(*) FROM starbooth.payments p WHERE p.user_id = u."id") AS paid,
        (SELECT count(*) FROM starbooth.refunds r JOIN starbooth.payments p USING (charge_id)
            WHERE p.user_id = u."id" AND r.state = 'done') AS refunded,
        (SELECT count(*) FROM starbooth.refunds r JOIN starbooth.payments p USING (charge_id)
            WHERE p.user_id = u."id" AND r.state <> 'done') AS unended,
        u."stars" AS stars, u."totalBoughtStars" AS bought
    FROM public."User" u WHERE u."telegramId" = $1
"""


async def _expect(house: House, guest: Guest, stars: Stars, *, paid: int, refunded: int = 0) -> None:
    """The same from all sides: our books, Telegram's list, the guest's purse here and there."""
    left = (paid - refunded) * PACK_STARS
    wanted = {"paid": paid, "refunded": refunded, "unended": 0, "stars": left, "bought": left}
    deadline = time.monotonic() + 60
    found = await _read_books(house, guest)
    while found != wanted and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        found = await _read_books(house, guest)
    assert found == wanted, house.last_words()
    rows = [row for row in await stars.transactions() if _user_of(row) == guest.user_id]
    assert len([row for row in rows if "source" in row]) == paid
    assert len([row for row in rows if "receiver" in row]) == refunded
    assert (await guest.wallet()).xtr == 1000 - 50 * (paid - refunded)


async def _read_books(house: House, guest: Guest) -> dict[str, int]:
    try:
        async with _connected(house) as connection:
            row = await connection.fetchrow(_BOOKS, str(guest.user_id))
    except (OSError, asyncpg.PostgresError):  # it was killed, and comes back
        return {}
    return dict(row or {})


def _user_of(row: dict[str, dict[str, dict[str, int]]]) -> int:
    return (row.get("source") or row["receiver"])["user"]["id"]


async def _thanks(guest: Guest) -> list[Message]:
    return [message for message in await guest.messages() if "Thank you" in message.text]


async def _order_invoice(guest: Guest) -> Message:
    asked = await guest.say("/buy")
    shown = await guest.wait_for(lambda message: bool(message.buttons), after=asked, timeout_s=30)
    await guest.press(shown, f"{PACK_STARS} stars")
    return await guest.wait_for(lambda message: bool(message.invoice), after=shown, timeout_s=30)


async def _buy(house: House, guest: Guest) -> str:
    """Pay for the pack; returns the charge id once its stars are there."""
    paid = await guest.pay(await _order_invoice(guest))
    assert paid.status == "paid", paid
    async with _connected(house) as connection:
        await _wait_until(connection, f"EXISTS ({_PAYMENTS_OF} = '{guest.user_id}')")
    return paid.charge_id


async def _die(house: House, charge_id: str, point: str) -> None:
    """Refund the charge by a process that is killed at this point."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(_DYING), charge_id, point), cwd=house.folder, env=house.environment
    )
    assert await asyncio.wait_for(child.wait(), 30) == -9


@asynccontextmanager
async def _connected(house: House) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(raw_dsn(make_url(house.database_url)), timeout=5)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _held_account(house: House, guest: Guest) -> AsyncIterator[None]:
    """Nobody can touch the guest's account while the block runs."""
    async with _connected(house) as connection, connection.transaction():
        held = await connection.fetchval(
            'SELECT "id" FROM public."User" WHERE "telegramId" = $1 FOR UPDATE', str(guest.user_id)
        )
        assert held
        yield


async def _wait_until(connection: "asyncpg.Connection[asyncpg.Record]", claim: str) -> None:
    deadline = time.monotonic() + 30
    while not await connection.fetchval(f"SELECT {claim}"):
        assert time.monotonic() < deadline, claim
        await asyncio.sleep(0.02)
