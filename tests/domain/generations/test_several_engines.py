"""Orders on more than one engine: preference, breakers, moving on, and never buying twice elsewhere."""

from datetime import timedelta

import pytest

from starbooth.base.database import Database
from starbooth.domain.catalog import engines as rows
from starbooth.domain.orders import run as orders
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.run import collect
from starbooth.domain.running.sweep import stop_abandoned, sweep
from starbooth.outside.engine.contract import EngineRefused, EngineUnavailable
from tests.make.audits import assert_accounts_are_true
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest, read_stars
from tests.make.orders import let_pass, make_outside, place_pictures, read_order_row, read_pictures

DEV = "fal-ai/flux/dev"
FIRST = rows.FIRST_PAUSE.total_seconds()


@pytest.fixture
def near() -> MemoryEngine:
    """The preferred one, of our own."""
    return MemoryEngine(name="near")


@pytest.fixture
def far() -> MemoryEngine:
    """The other one: paid for, and it cannot tell a repeat."""
    return MemoryEngine(name="far", is_deduplicating=False)


@pytest.fixture
def outside(near: MemoryEngine, far: MemoryEngine) -> Outside:
    return make_outside(near, None, far)


@pytest.fixture
async def guest(database: Database) -> str:
    return await make_guest(database, stars=50)


async def start(database: Database, outside: Outside, guest: str) -> str:
    placed = await place_pictures(database, guest)
    assert await start_orders(database, outside) == 1
    return placed.order_id


async def look_again(database: Database, outside: Outside, *, seconds: float = 70) -> None:
    await let_pass(database, seconds)
    await sweep(database, outside)


async def finish(database: Database, outside: Outside, engine: MemoryEngine, order_id: str) -> None:
    engine.finish(len(engine.purchases) - 1)
    await look_again(database, outside)
    row = await read_order_row(database, order_id)
    assert (row.state, row.spent_stars) == ("done", 3)
    [picture] = await read_pictures(database, order_id)
    assert picture["metadata"]["engine"] == engine.name
    await assert_accounts_are_true(database)


