"""What a checker of prompts is asked and answers. Knows no guest, no order and no list."""

from dataclasses import dataclass
from typing import Protocol

from starbooth.base.errors import Unavailable


@dataclass(frozen=True, kw_only=True)
class Question:
    """May this be painted? `negative`: what the guest does not want to see. `user`: tells guests apart."""

    prompt: str
    negative: str
    user: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer. `reason` is for operators, not for guests."""

    is_allowed: bool
    reason: str


class CheckerUnavailable(Unavailable):
    """The checker did not give a proper answer in time."""


class Checker(Protocol):
    """Whoever answers."""

    async def check(self, question: Question) -> Verdict:
        """Ask. Repeat: harmless. Raises: CheckerUnavailable."""
        ...
