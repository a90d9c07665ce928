"""Any sequence of movements, repeats and mishaps, against the rules of design part 3 in Python."""

import asyncio
from collections.abc import Awaitable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from sqlalchemy.exc import DBAPIError

from starbooth.base.database import Database, Tx
from starbooth.domain.stars import buying, ledger
from starbooth.domain.stars.ledger import Movement
from starbooth.domain.stars.tables import TransactionType
from tests.conftest import DatabaseServer
from tests.domain.stars.rules import HOLDS, UNKNOWN
from tests.domain.stars.test_guards import ALL_STATUSES, ALLOWED_STEPS
from tests.domain.stars.trial import ACCOUNTS, FOR_GOOD, LedgerTrial, Mishap

accounts = st.integers(0, ACCOUNTS - 1)
prices = st.integers(0, 12)
packs = st.integers(1, 20)
ages = st.integers(0, 5)
# Most movements go well, or sequences would get nowhere.
mishaps = st.one_of(st.just(Mishap.NONE), st.just(Mishap.NONE), st.sampled_from(Mishap))

_STEP = """
    UPDATE public."StarTransaction" SET "status" = CAST(:status AS public."TransactionStatus")
    WHERE "id" = :id
"""
FORBIDDEN = (
    'DELETE FROM public."StarTransaction" WHERE "id" = :id',
    'UPDATE public."StarTransaction" SET "amount" = "amount" + 1 WHERE "id" = :id',
    'UPDATE public."StarTransaction" SET "createdAt" = "createdAt" + interval \'1 hour\' WHERE "id" = :id',
    'UPDATE public."StarTransaction" SET "metadata" = NULL WHERE "id" = :id',
)


