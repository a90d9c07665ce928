"""The queue: accepting, positions, progress, cancelling, ending. The journal decides; memory holds what is
alive.

A job is answered for only when it is in the journal, and is seen as finished only when its end is in the
journal. Pictures and trainings stand in lines of their own, since a training takes as long as a thousand
pictures. It knows nothing of painting: the foreman takes jobs from here and brings ends back.
"""

import asyncio
import json
from collections.abc import Callable
from enum import StrEnum
from functools import partial

from starbooth.darkroom import records
from starbooth.darkroom.jobs import Ending, Job, Json, LiveJob, State, cancelled, failed
from starbooth.darkroom.journal import Journal
from starbooth.darkroom.line import Line
from starbooth.darkroom.records import Accepted, Webhook

LONGEST_LINE = 20_000


class LineFull(Exception):
    """So many wait that no more are taken."""


class Cancelling(StrEnum):
    """fal's answers to a cancel."""

    OK = "OK"
    REQUESTED = "CANCELLATION_REQUESTED"
    TOO_LATE = "ALREADY_COMPLETED"
    UNKNOWN = "NOT_FOUND"


class JobQueue:
    """Belongs to one event loop. `owe` is told of every webhook newly owed; `now` gives Unix time.

    `let_go` is told of every job that has ended, however it did: what only an unfinished job needs can go.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        owe: Callable[[Webhook], None],
        let_go: Callable[[Job], None],
        now: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._let_go = let_go
        self._owe = owe
        self._now = now
        self._pictures, self._trainings = Line(), Line()
        self._live: dict[str, LiveJob] = {}
        self._by_number: dict[int, LiveJob] = {}
        self._arrived = asyncio.Event()
        self._timing_out: set[asyncio.Task[None]] = set()

    def recover(self) -> int:
        """Put every job without an end back in the line, as after a crash. Returns how many."""
        jobs, finishing = records.unfinished(self._journal), records.finishing(self._journal)
        for job in jobs:
            self._join(job)
            self._by_number[job.number].finish_asked = job.number in finishing
        return len(jobs)

    async def accept(self, job: Job, *, longest_line: int | None = None) -> Accepted:
        """Take a job; when this returns, it is on the disk and will end. Repeat: same key, first answer.

        longest_line: the caller wants none of it when more than so many wait already.

        Raises: LineFull, KeyReused.
        """
        waiting = len(self._line_of(job))
        if waiting >= LONGEST_LINE or (longest_line is not None and waiting > longest_line):
            raise LineFull
        accepted = await self._journal.write(partial(records.accept, job=job))
        if accepted.is_new:
            self._join(accepted.job)
        return accepted

    def find(self, request_id: str) -> LiveJob | None:
        """The job if it has not ended."""
        return self._live.get(request_id)

    def find_ended(self, request_id: str) -> tuple[Job, Ending] | None:
        """The job and its end, if it has ended and is remembered."""
        return records.ended(self._journal, request_id)

    def position(self, live: LiveJob) -> int:
        """How many are painted before it; 0 for the next one and for one that is being painted."""
        return 0 if live.is_running else self._line_of(live.job).position(live.job.number, live.job.priority)

    async def take(self) -> LiveJob:
        """Wait for the next job and begin it: a picture, or a training where no picture waits."""
        while (number := self._pictures.next()) is None and (number := self._trainings.next()) is None:
            self._arrived.clear()
            await self._arrived.wait()
        return self._begin(number)

    def take_picture(self) -> LiveJob | None:
        """Begin the next picture, if one waits."""
        number = self._pictures.next()
        return None if number is None else self._begin(number)

    @property
    def has_pictures(self) -> bool:
        """Whether a picture waits. May be asked from any thread."""
        return len(self._pictures) > 0

    def _begin(self, number: int) -> LiveJob:
        live = self._by_number[number]
        live.is_running = True
        live.announce()
        return live

    async def count_attempt(self, live: LiveJob) -> None:
        """Write down that painting begins."""
        await self._journal.write(partial(records.begin, number=live.job.number))

    async def note_progress(self, live: LiveJob) -> None:
        """Write down that a long job got further than it had been; the next attempt is its first again."""
        await self._journal.write(partial(records.get_on, number=live.job.number))

    async def end(self, live: LiveJob, ending: Ending) -> None:
        """Write the end and its webhook, then let it be seen. The first end stands."""
        job = live.job
        webhook = _webhook(job, ending, due_at=self._now())
        await self._journal.write(
            partial(records.end, number=job.number, ending=ending, ended_at=self._now(), webhook=webhook)
        )
        self._live.pop(job.id, None)
        self._by_number.pop(job.number, None)
        live.announce()
        self._let_go(job)
        if webhook is not None:
            self._owe(webhook)

    async def cancel(self, request_id: str) -> Cancelling:
        """Take a waiting job out of the line, or have a running one stop after its step. Safe to repeat."""
        live = self._live.get(request_id)
        if live is None:
            return Cancelling.UNKNOWN if self.find_ended(request_id) is None else Cancelling.TOO_LATE
        if not self._withdraw(live):
            live.ask_to_stop()
            return Cancelling.REQUESTED
        await self.end(live, cancelled())
        return Cancelling.OK

    async def finish(self, request_id: str) -> Cancelling:
        """Have a training end well with what it has learned so far; one that never began is cancelled.

        When this returns, it is on the disk. Safe to repeat. A picture has no such end: it is as unknown as
        a request that never was.
        """
        live = self._live.get(request_id)
        if live is None:
            ended = self.find_ended(request_id)
            is_known = ended is not None and ended[0].is_training
            return Cancelling.TOO_LATE if is_known else Cancelling.UNKNOWN
        if not live.job.is_training:
            return Cancelling.UNKNOWN
        if not live.is_running and live.job.attempts == 0:
            return await self.cancel(request_id)
        await self._journal.write(partial(records.ask_to_finish, number=live.job.number))
        live.ask_to_finish()
        return Cancelling.REQUESTED

    def counts(self) -> dict[str, int]:
        """The figures of GET /darkroom/stats. A job that was painted twice because of a crash is one run."""
        ended = records.counts(self._journal)
        running = sum(live.is_running for live in self._live.values())
        return {
            "accepted": sum(ended.values()),
            "runs": ended[State.DONE],
            "failed": ended[State.FAILED],
            "cancelled": ended[State.CANCELLED],
            "waiting": len(self._live) - running,
            "running": running,
        }

    def _join(self, job: Job) -> None:
        live = LiveJob(job=job)
        self._live[job.id] = self._by_number[job.number] = live
        self._line_of(job).join(job.number, job.priority)
        self._arrived.set()
        if job.start_by is not None and job.attempts == 0:
            loop = asyncio.get_running_loop()
            loop.call_later(max(0.0, job.start_by - self._now()), self._time_out, live)

    def _line_of(self, job: Job) -> Line:
        return self._trainings if job.is_training else self._pictures

    def _withdraw(self, live: LiveJob) -> bool:
        """Take it out of the line so that nobody can begin it. False if it does not stand there."""
        try:
            self._line_of(live.job).leave(live.job.number, live.job.priority)
        except KeyError:
            return False
        live.is_running = True
        return True

    def _time_out(self, live: LiveJob) -> None:
        if self._withdraw(live):
            message = "Request timed out"
            answer = {"detail": message, "error_type": "request_timeout"}
            ending = failed(status_code=504, answer=answer, error=message, error_type="request_timeout")
            ends = asyncio.create_task(self.end(live, ending))
            self._timing_out.add(ends)
            ends.add_done_callback(self._timing_out.discard)


def _webhook(job: Job, ending: Ending, *, due_at: float) -> Webhook | None:
    if job.webhook_url is None:
        return None
    is_good = ending.status_code == 200
    body: Json = {
        "request_id": job.id,
        "gateway_request_id": job.id,
        "status": "OK" if is_good else "ERROR",
        "error": None if is_good else f"Invalid status code: {ending.status_code}",
        "payload": ending.answer,
    }
    return Webhook(request_id=job.id, url=job.webhook_url, body=json.dumps(body).encode(), due_at=due_at)
