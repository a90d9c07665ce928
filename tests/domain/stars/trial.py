"""How a movement is tried: in the database and by the rules, with a mishap or without one.

They must agree on every answer, and after every step on every row and sum.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from copy import deepcopy
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeVar

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import text

from starbooth.base.database import Database, Tx
from starbooth.base.errors import Unavailable
from starbooth.domain.stars.ledger import Movement
from tests.domain.stars.rules import UNKNOWN, Answer, Outcome, Row, Rules
from tests.make.audits import run_audit
from tests.make.guests import make_guest

ACCOUNTS = 3
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Act(Protocol[T_co]):
    """One movement, ready to be made in a transaction, once or again."""

    def __call__(self, tx: Tx, /) -> Awaitable[T_co]: ...


class Mishap(Enum):
    """What befalls a movement."""

    NONE = "none"
    ANSWER_LOST = "committed, but the caller asks again"
    ROLLED_BACK = "the caller fails before the commit"
    ROLLED_BACK_THEN_REPEATED = "the caller fails before the commit and asks again"
    CUT = "the connection is cut before the commit"
    CUT_THEN_REPEATED = "the connection is cut before the commit and the caller asks again"


FOR_GOOD = (Mishap.ROLLED_BACK, Mishap.CUT)
_SUMS = """
    SELECT "id", "stars", "totalSpentStars", "totalBoughtStars" FROM public."User" WHERE "id" = ANY(:users)
"""
_ROWS = """
    SELECT "id", "userId", "type"::text, "amount", "status"::text, "telegramPaymentChargeId",
        metadata ->> 'refundOf'
    FROM public."StarTransaction" WHERE "userId" = ANY(:users)
"""
_REFUND_OF = 'SELECT "id" FROM public."StarTransaction" WHERE metadata ->> \'refundOf\' = :id'


class CallerFailed(Exception):
    """The caller's own failure, between a movement and its commit."""


class LedgerTrial(RuleBasedStateMachine):
    """A ledger in the database and one in `model`. Rows go by their place in `model.rows`."""

    database: ClassVar[Database]
    loop: ClassVar[asyncio.Runner]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def open_accounts(self) -> None:
        self.model = Rules()
        self.names = 0
        self.users = [self.run(make_guest(self.database)) for _ in range(ACCOUNTS)]

    def pick(self, age: int, *kinds: str) -> Row | None:
        """A row of these kinds, or of any; the newest has the age 0. None where there are not so many."""
        found = [row for row in self.model.rows if not kinds or row.kind in kinds]
        return found[-1 - age] if age < len(found) else None

    def place_of(self, row: Row | None) -> int:
        return UNKNOWN if row is None else self.model.rows.index(row)

    def id_of(self, place: int) -> str:
        return "cunknown" if place == UNKNOWN else self.model.rows[place].row_id

    def new_name(self) -> str:
        """A key or charge id that nobody used."""
        self.names += 1
        return f"{self.users[0]}:{self.names}"

    def move(self, act: Act[Movement], by_the_rules: Callable[[Rules], Outcome], mishap: Mishap) -> None:
        """Do a movement here and there, with the same answer."""
        after = deepcopy(self.model)
        expected = by_the_rules(after)
        if not isinstance(expected, Answer):
            assert after == self.model
            with pytest.raises(expected):
                self.act_with(act, Mishap.NONE)
            return
        moved = self.act_with(act, mishap)
        if moved is None:
            return
        row = after.rows[expected.place]
        row.row_id = row.row_id or moved.transaction_id
        assert moved.transaction_id == row.row_id
        assert moved.is_repeat == (expected.is_repeat or mishap is Mishap.ANSWER_LOST)
        assert moved.balance_stars == after.stars(row.account)
        self.model = after
        if not after.rows[-1].row_id:
            self.name_the_refund(after.rows[-1])

    def name_the_refund(self, row: Row) -> None:
        """A hold that ends answers with the hold; what its refund is called, the database knows."""
        assert row.refund_of is not None
        row.row_id = self.run(self.read_refund_id(self.id_of(row.refund_of)))

    def act_with(self, act: Act[T], mishap: Mishap) -> T | None:
        """The last answer that the caller gets; none where they do not ask again."""
        if mishap is Mishap.ANSWER_LOST:
            self.run(self.act(act))
        elif mishap is not Mishap.NONE:
            self.run(self.fail_to(act, mishap))
        return None if mishap in FOR_GOOD else self.run(self.act(act))

    async def act(self, act: Act[T]) -> T:
        async with self.database.transaction() as tx:
            return await act(tx)

    async def fail_to(self, act: Act[T], mishap: Mishap) -> None:
        """The movement is done and then lost, since its transaction never commits."""
        is_cut = mishap in (Mishap.CUT, Mishap.CUT_THEN_REPEATED)
        with pytest.raises(Unavailable if is_cut else CallerFailed):
            async with self.database.transaction() as tx:
                await act(tx)
                if is_cut:
                    await tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
                raise CallerFailed

    # What must be true after every step.

    @invariant()
    def the_three_sums_are_those_of_the_rules(self) -> None:
        if hasattr(self, "users"):
            expected = {user: self.model.sums(account) for account, user in enumerate(self.users)}
            assert self.run(self.read_sums()) == expected

    @invariant()
    def the_rows_are_those_of_the_rules(self) -> None:
        if hasattr(self, "users"):
            expected = {
                (
                    row.row_id,
                    self.users[row.account],
                    row.kind,
                    row.amount,
                    row.status,
                    row.charge,
                    None if row.refund_of is None else self.id_of(row.refund_of),
                )
                for row in self.model.rows
            }
            assert self.run(self.read_rows()) == expected

    @invariant()
    def a_balance_below_zero_is_owed_to_refunds(self) -> None:
        for account in range(ACCOUNTS if hasattr(self, "users") else 0):
            taken = sum(
                row.amount
                for row in self.model.rows
                if row.account == account
                and row.kind == "REFUND"
                and row.amount < 0
                and row.status != "FAILED"
            )
            assert self.model.stars(account) >= taken

    async def execute(self, statement: str, **values: object) -> None:
        async with self.database.transaction() as tx:
            await tx.execute(text(statement), values)

    async def read_refund_id(self, hold_id: str) -> str:
        async with self.database.transaction() as tx:
            return str((await tx.execute(text(_REFUND_OF), {"id": hold_id})).scalar_one())

    async def read_sums(self) -> dict[str, tuple[int, int, int]]:
        async with self.database.transaction() as tx:
            rows = await tx.execute(text(_SUMS), {"users": self.users})
            return {row[0]: (row[1], row[2], row[3]) for row in rows}

    async def read_rows(self) -> set[tuple[Any, ...]]:
        async with self.database.transaction() as tx:
            return {tuple(row) for row in await tx.execute(text(_ROWS), {"users": self.users})}

    def teardown(self) -> None:
        found = self.run(run_audit(self.database))
        assert found.is_clean, found
