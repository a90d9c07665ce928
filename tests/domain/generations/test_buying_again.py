"""What ends by an accident is bought again: elsewhere first, a few times at most, never two at once."""

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.catalog import engines as rows
from starbooth.domain.orders import run as orders
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.run import check_order, collect
from starbooth.domain.running.sweep import stop_abandoned, sweep
from starbooth.outside.engine.contract import EngineUnavailable, FileGone
from tests.make.audits import assert_accounts_are_true
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest, read_stars
from tests.make.orders import let_pass, make_outside, place_pictures, read_order_row, read_pictures

DEV = "fal-ai/flux/dev"


@pytest.fixture(params=[True, False], ids=["own", "paid"])
def engine(request: pytest.FixtureRequest) -> MemoryEngine:
    """The only engine: of our own, or one that cannot tell a repeat."""
    return MemoryEngine(name="near", is_deduplicating=request.param)


@pytest.fixture
def outside(engine: MemoryEngine) -> Outside:
    return make_outside(engine)


@pytest.fixture
async def guest(database: Database) -> str:
    return await make_guest(database, stars=50)


async def start(database: Database, outside: Outside, guest: str) -> str:
    placed = await place_pictures(database, guest)
    assert await start_orders(database, outside) == 1
    return placed.order_id


async def look_again(database: Database, outside: Outside, *, seconds: float = 30, times: int = 1) -> None:
    for _ in range(times):
        await let_pass(database, seconds)
        await sweep(database, outside)


async def adopt(database: Database, order_id: str, request_id: str) -> bool:
    """What the door does with a webhook of this request."""
    async with database.transaction() as tx:
        return await orders.note_sent(tx, order_id=order_id, number=0, engine="near", request_id=request_id)


async def assert_done(database: Database, order_id: str) -> None:
    row = await read_order_row(database, order_id)
    assert (row.state, row.spent_stars) == ("done", 3)
    assert len(await read_pictures(database, order_id)) == 1
    await assert_accounts_are_true(database)


async def assert_refunded(database: Database, order_id: str, guest: str) -> None:
    row = await read_order_row(database, order_id)
    assert (row.state, row.spent_stars, row.error_code) == ("failed", 0, "engine_unavailable")
    assert await read_stars(database, guest) == (50, 0, 0)
    await assert_accounts_are_true(database)


async def read_breakers(database: Database) -> list[tuple[str, int, str]]:
    async with database.transaction() as tx:
        return [(each.engine, each.failures, each.cause) for each in await rows.list_breakers(tx)]


