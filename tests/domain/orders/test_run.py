"""Claims, slots and the fence: of two who work on an order, only the later one can write."""

import asyncio
from datetime import timedelta

import pytest

from starbooth.base.database import Database
from starbooth.domain.orders import run
from starbooth.domain.orders.run import Claim
from tests.make.guests import make_guest
from tests.make.orders import let_pass, place_pictures, read_order_row

SOON = timedelta(seconds=10)


async def claim(database: Database, *, slots: int = 4) -> list[Claim]:
    async with database.transaction() as tx:
        return await run.claim_next(tx, slots=slots, check_in=SOON)


async def take_over(database: Database, order_id: str) -> Claim | None:
    async with database.transaction() as tx:
        return await run.take_over(tx, order_id, check_in=SOON)


async def start_one(database: Database, *, pictures: int = 1) -> Claim:
    await place_pictures(database, await make_guest(database, stars=100), pictures=pictures)
    [started] = await claim(database)
    return started


async def send(database: Database, started: Claim, number: int = 0, request_id: str = "r") -> None:
    async with database.transaction() as tx:
        assert await run.note_sending(tx, started, number, seen="unsent", engine="memory")
        assert await run.note_sent(
            tx, order_id=started.order_id, number=number, engine="memory", request_id=request_id
        )


