"""The values that the parts of the server hand to each other: an accepted job, its log lines, its end.

Knows no disk, no HTTP and no painter.
"""

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from starbooth.darkroom.line import Priority

Json = dict[str, Any]

PREVIEWS_KEPT = 4
"""Who was told of one a moment ago can still fetch it."""

TRAINERS = frozenset({"fal-ai/flux-lora-fast-training", "fal-ai/flux-lora-portrait-trainer"})
"""The endpoints that make a LoRA of photos; all others paint."""


class State(StrEnum):
    """What the journal says of a job. One that is being painted is still WAITING: a crash repeats it."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Job:
    """An accepted request, frozen: everything needed to paint it again after a crash.

    number: its place in the order of acceptance, given by the journal.
    arguments: the validated input with every default and the seed filled in.
    picture_lifetime_s: how long its pictures are served. start_by: Unix time, after which it is not begun.
    """

    id: str
    number: int = 0
    endpoint: str
    arguments: Json
    priority: Priority = Priority.NORMAL
    request_key: str | None = None
    fingerprint: str = ""
    webhook_url: str | None = None
    picture_lifetime_s: int
    start_by: float | None = None
    accepted_at: float
    attempts: int = 0

    @property
    def app(self) -> str:
        """`owner/app`, the part of the endpoint id by which status, result and cancel are asked for."""
        return "/".join(self.endpoint.split("/")[:2])

    @property
    def is_training(self) -> bool:
        """Whether it makes a LoRA, and no pictures."""
        return self.endpoint in TRAINERS


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a job ended: the HTTP status and JSON of its result, what status says, and its log."""

    state: State
    status_code: int
    answer: Json
    error: str | None = None
    error_type: str | None = None
    logs: tuple[Json, ...] = ()
    inference_s: float | None = None


def failed(*, status_code: int, answer: Json, error: str, error_type: str) -> Ending:
    """An end without pictures."""
    return Ending(
        state=State.FAILED, status_code=status_code, answer=answer, error=error, error_type=error_type
    )


def cancelled() -> Ending:
    """The end that fal shows for a request cancelled by its caller."""
    message = "Request cancelled by the client."
    return Ending(
        state=State.CANCELLED,
        status_code=499,
        answer={"detail": message},
        error=message,
        error_type="client_cancelled",
    )


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A small JPEG of an unfinished picture. Who knows its name may see it."""

    content: bytes
    name: str = field(default_factory=lambda: f"{secrets.token_urlsafe(24)}.jpg")


@dataclass(kw_only=True, eq=False)
class LiveJob:
    """A job that has not ended, and what is known of it at this moment. Lives on the event loop.

    `stop_asked` and `finish_asked` are read by the painting thread between steps. The latter, of a training:
    it is to end well with what it has learned so far.
    """

    job: Job
    is_running: bool = False
    stop_asked: bool = False
    finish_asked: bool = False
    logs: list[Json] = field(default_factory=list)
    previews: deque[Preview] = field(default_factory=lambda: deque(maxlen=PREVIEWS_KEPT))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def announce(self) -> None:
        """Wake everyone who waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    def ask_to_stop(self) -> None:
        """Have the painter stop after the step it is in."""
        self.stop_asked = True
        self.announce()

    def ask_to_finish(self) -> None:
        """Have a training end well after the step it is in."""
        self.finish_asked = True
        self.announce()

    def show(self, preview: Preview) -> None:
        """Add a newer preview."""
        self.previews.append(preview)
        self.announce()

    @property
    def preview(self) -> Preview | None:
        """The newest, if there is one."""
        return self.previews[-1] if self.previews else None

    def log(self, message: str, *, at: float, labels: dict[str, str]) -> None:
        """Add a line in the form of fal's logs. `at` is Unix time."""
        moment = datetime.fromtimestamp(at, tz=UTC).replace(tzinfo=None)
        line = {
            "timestamp": moment.isoformat(timespec="milliseconds"),
            "message": message,
            "labels": labels,
            "level": "INFO",
            "source": "darkroom",
        }
        self.logs.append(line)
        self.announce()

    @property
    def next_change(self) -> asyncio.Event:
        """Set at the next announcement. Take it before you look, then wait: so none is missed."""
        return self._changed
