"""The queue itself, without HTTP and without a painter."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from starbooth.darkroom.jobqueue import Cancelling, JobQueue
from starbooth.darkroom.jobs import Ending, Job, State
from starbooth.darkroom.journal import Journal
from starbooth.darkroom.queue_routes import QueueApi
from starbooth.darkroom.records import Webhook


def job(id: str) -> Job:
    """A job as it is before it was accepted."""
    return Job(
        id=id,
        endpoint="fal-ai/flux/dev",
        arguments={"prompt": "a boat"},
        webhook_url="http://127.0.0.1:9/",
        picture_lifetime_s=60,
        accepted_at=time.time(),
    )


DONE = Ending(state=State.DONE, status_code=200, answer={"images": []})


class Room:
    """A queue on a journal, and the webhooks that it came to owe."""

    def __init__(self, folder: Path) -> None:
        self.owed: list[Webhook] = []
        self.journal = Journal(folder)
        self.queue = JobQueue(self.journal, owe=self.owed.append, now=time.time)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """A room of this test's own."""
    opened = Room(tmp_path)
    yield opened
    opened.journal.close()


class TestTake:
    async def test_jobs_come_in_the_order_of_acceptance(self, room: Room) -> None:
        for id in "abc":
            await room.queue.accept(job(id))
        assert [(await room.queue.take()).job.id for _ in "abc"] == ["a", "b", "c"]

    async def test_a_new_queue_on_the_journal_begins_unfinished_jobs_again(self, room: Room) -> None:
        for id in "abc":
            await room.queue.accept(job(id))
        await room.queue.end(await room.queue.take(), DONE)
        await room.queue.take()
        after_crash = JobQueue(room.journal, owe=room.owed.append, now=time.time)
        assert after_crash.recover() == 2
        assert [(await after_crash.take()).job.id for _ in "bc"] == ["b", "c"]


class TestEnd:
    async def test_a_second_end_changes_nothing_and_owes_nothing(self, room: Room) -> None:
        await room.queue.accept(job("a"))
        live = await room.queue.take()
        await room.queue.end(live, DONE)
        found = room.queue.find_ended("a")
        assert found is not None
        assert found[1] == DONE
        assert room.queue.find("a") is None
        assert [webhook.request_id for webhook in room.owed] == ["a"]

    async def test_an_ended_job_cannot_be_cancelled(self, room: Room) -> None:
        await room.queue.accept(job("a"))
        await room.queue.end(await room.queue.take(), DONE)
        assert await room.queue.cancel("a") is Cancelling.TOO_LATE
        assert room.queue.counts()["cancelled"] == 0


class TestStreamOfAWaitingJob:
    async def test_it_is_kept_open_by_pings(self, room: Room) -> None:
        await room.queue.accept(job("a"))
        api = QueueApi(queue=room.queue, take_in=dict, public_url="http://x", ping_s=0.5)
        answer = await api.stream("fal-ai", "flux", "a", logs=True)
        pieces = aiter(answer.body_iterator)  # type: ignore[attr-defined]  # a StreamingResponse
        assert '"status": "IN_QUEUE"' in await anext(pieces)
        assert await anext(pieces) == ": ping\n\n"
        await pieces.aclose()
