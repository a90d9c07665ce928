"""What a measurement says: figures with their unit and the aim they are held against."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number. `at_least` and `at_most` are aims; a figure without either is there to be known."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is met; None where there is none."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def aim(self) -> str:
        """The aim in words, empty where there is none."""
        if self.at_least is not None:
            return f"≥ {self.at_least:,}"
        return f"≤ {self.at_most:,}" if self.at_most is not None else ""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The figures of one measurement; `details` are the raw numbers behind them, for the JSON file."""

    figures: Sequence[Figure]
    details: Mapping[str, Any] = field(default_factory=dict)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed (nearest rank). Needs one value."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def median(values: Sequence[float]) -> float:
    """The median. Needs one value."""
    return float(statistics.median(values))
