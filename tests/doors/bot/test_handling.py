"""Handling in turn: order within a chat, retries, a bug's end, waking, and a clean stop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.doors.bot.handling import run_inbox
from starbooth.doors.bot.inbox import Update, announce_updates, keep_updates
from tests.doors.bot.updates import message_update


class Desk:
    """Notes what it is given; `plans` says what happens with an update, and `gates` hold some up."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.given_up: list[int] = []
        self.alarmed: list[int] = []
        self.errors: dict[int, list[Exception]] = {}
        self.gates: dict[int, asyncio.Event] = {}

    async def handle(self, update: Update) -> None:
        number = update["update_id"]
        self.begun.append(number)
        if number in self.gates:
            await self.gates[number].wait()
        if self.errors.get(number):
            raise self.errors[number].pop(0)
        self.ended.append(number)

    async def give_up(self, update: Update) -> None:
        self.given_up.append(update["update_id"])

    async def alarm(self, update: Update) -> None:
        self.alarmed.append(update["update_id"])


@pytest.fixture
def desk() -> Desk:
    return Desk()


@asynccontextmanager
async def handling(database: Database, desk: Desk, **options: Any) -> AsyncIterator[asyncio.Event]:
    """Handling under way; yields what wakes it, and stops it cleanly at the end."""
    stop, wake = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        run_inbox(
            database,
            desk.handle,
            give_up=desk.give_up,
            alarm=desk.alarm,
            stop=stop,
            wake=wake,
            **options,
        )
    )
    try:
        yield wake
    finally:
        stop.set()
        await asyncio.wait_for(task, timeout=20)


async def keep(database: Database, *updates: dict[str, Any]) -> None:
    async with database.transaction() as tx:
        await keep_updates(tx, updates)


async def until(is_so: Callable[[], bool], *, timeout_s: float = 10) -> None:
    for _ in range(int(timeout_s / 0.02)):
        if is_so():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


async def states(database: Database) -> dict[int, tuple[str, int]]:
    async with database.transaction() as tx:
        rows = await tx.execute(text("SELECT update_id, state, tries FROM starbooth.inbox"))
        return {row.update_id: (row.state, row.tries) for row in rows}


async def make_due(database: Database) -> None:
    """Let no delay be waited for."""
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.inbox SET due_at = now() WHERE state = 'waiting'"))


class TestOrder:
    async def test_a_chat_keeps_its_order_while_other_chats_go_on(
        self, database: Database, desk: Desk
    ) -> None:
        desk.gates[1] = asyncio.Event()
        await keep(
            database,
            *(message_update(number, chat_id=1) for number in (1, 3, 5)),
            *(message_update(number, chat_id=2) for number in (2, 4, 6)),
        )
        async with handling(database, desk):
            await until(lambda: desk.ended == [2, 4, 6])
            assert desk.begun.count(3) == 0
            desk.gates[1].set()
            await until(lambda: len(desk.ended) == 6)
        assert [number for number in desk.ended if number % 2] == [1, 3, 5]
        assert set((await states(database)).values()) == {("handled", 1)}

    async def test_no_more_chats_at_once_than_allowed(self, database: Database, desk: Desk) -> None:
        for number in range(1, 7):
            desk.gates[number] = asyncio.Event()
        await keep(database, *(message_update(number, chat_id=number) for number in range(1, 7)))
        async with handling(database, desk, chats_at_once=2):
            await until(lambda: len(desk.begun) == 2)
            await asyncio.sleep(0.2)
            assert desk.begun == [1, 2]
            for gate in desk.gates.values():
                gate.set()
            await until(lambda: len(desk.ended) == 6)

    async def test_two_processes_share_the_work_and_nothing_is_done_twice(
        self, database: Database, desk: Desk
    ) -> None:
        await keep(database, *(message_update(number, chat_id=number % 9) for number in range(1, 100)))
        async with handling(database, desk), handling(database, desk):
            await until(lambda: len(desk.ended) == 99)
        assert sorted(desk.begun) == list(range(1, 100))
        for chat in range(9):
            turns = [number for number in desk.ended if number % 9 == chat]
            assert turns == sorted(turns)


