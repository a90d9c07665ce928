"""Any sequence of orders, engine moods, crashes and presses: accounts and pictures agree at every step."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.crafts import all_crafts
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.errors import TooLateToCancel, TooManyOrders
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.finish import cancel_waiting
from starbooth.domain.running.run import collect
from starbooth.domain.running.sweep import end_overdue, sweep
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.outside.engine.contract import EngineRefused, EngineUnavailable
from starbooth.outside.storage.contract import StorageUnavailable
from tests.conftest import DatabaseServer
from tests.make.audits import assert_accounts_are_true
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest
from tests.make.orders import let_pass, make_outside, place_pictures
from tests.make.pictures import make_picture
from tests.make.storage import MemoryStorage

T = TypeVar("T")
GUESTS, STARS, PRICE = 2, 40, 3
places = st.integers(0, 30)
moods = st.sampled_from(["unreachable", "http_500", "rate_limited", "refused"])

_ORDERS = text("""
    SELECT o.id, o.user_id, o.state, o.parts, o.price_stars, o.spent_stars, h."status"::text AS hold,
        count(t) FILTER (WHERE t.state = 'done') AS done,
        (SELECT count(*) FROM public."Generation" g WHERE g.metadata ->> 'orderId' = o.id) AS pictures,
        (SELECT coalesce(sum(g."starsUsed"), 0) FROM public."Generation" g
            WHERE g.metadata ->> 'orderId' = o.id) AS told
    FROM starbooth.orders o JOIN starbooth.tickets t ON t.order_id = o.id
    JOIN public."StarTransaction" h ON h."id" = o.hold_id
    GROUP BY o.id, h."status" ORDER BY o.created_at