class TestPreference:
    async def test_the_first_that_can_gets_it(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        assert (len(near.purchases), len(far.purchases)) == (1, 0)
        await finish(database, outside, near, order_id)

    async def test_an_operator_turns_the_order_round_while_the_booth_runs(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        async with database.transaction() as tx:
            await rows.seed_engines(tx, ["near", "far"], slots=4)
            assert await rows.change_engine(tx, "far", is_on=None, slots=None, position=0)
        await start(database, outside, guest)
        assert (len(near.purchases), len(far.purchases)) == (0, 1)

    async def test_what_is_switched_off_gets_nothing_new_but_is_collected_from(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        first = await start(database, outside, guest)
        async with database.transaction() as tx:
            await rows.seed_engines(tx, ["near", "far"], slots=4)
            await rows.change_engine(tx, "near", is_on=False, slots=None, position=None)
        await start(database, outside, guest)
        assert (len(near.purchases), len(far.purchases)) == (1, 1)
        await finish(database, outside, near, first)

    async def test_what_is_full_leaves_the_rest_to_the_next(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        async with database.transaction() as tx:
            await rows.seed_engines(tx, ["near", "far"], slots=2)
        for _ in range(5):
            await place_pictures(database, guest)
        assert await start_orders(database, outside) == 4
        assert (len(near.purchases), len(far.purchases)) == (2, 2)

    async def test_an_offer_may_name_its_own_order(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        async with database.transaction() as tx:
            await tx.exec_driver_sql("UPDATE starbooth.offers SET engines = '{far, near}'")
        await start(database, outside, guest)
        assert (len(near.purchases), len(far.purchases)) == (0, 1)


class TestBreaker:
    @pytest.mark.parametrize("cause", ["unreachable", "rate_limited", "http_500", "forbidden"])
    async def test_a_guest_sees_a_slower_picture_not_an_error(
        self,
        database: Database,
        outside: Outside,
        near: MemoryEngine,
        far: MemoryEngine,
        guest: str,
        cause: str,
    ) -> None:
        near.next_submits.extend([EngineUnavailable(cause)] * 9)
        order_id = await start(database, outside, guest)
        for _ in range(3):
            await look_again(database, outside, seconds=3)
        assert (near.submit_calls, len(far.purchases)) == (3, 1)
        await finish(database, outside, far, order_id)

    async def test_what_an_operator_must_mend_opens_it_at_once(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        near.next_submits.append(EngineUnavailable("exhausted_balance", alarms=True))
        await start(database, outside, guest)
        await look_again(database, outside, seconds=1)
        await start(database, outside, guest)
        assert (near.submit_calls, len(far.purchases)) == (1, 2)

    async def test_after_the_pause_one_ticket_tries_it_and_closes_it(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        async with database.transaction() as tx:
            await rows.note_trouble(tx, engine="near", endpoint=DEV, cause="http_500", is_grave=True)
        await start(database, outside, guest)
        assert (near.submit_calls, len(far.purchases)) == (0, 1)
        await let_pass(database, FIRST + 1)
        await start(database, outside, guest)
        assert (near.submit_calls, len(far.purchases)) == (1, 1)
        async with database.transaction() as tx:
            assert await rows.list_breakers(tx) == []
        await start(database, outside, guest)
        assert near.submit_calls == 2

    async def test_a_probe_that_fails_doubles_the_pause(self, database: Database) -> None:
        pauses = []
        for _ in range(8):
            async with database.transaction() as tx:
                await rows.note_trouble(tx, engine="near", endpoint=DEV, cause="x", is_grave=True)
                left = await tx.exec_driver_sql("SELECT open_until - now() FROM starbooth.breakers")
                pauses.append(round(left.scalar_one().total_seconds()))
        assert pauses == [20, 40, 80, 160, 300, 300, 300, 300]

    async def test_of_many_workers_one_gets_the_probe(self, database: Database) -> None:
        async with database.transaction() as tx:
            await rows.note_trouble(tx, engine="near", endpoint=DEV, cause="x", is_grave=True)
        await let_pass(database, FIRST + 1)
        probes = []
        for _ in range(4):
            async with database.transaction() as tx:
                probes += await rows.claim_probes(tx)
        assert probes == [("near", DEV)]

    async def test_an_endpoint_that_is_down_does_not_keep_others_waiting(
        self, database: Database, outside: Outside, near: MemoryEngine, guest: str
    ) -> None:
        async with database.transaction() as tx:
            for engine in ("near", "far"):
                await rows.note_trouble(tx, engine=engine, endpoint=DEV, cause="x", is_grave=True)
        waiting = await place_pictures(database, guest)
        assert await start_orders(database, outside) == 0
        assert (await read_order_row(database, waiting.order_id)).state == "held"
        async with database.transaction() as tx:
            await tx.exec_driver_sql("UPDATE starbooth.offers SET endpoint = 'fal-ai/flux/schnell'")
        await start(database, outside, guest)
        assert [bought.endpoint for bought in near.purchases] == ["fal-ai/flux/schnell"]


class TestMovingOn:
    async def test_an_own_engine_that_falls_silent_loses_the_ticket_and_is_told_to_stop(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        near.next_statuses.append(EngineUnavailable("unreachable"))
        await look_again(database, outside, seconds=20)
        await look_again(database, outside, seconds=1)
        assert len(far.purchases) == 1
        await stop_abandoned(database, outside)
        assert near.cancelled == ["near-0"]
        await stop_abandoned(database, outside)
        assert near.cancelled == ["near-0"]
        await finish(database, outside, far, order_id)

    async def test_its_late_answer_is_not_taken_for_the_others(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        near.next_statuses.append(EngineUnavailable("unreachable"))
        await look_again(database, outside, seconds=20)
        async with database.transaction() as tx:
            assert not await orders.note_sent(
                tx, order_id=order_id, number=0, engine="near", request_id="near-0"
            )
        await look_again(database, outside, seconds=1)
        await finish(database, outside, far, order_id)

    async def test_what_was_paid_for_elsewhere_is_waited_for(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        near.next_submits.append(EngineUnavailable("exhausted_balance", alarms=True))
        order_id = await start(database, outside, guest)
        await look_again(database, outside, seconds=1)
        assert len(far.purchases) == 1
        far.next_statuses.extend([EngineUnavailable("unreachable")] * 3)
        for _ in range(3):
            await look_again(database, outside, seconds=70)
        assert (near.submit_calls, len(far.purchases)) == (1, 1)
        await finish(database, outside, far, order_id)

    @pytest.mark.parametrize("code", ["internal_server_error", "no_picture", "feature_not_supported"])
    async def test_what_one_could_not_paint_another_may(
        self,
        database: Database,
        outside: Outside,
        near: MemoryEngine,
        far: MemoryEngine,
        guest: str,
        code: str,
    ) -> None:
        order_id = await start(database, outside, guest)
        near.refuse(0, EngineRefused(code))
        await look_again(database, outside)
        await look_again(database, outside, seconds=1)
        await finish(database, outside, far, order_id)

    async def test_a_webhook_that_says_so_moves_it_too(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        near.finish(0, b"no picture at all")
        await collect(database, outside, order_id=order_id, number=0, result=None)
        await look_again(database, outside, seconds=1)
        await finish(database, outside, far, order_id)

    @pytest.mark.parametrize("code", ["content_policy_violation", "invalid_input"])
    async def test_what_is_wrong_with_the_request_is_wrong_everywhere(
        self,
        database: Database,
        outside: Outside,
        near: MemoryEngine,
        far: MemoryEngine,
        guest: str,
        code: str,
    ) -> None:
        order_id = await start(database, outside, guest)
        near.refuse(0, EngineRefused(code))
        await look_again(database, outside)
        row = await read_order_row(database, order_id)
        assert (row.state, row.error_code, len(far.purchases)) == ("failed", code, 0)
        assert await read_stars(database, guest) == (50, 0, 0)

    async def test_it_never_comes_back_to_who_failed_it(
        self, database: Database, outside: Outside, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        near.refuse(0, EngineRefused("internal_server_error"))
        await look_again(database, outside)
        await look_again(database, outside, seconds=1)
        far.refuse(0, EngineRefused("internal_server_error"))
        await look_again(database, outside)
        row = await read_order_row(database, order_id)
        assert (row.state, row.error_code) == ("failed", "internal_server_error")
        assert (near.submit_calls, far.submit_calls) == (1, 1)
        await assert_accounts_are_true(database)

    async def test_a_lost_answer_of_a_paid_engine_is_not_bought_again_elsewhere(
        self, database: Database, near: MemoryEngine, far: MemoryEngine, guest: str
    ) -> None:
        outside = make_outside(far, None, near)
        placed = await place_pictures(database, guest, deadline=timedelta(hours=1))
        far.next_submits.append(EngineUnavailable("dropped", may_have_bought=True))
        await start_orders(database, outside)
        await look_again(database, outside, seconds=60)
        assert (await read_order_row(database, placed.order_id)).tickets == (("sending", None),)
        assert (far.submit_calls, near.submit_calls) == (1, 0)


class TestNobodyIsHeldUp:
    @pytest.mark.parametrize("trouble", ["off", "broken"])
    async def test_by_orders_that_only_an_engine_in_trouble_could_paint(
        self,
        database: Database,
        outside: Outside,
        near: MemoryEngine,
        far: MemoryEngine,
        guest: str,
        trouble: str,
    ) -> None:
        async with database.transaction() as tx:
            await rows.seed_engines(tx, ["near", "far"], slots=1)
            await tx.exec_driver_sql("UPDATE starbooth.offers SET engines = '{near}'")
        picky = [
            (await place_pictures(database, await make_guest(database, stars=9))).order_id for _ in range(3)
        ]
        async with database.transaction() as tx:
            await tx.exec_driver_sql("UPDATE starbooth.offers SET engines = '{}'")
            if trouble == "off":
                await rows.change_engine(tx, "near", is_on=False, slots=None, position=None)
            else:
                await rows.note_trouble(
                    tx, engine="near", endpoint=DEV, cause="exhausted_balance", is_grave=True
                )
        other = (await place_pictures(database, guest)).order_id
        assert await start_orders(database, outside) == 1
        assert (len(near.purchases), len(far.purchases)) == (0, 1)
        states = [(await read_order_row(database, order_id)).state for order_id in picky]
        assert states == ["held"] * 3
        await finish(database, outside, far, other)

    async def test_they_start_when_their_engine_is_back(
        self, database: Database, outside: Outside, near: MemoryEngine, guest: str
    ) -> None:
        async with database.transaction() as tx:
            await rows.seed_engines(tx, ["near", "far"], slots=4)
            await tx.exec_driver_sql("UPDATE starbooth.offers SET engines = '{near}'")
        await place_pictures(database, guest)
        async with database.transaction() as tx:
            await rows.change_engine(tx, "near", is_on=False, slots=None, position=None)
        assert await start_orders(database, outside) == 0
        async with database.transaction() as tx:
            await rows.change_engine(tx, "near", is_on=True, slots=None, position=None)
        assert await start_orders(database, outside) == 1
        assert len(near.purchases) == 1