class TestRetries:
    async def test_an_unavailable_outside_is_tried_again_and_the_chat_waits(
        self, database: Database, desk: Desk
    ) -> None:
        desk.errors[1] = [Unavailable("telegram")]
        await keep(database, message_update(1), message_update(2))
        async with handling(database, desk):
            await until(lambda: desk.ended == [1, 2])
        assert desk.begun == [1, 1, 2]
        assert desk.given_up == []

    async def test_the_pause_that_was_asked_for_is_kept(self, database: Database, desk: Desk) -> None:
        desk.errors[1] = [Unavailable("telegram", retry_after_s=40)]
        await keep(database, message_update(1))
        async with handling(database, desk):
            await until(lambda: desk.begun == [1])
        async with database.transaction() as tx:
            left = await tx.scalar(text("SELECT extract(epoch FROM due_at - now()) FROM starbooth.inbox"))
        assert 35 < float(left or 0) <= 40

    async def test_after_ten_tries_the_guest_is_told_and_the_chat_goes_on(
        self, database: Database, desk: Desk
    ) -> None:
        desk.errors[1] = [Unavailable("telegram") for _ in range(20)]
        await keep(database, message_update(1), message_update(2))
        async with handling(database, desk) as wake:
            for _ in range(300):
                await make_due(database)
                wake.set()
                await asyncio.sleep(0.02)
                if desk.ended == [2]:
                    break
        assert desk.begun.count(1) == 10
        assert desk.given_up == [1]
        assert await states(database) == {1: ("failed", 10), 2: ("handled", 1)}

    async def test_a_bug_is_tried_three_times(self, database: Database, desk: Desk) -> None:
        desk.errors[1] = [ValueError("bug") for _ in range(9)]
        await keep(database, message_update(1), message_update(2))
        async with handling(database, desk) as wake:
            for _ in range(300):
                await make_due(database)
                wake.set()
                await asyncio.sleep(0.02)
                if desk.ended == [2]:
                    break
        assert desk.begun.count(1) == 3
        assert desk.given_up == [1]

    async def test_a_handler_that_never_ends_is_ended_and_tried_again(
        self, database: Database, desk: Desk
    ) -> None:
        desk.gates[1] = asyncio.Event()
        await keep(database, message_update(1), message_update(2))
        async with handling(database, desk, handling_s=0.2) as wake:
            await until(lambda: desk.begun == [1])
            await asyncio.sleep(0.4)
            desk.gates[1].set()
            await make_due(database)
            wake.set()
            await until(lambda: desk.ended == [1, 2])
        assert desk.begun == [1, 1, 2]

    async def test_an_apology_that_fails_changes_nothing(self, database: Database, desk: Desk) -> None:
        async def fail(update: Update) -> None:
            desk.given_up.append(update["update_id"])
            raise ValueError("no")

        desk.errors[1] = [ValueError("bug")]
        await keep(database, message_update(1), message_update(2))
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.inbox SET tries = 2 WHERE update_id = 1"))
        desk.give_up = fail  # type: ignore[method-assign]  # the same shape, made to fail
        async with handling(database, desk):
            await until(lambda: desk.ended == [2])
        assert desk.given_up == [1]
        assert (await states(database))[1] == ("failed", 3)

    async def test_an_update_that_kills_whoever_handles_it_is_given_up(
        self, database: Database, desk: Desk
    ) -> None:
        await keep(database, message_update(1))
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.inbox SET tries = 10"))
        async with handling(database, desk):
            await until(lambda: desk.given_up == [1])
        assert desk.begun == []
        assert (await states(database))[1] == ("failed", 11)


def money(update_id: int, *, chat_id: int = 7) -> dict[str, Any]:
    """A message that tells of a payment."""
    paid = {"currency": "XTR", "total_amount": 50, "telegram_payment_charge_id": "stx"}
    return message_update(update_id, chat_id=chat_id, successful_payment=paid)


def query(update_id: int) -> dict[str, Any]:
    """The question whether a payment may go on."""
    return {"update_id": update_id, "pre_checkout_query": {"id": "1", "from": {"id": 7}}}


class TestMoney:
    async def test_it_is_tried_far_longer_than_anything_else_and_the_operators_are_told(
        self, database: Database, desk: Desk
    ) -> None:
        desk.errors[1] = [ValueError("bug") for _ in range(25)]
        await keep(database, money(1), message_update(2))
        async with handling(database, desk) as wake:
            for _ in range(500):
                await make_due(database)
                wake.set()
                await asyncio.sleep(0.02)
                if 1 in desk.ended:
                    break
        assert desk.begun.count(1) == 26
        assert desk.ended == [2, 1]  # its chat waited for ten tries, and no longer
        assert desk.alarmed == [1, 1]
        assert desk.given_up == []

    async def test_it_is_given_up_at_last(self, database: Database, desk: Desk) -> None:
        desk.errors[1] = [Unavailable("database")]
        await keep(database, money(1))
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.inbox SET tries = 599"))
        async with handling(database, desk):
            await until(lambda: desk.given_up == [1])
        assert await states(database) == {1: ("failed", 600)}

    async def test_an_alarm_that_fails_changes_nothing(self, database: Database, desk: Desk) -> None:
        async def fail(update: Update) -> None:
            desk.alarmed.append(update["update_id"])
            raise ValueError("no")

        desk.alarm = fail  # type: ignore[method-assign]  # the same shape, made to fail
        await keep(database, money(1))
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.inbox SET tries = 10"))
        async with handling(database, desk):
            await until(lambda: desk.ended == [1])
        assert desk.alarmed == [1]