def maybe(values: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    """None as often as a value."""
    return st.one_of(st.none(), values)


class LedgerMachine(LedgerTrial):
    """Every movement in any order. A row is chosen by its age: 0 is the newest of its kind.

    Where `account` or `amount` is None, it is the row's own.
    """

    @initialize()
    def begin_with_a_history(self) -> None:
        """Something for every movement to act on."""
        self.open_accounts()
        for account in range(ACCOUNTS):
            self.give_bonus(account, 1 + account, Mishap.NONE)
            for _ in range(2):
                self.open_purchase(account, 10, Mishap.NONE)
                self.pay(0, None, None, Mishap.NONE)
            self.begin_refund(0, False, Mishap.NONE)
            self.open_purchase(account, 10, Mishap.NONE)
            self.hold(account, 6, "GENERATION", Mishap.NONE)

    @rule(account=accounts, amount=packs, mishap=mishaps)
    def give_bonus(self, account: int, amount: int, mishap: Mishap) -> None:
        self.move_stars("BONUS", account, amount, self.new_name(), mishap)

    @rule(account=accounts, amount=st.integers(-15, 15).filter(bool), mishap=mishaps)
    def grant_or_take(self, account: int, amount: int, mishap: Mishap) -> None:
        self.move_stars("ADMIN_GRANT", account, amount, self.new_name(), mishap)

    @rule(account=accounts, price=prices, kind=st.sampled_from(HOLDS), mishap=mishaps)
    def hold(self, account: int, price: int, kind: str, mishap: Mishap) -> None:
        self.move_stars(kind, account, -price, self.new_name(), mishap)

    @rule(
        age=ages,
        kind=st.sampled_from((*HOLDS, "BONUS", "ADMIN_GRANT")),
        account=maybe(accounts),
        amount=maybe(packs),
    )
    def use_its_key(self, age: int, kind: str, account: int | None, amount: int | None) -> None:
        """The same movement again, or another one with the same key."""
        row = self.pick(age, *HOLDS, "BONUS", "ADMIN_GRANT", "PURCHASE")
        if row is None or (row.kind == "PURCHASE" and kind == "ADMIN_GRANT"):
            return
        stars = (row.amount or 1) if amount is None else amount
        signed = -abs(stars) if kind in HOLDS else stars if kind == "ADMIN_GRANT" else abs(stars)
        self.move_stars(kind, row.account if account is None else account, signed, row.key)

    def move_stars(
        self, kind: str, account: int, amount: int, key: str, mishap: Mishap = Mishap.NONE
    ) -> None:
        given: dict[str, Any] = {"user_id": self.users[account], "key": key}

        async def act(tx: Tx) -> Movement:
            match kind:
                case "BONUS":
                    return await ledger.credit_bonus(tx, amount=amount, facts={}, **given)
                case "ADMIN_GRANT":
                    return await ledger.grant(tx, amount=amount, reason="r", operator="o", **given)
                case _:
                    purpose = TransactionType(kind)
                    return await ledger.hold(tx, price_stars=-amount, purpose=purpose, facts={}, **given)

        self.move(act, lambda model: model.move(kind, account, amount, key), mishap)

    @rule(age=ages, spent=maybe(prices), mishap=mishaps)
    def settle(self, age: int, spent: int | None, mishap: Mishap) -> None:
        """For a part, for nothing, for the whole, for too much."""
        if held := self.pick(age, *HOLDS):
            self.end_hold(self.place_of(held), -held.amount if spent is None else spent, mishap)

    def end_hold(self, place: int, spent: int, mishap: Mishap = Mishap.NONE) -> None:
        def act(tx: Tx) -> Awaitable[Movement]:
            return ledger.settle(tx, hold_id=self.id_of(place), spent_stars=spent, facts={})

        self.move(act, lambda model: model.end_hold(place, spent), mishap)

    @rule(age=ages, mishap=mishaps)
    def release(self, age: int, mishap: Mishap) -> None:
        place = self.place_of(self.pick(age, *HOLDS))

        def act(tx: Tx) -> Awaitable[Movement]:
            return ledger.release(tx, hold_id=self.id_of(place), facts={})

        self.move(act, lambda model: model.end_hold(place, 0), mishap)

    @rule(account=accounts, amount=packs, mishap=mishaps)
    def open_purchase(self, account: int, amount: int, mishap: Mishap) -> None:
        self.open_with(self.new_name(), account, amount, mishap)

    @rule(age=ages, account=maybe(accounts), amount=maybe(packs))
    def open_with_its_key(self, age: int, account: int | None, amount: int | None) -> None:
        if row := self.pick(age, "PURCHASE", *HOLDS):
            stars = abs(row.amount) or 1 if amount is None else amount
            self.open_with(row.key, row.account if account is None else account, stars)

    def open_with(self, key: str, account: int, amount: int, mishap: Mishap = Mishap.NONE) -> None:
        def act(tx: Tx) -> Awaitable[Movement]:
            return buying.open_purchase(tx, user_id=self.users[account], amount=amount, key=key, facts={})

        self.move(act, lambda model: model.open_purchase(account, amount, key), mishap)

    @rule(age=ages, mishap=mishaps)
    def fail_purchase(self, age: int, mishap: Mishap) -> None:
        self.fail(self.place_of(self.pick(age, "PURCHASE")), mishap)

    def fail(self, place: int, mishap: Mishap = Mishap.NONE) -> None:
        async def act(tx: Tx) -> bool:
            return await buying.fail_purchase(tx, purchase_id=self.id_of(place))

        after = deepcopy(self.model)
        expected = after.fail_purchase(place)
        has_failed = self.act_with(act, mishap)
        if mishap not in FOR_GOOD:
            assert has_failed == (expected and mishap is not Mishap.ANSWER_LOST)
            self.model = after

    @rule(age=ages, account=maybe(accounts), amount=maybe(packs), mishap=mishaps)
    def pay(self, age: int, account: int | None, amount: int | None, mishap: Mishap) -> None:
        """For an open, failed, paid or refunded one, its own or another's, at its price or another."""
        if row := self.pick(age, "PURCHASE"):
            payer = row.account if account is None else account
            stars = row.amount if amount is None else amount
            self.credit_payment(payer, stars, self.new_name(), self.place_of(row), mishap)

    @rule(account=accounts, amount=packs, mishap=mishaps)
    def pay_for_what_nobody_knows(self, account: int, amount: int, mishap: Mishap) -> None:
        self.credit_payment(account, amount, self.new_name(), UNKNOWN, mishap)

    @rule(age=ages, account=maybe(accounts), amount=maybe(packs), other=ages)
    def pay_with_its_charge(self, age: int, account: int | None, amount: int | None, other: int) -> None:
        row = self.pick(age, "PURCHASE")
        if row and row.charge:
            payer = row.account if account is None else account
            stars = row.amount if amount is None else amount
            self.credit_payment(payer, stars, row.charge, self.place_of(self.pick(other, "PURCHASE")))

    def credit_payment(
        self, account: int, amount: int, charge: str, place: int, mishap: Mishap = Mishap.NONE
    ) -> None:
        def act(tx: Tx) -> Awaitable[Movement]:
            return buying.credit_payment(
                tx,
                user_id=self.users[account],
                amount=amount,
                charge_id=charge,
                purchase_id=self.id_of(place),
                facts={},
            )

        self.move(act, lambda model: model.credit_payment(account, amount, charge, place), mishap)

    @rule(age=ages, is_forced=st.booleans(), mishap=mishaps)
    def begin_refund(self, age: int, is_forced: bool, mishap: Mishap) -> None:
        self.begin(self.place_of(self.pick(age, "PURCHASE")), is_forced=is_forced, mishap=mishap)

    def begin(self, place: int, *, is_forced: bool, mishap: Mishap = Mishap.NONE) -> None:
        def act(tx: Tx) -> Awaitable[Movement]:
            return buying.begin_refund(
                tx, purchase_id=self.id_of(place), may_go_below_zero=is_forced, facts={}
            )

        self.move(act, lambda model: model.begin_refund(place, is_forced=is_forced), mishap)

    @rule(age=ages, mishap=mishaps)
    def settle_refund(self, age: int, mishap: Mishap) -> None:
        self.settle_refund_of(self.place_of(self.pick(age, "PURCHASE")), mishap)

    def settle_refund_of(self, place: int, mishap: Mishap = Mishap.NONE) -> None:
        def act(tx: Tx) -> Awaitable[Movement]:
            return buying.settle_refund(tx, purchase_id=self.id_of(place), facts={})

        self.move(act, lambda model: model.settle_refund(place), mishap)

    @rule(age=ages, mishap=mishaps)
    def drop_refund(self, age: int, mishap: Mishap) -> None:
        self.drop(self.place_of(self.pick(age, "REFUND")), mishap)

    def drop(self, place: int, mishap: Mishap = Mishap.NONE) -> None:
        def act(tx: Tx) -> Awaitable[Movement]:
            return buying.drop_refund(tx, refund_id=self.id_of(place), facts={})

        self.move(act, lambda model: model.drop_refund(place), mishap)

    @rule(age=ages, account=accounts, is_forced=st.booleans())
    def do_everything_with_a_row_of_another_kind(self, age: int, account: int, is_forced: bool) -> None:
        place = self.place_of(self.pick(age))
        kind = "" if place == UNKNOWN else self.model.rows[place].kind
        if kind not in HOLDS:
            self.end_hold(place, 1)
        if kind != "PURCHASE":
            self.begin(place, is_forced=is_forced)
            self.settle_refund_of(place)
            self.fail(place)
            self.credit_payment(account, 3, self.new_name(), place)
        if kind != "REFUND":
            self.drop(place)

    @rule(age=ages, change=st.sampled_from(FORBIDDEN))
    def try_to_alter_it_by_plain_sql(self, age: int, change: str) -> None:
        if row := self.pick(age):
            with pytest.raises(DBAPIError, match="ledger row"):
                self.run(self.execute(change, id=row.row_id))

    @rule(age=ages, status=st.sampled_from(ALL_STATUSES))
    def try_a_forbidden_step_by_plain_sql(self, age: int, status: str) -> None:
        row = self.pick(age)
        if row and status != row.status and (row.kind, row.status, status) not in ALLOWED_STEPS:
            with pytest.raises(DBAPIError, match=f"may not go from {row.status} to {status}"):
                self.run(self.execute(_STEP, id=row.row_id, status=status))


@pytest.mark.slow
def test_every_sequence_of_movements_keeps_the_rules(database_server: DatabaseServer) -> None:
    url = database_server.create()
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        LedgerMachine.database, LedgerMachine.loop = Database(url, connections=1), loop
        try:
            run_state_machine_as_test(
                LedgerMachine,
                settings=settings(
                    max_examples=100,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
        finally:
            loop.run(LedgerMachine.database.aclose())
            database_server.drop(url)
