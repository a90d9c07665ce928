"""An engine in memory that does what a test tells it to, by the same contract as the real ones."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from starbooth.outside.engine.contract import (
    Engine,
    EnginePicture,
    EngineRefused,
    EngineResult,
    EngineUnavailable,
    FileGone,
    Finished,
    HookAnswer,
    HookRefused,
    Order,
    PaintOrder,
    RunFailed,
    Ticket,
    TicketLost,
    TrainedLora,
    TrainOrder,
    Waiting,
    Working,
)
from tests.make.pictures import make_picture


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """What was bought: the engine works on it whether or not the buyer learnt the request id."""

    request_id: str
    endpoint: str
    wanted: Order
    request_key: str
    webhook_url: str | None

    @property
    def order(self) -> PaintOrder:
        assert isinstance(self.wanted, PaintOrder)
        return self.wanted

    @property
    def training(self) -> TrainOrder:
        assert isinstance(self.wanted, TrainOrder)
        return self.wanted


@dataclass
class MemoryEngine:
    """`next_submits`, `next_statuses` and so on: what the next calls of each kind raise, one each."""

    name: str = "memory"
    is_deduplicating: bool = True
    can_stop_early: bool = True
    stopped: list[str] = field(default_factory=list)
    deleted_uploads: list[str] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    next_submits: deque[Exception] = field(default_factory=deque)
    next_statuses: deque[Exception] = field(default_factory=deque)
    next_results: deque[Exception] = field(default_factory=deque)
    next_fetches: deque[Exception] = field(default_factory=deque)
    submit_calls: int = 0
    cost: Decimal | None = Decimal("0.025")
    uploads: list[tuple[str, bytes, int]] = field(default_factory=list)
    _states: dict[str, Waiting | Working | Finished | Exception] = field(default_factory=dict)
    _results: dict[str, EngineResult | Exception] = field(default_factory=dict)
    _files: dict[str, bytes] = field(default_factory=dict)

    async def submit(
        self, endpoint: str, order: Order, *, request_key: str, webhook_url: str | None
    ) -> Ticket:
        self.submit_calls += 1
        trouble = self.next_submits.popleft() if self.next_submits else None
        if isinstance(trouble, EngineUnavailable) and trouble.may_have_bought:
            self._buy(endpoint, order, request_key, webhook_url)
        if trouble is not None:
            raise trouble
        bought = self._buy(endpoint, order, request_key, webhook_url)
        return Ticket(engine=self.name, endpoint=endpoint, request_id=bought.request_id)

    def _buy(self, endpoint: str, order: Order, request_key: str, webhook_url: str | None) -> Purchase:
        for earlier in self.purchases:
            if self.is_deduplicating and earlier.request_key == request_key:
                return earlier
        bought = Purchase(
            request_id=f"{self.name}-{len(self.purchases)}",
            endpoint=endpoint,
            wanted=order,
            request_key=request_key,
            webhook_url=webhook_url,
        )
        self.purchases.append(bought)
        self._states[bought.request_id] = Waiting(position=0)
        return bought

    async def upload(self, body: bytes, content_type: str, *, lifetime_s: int) -> str:
        url = f"https://engine.invalid/{self.name}/uploads/{len(self.uploads)}"
        self.uploads.append((url, body, lifetime_s))
        return url

    async def status(self, ticket: Ticket, *, with_progress: bool = True) -> Waiting | Working | Finished:
        if self.next_statuses:
            raise self.next_statuses.popleft()
        state = self._states.get(ticket.request_id, TicketLost())
        if isinstance(state, Exception):
            raise state
        return state

    async def result(self, ticket: Ticket) -> EngineResult:
        if self.next_results:
            raise self.next_results.popleft()
        result = self._results.get(ticket.request_id, EngineUnavailable("not_finished"))
        if isinstance(result, Exception):
            raise result
        return result

    def cost_usd(
        self, endpoint: str, result: EngineResult, *, width_px: int, height_px: int
    ) -> Decimal | None:
        return self.cost

    def training_cost_usd(self, endpoint: str, result: EngineResult, *, steps: int) -> Decimal | None:
        return self.cost

    async def delete_upload(self, url: str) -> bool:
        self.deleted_uploads.append(url)
        return self.can_stop_early

    async def stop(self, ticket: Ticket) -> None:
        self.stopped.append(ticket.request_id)

    async def cancel(self, ticket: Ticket) -> None:
        self.cancelled.append(ticket.request_id)

    async def fetch(self, url: str, *, limit_bytes: int) -> bytes:
        if self.next_fetches:
            raise self.next_fetches.popleft()
        if url not in self._files:
            raise FileGone("http_404")
        if len(self._files[url]) > limit_bytes:
            raise EngineRefused("too_large")
        return self._files[url]

    async def check_hook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> HookAnswer:
        raise HookRefused("this engine sends no webhooks")

    async def health(self) -> str:
        return "in memory"

    async def aclose(self) -> None:
        return

    def work(self, number: int, progress: float | None) -> None:
        """Have purchase `number` on the device."""
        self._states[self.purchases[number].request_id] = Working(progress=progress)

    def finish(self, number: int, body: bytes | None = None, *, is_withheld: bool = False) -> EngineResult:
        """End purchase `number` well, with this picture or one of its own."""
        request_id = self.purchases[number].request_id
        url = f"https://engine.invalid/{request_id}.png"
        self._files[url] = make_picture() if body is None else body
        picture = EnginePicture(
            url=url, width_px=16, height_px=16, content_type="image/png", is_withheld=is_withheld
        )
        return self.finish_with(number, (picture,))

    def finish_with(self, number: int, pictures: tuple[EnginePicture, ...]) -> EngineResult:
        """End purchase `number` well, with whatever pictures, also none."""
        request_id = self.purchases[number].request_id
        result = EngineResult(pictures=pictures, seed=None, billable_units=1.0, inference_s=0.5)
        self._states[request_id], self._results[request_id] = Finished(), result
        return result

    def train(
        self, number: int, step: int, *, steps: int | None = None, preview: bytes | None = None
    ) -> None:
        """Have the training of purchase `number` so far. preview: its newest sample."""
        bought = self.purchases[number]
        steps = bought.training.steps if steps is None else steps
        url = None
        if preview is not None:
            url = f"https://engine.invalid/{bought.request_id}/{step}.png"
            self._files[url] = preview
        self._states[bought.request_id] = Working(
            progress=step / steps, step=step, steps=steps, preview_url=url
        )

    def finish_training(
        self,
        number: int,
        weights: bytes,
        *,
        config: bytes | None = b"{}",
        steps_ran: int | None = None,
    ) -> EngineResult:
        """End the training of purchase `number` well, with these files."""
        request_id = self.purchases[number].request_id
        urls = [f"https://engine.invalid/{request_id}.{kind}" for kind in ("safetensors", "json")]
        self._files[urls[0]] = weights
        if config is not None:
            self._files[urls[1]] = config
        lora = TrainedLora(
            weights_url=urls[0], config_url=None if config is None else urls[1], steps_ran=steps_ran
        )
        result = EngineResult(pictures=(), seed=None, billable_units=None, inference_s=9.0, lora=lora)
        self._states[request_id], self._results[request_id] = Finished(), result
        return result

    def refuse(self, number: int, refusal: EngineRefused) -> None:
        """End purchase `number` badly."""
        request_id = self.purchases[number].request_id
        self._states[request_id], self._results[request_id] = Finished(), refusal

    def break_down(self, number: int, cause: str = "runner_disconnected") -> None:
        """End purchase `number` by an accident."""
        request_id = self.purchases[number].request_id
        self._states[request_id], self._results[request_id] = Finished(), RunFailed(cause)

    def fail_mutely(self, number: int) -> None:
        """End purchase `number` badly, with a result that nobody can make sense of."""
        request_id = self.purchases[number].request_id
        self._states[request_id] = Finished(has_failed=True)
        self._results[request_id] = EngineUnavailable("http_500")

    def lose_file(self, number: int) -> None:
        """Have the picture of purchase `number` not be at its address any more."""
        del self._files[f"https://engine.invalid/{self.purchases[number].request_id}.png"]

    def forget(self, number: int) -> None:
        """Lose purchase `number`, as an engine does that lost its queue."""
        self._states.pop(self.purchases[number].request_id, None)


def as_engine(engine: MemoryEngine) -> Engine:
    """The type checker's proof that it keeps the contract."""
    return engine