class TestUrgency:
    async def test_a_question_is_answered_at_once_when_every_hand_is_busy(
        self, database: Database, desk: Desk
    ) -> None:
        desk.gates[1] = asyncio.Event()
        await keep(database, message_update(1))
        async with handling(database, desk, chats_at_once=1) as wake:
            await until(lambda: desk.begun == [1])
            await keep(database, query(2))
            wake.set()
            await until(lambda: desk.ended == [2], timeout_s=1)
            desk.gates[1].set()
            await until(lambda: desk.ended == [2, 1])

    async def test_a_question_is_answered_within_a_second_when_ten_thousand_wait(
        self, database: Database, desk: Desk
    ) -> None:
        updates = [message_update(number, chat_id=number % 1000) for number in range(1, 10_001)]
        await keep(database, *updates, query(10_001))
        async with handling(database, desk):
            await until(lambda: 10_001 in desk.ended, timeout_s=1)
            assert len(desk.ended) < 1000

    async def test_a_late_one_is_never_handled_and_nobody_is_told(
        self, database: Database, desk: Desk
    ) -> None:
        await keep(database, query(1))
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.inbox SET received_at = now() - interval '11 s'"))
        await keep(database, message_update(2))
        async with handling(database, desk):
            await until(lambda: desk.ended == [2])
        assert desk.given_up == []
        assert (await states(database))[1] == ("failed", 0)


class TestWaking:
    async def test_another_process_wakes_it_by_notify(self, database: Database, desk: Desk) -> None:
        loop = asyncio.get_running_loop()
        async with handling(database, desk):
            waits = []
            for number in range(1, 4):
                await asyncio.sleep(0.3)
                started_at = loop.time()
                async with database.transaction() as tx:
                    await keep_updates(tx, [message_update(number)])
                    await announce_updates(tx)
                await until(lambda seen=number: seen in desk.ended)  # type: ignore[misc]
                waits.append(loop.time() - started_at)
        assert min(waits) < 0.25

    async def test_what_nobody_announced_is_found_in_seconds(self, database: Database, desk: Desk) -> None:
        async with handling(database, desk):
            await asyncio.sleep(0.1)
            await keep(database, message_update(1))
            await until(lambda: desk.ended == [1], timeout_s=3)

    async def test_it_outlives_the_loss_of_its_connections(self, database: Database, desk: Desk) -> None:
        async with handling(database, desk):
            await asyncio.sleep(0.2)
            async with database.transaction() as tx:
                await tx.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            await keep(database, message_update(1))
            await until(lambda: desk.ended == [1])


class TestStopping:
    async def test_what_is_under_way_ends_and_is_noted(self, database: Database, desk: Desk) -> None:
        desk.gates[1] = asyncio.Event()
        await keep(database, message_update(1), message_update(2))
        async with handling(database, desk):
            await until(lambda: desk.begun == [1])
            asyncio.get_running_loop().call_later(0.3, desk.gates[1].set)
        assert await states(database) == {1: ("handled", 1), 2: ("waiting", 0)}

    async def test_what_does_not_end_is_given_back(self, database: Database, desk: Desk) -> None:
        desk.gates[1] = asyncio.Event()
        await keep(database, message_update(1))
        async with handling(database, desk, last_words_s=0.2):
            await until(lambda: desk.begun == [1])
        async with database.transaction() as tx:
            row = (await tx.execute(text("SELECT state, tries, claimed_by FROM starbooth.inbox"))).one()
        assert tuple(row) == ("waiting", 0, None)

    async def test_a_long_handler_keeps_its_lease(self, database: Database, desk: Desk) -> None:
        desk.gates[1] = asyncio.Event()
        await keep(database, message_update(1))
        async with handling(database, desk), handling(database, desk):
            await until(lambda: desk.begun == [1])
            await asyncio.sleep(9.5)  # longer than a lease
            assert desk.begun == [1]
            desk.gates[1].set()
            await until(lambda: desk.ended == [1])
        assert await states(database) == {1: ("handled", 1)}
