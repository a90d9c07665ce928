"""The journal: what was accepted is kept, ends once, and is counted for ever."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from starbooth.darkroom import records
from starbooth.darkroom.jobs import Ending, Job, State, cancelled
from starbooth.darkroom.journal import FolderTaken, Journal
from starbooth.darkroom.records import KeyReused, Webhook


def job(id: str = "a", *, request_key: str | None = None, fingerprint: str = "same") -> Job:
    """A job as it is before it was accepted."""
    return Job(
        id=id,
        endpoint="fal-ai/flux/dev",
        arguments={"prompt": "a boat", "seed": 2**64 - 1},
        request_key=request_key,
        fingerprint=fingerprint,
        picture_lifetime_s=60,
        accepted_at=1000.0,
    )


def done(prompt: str = "a boat") -> Ending:
    """A good end."""
    return Ending(state=State.DONE, status_code=200, answer={"prompt": prompt}, inference_s=0.5)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """An open journal."""
    opened = Journal(tmp_path)
    yield opened
    opened.close()


class TestWrite:
    async def test_many_writes_at_once_are_all_kept(self, journal: Journal) -> None:
        writes = (journal.write(partial(records.accept, job=job(str(n)))) for n in range(600))
        numbers = [accepted.job.number for accepted in await asyncio.gather(*writes)]
        assert numbers == sorted(numbers)
        assert len(records.unfinished(journal)) == 600

    async def test_one_failing_write_does_not_harm_those_beside_it(self, journal: Journal) -> None:
        def fail(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO jobs (id) VALUES ('half')")

        writes = [
            journal.write(partial(records.accept, job=job("before"))),
            journal.write(fail),
            journal.write(partial(records.accept, job=job("after"))),
        ]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(outcomes[1], sqlite3.IntegrityError)
        assert [kept.id for kept in records.unfinished(journal)] == ["before", "after"]

    async def test_a_second_server_on_the_folder_is_refused(self, journal: Journal, tmp_path: Path) -> None:
        with pytest.raises(FolderTaken):
            Journal(tmp_path)

    async def test_closing_lets_another_open_the_folder_and_find_everything(self, tmp_path: Path) -> None:
        first = Journal(tmp_path)
        await first.write(partial(records.accept, job=job()))
        first.close()
        first.close()
        second = Journal(tmp_path)
        assert [kept.id for kept in records.unfinished(second)] == ["a"]
        second.close()


class TestAccept:
    async def test_the_job_comes_back_as_it_was(self, journal: Journal) -> None:
        accepted = await journal.write(partial(records.accept, job=job()))
        assert accepted.is_new
        assert records.unfinished(journal) == [accepted.job]

    async def test_the_same_key_and_input_find_the_first_job(self, journal: Journal) -> None:
        await journal.write(partial(records.accept, job=job("a", request_key="order 1")))
        again = await journal.write(partial(records.accept, job=job("b", request_key="order 1")))
        assert (again.is_new, again.job.id) == (False, "a")
        assert records.counts(journal)[State.WAITING] == 1

    async def test_the_same_key_with_another_input_is_refused(self, journal: Journal) -> None:
        await journal.write(partial(records.accept, job=job("a", request_key="order 1")))
        other = job("b", request_key="order 1", fingerprint="other")
        with pytest.raises(KeyReused):
            await journal.write(partial(records.accept, job=other))

    async def test_a_repeat_finds_a_job_that_has_ended(self, journal: Journal) -> None:
        first = await journal.write(partial(records.accept, job=job("a", request_key="order 1")))
        await end(journal, first.job, done())
        again = await journal.write(partial(records.accept, job=job("b", request_key="order 1")))
        assert again.job.id == "a"


async def end(journal: Journal, ended: Job, ending: Ending, webhook: Webhook | None = None) -> None:
    """End a job at the Unix time 2000."""
    await journal.write(
        partial(records.end, number=ended.number, ending=ending, ended_at=2000.0, webhook=webhook)
    )


class TestEnd:
    async def test_the_first_end_stands(self, journal: Journal) -> None:
        accepted = (await journal.write(partial(records.accept, job=job()))).job
        await end(journal, accepted, done())
        await end(journal, accepted, cancelled())
        found = records.ended(journal, "a")
        assert found is not None
        assert found[1] == done()

    async def test_only_the_first_end_owes_a_webhook(self, journal: Journal) -> None:
        accepted = (await journal.write(partial(records.accept, job=job()))).job
        first = Webhook(request_id="a", url="http://x", body=b"first", due_at=1.0)
        await end(journal, accepted, done(), first)
        await end(
            journal, accepted, cancelled(), Webhook(request_id="a", url="http://x", body=b"2", due_at=1.0)
        )
        assert records.webhooks_owed(journal) == [first]

    async def test_a_job_that_waits_has_no_end(self, journal: Journal) -> None:
        await journal.write(partial(records.accept, job=job()))
        assert records.ended(journal, "a") is None


class TestForget:
    async def test_forgotten_jobs_still_count(self, journal: Journal) -> None:
        for id, ending in (("a", done()), ("b", done()), ("c", cancelled())):
            accepted = (await journal.write(partial(records.accept, job=job(id)))).job
            await end(journal, accepted, ending)
        before = records.counts(journal)
        assert await journal.write(partial(records.forget, ended_before=2001.0)) == 3
        assert await journal.write(partial(records.forget, ended_before=2001.0)) == 0
        assert records.ended(journal, "a") is None
        assert records.counts(journal) == before
        assert before[State.DONE] == 2

    async def test_jobs_that_wait_or_ended_lately_stay(self, journal: Journal) -> None:
        await journal.write(partial(records.accept, job=job("waits")))
        accepted = (await journal.write(partial(records.accept, job=job("new")))).job
        await end(journal, accepted, done())
        assert await journal.write(partial(records.forget, ended_before=2000.0)) == 0
        assert records.ended(journal, "new") is not None
