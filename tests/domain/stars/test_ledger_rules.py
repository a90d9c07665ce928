"""Any sequence of movements, against the rules of design part 3 written a second time in Python."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.stars.errors import (
    AmountRefused,
    HoldEndedOtherwise,
    KeyReused,
    NotEnoughStars,
)
from starbooth.domain.stars.ledger import Movement, credit_bonus, grant, hold, release, settle
from starbooth.domain.stars.tables import TransactionType
from tests.conftest import DatabaseServer
from tests.make.audits import run_audit
from tests.make.guests import make_guest

ACCOUNTS = 3
accounts = st.integers(0, ACCOUNTS - 1)
prices = st.integers(0, 12)
Outcome = type[Exception] | None
T = TypeVar("T")


@dataclass
class Hold:
    """A hold as the rules see it. `spent` None: it has not ended."""

    hold_id: str
    key: str
    account: int
    price: int
    spent: int | None = None


@dataclass
class Account:
    """An account as the rules see it."""

    stars: int = 0
    spent: int = 0


@dataclass
class Model:
    """All that the rules remember: the accounts, and under each key what was asked with it."""

    accounts: list[Account] = field(default_factory=lambda: [Account() for _ in range(ACCOUNTS)])
    keys: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def move(self, key: str, kind: str, account: int, amount: int) -> Outcome:
        """Do a movement by the rules. Returns the error that it must end with, None where it must not."""
        asked = (kind, account, amount)
        if key in self.keys:
            return None if self.keys[key] == asked else KeyReused
        if amount < 0 and self.accounts[account].stars + amount < 0:
            return NotEnoughStars
        self.keys[key] = asked
        self.accounts[account].stars += amount
        return None

    def end(self, held: Hold, spent: int) -> Outcome:
        """End a hold by the rules. Returns the error that it must end with, None where it must not."""
        if held.spent is not None:
            return None if held.spent == spent else HoldEndedOtherwise
        if spent > held.price:
            return AmountRefused
        held.spent = spent
        self.accounts[held.account].stars += held.price - spent
        self.accounts[held.account].spent += spent
        return None


class LedgerMachine(RuleBasedStateMachine):
    """Does each movement in the database and in the model; they must agree on every outcome and sum."""

    database: ClassVar[Database]
    loop: ClassVar[asyncio.Runner]
    holds: Bundle[Hold] = Bundle("holds")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @initialize()
    def open_accounts(self) -> None:
        self.model = Model()
        self.users = [self.run(make_guest(self.database)) for _ in range(ACCOUNTS)]

    def try_to(
        self, movement: Callable[..., Awaitable[Movement]], expected: Outcome, **values: object
    ) -> Movement | None:
        async def move() -> Movement:
            async with self.database.transaction() as tx:
                return await movement(tx, **values)

        with pytest.raises(expected) if expected else nullcontext():
            return self.run(move())
        return None

    def fresh_key(self) -> str:
        return f"{self.users[0]}:{len(self.model.keys)}"

    @rule(account=accounts, amount=st.integers(1, 20))
    def give_bonus(self, account: int, amount: int) -> None:
        key = self.fresh_key()
        expected = self.model.move(key, "bonus", account, amount)
        self.try_to(credit_bonus, expected, user_id=self.users[account], amount=amount, key=key, facts={})

    @rule(account=accounts, amount=st.integers(-15, 15).filter(bool))
    def grant_or_take(self, account: int, amount: int) -> None:
        key = self.fresh_key()
        expected = self.model.move(key, "grant", account, amount)
        self.try_to(
            grant, expected, user_id=self.users[account], amount=amount, reason="r", operator="o", key=key
        )

    @rule(account=accounts, price=prices, target=holds)
    def hold_some(self, account: int, price: int) -> Any:
        key = self.fresh_key()
        moved = self.hold_with(key, account, price)
        if moved is None:
            return multiple()
        assert not moved.is_repeat
        return Hold(hold_id=moved.transaction_id, key=key, account=account, price=price)

    @rule(held=holds)
    def hold_again(self, held: Hold) -> None:
        """The same key and facts give the first hold again, whatever has become of it."""
        moved = self.hold_with(held.key, held.account, held.price)
        assert moved is not None
        assert (moved.transaction_id, moved.is_repeat) == (held.hold_id, True)

    @rule(held=holds, account=accounts, price=prices)
    def hold_with_a_used_key(self, held: Hold, account: int, price: int) -> None:
        self.hold_with(held.key, account, price)

    def hold_with(self, key: str, account: int, price: int) -> Movement | None:
        expected = self.model.move(key, "hold", account, -price)
        moved = self.try_to(
            hold,
            expected,
            user_id=self.users[account],
            price_stars=price,
            purpose=TransactionType.GENERATION,
            key=key,
            facts={},
        )
        assert moved is None or moved.balance_stars == self.model.accounts[account].stars
        return moved

    @rule(held=holds, spent=prices)
    def settle_some(self, held: Hold, spent: int) -> None:
        expected = self.model.end(held, spent)
        self.try_to(settle, expected, hold_id=held.hold_id, spent_stars=spent, facts={})

    @rule(held=holds)
    def settle_whole(self, held: Hold) -> None:
        self.settle_some(held, held.price)

    @rule(held=holds)
    def release_all(self, held: Hold) -> None:
        expected = self.model.end(held, 0)
        self.try_to(release, expected, hold_id=held.hold_id, facts={})

    @invariant()
    def the_three_sums_are_those_of_the_rules(self) -> None:
        if not hasattr(self, "users"):
            return
        expected = {
            user: (account.stars, account.spent, 0)
            for user, account in zip(self.users, self.model.accounts, strict=True)
        }
        assert self.run(self.read_sums()) == expected
        assert all(stars >= 0 for stars, _, _ in expected.values())

    async def read_sums(self) -> dict[str, tuple[int, int, int]]:
        async with self.database.transaction() as tx:
            rows = await tx.execute(
                text(
                    'SELECT "id", "stars", "totalSpentStars", "totalBoughtStars" FROM public."User"'
                    ' WHERE "id" = ANY(:users)'
                ),
                {"users": self.users},
            )
            return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def teardown(self) -> None:
        assert self.run(run_audit(self.database)).is_clean


def test_every_sequence_of_movements_keeps_the_rules(database_server: DatabaseServer) -> None:
    url = database_server.create()
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        LedgerMachine.database, LedgerMachine.loop = Database(url, connections=1), loop
        try:
            run_state_machine_as_test(
                LedgerMachine,
                settings=settings(
                    max_examples=30,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
        finally:
            loop.run(LedgerMachine.database.aclose())
            database_server.drop(url)
