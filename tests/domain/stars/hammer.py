"""One process that makes every movement on a few accounts as fast as it can: `python -m … URL SEED FOLDER`.

It writes down what it is about to ask before it asks, and the answer after it. Whoever starts again with the
same seed and folder asks for what was left without an answer first, as a caller should who was killed. Says
`ready`, and runs until it is told to stop (SIGTERM) or killed.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Database, Tx
from starbooth.base.errors import Refusal, Unavailable
from starbooth.base.ids import new_id
from starbooth.domain.stars import buying, ledger
from starbooth.domain.stars.errors import HoldEndedOtherwise, KeyReused, NoSuchRefund
from starbooth.domain.stars.ledger import Movement
from starbooth.domain.stars.tables import TransactionType

AT_ONCE = 2
CHARGES_PER_S = 8
MOVEMENTS: dict[str, Callable[..., Awaitable[Movement | bool]]] = {
    "hold": ledger.hold,
    "settle": ledger.settle,
    "release": ledger.release,
    "bonus": ledger.credit_bonus,
    "grant": ledger.grant,
    "open": buying.open_purchase,
    "fail": buying.fail_purchase,
    "pay": buying.credit_payment,
    "begin": buying.begin_refund,
    "settle_refund": buying.settle_refund,
    "drop": buying.drop_refund,
}
_WEIGHTS = {"hold": 5, "settle": 2, "release": 2, "open": 2, "pay": 3}  # the others 1
_REFUSED = (Refusal, HoldEndedOtherwise, KeyReused, NoSuchRefund)
_USERS = 'SELECT "id" FROM public."User" ORDER BY "id"'
_LATEST = """
    SELECT "id" FROM public."StarTransaction"
    WHERE "type"::text = ANY(:types) AND ("type" <> 'REFUND' OR "amount" < 0)
    ORDER BY "createdAt" DESC LIMIT 12
"""
Wish = tuple[str, dict[str, Any]]


class Journal:
    """What one caller asked for and was answered, line by line. A line is written whole or not at all."""

    def __init__(self, path: Path) -> None:
        lines = read_journal(path)
        self.unanswered: Wish | None = None
        if lines and "wish" in lines[-1]:
            self.unanswered = (lines[-1]["wish"], lines[-1]["values"])
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, **line: Any) -> None:
        os.write(self._file, (json.dumps(line) + "\n").encode())


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Its lines; none where there is no such journal yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def hammer(url: str, seed: int, folder: Path) -> None:
    """Move stars about until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    database = Database(url, connections=AT_ONCE)
    users = await read_ids(database, _USERS)
    callers = [Caller(database, users, Journal(folder / f"{seed}-{n}.journal")) for n in range(AT_ONCE)]
    await asyncio.gather(*(caller.call_until(stop) for caller in callers))
    await database.aclose()


