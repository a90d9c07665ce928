"""Plays the worker step by step, without an engine: shows, starts, paints and fails orders when told to."""

import asyncio
import io
from datetime import timedelta
from pathlib import Path

from aiogram import Bot
from PIL import Image
from sqlalchemy import text

from starbooth.base.database import Database, Tx
from starbooth.domain.crafts import all_crafts
from starbooth.domain.delivery.owe import find_owed, owe
from starbooth.domain.delivery.show import Look, Showing, show
from starbooth.domain.generations.quote import read_fees_of, read_offer_of
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.read import OrderView, read_order
from starbooth.domain.running.finish import finish_if_complete
from starbooth.domain.trainings.read import read_training
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.screens import render_order
from starbooth.doors.bot.training_screens import render_training
from starbooth.outside.storage.store import open_storage

SLOTS = 2


def _file_url(key: str) -> str:
    return f"http://127.0.0.1:9/files/{key}"


class Worker:
    """Each call is one step of what the real worker does by itself."""

    def __init__(self, database: Database, bot: Bot, folder: Path) -> None:
        self._database = database
        self._storage = open_storage(f"file://{folder / 'storage'}")
        self._showing = Showing(messenger=BotMessenger(bot), storage=self._storage, look=_look)

    async def show(self) -> None:
        """Show everything that is owed now."""
        async with self._database.transaction() as tx:
            owed = await find_owed(tx, limit=100)
        for order_id in owed:
            await show(self._database, self._showing, order_id)

    async def start(self, *, slots: int = SLOTS) -> list[str]:
        """Start the next orders, and a training."""
        async with self._database.transaction() as tx:
            claims = await orders.claim_next(
                tx, slots=slots, training_slots=1, check_in=timedelta(seconds=60)
            )
        return [claim.order_id for claim in claims]

    async def finish(self, order_id: str, *, error_code: str | None = None) -> None:
        """End a running order with one picture, or by this error, and show it."""
        key = f"pictures/{order_id}/0.png"
        picture = io.BytesIO()
        Image.new("RGB", (256, 256), "tomato").save(picture, "PNG")
        await self._storage.put(key, picture.getvalue(), "image/png")
        async with self._database.transaction() as tx:
            if error_code is None:
                await orders.note_done(tx, order_id=order_id, number=0, file_key=key, facts={})
            else:
                await orders.note_failed(tx, order_id=order_id, number=0, error_code=error_code, facts={})
            await finish_if_complete(tx, order_id, crafts=all_crafts(), file_url=_file_url)
        await self.show()

    async def paint(self, order_id: str, number: int, *, error_code: str | None = None) -> None:
        """End one picture of several, and the order with its last one. Nothing is shown yet."""
        key = f"pictures/{order_id}/{number}.png"
        picture = io.BytesIO()
        Image.new("RGB", (256, 192), (40 * number % 256, 80, 120)).save(picture, "PNG")
        await self._storage.put(key, picture.getvalue(), "image/png")
        async with self._database.transaction() as tx:
            if error_code is None:
                await orders.note_done(tx, order_id=order_id, number=number, file_key=key, facts={})
            else:
                await orders.note_failed(
                    tx, order_id=order_id, number=number, error_code=error_code, facts={}
                )
            await owe(tx, order_id)
            await finish_if_complete(tx, order_id, crafts=all_crafts(), file_url=_file_url)

    async def paint_all(self) -> list[str]:
        """Start and finish every order that waits, oldest first."""
        painted = []
        while started := await self.start():
            for order_id in started:
                await self.finish(order_id)
            painted += started
        await self.show()
        return painted

    async def wait_for_order(self, *, count: int = 1) -> str:
        """Wait until there are so many orders and return the newest one's id. Raises: TimeoutError."""
        for _ in range(500):
            if len(found := await self.orders()) >= count:
                return found[-1].order_id
            await asyncio.sleep(0.02)
        raise TimeoutError

    async def orders_after_wait(self, *, count: int = 1) -> list[OrderView]:
        """Every order there is once there are so many. Raises: TimeoutError."""
        await self.wait_for_order(count=count)
        return await self.orders()

    async def orders(self) -> list[OrderView]:
        """Every order there is, oldest first."""
        async with self._database.transaction() as tx:
            ids = (
                await tx.execute(text("SELECT id FROM starbooth.orders ORDER BY created_at, id"))
            ).scalars()
            views = [await read_order(tx, order_id, slots=SLOTS) for order_id in ids.all()]
        return [view for view in views if view is not None]


async def _look(tx: Tx, order_id: str, language: Language, *, is_shared: bool) -> Look | None:
    view = await read_order(tx, order_id, slots=SLOTS)
    if view is None:
        return None
    training = await read_training(tx, order_id)
    if training is not None:
        return Look(screen=render_training(view, training, language), is_final=view.has_ended)
    offer = await read_offer_of(tx, view) if view.state is OrderState.DONE else None
    fees = await read_fees_of(tx, view) if view.state is OrderState.DONE else ()
    screen = render_order(view, language, offer=offer, fees=fees, is_shared=is_shared)
    return Look(screen=screen, is_final=view.has_ended)
