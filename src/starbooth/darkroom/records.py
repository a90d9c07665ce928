"""The statements of the journal: accept, begin, end, forget. Plain functions that take the writer's
connection.
"""

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from starbooth.darkroom.jobs import Ending, Job, State
from starbooth.darkroom.journal import Journal
from starbooth.darkroom.line import Priority


class KeyReused(Exception):
    """The request key was used before, with another endpoint or input."""


@dataclass(frozen=True)
class Accepted:
    """The job that answers this submit; `is_new` is false for a repeat."""

    job: Job
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A webhook owed: the same bytes at every try."""

    request_id: str
    url: str
    body: bytes
    tries: int = 0
    due_at: float


def accept(connection: sqlite3.Connection, job: Job) -> Accepted:
    """Write a new job down, or find the one that has its request key.

    Raises: KeyReused when that one has another fingerprint.
    """
    written = connection.execute(
        "INSERT INTO jobs (id, endpoint, arguments, priority, request_key, fingerprint, webhook_url,"
        " picture_lifetime_s, start_by, accepted_at) VALUES (?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (request_key) DO NOTHING RETURNING number",
        (
            job.id,
            job.endpoint,
            json.dumps(job.arguments),
            job.priority,
            job.request_key,
            job.fingerprint,
            job.webhook_url,
            job.picture_lifetime_s,
            job.start_by,
            job.accepted_at,
        ),
    ).fetchone()
    if written is not None:
        return Accepted(replace(job, number=written["number"]), is_new=True)
    row = connection.execute("SELECT * FROM jobs WHERE request_key = ?", (job.request_key,)).fetchone()
    if row["fingerprint"] != job.fingerprint:
        raise KeyReused(job.request_key)
    return Accepted(_job(row), is_new=False)


def begin(connection: sqlite3.Connection, number: int) -> None:
    """Count an attempt, so that a job which kills the process is not tried for ever."""
    connection.execute("UPDATE jobs SET attempts = attempts + 1 WHERE number = ?", (number,))


def get_on(connection: sqlite3.Connection, number: int) -> None:
    """Forget the attempts of a job that got further: it does not kill the process every time it is tried."""
    connection.execute("UPDATE jobs SET attempts = 1 WHERE number = ?", (number,))


def ask_to_finish(connection: sqlite3.Connection, number: int) -> None:
    """Remember that a training is to end with what it has learned. Safe to repeat."""
    connection.execute("INSERT OR IGNORE INTO finishing (number) VALUES (?)", (number,))


def end(
    connection: sqlite3.Connection, number: int, ending: Ending, ended_at: float, webhook: Webhook | None
) -> None:
    """Write the end and the webhook owed for it, together. A job ends once: a second end changes nothing."""
    changed = connection.execute(
        "UPDATE jobs SET state = ?, ended_at = ?, status_code = ?, answer = ?,"
        " error = ?, error_type = ?, logs = ?, inference_s = ?"
        " WHERE number = ? AND state = 'waiting'",
        (
            ending.state,
            ended_at,
            ending.status_code,
            json.dumps(ending.answer),
            ending.error,
            ending.error_type,
            json.dumps(ending.logs),
            ending.inference_s,
            number,
        ),
    ).rowcount
    connection.execute("DELETE FROM finishing WHERE number = ?", (number,))
    if changed and webhook is not None:
        connection.execute(
            "INSERT INTO webhooks (request_id, url, body, tries, due_at) VALUES (?,?,?,?,?)",
            (webhook.request_id, webhook.url, webhook.body, webhook.tries, webhook.due_at),
        )


def put_off_webhook(connection: sqlite3.Connection, webhook: Webhook) -> None:
    """Remember the next try."""
    connection.execute(
        "UPDATE webhooks SET tries = ?, due_at = ? WHERE request_id = ?",
        (webhook.tries, webhook.due_at, webhook.request_id),
    )


def drop_webhook(connection: sqlite3.Connection, request_id: str) -> None:
    """It was delivered, or given up."""
    connection.execute("DELETE FROM webhooks WHERE request_id = ?", (request_id,))


def forget(connection: sqlite3.Connection, ended_before: float) -> int:
    """Delete jobs that ended before this Unix time, keeping them in the counts. Returns how many."""
    connection.execute(
        "INSERT INTO forgotten (state, jobs)"
        " SELECT state, count(*) FROM jobs WHERE ended_at < ? GROUP BY state"
        " ON CONFLICT (state) DO UPDATE SET jobs = jobs + excluded.jobs",
        (ended_before,),
    )
    return connection.execute("DELETE FROM jobs WHERE ended_at < ?", (ended_before,)).rowcount


def unfinished(journal: Journal) -> list[Job]:
    """Every job without an end, in the order of acceptance."""
    return [_job(row) for row in journal.read("SELECT * FROM jobs WHERE state = 'waiting' ORDER BY number")]


def finishing(journal: Journal) -> set[int]:
    """The numbers of trainings that are to end with what they have learned."""
    return {row["number"] for row in journal.read("SELECT number FROM finishing")}


def webhooks_owed(journal: Journal) -> list[Webhook]:
    """Every webhook that was neither delivered nor given up."""
    return [Webhook(**dict(row)) for row in journal.read("SELECT * FROM webhooks ORDER BY due_at")]


def ended(journal: Journal, request_id: str) -> tuple[Job, Ending] | None:
    """A job that ended, or None."""
    rows = journal.read("SELECT * FROM jobs WHERE id = ? AND state <> 'waiting'", (request_id,))
    if not rows:
        return None
    row = rows[0]
    ending = Ending(
        state=State(row["state"]),
        status_code=row["status_code"],
        answer=json.loads(row["answer"]),
        error=row["error"],
        error_type=row["error_type"],
        logs=tuple(json.loads(row["logs"])),
        inference_s=row["inference_s"],
    )
    return _job(row), ending


def counts(journal: Journal) -> dict[State, int]:
    """How many jobs are in each state, forgotten ones included."""
    found = dict.fromkeys(State, 0)
    for row in journal.read(
        "SELECT state, sum(jobs) AS jobs FROM (SELECT state, count(*) AS jobs FROM jobs GROUP BY state"
        " UNION ALL SELECT state, jobs FROM forgotten) GROUP BY state"
    ):
        found[State(row["state"])] = row["jobs"]
    return found


def _job(row: Any) -> Job:
    return Job(
        id=row["id"],
        number=row["number"],
        endpoint=row["endpoint"],
        arguments=json.loads(row["arguments"]),
        priority=Priority(row["priority"]),
        request_key=row["request_key"],
        fingerprint=row["fingerprint"],
        webhook_url=row["webhook_url"],
        picture_lifetime_s=row["picture_lifetime_s"],
        start_by=row["start_by"],
        accepted_at=row["accepted_at"],
        attempts=row["attempts"],
    )
