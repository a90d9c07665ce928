"""Jobs are part of the transaction that enqueues them, and a job outlives the worker that had it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.base.jobs import Job, enqueue, every, forget_old_logs, once, run_jobs
from tests.base.test_database import end_all_connections

Facts = Mapping[str, Any]


@asynccontextmanager
async def worker(
    database: Database, handlers: Mapping[str, Callable[[Facts], Awaitable[None]]]
) -> AsyncIterator[asyncio.Event]:
    """Jobs run while the block runs; afterwards the worker is told to stop and must."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_jobs(database, handlers, stop=stop, concurrency=4))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, timeout=20)


async def count_jobs(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM starbooth.pgqueuer")) or 0)


class TestEnqueue:
    async def test_a_job_of_an_undone_transaction_does_not_exist(self, database: Database) -> None:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as tx:
                await tx.execute(text("SELECT 1"))
                await enqueue(tx, Job(name="a"))
                raise ZeroDivisionError
        assert await count_jobs(database) == 0

    async def test_not_even_where_it_was_the_first_thing_in_the_transaction(self, database: Database) -> None:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as tx:
                await enqueue(tx, Job(name="a"))
                raise ZeroDivisionError
        assert await count_jobs(database) == 0

    async def test_jobs_of_a_kept_transaction_exist_once_it_is_kept(self, database: Database) -> None:
        async with database.transaction() as tx:
            await enqueue(tx, Job(name="a"), Job(name="b", facts={"order": "x"}))
            assert await count_jobs(database) == 0
        assert await count_jobs(database) == 2


class TestRunJobs:
    async def test_a_job_runs_with_its_facts(self, database: Database) -> None:
        seen: asyncio.Queue[Facts] = asyncio.Queue()
        async with worker(database, {"a": seen.put}):
            async with database.transaction() as tx:
                await enqueue(tx, Job(name="a", facts={"order": "x", "number": 3}))
            assert await asyncio.wait_for(seen.get(), timeout=5) == {"order": "x", "number": 3}

    async def test_a_job_with_a_delay_waits_for_it(self, database: Database) -> None:
        seen: asyncio.Queue[Facts] = asyncio.Queue()
        async with worker(database, {"a": seen.put}):
            async with database.transaction() as tx:
                await enqueue(
                    tx, Job(name="a", facts={"n": "late"}, delay_s=0.6), Job(name="a", facts={"n": "now"})
                )
            assert await asyncio.wait_for(seen.get(), timeout=5) == {"n": "now"}
            assert seen.empty()
            assert await asyncio.wait_for(seen.get(), timeout=5) == {"n": "late"}

    async def test_a_job_that_raises_does_not_stop_the_next(self, database: Database) -> None:
        seen: asyncio.Queue[Facts] = asyncio.Queue()

        async def fail(facts: Facts) -> None:
            raise ZeroDivisionError

        async with worker(database, {"bad": fail, "good": seen.put}):
            async with database.transaction() as tx:
                await enqueue(tx, Job(name="bad"), Job(name="good"))
            await asyncio.wait_for(seen.get(), timeout=5)
        assert await count_jobs(database) == 0

    async def test_a_stop_lets_the_job_under_way_end(self, database: Database) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def slow(facts: Facts) -> None:
            begun.set()
            await asyncio.sleep(0.5)
            ended.set()

        async with worker(database, {"slow": slow}) as stop:
            async with database.transaction() as tx:
                await enqueue(tx, Job(name="slow"))
            await asyncio.wait_for(begun.wait(), timeout=5)
            stop.set()
        assert ended.is_set()
        assert await count_jobs(database) == 0

    async def test_a_worker_whose_connections_were_cut_comes_back(
        self, database: Database, database_url: str
    ) -> None:
        seen: asyncio.Queue[Facts] = asyncio.Queue()
        async with worker(database, {"a": seen.put}):
            async with database.transaction() as tx:
                await enqueue(tx, Job(name="a"))
            await asyncio.wait_for(seen.get(), timeout=5)
            await end_all_connections(database_url)
            fresh = Database(database_url)
            async with fresh.transaction() as tx:
                await enqueue(tx, Job(name="a"))
            await fresh.aclose()
            await asyncio.wait_for(seen.get(), timeout=20)

    @pytest.mark.slow
    async def test_a_job_of_a_killed_worker_runs_on_another(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        async with database.transaction() as tx:
            await enqueue(tx, Job(name="a", facts={"order": "x"}))
        mark = tmp_path / "begun"
        script = (
            "import asyncio, pathlib, sys\n"
            "from starbooth.base.database import Database\n"
            "from starbooth.base.jobs import run_jobs\n"
            "async def hang(facts):\n"
            "    pathlib.Path(sys.argv[2]).touch()\n"
            "    await asyncio.sleep(600)\n"
            "asyncio.run(run_jobs(Database(sys.argv[1]), {'a': hang}, stop=asyncio.Event(), concurrency=2))\n"
        )
        doomed = await asyncio.create_subprocess_exec(sys.executable, "-c", script, database_url, str(mark))
        for _ in range(200):
            if mark.exists():
                break
            await asyncio.sleep(0.1)
        assert mark.exists()
        os.kill(doomed.pid, signal.SIGKILL)
        await doomed.wait()
        seen: asyncio.Queue[Facts] = asyncio.Queue()
        async with worker(database, {"a": seen.put}):
            assert await asyncio.wait_for(seen.get(), timeout=40) == {"order": "x"}


class TestEvery:
    async def test_work_that_raises_gets_its_next_turn(self) -> None:
        stop, turns = asyncio.Event(), 0

        async def work() -> None:
            nonlocal turns
            turns += 1
            if turns == 3:
                stop.set()
            raise ZeroDivisionError

        await asyncio.wait_for(every(0.01, work, stop=stop), timeout=5)
        assert turns == 3

    async def test_a_stop_ends_the_pause(self) -> None:
        stop = asyncio.Event()

        async def work() -> None:
            stop.set()

        await asyncio.wait_for(every(600, work, stop=stop), timeout=5)


class TestForgetOldLogs:
    async def test_only_what_is_older_is_dropped(self, database: Database) -> None:
        async with database.transaction() as tx:
            for age in (timedelta(hours=1), timedelta(hours=30)):
                await tx.execute(
                    text(
                        "INSERT INTO starbooth.pgqueuer_log (created, job_id, status, priority, entrypoint)"
                        " VALUES (now() - CAST(:age AS interval), 1, 'successful', 0, 'a')"
                    ),
                    {"age": age},
                )
        async with database.transaction() as tx:
            await forget_old_logs(tx, keep_hours=24)
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.pgqueuer_log")) == 1


class TestOnce:
    async def test_what_is_away_is_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stop, tries = asyncio.Event(), 0

        async def pause(_stop: asyncio.Event, *, seconds: float) -> None:
            assert seconds == 1.0

        async def work() -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise Unavailable("database: away")

        monkeypatch.setattr("starbooth.base.jobs._pause", pause)
        await asyncio.wait_for(once(work, stop=stop), timeout=5)
        assert tries == 3

    async def test_a_bug_is_not_waited_for(self) -> None:
        async def work() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(once(work, stop=asyncio.Event()), timeout=5)

    async def test_a_process_that_is_told_to_stop_gives_up(self) -> None:
        stop = asyncio.Event()

        async def work() -> None:
            stop.set()
            raise Unavailable("database: away")

        await asyncio.wait_for(once(work, stop=stop), timeout=5)