""")


class OrderMachine(RuleBasedStateMachine):
    """One booth with two guests. Nothing is mocked but the engine and the disk."""

    database: ClassVar[Database]
    loop: ClassVar[asyncio.Runner]
    is_deduplicating: ClassVar[bool]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @initialize()
    def open_booth(self) -> None:
        self.engine = MemoryEngine(is_deduplicating=self.is_deduplicating)
        self.storage = MemoryStorage()
        self.outside = make_outside(self.engine, self.storage, slots=2)
        self.run(self.empty_tables())
        self.guests = [self.run(make_guest(self.database, stars=STARS)) for _ in range(GUESTS)]
        self.placed: list[tuple[str, str, int, str]] = []

    async def empty_tables(self) -> None:
        """The booth of the example before. Its ledger can only be emptied past the guards."""
        tables = ("deliveries", "tickets", "orders", "guests", "pgqueuer")
        async with self.database.transaction() as tx:
            await tx.execute(text("SET LOCAL session_replication_role = replica"))
            for table in (
                *(f"starbooth.{name}" for name in tables),
                'public."Generation"',
                'public."StarTransaction"',
                'public."User"',
            ):
                await tx.execute(text(f"DELETE FROM {table}"))

    @rule(guest=st.integers(0, GUESTS - 1), pictures=st.integers(1, 4))
    def place(self, guest: int, pictures: int) -> None:
        key = f"k{len(self.placed)}"
        try:
            placed = self.run(
                place_pictures(
                    self.database,
                    self.guests[guest],
                    pictures=pictures,
                    request_key=key,
                    active_orders=3,
                    deadline=timedelta(minutes=10),
                )
            )
        except (NotEnoughStars, TooManyOrders):
            return
        self.placed.append((placed.order_id, self.guests[guest], pictures, key))

    @rule(place=places)
    def place_again(self, place: int) -> None:
        """The same message delivered twice."""
        if not self.placed:
            return
        order_id, guest, pictures, key = self.placed[place % len(self.placed)]
        again = self.run(place_pictures(self.database, guest, pictures=pictures, request_key=key))
        assert (again.order_id, again.is_repeat) == (order_id, True)

    @rule()
    def start(self) -> None:
        self.run(start_orders(self.database, self.outside))

    @rule(seconds=st.sampled_from([1, 5, 20, 70, 130]))
    def look(self, seconds: int) -> None:
        self.run(let_pass(self.database, seconds))
        self.run(sweep(self.database, self.outside))

    @rule(seconds=st.sampled_from([0, 400]))
    def end_what_is_overdue(self, seconds: int) -> None:
        self.run(let_pass(self.database, seconds))
        self.run(end_overdue(self.database, self.outside))

    @rule(mood=moods)
    def upset_the_engine(self, mood: str) -> None:
        if mood == "refused":
            self.engine.next_submits.append(EngineRefused("content_policy_violation"))
            return
        self.engine.next_submits.append(EngineUnavailable(mood))
        self.engine.next_statuses.append(EngineUnavailable(mood))

    @rule(is_sent=st.booleans())
    def lose_the_next_answer(self, is_sent: bool) -> None:
        self.engine.next_submits.append(EngineUnavailable("dropped", may_have_bought=is_sent))

    @rule()
    def upset_the_storage(self) -> None:
        self.storage.next_puts.append(StorageUnavailable("away"))

    @rule(place=places, end=st.sampled_from(["well", "well", "well", "broken", "refused", "lost", "empty"]))
    def engine_ends(self, place: int, end: str) -> None:
        if not self.engine.purchases:
            return
        number = place % len(self.engine.purchases)
        match end:
            case "well":
                self.engine.finish(number, make_picture())
            case "broken":
                self.engine.finish(number, b"rubbish")
            case "refused":
                self.engine.refuse(number, EngineRefused("content_policy_violation"))
            case "empty":
                self.engine.finish_with(number, ())
            case _:
                self.engine.forget(number)

    @rule(place=places)
    def webhook_comes(self, place: int) -> None:
        """As the door does it: the id is adopted, then a worker collects."""
        if not self.engine.purchases:
            return
        bought = self.engine.purchases[place % len(self.engine.purchases)]
        order_id, number = bought.request_key.rsplit("-", 1)

        async def receive() -> None:
            async with self.database.transaction() as tx:
                is_ours = await orders.note_sent(
                    tx,
                    order_id=order_id,
                    number=int(number),
                    engine=self.engine.name,
                    request_id=bought.request_id,
                )
            if is_ours:
                await collect(self.database, self.outside, order_id=order_id, number=int(number), result=None)

        self.run(receive())

    @rule()
    def worker_dies_while_buying(self) -> None:
        async def die() -> None:
            async with self.database.transaction() as tx:
                for claim in await orders.claim_next(tx, slots=2, check_in=timedelta(seconds=10)):
                    await orders.note_sending(tx, claim, 0, seen="unsent", engine="memory")

        self.run(die())

    @rule(place=places)
    def cancel(self, place: int) -> None:
        if not self.placed:
            return
        order_id, guest, _, _ = self.placed[place % len(self.placed)]

        async def press() -> None:
            async with self.database.transaction() as tx:
                await cancel_waiting(tx, crafts=all_crafts(), order_id=order_id, user_id=guest)

        try:
            self.run(press())
        except TooLateToCancel:
            return

    @invariant()
    def everybody_paid_for_what_they_got_and_nothing_else(self) -> None:
        if not hasattr(self, "placed"):
            return
        rows, balances = self.run(self.read_booth())
        committed = dict.fromkeys(self.guests, 0)
        for row in rows:
            if row.state in ("held", "running"):
                assert (row.hold, row.pictures) == ("PENDING", 0)
                committed[row.user_id] += row.price_stars
                continue
            assert row.spent_stars == PRICE * row.done == row.told
            assert row.pictures == row.done
            assert row.hold == ("COMPLETED" if row.done else "REFUNDED")
            assert row.state in (("done",) if row.done else ("failed", "cancelled"))
            committed[row.user_id] += row.spent_stars
        assert balances == {guest: STARS - stars for guest, stars in committed.items()}
        assert all(stars >= 0 for stars in balances.values())

    async def read_booth(self) -> tuple[list[Any], dict[str, int]]:
        async with self.database.transaction() as tx:
            rows = list(await tx.execute(_ORDERS))
            users = await tx.execute(text('SELECT "id", "stars" FROM public."User"'))
            return rows, {row[0]: row[1] for row in users}

    @invariant()
    def nothing_was_bought_twice(self) -> None:
        if not hasattr(self, "engine"):
            return
        keys = [bought.request_key for bought in self.engine.purchases]
        assert len(keys) == len(set(keys))

    def teardown(self) -> None:
        if not hasattr(self, "placed"):
            return
        self.run(let_pass(self.database, 11 * 60))
        self.run(end_overdue(self.database, self.outside))
        rows, _ = self.run(self.read_booth())
        assert {row.state for row in rows} <= {"done", "failed", "cancelled"}
        self.everybody_paid_for_what_they_got_and_nothing_else()
        self.run(assert_accounts_are_true(self.database))
        assert sum(row.done for row in rows) <= len(self.storage.files)


@pytest.mark.slow
@pytest.mark.parametrize("is_deduplicating", [True, False])
def test_whatever_happens_accounts_and_pictures_agree(
    database_server: DatabaseServer, is_deduplicating: bool
) -> None:
    url = database_server.create()
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        OrderMachine.database, OrderMachine.loop = Database(url, connections=4), loop
        OrderMachine.is_deduplicating = is_deduplicating
        try:
            run_state_machine_as_test(
                OrderMachine,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=30,
                    deadline=None,
                    # Shrinking replays a failure hundreds of times, which takes minutes on a real database.
                    phases=[Phase.explicit, Phase.reuse, Phase.generate],
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            loop.run(OrderMachine.database.aclose())
            database_server.drop(url)
