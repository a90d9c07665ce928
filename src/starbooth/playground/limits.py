"""Telegram's sending limits, for those who switch them on: about 1 message a second per chat, 30 a second in
all.

Telegram states the rates but not the bursts; the bursts here are ours.
"""

import math

from starbooth.playground.errors import too_many_requests

CHAT_PER_S = 1.0
CHAT_BURST = 5.0
TOTAL_PER_S = 30.0
TOTAL_BURST = 30.0
_MAX_BUCKETS = 10_000


class SendingLimits:
    """Two token buckets per call: the chat's and the bot's."""

    def __init__(self) -> None:
        self._buckets: dict[int, tuple[float, float]] = {}

    def take(self, chat_id: int, now: float) -> None:
        """Count one sending. Raises: ApiError 429 with the seconds to wait."""
        wait_s = max(
            self._missing_s(chat_id, now, CHAT_PER_S, CHAT_BURST),
            self._missing_s(0, now, TOTAL_PER_S, TOTAL_BURST),
        )
        if wait_s > 0:
            raise too_many_requests(math.ceil(wait_s))
        for key, rate, burst in ((chat_id, CHAT_PER_S, CHAT_BURST), (0, TOTAL_PER_S, TOTAL_BURST)):
            self._buckets[key] = (self._level(key, now, rate, burst) - 1, now)
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.pop(next(key for key in self._buckets if key != 0))

    def _level(self, key: int, now: float, rate: float, burst: float) -> float:
        level, at = self._buckets.get(key, (burst, now))
        return min(burst, level + (now - at) * rate)

    def _missing_s(self, key: int, now: float, rate: float, burst: float) -> float:
        return max(0.0, 1 - self._level(key, now, rate, burst)) / rate
