"""The job queue: PgQueuer in the schema `starbooth`, filled inside our own transactions.

A job is a reminder that something may be done, never the record that it must: it can run twice, or on a
second worker while the first still breathes, so what it does is guarded by the state in the tables. A lost
job costs time only, because sweepers look for what is due.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence import qb
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import FailingListenerError
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.settings import DBSettings
from pgqueuer.queries import Queries
from sqlalchemy import text

from starbooth.base.database import Database, Tx, driver_of, is_connection_lost
from starbooth.base.errors import Unavailable

_log = structlog.get_logger()
_NAMES = DBSettings(db_schema="starbooth")
_STALE_AFTER = timedelta(seconds=10)
# The second is what asyncpg says where the server went away in the middle of two calls.
_LOST = (FailingListenerError, asyncpg.InternalClientError)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One entry: the handler's name and what it needs to know, as JSON."""

    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0


Handler = Callable[[Mapping[str, Any]], Awaitable[None]]


def _queries(connection: Any) -> Queries:
    return Queries(
        AsyncpgDriver(connection),
        qbe=qb.QueryBuilderEnvironment(settings=_NAMES),
        qbq=qb.QueryQueueBuilder(settings=_NAMES),
        qbs=qb.QuerySchedulerBuilder(settings=_NAMES),
    )


async def enqueue(tx: Tx, *jobs: Job) -> None:
    """Add jobs as part of `tx`: they exist if and when it commits. One round trip for all of them."""
    connection = await driver_of(tx)
    await _queries(connection).enqueue(
        [job.name for job in jobs],
        [json.dumps(job.facts).encode() for job in jobs],
        [0] * len(jobs),
        [timedelta(seconds=job.delay_s) for job in jobs],
    )


async def run_jobs(
    database: Database, handlers: Mapping[str, Handler], *, stop: asyncio.Event, concurrency: int
) -> None:
    """Run jobs until `stop` is set, then let those under way end. Reconnects for as long as it takes.

    A handler that raises is logged and its job is dropped: what is still due is found by the sweepers.
    """
    while not stop.is_set():
        try:
            await _run_until_lost(database, handlers, stop=stop, concurrency=concurrency)
        except Exception as error:
            if not isinstance(error, _LOST) and not is_connection_lost(error):
                raise
            _log.warning("jobs.connection_lost", error=type(error).__name__)
            await _pause(stop, seconds=1.0)


async def _run_until_lost(
    database: Database, handlers: Mapping[str, Handler], *, stop: asyncio.Event, concurrency: int
) -> None:
    connection = await database.connect_raw()
    try:
        # A job that runs once more after PostgreSQL died does no harm, so its bookkeeping waits for no disk.
        await connection.execute("SET synchronous_commit = off")
        queue = QueueManager(_queries(connection), channel=_NAMES.channel)
        for name, handler in handlers.items():
            queue.entrypoint(name)(_entrypoint(handler))
        stopper = asyncio.create_task(_shut_down_on(stop, queue))
        try:
            await queue.run(
                dequeue_timeout=timedelta(seconds=5),
                batch_size=max(1, concurrency // 2),
                max_concurrent_tasks=max(2, concurrency),
                shutdown_on_listener_failure=True,
                heartbeat_timeout=_STALE_AFTER,
            )
        finally:
            stopper.cancel()
    finally:
        if not connection.is_closed():
            await connection.close(timeout=5)


def _entrypoint(handler: Handler) -> Callable[[QueuedJob], Awaitable[None]]:
    async def run(job: QueuedJob) -> None:
        try:
            await handler(json.loads(job.payload or b"{}"))
        except Unavailable as error:
            _log.warning("job.unavailable", job=job.entrypoint, reason=error.reason)

    return run


async def _shut_down_on(stop: asyncio.Event, queue: QueueManager) -> None:
    await stop.wait()
    queue.shutdown.set()


async def _pause(stop: asyncio.Event, *, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return


class Gathered:
    """Lets those who ask while `work` is busy share the next run of it, in place of one run each."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._turn = asyncio.Lock()
        self._is_awaited = False

    async def run(self) -> None:
        """Run `work`, alone; or return at once where somebody is waiting to run it anyway."""
        if self._is_awaited:
            return
        self._is_awaited = True
        try:
            await self._turn.acquire()
        finally:
            self._is_awaited = False
        try:
            await self._work()
        finally:
            self._turn.release()


async def once(work: Callable[[], Awaitable[None]], *, stop: asyncio.Event) -> None:
    """Run `work` until it ends well, once a second while what it needs is away, or until `stop` is set.

    For what a process does when it starts: it may rise while PostgreSQL is still down.
    """
    while not stop.is_set():
        try:
            await work()
        except Unavailable as error:
            _log.warning("start.unavailable", work=work.__qualname__, reason=error.reason)
            await _pause(stop, seconds=1.0)
        else:
            return


async def every(seconds: float, work: Callable[[], Awaitable[None]], *, stop: asyncio.Event) -> None:
    """Run `work` now and then every `seconds` until `stop` is set; an error is logged, no turn is missed."""
    while not stop.is_set():
        try:
            await work()
        except Unavailable as error:
            _log.warning("timer.unavailable", work=work.__qualname__, reason=error.reason)
        except Exception:  # noqa: BLE001 - a timer outlives one bad turn
            _log.exception("timer.failed", work=work.__qualname__)
        await _pause(stop, seconds=seconds)


async def forget_old_logs(tx: Tx, *, keep_hours: int) -> None:
    """Drop the queue's own log of jobs older than `keep_hours`; it grows by some rows per job."""
    await tx.execute(
        text("DELETE FROM starbooth.pgqueuer_log WHERE created < now() - CAST(:age AS interval)"),
        {"age": timedelta(hours=keep_hours)},
    )