class TestClaimNext:
    async def test_a_claimed_order_runs_and_is_not_claimed_again(self, database: Database) -> None:
        started = await start_one(database)
        assert started.attempt == 1
        assert (await read_order_row(database, started.order_id)).state == "running"
        assert await claim(database) == []

    async def test_no_more_start_than_there_are_slots(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        for _ in range(5):
            await place_pictures(database, guest)
        assert len(await claim(database, slots=3)) == 3
        assert await claim(database, slots=3) == []
        assert await claim(database, slots=0) == []
        assert len(await claim(database, slots=4)) == 1

    async def test_eight_workers_at_once_never_start_more_than_there_are_slots(
        self, database: Database
    ) -> None:
        guest = await make_guest(database, stars=100)
        for _ in range(8):
            await place_pictures(database, guest)
        claims = await asyncio.gather(*(claim(database, slots=3) for _ in range(8)))
        started = [each.order_id for some in claims for each in some]
        assert len(started) == len(set(started)) == 3

    async def test_an_order_past_its_deadline_is_not_started(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        await place_pictures(database, guest, deadline=timedelta(seconds=60))
        await let_pass(database, 61)
        assert await claim(database) == []


class TestTakeOver:
    async def test_only_what_is_due_can_be_taken_over(self, database: Database) -> None:
        started = await start_one(database)
        assert await take_over(database, started.order_id) is None
        await let_pass(database, 11)
        assert await take_over(database, started.order_id) == Claim(order_id=started.order_id, attempt=2)
        assert await take_over(database, started.order_id) is None

    async def test_of_eight_at_once_one_gets_it(self, database: Database) -> None:
        started = await start_one(database)
        await let_pass(database, 11)
        taken = await asyncio.gather(*(take_over(database, started.order_id) for _ in range(8)))
        assert len([each for each in taken if each is not None]) == 1

    async def test_an_order_that_waits_cannot_be_taken_over(self, database: Database) -> None:
        placed = await place_pictures(database, await make_guest(database, stars=100))
        assert await take_over(database, placed.order_id) is None

    async def test_due_orders_are_found_oldest_first(self, database: Database) -> None:
        first, second = await start_one(database), await start_one(database)
        async with database.transaction() as tx:
            assert await run.find_due(tx, limit=9) == []
            await run.check_again(tx, first, check_in=timedelta(seconds=2))
            await run.check_again(tx, second, check_in=timedelta(seconds=1))
        await let_pass(database, 3)
        async with database.transaction() as tx:
            assert await run.find_due(tx, limit=9) == [second.order_id, first.order_id]
            assert await run.find_due(tx, limit=1) == [second.order_id]


class TestFence:
    @pytest.fixture
    async def old(self, database: Database) -> Claim:
        """A claim that somebody has taken over since."""
        started = await start_one(database)
        await let_pass(database, 11)
        assert await take_over(database, started.order_id) is not None
        return started

    async def test_an_old_attempt_may_not_buy(self, database: Database, old: Claim) -> None:
        async with database.transaction() as tx:
            assert not await run.note_sending(tx, old, 0, seen="unsent", engine="memory")
        assert (await read_order_row(database, old.order_id)).tickets == (("unsent", None),)

    async def test_an_old_attempt_may_not_call_a_purchase_off(self, database: Database, old: Claim) -> None:
        current = Claim(order_id=old.order_id, attempt=2)
        async with database.transaction() as tx:
            assert await run.note_sending(tx, current, 0, seen="unsent", engine="memory")
            await run.note_unsent(tx, old, 0)
        assert (await read_order_row(database, old.order_id)).tickets == (("sending", None),)

    async def test_an_old_attempt_may_not_tell_progress(self, database: Database, old: Claim) -> None:
        async with database.transaction() as tx:
            assert not await run.note_progress(tx, old, 0.5)
        assert (await read_order_row(database, old.order_id)).progress == 0

    async def test_an_old_attempt_may_not_set_the_next_look(self, database: Database, old: Claim) -> None:
        async with database.transaction() as tx:
            await run.check_again(tx, old, check_in=timedelta(seconds=-60))
            assert await run.find_due(tx, limit=9) == []


class TestNoteSending:
    async def test_of_two_who_found_a_ticket_unsent_one_may_buy(self, database: Database) -> None:
        """Otherwise an engine that cannot tell a repeat would be bought from twice."""
        started = await start_one(database)
        async with database.transaction() as tx:
            assert await run.note_sending(tx, started, 0, seen="unsent", engine="memory")
        async with database.transaction() as tx:
            assert not await run.note_sending(tx, started, 0, seen="unsent", engine="memory")

    async def test_who_found_it_sending_may_send_again(self, database: Database) -> None:
        started = await start_one(database)
        for seen in ("unsent", "sending", "sending"):
            async with database.transaction() as tx:
                assert await run.note_sending(tx, started, 0, seen=seen, engine="memory")
        async with database.transaction() as tx:
            [ticket] = await run.read_tickets(tx, started.order_id)
        assert ticket.tries == 3

    async def test_what_was_sent_is_not_sent_again(self, database: Database) -> None:
        started = await start_one(database)
        await send(database, started)
        async with database.transaction() as tx:
            assert not await run.note_sending(tx, started, 0, seen="sending", engine="memory")


class TestNoteSent:
    async def test_the_first_id_stays(self, database: Database) -> None:
        started = await start_one(database)
        await send(database, started, request_id="first")
        async with database.transaction() as tx:
            values = {"order_id": started.order_id, "number": 0, "engine": "memory"}
            assert not await run.note_sent(tx, request_id="second", **values)  # type: ignore[arg-type]  # as they are
            assert await run.note_sent(tx, request_id="first", **values)  # type: ignore[arg-type]  # as they are
            [ticket] = await run.read_tickets(tx, started.order_id)
        assert ticket.request_id == "first"

    async def test_a_webhook_may_tell_the_id_before_the_answer_does(self, database: Database) -> None:
        started = await start_one(database)
        async with database.transaction() as tx:
            assert await run.note_sending(tx, started, 0, seen="unsent", engine="memory")
            assert await run.note_sent(
                tx, order_id=started.order_id, number=0, engine="memory", request_id="by-hook"
            )
        assert (await read_order_row(database, started.order_id)).tickets == (("sent", None),)


class TestTicketEnds:
    async def test_the_first_end_stays(self, database: Database) -> None:
        started = await start_one(database, pictures=2)
        values = {"order_id": started.order_id}
        async with database.transaction() as tx:
            await run.note_done(tx, number=0, file_key="a.png", facts={}, **values)
            await run.note_failed(tx, number=0, error_code="late", facts={}, **values)
            await run.note_failed(tx, number=1, error_code="bad", facts={}, **values)
            await run.note_done(tx, number=1, file_key="b.png", facts={}, **values)
        assert (await read_order_row(database, started.order_id)).tickets == (
            ("done", None),
            ("failed", "bad"),
        )

    async def test_a_ticket_of_an_order_that_waits_cannot_end(self, database: Database) -> None:
        placed = await place_pictures(database, await make_guest(database, stars=100))
        async with database.transaction() as tx:
            await run.note_done(tx, order_id=placed.order_id, number=0, file_key="a.png", facts={})
        assert (await read_order_row(database, placed.order_id)).tickets == (("unsent", None),)


class TestProgress:
    async def test_it_only_grows_and_stays_between_nothing_and_all(self, database: Database) -> None:
        started = await start_one(database)
        moved = []
        for progress in (-1.0, 0.3, 0.2, 0.3, 0.5, 7.0):
            async with database.transaction() as tx:
                moved.append(await run.note_progress(tx, started, progress))
        assert moved == [False, True, False, False, True, True]
        assert (await read_order_row(database, started.order_id)).progress == 1.0

    async def test_every_step_is_announced_by_the_orders_id(self, database: Database) -> None:
        started = await start_one(database)
        heard: asyncio.Queue[str] = asyncio.Queue()
        async with database.listen("starbooth_order", heard.put_nowait):
            async with database.transaction() as tx:
                await run.note_progress(tx, started, 0.5)
            assert await asyncio.wait_for(heard.get(), timeout=5) == started.order_id
