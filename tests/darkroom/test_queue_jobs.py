"""The queue itself, without HTTP and without a painter."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from starbooth.darkroom import records
from starbooth.darkroom.jobqueue import Cancelling, JobQueue, LineFull
from starbooth.darkroom.jobs import Ending, Job, State
from starbooth.darkroom.journal import Journal
from starbooth.darkroom.queue_routes import QueueApi
from starbooth.darkroom.records import Webhook


def job(id: str, *, endpoint: str = "fal-ai/flux/dev") -> Job:
    """A job as it is before it was accepted."""
    return Job(
        id=id,
        endpoint=endpoint,
        arguments={"prompt": "a boat"},
        webhook_url="http://127.0.0.1:9/",
        picture_lifetime_s=60,
        accepted_at=time.time(),
    )


DONE = Ending(state=State.DONE, status_code=200, answer={"images": []})


TRAINER = "fal-ai/flux-lora-fast-training"


class Room:
    """A queue on a journal, the webhooks that it came to owe, and the jobs that ended."""

    def __init__(self, folder: Path) -> None:
        self.owed: list[Webhook] = []
        self.journal = Journal(folder)
        self.ended: list[Job] = []
        self.queue = self.new_queue()

    def new_queue(self) -> JobQueue:
        """Another queue on the same journal, as after a crash."""
        return JobQueue(self.journal, owe=self.owed.append, let_go=self.ended.append, now=time.time)


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
        after_crash = room.new_queue()
        assert after_crash.recover() == 2
        assert [(await after_crash.take()).job.id for _ in "bc"] == ["b", "c"]


class TestTrainings:
    @pytest.fixture
    async def trainings(self, room: Room) -> Room:
        """A room with two trainings and, after them, a picture."""
        for id, endpoint in (("a", TRAINER), ("b", TRAINER), ("c", "fal-ai/flux/dev")):
            await room.queue.accept(job(id, endpoint=endpoint))
        return room

    async def test_pictures_go_before_them_and_have_a_line_of_their_own(self, trainings: Room) -> None:
        queue = trainings.queue
        positions = {id: queue.position(live) for id in "abc" if (live := queue.find(id))}
        assert positions == {"a": 0, "b": 1, "c": 0}
        assert queue.has_pictures
        assert [(await queue.take()).job.id for _ in "ab"] == ["c", "a"]
        assert (queue.take_picture(), queue.has_pictures) == (None, False)

    async def test_the_longest_line_counts_those_of_the_same_kind(self, trainings: Room) -> None:
        await trainings.queue.accept(job("d"), longest_line=1)
        with pytest.raises(LineFull):
            await trainings.queue.accept(job("e", endpoint=TRAINER), longest_line=1)

    async def test_one_that_got_further_may_be_tried_as_often_again(self, trainings: Room) -> None:
        queue = trainings.queue
        await queue.take()
        live = await queue.take()
        for _ in range(9):
            await queue.count_attempt(live)
        await queue.note_progress(live)
        assert {job.id: job.attempts for job in records.unfinished(trainings.journal)} == {
            "a": 1,
            "b": 0,
            "c": 0,
        }

    async def test_a_finish_is_remembered_until_the_end(self, trainings: Room) -> None:
        await trainings.queue.take()
        live = await trainings.queue.take()
        await trainings.queue.count_attempt(live)
        for _ in range(2):
            assert await trainings.queue.finish("a") is Cancelling.REQUESTED
        after_crash = trainings.new_queue()
        after_crash.recover()
        # It has begun before, so it is not taken out of the line: there may be something to keep.
        assert await after_crash.finish("a") is Cancelling.REQUESTED
        again = after_crash.find("a")
        assert again is not None
        assert again.finish_asked
        await after_crash.end(again, DONE)
        assert records.finishing(trainings.journal) == set()
        assert await after_crash.finish("a") is Cancelling.TOO_LATE

    async def test_one_that_is_taken_out_of_the_line_is_let_go_too(self, trainings: Room) -> None:
        await trainings.queue.cancel("b")
        assert [job.id for job in trainings.ended] == ["b"]

    async def test_only_trainings_that_began_can_be_finished(self, trainings: Room) -> None:
        assert await trainings.queue.finish("c") is Cancelling.UNKNOWN
        assert await trainings.queue.finish("x") is Cancelling.UNKNOWN
        assert await trainings.queue.finish("b") is Cancelling.OK


class TestEnd:
    async def test_a_second_end_changes_nothing_and_owes_nothing(self, room: Room) -> None:
        await room.queue.accept(job("a"))
        live = await room.queue.take()
        await room.queue.end(live, DONE)
        found = room.queue.find_ended("a")
        assert found is not None
        assert found[1] == DONE
        assert room.queue.find("a") is None
        assert [job.id for job in room.ended] == ["a"]
        assert [webhook.request_id for webhook in room.owed] == ["a"]

    async def test_an_ended_job_cannot_be_cancelled(self, room: Room) -> None:
        await room.queue.accept(job("a"))
        await room.queue.end(await room.queue.take(), DONE)
        assert await room.queue.cancel("a") is Cancelling.TOO_LATE
        assert room.queue.counts()["cancelled"] == 0


class TestStreamOfAWaitingJob:
    async def test_it_is_kept_open_by_pings(self, room: Room) -> None:
        await room.queue.accept(job("a"))
        api = QueueApi(queue=room.queue, take_in=dict, drop=lambda _: None, public_url="http://x", ping_s=0.5)
        answer = await api.stream("fal-ai", "flux", "a", logs=True)
        pieces = aiter(answer.body_iterator)  # type: ignore[attr-defined]  # a StreamingResponse
        assert '"status": "IN_QUEUE"' in await anext(pieces)
        assert await anext(pieces) == ": ping\n\n"
        await pieces.aclose()
