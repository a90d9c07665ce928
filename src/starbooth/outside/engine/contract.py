"""What we ask of an image engine, and how it can say no.

Knows fal's queue protocol by its meaning only: no address, no header, no HTTP. An engine is bought from
with `submit`, watched with `status` or a webhook, and collected from with `result` and `fetch`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from starbooth.base.errors import Unavailable


class EngineRefused(Exception):
    """The engine's final no; repeating the same order cannot mend it.

    `code` is the engine's word for it ("content_policy_violation", "invalid_input", "cancelled", ...).
    `detail` is for the operator: shortened, and without the guest's prompt.
    `cost_usd`: what the engine charges nevertheless, where that is known.
    """

    cost_usd: Decimal | None = None

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class EngineUnavailable(Unavailable):
    """The engine did not answer properly; later, or another engine, may work.

    `cause` is a stable word: "exhausted_balance", "unauthorised", "rate_limited", "http_500", "unreachable",
    "timed_out", "dropped", "rubbish", "ticket_lost", "not_finished", or fal's own `error_type`.
    `alarms`: an operator must act before a repeat can work.
    `may_have_bought`: only for `submit`: the order had been sent when the answer was lost, so the engine
    may be working on it although we hold no ticket.
    """

    def __init__(
        self,
        cause: str,
        detail: str = "",
        *,
        alarms: bool = False,
        retry_after_s: float | None = None,
        may_have_bought: bool = False,
    ) -> None:
        super().__init__(f"{cause}: {detail}" if detail else cause, retry_after_s=retry_after_s)
        self.cause = cause
        self.detail = detail
        self.alarms = alarms
        self.may_have_bought = may_have_bought


class TicketLost(EngineUnavailable):
    """The engine no longer knows the request: it forgot it, or it restarted."""

    def __init__(self, detail: str = "") -> None:
        super().__init__("ticket_lost", detail)


class RunFailed(EngineUnavailable):
    """The request has ended, and badly, by an accident that is not the request's.

    To ask for its result again cannot mend it, and nothing more will come of it: it may be bought again.
    """


class FileGone(EngineUnavailable):
    """The engine's host says that a result's file is not there: not yet, or not any more."""


class HookRefused(Exception):
    """A webhook that this engine did not send, or did not send just now. `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What to collect by. Plain text, so that it can lie on the order's row."""

    engine: str
    endpoint: str
    request_id: str


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """In the engine's queue; `position` 0 is next, None is unknown."""

    position: int | None


@dataclass(frozen=True, kw_only=True)
class Working:
    """On the device; `progress` 0..1 read from the engine's log, None where the log does not tell.

    step of steps: the same in whole steps. preview_url: where the engine has a picture of how far it is.
    """

    progress: float | None
    step: int | None = None
    steps: int | None = None
    preview_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Finished:
    """Ended, well or badly: `result` tells which. `has_failed`: this says already that it was badly."""

    has_failed: bool = False


@dataclass(frozen=True, kw_only=True)
class EnginePicture:
    """One picture at the engine's address, which dies soon. `is_withheld`: blacked out by its checker."""

    url: str
    width_px: int | None
    height_px: int | None
    content_type: str | None
    is_withheld: bool


@dataclass(frozen=True, kw_only=True)
class TrainedLora:
    """A LoRA's files at the engine's addresses, which die soon. config_url None: it gave none.

    steps_ran: of a training that was ended early, as the engine tells; None where it does not tell.
    """

    weights_url: str
    config_url: str | None
    steps_ran: int | None


@dataclass(frozen=True, kw_only=True)
class EngineResult:
    """What came of a request: pictures, or of a training the LoRA.

    `inference_s` and `billable_units` as the engine reports them.
    """

    pictures: tuple[EnginePicture, ...]
    seed: int | None
    billable_units: float | None
    inference_s: float | None
    lora: TrainedLora | None = None


@dataclass(frozen=True, kw_only=True)
class PaintOrder:
    """Pictures to paint. One seed per call: picture i of `count` is the engine's own continuation of it.

    negative: what should not be seen, "" for nothing. photo_url: a picture to start from, which the engine
    can fetch, and `strength`, how far to leave it (0.01 to 1); then the size is the photo's. loras: address
    and weight of each.
    """

    prompt: str
    width_px: int
    height_px: int
    steps: int
    guidance: float
    seed: int
    count: int = 1
    negative: str = ""
    photo_url: str | None = None
    strength: float = 1.0
    loras: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainOrder:
    """A LoRA to train. images_url: a zip that the engine can fetch: pictures, with captions beside them.

    is_style: a style is to be learnt, not a subject. learning_rate: where the endpoint lets it be chosen.
    """

    images_url: str
    trigger_word: str
    steps: int
    learning_rate: float
    is_style: bool


Order = PaintOrder | TrainOrder


@dataclass(frozen=True, kw_only=True)
class HookAnswer:
    """What a genuine webhook says. `payload` None although `is_ok`: fetch the result by its ticket."""

    request_id: str
    is_ok: bool
    payload: Mapping[str, Any] | None
    error: str | None


class Engine(Protocol):
    """One engine. Every call is bounded in time and raises EngineUnavailable where the engine fails.

    can_stop_early: `stop` ends a training with the LoRA so far; else with nothing.
    """

    name: str
    is_deduplicating: bool
    can_stop_early: bool

    async def submit(
        self, endpoint: str, order: Order, *, request_key: str, webhook_url: str | None
    ) -> Ticket:
        """Buy. Sent once at most unless the engine deduplicates by `request_key`.

        Raises: EngineRefused, EngineUnavailable (see `may_have_bought` before buying again).
        """
        ...

    async def upload(self, body: bytes, content_type: str, *, lifetime_s: int) -> str:
        """Put a file where this engine can fetch it for so long, and return its address.

        Repeat: another copy. Raises: EngineRefused, EngineUnavailable.
        """
        ...

    async def delete_upload(self, url: str) -> bool:
        """Delete a file that was uploaded here. False where this engine can only let it expire.

        Repeat: harmless, also where it is gone. Raises: EngineUnavailable.
        """
        ...

    async def status(self, ticket: Ticket, *, with_progress: bool = True) -> Waiting | Working | Finished:
        """Where the request is. `with_progress` False is cheaper for both sides.

        Repeat: harmless. Raises: TicketLost, EngineRefused, EngineUnavailable.
        """
        ...

    async def result(self, ticket: Ticket) -> EngineResult:
        """What came of a finished request. Repeat: harmless.

        Raises: EngineRefused, RunFailed, TicketLost, EngineUnavailable ("not_finished" if asked too early).
        """
        ...

    def cost_usd(
        self, endpoint: str, result: EngineResult, *, width_px: int, height_px: int
    ) -> Decimal | None:
        """What a request for one picture of this size cost the operator; None where that is not known.

        By list prices, or by the time that an engine of our own took. Asks nobody.
        """
        ...

    def training_cost_usd(self, endpoint: str, result: EngineResult, *, steps: int) -> Decimal | None:
        """What a training of so many steps cost the operator; None where that is not known. Asks nobody."""
        ...

    async def stop(self, ticket: Ticket) -> None:
        """Ask to end a training now, with the LoRA so far where the engine can; else as `cancel`.

        Best effort, as `cancel`. Repeat: harmless. Raises: EngineUnavailable.
        """
        ...

    async def cancel(self, ticket: Ticket) -> None:
        """Ask to stop. Best effort: a request that ended or was forgotten is not an error. Repeat: harmless.

        Raises: EngineUnavailable where the engine could not be asked.
        """
        ...

    async def fetch(self, url: str, *, limit_bytes: int) -> bytes:
        """A file's bytes, from the engine's own hosts only and without following it elsewhere.

        Raises: EngineRefused("foreign_address" or "too_large"), FileGone, EngineUnavailable.
        """
        ...

    async def check_hook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> HookAnswer:
        """Prove that a webhook is the engine's. `body` is the raw request body, `now` is aware.

        Repeat: the same webhook passes again for five minutes; handle doubles by `request_id`.
        Raises: HookRefused, EngineUnavailable (the engine's keys cannot be had: answer 503, it comes again).
        """
        ...

    async def health(self) -> str:
        """One line for the operator. Raises: EngineUnavailable."""
        ...

    async def aclose(self) -> None:
        """Close connections. Repeat: harmless."""
        ...
