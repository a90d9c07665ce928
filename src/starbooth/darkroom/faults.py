"""Bad luck on purpose, for tests: which answers go wrong, how, and how often. Off unless the server is told
otherwise.

A rule names the place where it strikes. Rules are asked in order; the first that fits strikes and is used up
by one. `FaultyAnswers` is the single place where HTTP answers are spoilt; painting and webhooks ask
`Faults.strike`.
"""

import asyncio
import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from starbooth.darkroom.troubles import Answer, Trouble, answer_of


class Place(StrEnum):
    """Where a rule can strike: an HTTP answer, the painting, or a webhook."""

    SUBMIT = "submit"
    RUN = "run"
    STATUS = "status"
    STREAM = "stream"
    RESULT = "result"
    CANCEL = "cancel"
    FINISH = "finish"
    UPLOAD = "upload"
    FILE = "file"
    PAINTING = "painting"
    TRAINING = "training"
    WEBHOOK = "webhook"


class PaintingFault(StrEnum):
    """never: stays in progress until cancelled. error: ends as `error`, or with `status` and `body`, or as a
    lost runner. The others end well. empty and short: no image, or not all. broken, wrong, huge, expired and
    nsfw: bytes that are cut off, a page instead of a picture, one of more pixels than anybody takes, dead
    links, or black pictures flagged by the safety checker."""

    NEVER = "never"
    ERROR = "error"
    EMPTY = "empty"
    SHORT = "short"
    BROKEN = "broken"
    WRONG = "wrong"
    HUGE = "huge"
    EXPIRED = "expired"
    NSFW = "nsfw"


class TrainingFault(StrEnum):
    """never: stays in progress until cancelled. error: ends as `error`, or with `status` and `body`, or as a
    lost runner. The others end well: without weights, with weights that are a pickle, a page, cut off, larger
    than any LoRA, or not there any more; or with a config that is a page."""

    NEVER = "never"
    ERROR = "error"
    EMPTY = "empty"
    PICKLE = "pickle"
    WRONG = "wrong"
    BROKEN = "broken"
    HUGE = "huge"
    EXPIRED = "expired"
    WRONG_CONFIG = "wrong_config"


class WebhookFault(StrEnum):
    """lost: never sent. twice: sent again. forged: signed by a strange key. late: sent after `delay_s`."""

    LOST = "lost"
    TWICE = "twice"
    FORGED = "forged"
    LATE = "late"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One piece of bad luck.

    times: how often it strikes; None means always. after: how many fitting occasions go well first.
    HTTP places: wait `delay_s`, then answer as fal words `error`, or `status` with `body` (text is sent as
    HTML, else JSON), with no work done; or with `drop`, cut the connection "before" the work or "after" it
    was done; or else go on. Painting, training and webhooks: see there.
    at_step: so many steps of a training run before `never` or `error` strikes.
    pictures: those of a batch, from 0 on, that a painting fault hits; None means all, of "short" the last.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    place: Place
    times: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    delay_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    error: Trouble | None = None
    drop: Literal["before", "after"] | None = None
    painting: PaintingFault | None = None
    pictures: frozenset[Annotated[int, Field(ge=0, le=3)]] | None = None
    training: TrainingFault | None = None
    at_step: Annotated[int, Field(ge=0)] = 0
    webhook: WebhookFault | None = None

    @property
    def answer(self) -> Answer | None:
        """What to answer instead of the work, if the rule says so."""
        if self.error is not None:
            return answer_of(self.error)
        return None if self.status is None else Answer(self.status, self.body, self.headers)

    def fault_of(self, number: int) -> PaintingFault | None:
        """What happens to the picture of this number."""
        is_hit = self.pictures is None or number in self.pictures
        return self.painting if is_hit else None


RULES = TypeAdapter(list[Rule])


class Faults:
    """The rules in force. Empty means that all goes well."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    @property
    def rules(self) -> list[Rule]:
        """What is left of the rules."""
        return list(self._rules)

    def set(self, rules: list[Rule]) -> None:
        """Replace all rules."""
        self._rules = list(rules)

    def strike(self, place: Place) -> Rule | None:
        """The rule that strikes on this occasion, if one does; it is used up by one."""
        for number, rule in enumerate(self._rules):
            if rule.place is not place:
                continue
            if rule.after:
                self._rules[number] = replace(rule, after=rule.after - 1)
                continue
            if rule.times is not None:
                self._rules[number : number + 1] = (
                    [replace(rule, times=rule.times - 1)] if rule.times > 1 else []
                )
            return rule
        return None


class FaultyAnswers:
    """ASGI middleware that spoils answers by the rules. It reads the place off method and path."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = place_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        rule = self._faults.strike(place) if place else None
        if rule is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(rule.delay_s)
        if rule.drop == "after":
            await self._app(scope, receive, _swallow)
        if rule.drop:
            await _cut(send)
        elif rule.answer is not None:
            await _answer(rule.answer, send)
        else:
            await self._app(scope, receive, send)


def place_of(method: str, path: str) -> Place | None:
    """Which place a call belongs to; None for calls that never go wrong."""
    parts = path.strip("/").split("/")
    if parts[0] in {"darkroom", "health", ".well-known"}:
        return None
    if parts[0] == "run" and method == "POST":
        return Place.RUN
    if "storage" in parts or "upload" in parts or "multipart" in parts:
        return Place.UPLOAD
    if method == "GET" and "files" in parts:
        return Place.FILE
    if parts[-1] in {"status", "stream", "cancel", "finish"}:
        return Place(parts[-1])
    if method == "GET" and "requests" in parts:
        return Place.RESULT
    return Place.SUBMIT if method == "POST" else None


async def _swallow(message: Message) -> None:
    del message


async def _cut(send: Send) -> None:
    """Begin an answer and leave it unfinished: the server closes the connection on that."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


async def _answer(answer: Answer, send: Send) -> None:
    is_text = isinstance(answer.body, str)
    body = answer.body.encode() if is_text else json.dumps(answer.body).encode()
    headers = {"content-type": "text/html" if is_text else "application/json", **answer.headers}
    headers["content-length"] = str(len(body))
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
