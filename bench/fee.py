"""Placing an order for a picture with somebody else's model, which has a fee, beside one with an own model.

Two guests take turns, order by order, on one database, so that whatever else the machine does meets both.
"""

import gc
import time
from datetime import timedelta

from sqlalchemy import text

from bench.figures import Figure, Measurement, median, percentile
from bench.server import own_server
from starbooth.base.database import Database
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.place import Source
from tests.make.guests import make_guest
from tests.make.loras import make_lora

ORDERS = 600
_LIMITS = Limits(active_orders=1_000_000, deadline=timedelta(hours=1))


async def measure(*, orders: int = ORDERS) -> Measurement:
    """Place so many orders of each kind. About ten seconds."""
    async with own_server() as url:
        database = Database(url, connections=1)
        maker = await make_guest(database)
        payer, owner = [await make_guest(database, stars=1_000_000) for _ in range(2)]
        public = await make_lora(database, maker, is_public=True, fee_stars=5)
        own = await make_lora(database, owner)
        with_fee_ms, without_ms = [], []
        for number in range(orders + 50):
            fee_ms = await _place(database, payer, public, number)
            own_ms = await _place(database, owner, own, number)
            if number >= 50:  # caches are warm by then, and the free pictures used up
                with_fee_ms.append(fee_ms)
                without_ms.append(own_ms)
        async with database.transaction() as tx:
            fees = await tx.scalar(text("SELECT count(*) FROM starbooth.order_fees"))
        await database.aclose()
    assert fees == orders + 50
    ratio = median(without_ms) / median(with_fee_ms)
    return Measurement(
        figures=(
            Figure(name="placing an order, without a fee, p50", value=median(without_ms), unit="ms"),
            Figure(name="with a fee, p50", value=median(with_fee_ms), unit="ms"),
            Figure(name="with a fee, p99", value=percentile(with_fee_ms, 99), unit="ms"),
            Figure(name="rate with a fee ÷ without", value=ratio, unit="x", at_least=0.95),
        ),
        details={"with_fee_ms": with_fee_ms, "without_ms": without_ms},
    )


async def _place(database: Database, guest: str, lora_id: str, number: int) -> float:
    """Milliseconds for one order, its commit in it."""
    ask = PictureRequest(
        request_key=f"{guest}:{number}",
        user_id=guest,
        source=Source.COMMAND,
        prompt="a red boat",
        choices=Choices(seed=7, loras=(LoraChoice(lora_id=lora_id),)),
    )
    gc.collect(0)
    began = time.perf_counter()
    async with database.transaction() as tx:
        await request_pictures(tx, ask, limits=_LIMITS, recipient=None)
    return (time.perf_counter() - began) * 1000
