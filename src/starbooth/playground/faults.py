"""Faults on purpose: which calls of the bot go wrong, how, and how often.

A fault applies to the next `count` matching calls, or to each with `probability` by a random source of its
own seed.
"""

import random
from dataclasses import dataclass, field
from enum import StrEnum

from starbooth.playground.errors import Json, bad_request

MAX_FAULTS = 100


class FaultKind(StrEnum):
    TOO_MANY_REQUESTS = "too_many_requests"
    SERVER_ERROR = "server_error"
    SLOW = "slow"
    DROPPED_BEFORE = "dropped_before"
    DROPPED_AFTER = "dropped_after"
    BLOCKED = "blocked"
    MESSAGE_DELETED = "message_deleted"
    DOUBLED_UPDATE = "doubled_update"
    LOST_UPDATE = "lost_update"
    PAYMENT_LATE = "payment_late"
    UNASKED_PAYMENT = "unasked_payment"
    DOUBLE_PAYMENT = "double_payment"
    EXPIRED_CHECKOUT = "expired_checkout"
    ALREADY_REFUNDED = "already_refunded"


OF_CALLS = frozenset(
    [
        FaultKind.TOO_MANY_REQUESTS,
        FaultKind.SERVER_ERROR,
        FaultKind.SLOW,
        FaultKind.DROPPED_BEFORE,
        FaultKind.DROPPED_AFTER,
        FaultKind.BLOCKED,
        FaultKind.MESSAGE_DELETED,
    ]
)
"""Those that strike any call of a method; each other kind has a place of its own where it is asked for."""


@dataclass(slots=True)
class Fault:
    """method: lower case, `*` for all (without getUpdates); for updates and payments the kind of update.
    count None: no end. seconds: delay or retry_after.
    """

    number: int
    kind: FaultKind
    method: str
    chat_id: int | None
    count: int | None
    probability: float
    seconds: float
    seed: int
    hits: int = 0
    dice: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - repeatable, not secret

    def strikes(self, names: tuple[str, ...], chat_id: int) -> bool:
        """Whether it applies to what goes by any of these names; a strike is counted."""
        is_polling = names == ("getupdates",)
        if self.method not in names and (self.method != "*" or is_polling):
            return False
        if self.chat_id not in (None, chat_id) or (self.count is not None and self.hits >= self.count):
            return False
        if self.dice.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def as_json(self) -> Json:
        names = ("number", "kind", "method", "chat_id", "count", "probability", "seconds", "seed", "hits")
        return {name: getattr(self, name) for name in names}


class Faults:
    """The faults that are switched on, asked in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._next_number = 1

    def add(
        self,
        kind: FaultKind,
        *,
        method: str = "*",
        chat_id: int | None = None,
        count: int | None = 1,
        probability: float = 1.0,
        seconds: float = 1.0,
        seed: int = 0,
    ) -> Fault:
        """Switch one on. Raises: ApiError 400 above the limit of faults."""
        spent = [
            number
            for number, fault in self._faults.items()
            if fault.count is not None and fault.hits >= fault.count
        ]
        for number in spent[: max(0, len(self._faults) - MAX_FAULTS + 1)]:
            del self._faults[number]
        if len(self._faults) >= MAX_FAULTS:
            raise bad_request("too many faults are switched on")
        fault = Fault(self._next_number, kind, method.lower(), chat_id, count, probability, seconds, seed)
        self._faults[fault.number] = fault
        self._next_number += 1
        return fault

    def strike(self, method: str, chat_id: int) -> list[Fault]:
        """The faults that apply to one call of a method."""
        if not self._faults:
            return []
        return [
            fault
            for fault in self._faults.values()
            if fault.kind in OF_CALLS and fault.strikes((method,), chat_id)
        ]

    def pick(self, kind: FaultKind, names: tuple[str, ...], chat_id: int) -> Fault | None:
        """The first fault of this kind that strikes what goes by any of these names, e.g. an update."""
        return next(
            (
                fault
                for fault in self._faults.values()
                if fault.kind is kind and fault.strikes(names, chat_id)
            ),
            None,
        )

    def remove(self, number: int) -> bool:
        return self._faults.pop(number, None) is not None

    def clear(self) -> None:
        self._faults.clear()

    def as_json(self) -> list[Json]:
        return [fault.as_json() for fault in self._faults.values()]