class TestAnAccidentOfTheRun:
    async def test_the_only_engine_gets_it_again(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.break_down(0)
        await look_again(database, outside, times=2)
        first, second = engine.purchases
        assert (first.order, first.endpoint) == (second.order, second.endpoint)
        assert first.request_key != second.request_key
        engine.finish(1)
        await look_again(database, outside)
        await assert_done(database, order_id)
        assert engine.cancelled == []

    async def test_three_times_is_enough(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        for number in range(3):
            engine.break_down(number, "generation_timeout")
            await look_again(database, outside, times=2)
        assert engine.submit_calls == 3
        await assert_refunded(database, order_id, guest)
        await look_again(database, outside, times=3)
        assert engine.submit_calls == 3

    async def test_its_webhook_says_so(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.break_down(0)
        await collect(
            database, outside, order_id=order_id, number=0, result=None, request_id="near-0", has_failed=True
        )
        await look_again(database, outside)
        assert len(engine.purchases) == 2
        engine.finish(1)
        await look_again(database, outside)
        await assert_done(database, order_id)

    async def test_what_is_known_to_have_failed_needs_no_reason(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.fail_mutely(0)
        await look_again(database, outside, times=2)
        assert len(engine.purchases) == 2
        engine.fail_mutely(1)
        await collect(
            database, outside, order_id=order_id, number=0, result=None, request_id="near-1", has_failed=True
        )
        await look_again(database, outside)
        assert len(engine.purchases) == 3

    @pytest.mark.parametrize(
        "trouble",
        [
            EngineUnavailable("unreachable"),
            EngineUnavailable("rate_limited"),
            EngineUnavailable("exhausted_balance", alarms=True),
        ],
        ids=lambda trouble: trouble.cause,
    )
    async def test_a_call_that_says_nothing_of_it_is_repeated(
        self,
        database: Database,
        outside: Outside,
        engine: MemoryEngine,
        guest: str,
        trouble: EngineUnavailable,
    ) -> None:
        await start(database, outside, guest)
        engine.fail_mutely(0)
        engine.next_results.append(trouble)
        await look_again(database, outside)
        assert len(engine.purchases) == 1

    async def test_a_result_that_may_still_come_is_asked_for_and_not_bought_again(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0)
        engine.next_results.extend([EngineUnavailable("http_502")] * 2)
        await look_again(database, outside, times=3)
        assert engine.submit_calls == 1
        await assert_done(database, order_id)


class TestNeverTwiceAtOnce:
    async def test_poll_and_webhooks_of_one_failure_buy_once(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.break_down(0)
        await let_pass(database, 30)
        await check_order(database, outside, order_id)
        for _ in range(3):
            await collect(database, outside, order_id=order_id, number=0, result=None, request_id="near-0")
        await look_again(database, outside, times=3)
        assert engine.submit_calls == 2

    async def test_a_late_webhook_of_the_first_is_not_adopted(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.break_down(0)
        await look_again(database, outside)
        assert not await adopt(database, order_id, "near-0")
        await look_again(database, outside)
        assert not await adopt(database, order_id, "near-0")
        assert await adopt(database, order_id, "near-1")
        await collect(
            database, outside, order_id=order_id, number=0, result=None, request_id="near-0", has_failed=True
        )
        await look_again(database, outside)
        assert engine.submit_calls == 2
        engine.finish(1)
        await look_again(database, outside)
        await assert_done(database, order_id)

    async def test_a_kill_while_it_is_bought_again_loses_nothing(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.break_down(0)
        await look_again(database, outside)
        engine.next_submits.append(EngineUnavailable("dropped", may_have_bought=True))
        await look_again(database, outside)
        assert not await adopt(database, order_id, "near-0")
        await look_again(database, outside)
        assert len(engine.purchases) == 2
        engine.finish(1)
        assert await adopt(database, order_id, "near-1")
        await look_again(database, outside)
        await assert_done(database, order_id)

    async def test_who_lost_the_fence_does_not_spend_the_request(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        late = orders.Claim(order_id=order_id, attempt=1)
        engine.work(0, None)
        await look_again(database, outside)
        async with database.transaction() as tx:
            assert not await orders.note_spent(tx, late, 0, request_id="near-0", leaves_engine=False)
            [ticket] = await orders.read_tickets(tx, order_id)
            now = orders.Claim(order_id=order_id, attempt=ticket.attempt)
            assert not await orders.note_spent(tx, now, 0, request_id="near-9", leaves_engine=False)
            assert await orders.note_spent(tx, now, 0, request_id="near-0", leaves_engine=False)
            assert not await orders.note_spent(tx, now, 0, request_id="near-0", leaves_engine=False)


class TestSeveralEngines:
    async def test_another_engine_is_first_then_the_same_again(
        self, database: Database, engine: MemoryEngine, guest: str
    ) -> None:
        far = MemoryEngine(name="far", is_deduplicating=False)
        outside = make_outside(engine, None, far)
        order_id = await start(database, outside, guest)
        engine.break_down(0)
        await look_again(database, outside, times=2)
        assert (engine.submit_calls, far.submit_calls) == (1, 1)
        far.break_down(0)
        await look_again(database, outside, times=2)
        assert (engine.submit_calls, far.submit_calls) == (1, 2)
        await stop_abandoned(database, outside)
        assert (engine.cancelled, far.cancelled) == ([], [])
        far.break_down(1)
        await look_again(database, outside, times=2)
        assert (engine.submit_calls, far.submit_calls) == (1, 2)
        await assert_refunded(database, order_id, guest)


class TestTheBreaker:
    async def test_it_counts_runs_that_fail_and_no_purchase_closes_it(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        await start(database, outside, guest)
        for number in range(3):
            engine.break_down(number)
            await look_again(database, outside, times=2)
            assert await read_breakers(database) == [("near", number + 1, "runner_disconnected")]
        async with database.transaction() as tx:
            [breaker] = await rows.list_breakers(tx)
            assert breaker.open_until is not None
        await let_pass(database, rows.FIRST_PAUSE.total_seconds() + 1)
        probe = await start(database, outside, guest)
        assert engine.submit_calls == 4
        assert len(await read_breakers(database)) == 1
        result = engine.finish(3)
        await collect(database, outside, order_id=probe, number=0, result=result, request_id="near-3")
        await assert_done(database, probe)
        assert await read_breakers(database) == []


class TestAFileThatIsGone:
    async def test_after_three_tries_it_is_bought_again_once(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        for number, calls in enumerate((1, 2)):
            engine.finish(number)
            engine.lose_file(number)
            await look_again(database, outside, times=2)
            assert engine.submit_calls == calls
            assert (await read_order_row(database, order_id)).state == "running"
            await look_again(database, outside, times=2)
        assert engine.submit_calls == 2
        await assert_refunded(database, order_id, guest)
        assert await read_breakers(database) == [("near", 2, "http_404")]
        async with database.transaction() as tx:
            facts = await tx.scalar(text("SELECT facts FROM starbooth.tickets"))
        assert facts == {"detail": "http_404"}

    async def test_one_that_comes_a_moment_late_is_kept(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0)
        engine.next_fetches.extend([FileGone("http_404")] * 2)
        await look_again(database, outside, times=3)
        assert engine.submit_calls == 1
        await assert_done(database, order_id)

    async def test_the_webhook_leaves_it_to_the_sweep(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        result = engine.finish(0)
        engine.next_fetches.extend([FileGone("http_410")] * 5)
        for _ in range(5):
            await collect(database, outside, order_id=order_id, number=0, result=result)
        assert engine.submit_calls == 1
        await look_again(database, outside)
        await assert_done(database, order_id)