class Caller:
    """Makes one wish after the other, each until it is answered."""

    def __init__(self, database: Database, users: list[str], journal: Journal) -> None:
        self._database = database
        self._users = users
        self._journal = journal
        self._dice = random.Random()

    async def call_until(self, stop: asyncio.Event) -> None:
        if self._journal.unanswered is not None:
            await self._ask_until_answered(self._journal.unanswered)
        while not stop.is_set():
            name = self._dice.choices(list(MOVEMENTS), [_WEIGHTS.get(each, 1) for each in MOVEMENTS])[0]
            if (values := await self._draw(name)) is not None:
                self._journal.write(wish=name, values=values)
                await self._ask_until_answered((name, values))

    async def _ask_until_answered(self, wish: Wish) -> None:
        while True:
            try:
                answer = await self._ask(wish)
            except _REFUSED as refusal:
                self._journal.write(refused=type(refusal).__name__)
                return
            except Exception as error:
                if not is_worth_asking_again(error):
                    raise
                await asyncio.sleep(0.01)
                continue
            if isinstance(answer, Movement):
                self._journal.write(row=answer.transaction_id, is_repeat=answer.is_repeat)
            else:
                self._journal.write(row=wish[1]["purchase_id"], is_repeat=not answer)
            return

    async def _ask(self, wish: Wish) -> Movement | bool:
        name, values = wish
        if name == "hold":
            values = {**values, "purpose": TransactionType(values["purpose"])}
        async with self._database.transaction() as tx:
            answer = await MOVEMENTS[name](tx, **values)
            if name == "hold" and isinstance(answer, Movement) and not answer.is_repeat:
                assert answer.balance_stars >= 0, "somebody spent below zero"
            await self._stumble(tx)
        return answer

    async def _stumble(self, tx: Tx) -> None:
        """Fail now and then between the movement and its commit."""
        match self._dice.randrange(40):
            case 0:
                raise ZeroDivisionError
            case 1:
                await tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    async def _draw(self, name: str) -> dict[str, Any] | None:
        """What to ask of this movement; None where there is no row to ask it of."""
        dice, user = self._dice, self._dice.choice(self._users)
        match name:
            case "hold":
                purpose = dice.choice(("GENERATION", "TRAINING"))
                return {"user_id": user, "price_stars": dice.randint(1, 9), "purpose": purpose, **_new_key()}
            case "bonus":
                return {"user_id": user, "amount": dice.randint(1, 9), **_new_key()}
            case "grant":
                amount = dice.choice((-4, -2, 3))
                return {"user_id": user, "amount": amount, "reason": "r", "operator": "o", "key": new_id()}
            case "open":
                return {"user_id": user, "amount": dice.randint(1, 9), **_new_key()}
            case "pay":
                return await self._draw_payment()
            case "settle" | "release":
                row = await self._latest("GENERATION", "TRAINING")
                spent = {"spent_stars": dice.randint(0, 9)} if name == "settle" else {}
                return row and {"hold_id": row, **spent, "facts": {}}
            case "drop":
                row = await self._latest("REFUND")
                return row and {"refund_id": row, "facts": {}}
        row = await self._latest("PURCHASE")
        more: dict[str, Any] = {"fail": {}, "begin": {"may_go_below_zero": dice.random() < 0.5, "facts": {}}}
        return row and {"purchase_id": row, **more.get(name, {"facts": {}})}

    async def _draw_payment(self) -> dict[str, Any]:
        """The charge of this moment, which the others come with too, mostly for the same account."""
        number = int(time.time() * CHARGES_PER_S)
        user = self._users[number % len(self._users)]
        if self._dice.random() < 0.1:
            user = self._dice.choice(self._users)
        return {
            "user_id": user,
            "amount": amount_of_charge(number),
            "charge_id": f"charge-{number}",
            "purchase_id": await self._latest("PURCHASE"),
            "facts": {},
        }

    async def _latest(self, *types: str) -> Any:
        """One of the newest rows of these types."""
        rows = await read_ids(self._database, _LATEST, types=list(types))
        return self._dice.choice(rows) if rows else None


async def read_ids(database: Database, statement: str, **values: Any) -> list[str]:
    """Ask until there is an answer."""
    while True:
        try:
            async with database.transaction() as tx:
                return list((await tx.execute(text(statement), values)).scalars())
        except Exception as error:
            if not is_worth_asking_again(error):
                raise
            await asyncio.sleep(0.01)


def is_worth_asking_again(error: Exception) -> bool:
    """Whether the connection was lost, or we failed by our own dice.

    A connection that was told to end a moment ago, while it lay idle, is "in another operation" to asyncpg.
    """
    if isinstance(error, Unavailable | ZeroDivisionError):
        return True
    return "another operation (2) is in progress" in str(error)


def amount_of_charge(number: int) -> int:
    """So that whoever credits a charge credits the same."""
    return 1 + number % 9


def _new_key() -> dict[str, Any]:
    return {"key": new_id(), "facts": {}}


if __name__ == "__main__":
    asyncio.run(hammer(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
