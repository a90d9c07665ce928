"""Orders for pictures, and time that passes at a test's word."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.crafts import all_crafts
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders import run
from starbooth.domain.orders.place import PlacedOrder, Source
from starbooth.domain.running.finish import finish_if_complete
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.routing import Router
from tests.make.engine import MemoryEngine
from tests.make.storage import MemoryStorage

DEFAULT_PRICE = 3
_KEYS = count(1)


async def place_pictures(
    database: Database,
    user_id: str,
    *,
    pictures: int = 1,
    prompt: str = "a red boat",
    seed: int | None = 7,
    request_key: str | None = None,
    active_orders: int = 10,
    deadline: timedelta = timedelta(minutes=15),
    recipient: Recipient | None = None,
    loras: Sequence[str] = (),
    price_stars: int | None = None,
    share_percent: int = 50,
) -> PlacedOrder:
    """An order by this guest, in a transaction of its own. share_percent: of fees, what their makers get."""
    ask = PictureRequest(
        request_key=request_key or f"made:{next(_KEYS)}",
        user_id=user_id,
        source=Source.COMMAND,
        prompt=prompt,
        choices=Choices(
            count=pictures, seed=seed, loras=tuple(LoraChoice(lora_id=each, weight=1.0) for each in loras)
        ),
    )
    limits = Limits(active_orders=active_orders, deadline=deadline, maker_share_percent=share_percent)
    async with database.transaction() as tx:
        return await request_pictures(tx, ask, limits=limits, recipient=recipient, price_stars=price_stars)


async def end_order(database: Database, order_id: str, *, done: int, failed: int = 0) -> None:
    """Start this waiting order and let so many of its pictures be done and failed; it ends as others do."""
    async with database.transaction() as tx:
        await tx.execute(
            text("UPDATE starbooth.orders SET state = 'running', started_at = now() WHERE id = :id"),
            {"id": order_id},
        )
        for number in range(done):
            await run.note_done(tx, order_id=order_id, number=number, file_key=f"{number}.png", facts={})
        for number in range(done, done + failed):
            await run.note_failed(tx, order_id=order_id, number=number, error_code="bad", facts={})
        assert await finish_if_complete(
            tx, order_id, crafts=all_crafts(), file_url=lambda key: f"https://booth.invalid/files/{key}"
        )


def make_outside(
    engine: MemoryEngine | None = None,
    storage: MemoryStorage | None = None,
    *others: MemoryEngine,
    slots: int = 4,
) -> Outside:
    """An outside in memory. others: more engines, less preferred."""
    named = {each.name: each for each in (engine or MemoryEngine(), *others)}
    return Outside(
        engines=named,
        router=Router(list(named), slots=slots, fresh_s=0.0),
        crafts=all_crafts(),
        storage=storage or MemoryStorage(),
        hook_url=lambda engine, order_id, number: f"https://booth.invalid/{engine}/{order_id}/{number}",
        file_url=lambda key: f"https://booth.invalid/files/{key}",
    )


async def let_pass(database: Database, seconds: float) -> None:
    """Everything that is written down with a time happened, or falls due, so much earlier."""
    shifts = {
        "orders": ("created_at", "started_at", "ended_at", "deadline_at", "check_at"),
        "tickets": ("sent_at",),
        "breakers": ("open_until",),
        "deliveries": ("due_at", "busy_until", "created_at"),
    }
    async with database.transaction() as tx:
        for table, columns in shifts.items():
            moved = ", ".join(f"{column} = {column} - CAST(:by AS interval)" for column in columns)
            await tx.execute(
                text(f"UPDATE starbooth.{table} SET {moved}"), {"by": timedelta(seconds=seconds)}
            )


@dataclass(frozen=True)
class OrderRow:
    """An order as the tables tell it."""

    state: str
    price_stars: int
    spent_stars: int | None
    attempt: int
    progress: float
    error_code: str | None
    tickets: tuple[tuple[str, str | None], ...]


async def read_order_row(database: Database, order_id: str) -> OrderRow:
    """The order with its tickets' states and error codes."""
    async with database.transaction() as tx:
        order = (
            await tx.execute(
                text(
                    "SELECT state, price_stars, spent_stars, attempt, progress, error_code"
                    " FROM starbooth.orders WHERE id = :id"
                ),
                {"id": order_id},
            )
        ).one()
        tickets = await tx.execute(
            text("SELECT state, error_code FROM starbooth.tickets WHERE order_id = :id ORDER BY number"),
            {"id": order_id},
        )
        return OrderRow(**order._mapping, tickets=tuple((row[0], row[1]) for row in tickets))


async def read_pictures(database: Database, order_id: str) -> list[dict[str, Any]]:
    """The order's rows in `Generation`, in the order of its tickets."""
    async with database.transaction() as tx:
        rows = await tx.execute(
            text(
                "SELECT * FROM public.\"Generation\" WHERE metadata ->> 'orderId' = :id"
                " ORDER BY (metadata ->> 'number')::integer"
            ),
            {"id": order_id},
        )
        return [dict(row._mapping) for row in rows]
