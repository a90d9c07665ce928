"""Telegram's sending limits, for those who switch them on: about 1 message a second per chat, 20 a minute per
group, 30 a second in all.

Telegram states the rates but not the bursts; the bursts here are ours.
"""

import math

from starbooth.playground.errors import too_many_requests

CHAT_PER_S = 1.0
CHAT_BURST = 5.0
GROUP_PER_S = 20 / 60
GROUP_BURST = 20.0
TOTAL_PER_S = 30.0
TOTAL_BURST = 30.0
_MAX_BUCKETS = 10_000
_ALL = ("all", 0)


class SendingLimits:
    """Token buckets: the chat's, the group's (where the chat is one) and the bot's."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, int], tuple[float, float]] = {}

    def take(self, chat_id: int, now: float) -> None:
        """Count one sending. Raises: ApiError 429 with the seconds to wait."""
        buckets = [
            (("chat", chat_id), CHAT_PER_S, CHAT_BURST),
            (_ALL, TOTAL_PER_S, TOTAL_BURST),
        ]
        if chat_id < 0:
            buckets.append((("group", chat_id), GROUP_PER_S, GROUP_BURST))
        wait_s = max(self._missing_s(key, now, rate, burst) for key, rate, burst in buckets)
        if wait_s > 0:
            raise too_many_requests(math.ceil(wait_s))
        for key, rate, burst in buckets:
            self._buckets[key] = (self._level(key, now, rate, burst) - 1, now)
        while len(self._buckets) > _MAX_BUCKETS:
            self._buckets.pop(next(key for key in self._buckets if key != _ALL))

    def _level(self, key: tuple[str, int], now: float, rate: float, burst: float) -> float:
        level, at = self._buckets.get(key, (burst, now))
        return min(burst, level + (now - at) * rate)

    def _missing_s(self, key: tuple[str, int], now: float, rate: float, burst: float) -> float:
        return max(0.0, 1 - self._level(key, now, rate, burst)) / rate
