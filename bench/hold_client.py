"""One client process of the hold measurement: holds one star again and again, as fast as it can.

Says `ready` when it is connected, waits for a line, works for the given seconds, says what it did as JSON.
"""

import argparse
import asyncio
import itertools
import json
import random
import secrets
import time

import uvloop

from starbooth.base.database import Database
from starbooth.domain.stars import ledger
from starbooth.domain.stars.tables import TransactionType


async def work(
    database: Database, *, is_bare: bool, accounts: int, until: float, took_s: list[float]
) -> None:
    """Hold one star of a random account, again and again until the clock says `until`.

    is_bare: the statement alone, which commits by itself; else between BEGIN and COMMIT.
    """
    opened = database.statement if is_bare else database.transaction
    mine, numbers = secrets.token_hex(8), itertools.count()
    while (began := time.perf_counter()) < until:
        async with opened() as tx:
            await ledger.hold(
                tx,
                user_id=str(random.randint(1, accounts)),
                price_stars=1,
                purpose=TransactionType.GENERATION,
                key=f"{mine}:{next(numbers)}",
                facts={"orderId": "measured"},
            )
        took_s.append(time.perf_counter() - began)


async def _run(url: str, *, connections: int, is_bare: bool, accounts: int, seconds: float) -> None:
    database = Database(url, connections=connections)
    warm: list[float] = []
    soon = time.perf_counter() + 0.3
    await asyncio.gather(
        *(
            work(database, is_bare=is_bare, accounts=accounts, until=soon, took_s=warm)
            for _ in range(connections)
        )
    )
    print("ready", flush=True)
    await asyncio.to_thread(input)
    took_s: list[float] = []
    began, cpu_began = time.perf_counter(), time.process_time()
    await asyncio.gather(
        *(
            work(database, is_bare=is_bare, accounts=accounts, until=began + seconds, took_s=took_s)
            for _ in range(connections)
        )
    )
    lasted_s = time.perf_counter() - began
    said = {
        "holds_per_s": len(took_s) / lasted_s,
        "mean_ms": 1000 * sum(took_s) / len(took_s),
        "client_cpu_us": 1e6 * (time.process_time() - cpu_began) / len(took_s),
    }
    print(json.dumps(said), flush=True)
    await database.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--bare", action="store_true")
    given = parser.parse_args()
    uvloop.run(
        _run(
            given.url,
            connections=given.connections,
            is_bare=given.bare,
            accounts=given.accounts,
            seconds=given.seconds,
        )
    )
