"""(h) Payments through the bot's real inbox and handlers, and how long a checkout waits beside them.

A burst of `successful_payment` updates is kept as polling keeps them, a hundred at once, while guests go on
to pay: their `pre_checkout_query` updates come one by one, steadily. Telegram is played in this process by a
session that answers at once, so what is measured is the house and its PostgreSQL.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import asyncpg
from aiogram import Bot
from aiogram.methods import AnswerPreCheckoutQuery, TelegramMethod
from sqlalchemy import make_url

from bench.figures import Figure, Measurement, median, percentile
from bench.server import own_server
from starbooth.base.database import Database, raw_dsn
from starbooth.base.log import configure_log
from starbooth.base.prices import Pack
from starbooth.domain.generations.request import Limits
from starbooth.domain.payments.purchases import PurchaseKind, open_purchase
from starbooth.domain.users.guests import Language, meet
from starbooth.doors.bot.handlers import Handlers
from starbooth.doors.bot.handling import run_inbox
from starbooth.doors.bot.inbox import keep_updates
from starbooth.doors.bot.terms import Terms
from tests.doors.bot.recording import RecordingSession
from tests.make.audits import assert_accounts_are_true

PACK = Pack(stars=100, bonus_stars=0, amount_xtr=100)
LIFE = timedelta(hours=1)
CONNECTIONS = 12  # as the bot's own
POLLED_AT_ONCE = 100
CHECKOUTS_PER_S = 20
_CREDITED = "SELECT count(*) FROM starbooth.payments"


class QuickTelegram(RecordingSession):
    """Answers at once, and notes when each checkout was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: dict[str, float] = {}

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: int | None = None,  # noqa: ASYNC109 - aiogram's signature
    ) -> Any:
        if isinstance(method, AnswerPreCheckoutQuery):
            assert method.ok, method.error_message
            self.answered[method.pre_checkout_query_id] = time.perf_counter()
        return await super().make_request(bot, method, timeout)


@dataclass
class Booth:
    """The bot at work, and what its guests do."""

    database: Database
    telegram: QuickTelegram
    wake: asyncio.Event
    invoices: dict[int, str]
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def keep(self, *updates: dict[str, Any]) -> None:
        """As polling does: committed, then the inbox is woken."""
        async with self.database.statement() as tx:
            await keep_updates(tx, updates)
        self.wake.set()

    def payment(self, guest: int) -> dict[str, Any]:
        number = next(self.numbers)
        paid = {
            "currency": "XTR",
            "total_amount": PACK.amount_xtr,
            "invoice_payload": self.invoices[guest],
            "telegram_payment_charge_id": f"charge-{number}",
            "provider_payment_charge_id": "",
        }
        message = {
            "message_id": number,
            "date": int(time.time()),
            "chat": {"id": guest, "type": "private", "first_name": "Ada"},
            "from": _person(guest),
            "successful_payment": paid,
        }
        return {"update_id": number, "message": message}

    async def check_out(self, guest: int) -> float:
        """Ask whether a payment may go on. Milliseconds from before it is kept to the bot's answer."""
        number = next(self.numbers)
        query = {
            "id": str(number),
            "from": _person(guest),
            "currency": "XTR",
            "total_amount": PACK.amount_xtr,
            "invoice_payload": self.invoices[guest],
        }
        began = time.perf_counter()
        await self.keep({"update_id": number, "pre_checkout_query": query})
        while str(number) not in self.telegram.answered:
            assert time.perf_counter() - began < 60, "a checkout was never answered"
            await asyncio.sleep(0.002)
        return 1000 * (self.telegram.answered[str(number)] - began)


def _person(guest: int) -> dict[str, Any]:
    return {"id": guest, "is_bot": False, "first_name": "Ada", "language_code": "en"}


async def measure(*, payments: int = 2000, checkouts: int = 200) -> Measurement:
    """About a minute, half of it for making guests and invoices."""
    configure_log(level="WARNING", is_json=True)
    async with own_server() as url:
        database = Database(url, connections=CONNECTIONS)
        guests = range(1_000_001, 1_000_001 + payments + checkouts)
        invoices = {guest: await _open_invoice(database, guest) for guest in guests}
        connection = await asyncpg.connect(raw_dsn(make_url(url)))
        await connection.execute("VACUUM ANALYZE")
        booth = Booth(database, QuickTelegram(), asyncio.Event(), invoices)
        paying, asking = guests[:payments], guests[payments:]
        stop = asyncio.Event()
        bot = asyncio.create_task(_run(booth, stop))
        idle_ms = [await booth.check_out(guest) for guest in asking]
        lasted_s, busy_ms = await _rush(booth, connection, list(paying), list(asking))
        stop.set()
        booth.wake.set()
        await bot
        await connection.close()
        await assert_accounts_are_true(database)
        await database.aclose()
    return Measurement(
        figures=(
            Figure(name="payments credited and thanked for", value=payments / lasted_s, unit="1/s"),
            Figure(name="checkout answered, idle, p50", value=median(idle_ms), unit="ms"),
            Figure(name="checkout answered, idle, p99", value=percentile(idle_ms, 99), unit="ms"),
            Figure(name="checkout answered, in the rush, p50", value=median(busy_ms), unit="ms"),
            Figure(
                name="checkout answered, in the rush, p99",
                value=percentile(busy_ms, 99),
                unit="ms",
                at_most=1000,
            ),
            Figure(name="checkouts asked in the rush", value=len(busy_ms), unit=""),
        ),
        details={"payments": payments, "lasted_s": lasted_s, "idle_ms": idle_ms, "busy_ms": busy_ms},
    )


async def _open_invoice(database: Database, guest: int) -> str:
    async with database.transaction() as tx:
        met = await meet(tx, telegram_id=guest, chat_id=guest, username=None, language=Language.ENGLISH)
        purchase = await open_purchase(tx, user_id=met.user_id, kind=PurchaseKind.PACK, pack=PACK, life=LIFE)
    return purchase.purchase_id


async def _run(booth: Booth, stop: asyncio.Event) -> None:
    limits = Limits(active_orders=3, deadline=timedelta(seconds=60))
    terms = Terms(welcome_stars=0, limits=limits, packs=(PACK,))
    handlers = Handlers(booth.database, Bot("42:TEST", session=booth.telegram), terms)
    await run_inbox(
        booth.database,
        handlers.handle,
        give_up=handlers.apologise,
        alarm=handlers.alarm,
        stop=stop,
        wake=booth.wake,
    )


async def _rush(
    booth: Booth, connection: Any, paying: list[int], asking: list[int]
) -> tuple[float, list[float]]:
    """Seconds until every payment is credited, and the milliseconds of each checkout meanwhile."""
    began = time.perf_counter()
    for first in range(0, len(paying), POLLED_AT_ONCE):
        await booth.keep(*(booth.payment(guest) for guest in paying[first : first + POLLED_AT_ONCE]))
    checkouts: list[asyncio.Task[float]] = []
    while await connection.fetchval(_CREDITED) < len(paying):
        assert time.perf_counter() - began < 300, "the payments were never credited"
        guest = asking[len(checkouts) % len(asking)]
        checkouts.append(asyncio.create_task(booth.check_out(guest)))
        await asyncio.sleep(1 / CHECKOUTS_PER_S)
    lasted_s = time.perf_counter() - began
    return lasted_s, list(await asyncio.gather(*checkouts))
