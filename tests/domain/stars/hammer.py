"""One process that holds, settles and releases on a few accounts as fast as it can: `python -m … URL SEED`.

Runs until it is told to stop (SIGTERM) or killed, and prints how many movements took place.
"""

import asyncio
import random
import signal
import sys

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.ids import new_id
from starbooth.domain.stars.errors import HoldEndedOtherwise, NotEnoughStars
from starbooth.domain.stars.ledger import credit_bonus, hold, release, settle
from starbooth.domain.stars.tables import TransactionType

AT_ONCE = 3


async def hammer(url: str, seed: int) -> int:
    """Move stars about until SIGTERM; returns the number of movements."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database = Database(url, connections=AT_ONCE)
    async with database.transaction() as tx:
        users = list((await tx.execute(text('SELECT "id" FROM public."User"'))).scalars())
    counts = await asyncio.gather(
        *(_strike(database, users, random.Random(seed * 100 + n), stop) for n in range(AT_ONCE))
    )
    await database.aclose()
    return sum(counts)


async def _strike(database: Database, users: list[str], dice: random.Random, stop: asyncio.Event) -> int:
    movements = 0
    while not stop.is_set():
        price = dice.randint(1, 9)
        try:
            async with database.transaction() as tx:
                held = await hold(
                    tx,
                    user_id=dice.choice(users),
                    price_stars=price,
                    purpose=TransactionType.GENERATION,
                    key=new_id(),
                    facts={},
                )
        except NotEnoughStars:
            movements += await _give(database, dice.choice(users), dice.randint(1, 9))
            continue
        movements += 1
        for _ in range(dice.randint(0, 2)):
            movements += await _end(database, held.transaction_id, dice.randint(0, price), dice)
    return movements


async def _give(database: Database, user_id: str, amount: int) -> int:
    """So that the accounts stay near zero, where mistakes show, and never run dry."""
    async with database.transaction() as tx:
        await credit_bonus(tx, user_id=user_id, amount=amount, key=new_id(), facts={})
    return 1


async def _end(database: Database, hold_id: str, spent: int, dice: random.Random) -> int:
    try:
        async with database.transaction() as tx:
            if dice.random() < 0.7:
                await release(tx, hold_id=hold_id, facts={})
            else:
                await settle(tx, hold_id=hold_id, spent_stars=spent, facts={})
            if dice.random() < 0.1:
                raise ZeroDivisionError  # a crash between the movement and its commit
    except (HoldEndedOtherwise, ZeroDivisionError):
        return 0
    return 1


if __name__ == "__main__":
    print(asyncio.run(hammer(sys.argv[1], int(sys.argv[2]))), flush=True)
