"""One client process: makes one kind of movement again and again, as fast as it can.

Says `ready` when it is connected, waits for a line, works for the given seconds, says what it did as JSON.
"""

import argparse
import asyncio
import itertools
import json
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping

import uvloop

from bench.naive import charge_naively
from starbooth.base.database import Database, Tx
from starbooth.domain.stars import buying, ledger
from starbooth.domain.stars.tables import TransactionType

_FACTS = {"orderId": "measured"}


async def _hold(tx: Tx, user_id: str, key: str) -> str:
    held = await ledger.hold(
        tx, user_id=user_id, price_stars=1, purpose=TransactionType.GENERATION, key=key, facts=_FACTS
    )
    return held.transaction_id


async def _hold_and_settle(tx: Tx, user_id: str, key: str) -> None:
    await ledger.settle(tx, hold_id=await _hold(tx, user_id, key), spent_stars=1, facts=_FACTS)


async def _bonus(tx: Tx, user_id: str, key: str) -> None:
    await ledger.credit_bonus(tx, user_id=user_id, amount=1, key=key, facts=_FACTS)


async def _payment(tx: Tx, user_id: str, key: str) -> None:
    await buying.credit_payment(tx, user_id=user_id, amount=1, charge_id=key, purchase_id=None, facts=_FACTS)


async def _naive(tx: Tx, user_id: str, key: str) -> None:
    assert await charge_naively(tx, user_id=user_id, price_stars=1, key=key)


MAKE: Mapping[str, Callable[[Tx, str, str], Awaitable[object]]] = {
    "hold": _hold,
    "pair": _hold_and_settle,
    "bonus": _bonus,
    "payment": _payment,
    "naive": _naive,
}


async def work(database: Database, given: argparse.Namespace, *, until: float, took_s: list[float]) -> None:
    """Move stars of a random account, again and again until the clock says `until`.

    With `given.bare` each statement commits by itself; else they stand between BEGIN and COMMIT.
    """
    opened = database.statement if given.bare else database.transaction
    make, mine, numbers = MAKE[given.kind], secrets.token_hex(8), itertools.count()
    while (began := time.perf_counter()) < until:
        user_id = f"{given.prefix}{random.randint(1, given.accounts)}"
        async with opened() as tx:
            await make(tx, user_id, f"{mine}:{next(numbers)}")
        took_s.append(time.perf_counter() - began)


async def _run(given: argparse.Namespace) -> None:
    database = Database(given.url, connections=given.connections)
    await _work_all(database, given, until=time.perf_counter() + 0.3)  # to be connected and warm
    print("ready", flush=True)
    await asyncio.to_thread(input)
    began, cpu_began = time.perf_counter(), time.process_time()
    took_s = await _work_all(database, given, until=began + given.seconds)
    lasted_s = time.perf_counter() - began
    said = {
        "per_s": len(took_s) / lasted_s,
        "mean_ms": 1000 * sum(took_s) / len(took_s),
        "cpu_us": 1e6 * (time.process_time() - cpu_began) / len(took_s),
    }
    print(json.dumps(said), flush=True)
    await database.aclose()


async def _work_all(database: Database, given: argparse.Namespace, *, until: float) -> list[float]:
    took_s: list[float] = []
    await asyncio.gather(
        *(work(database, given, until=until, took_s=took_s) for _ in range(given.connections))
    )
    return took_s


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("kind", choices=list(MAKE))
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--bare", action="store_true")
    uvloop.run(_run(parser.parse_args()))
