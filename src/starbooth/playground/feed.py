"""What happened, numbered: the stream that the chat page follows and that tests wait on.

Keeps the last events only; a reader who fell behind is told so and reads the whole state anew.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starbooth.playground.errors import Json

MAX_EVENTS = 2000


@dataclass(frozen=True, slots=True)
class Event:
    number: int
    kind: str
    chat_id: int
    content: Json


class Feed:
    """Events in memory, and those who wait for the next one."""

    def __init__(self, *, last_number: int = 0) -> None:
        self.last_number = last_number
        self.is_closed = False
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._waiting: set[tuple[int, asyncio.Future[None]]] = set()

    def add(self, kind: str, chat_id: int, content: Json) -> int:
        """Record an event and wake who waits for this chat or for any; returns its number."""
        self.last_number += 1
        self._events.append(Event(self.last_number, kind, chat_id, content))
        for wanted, future in self._waiting:
            if wanted in (0, chat_id) and not future.done():
                future.set_result(None)
        return self.last_number

    async def wait(self, chat_id: int, timeout_s: float) -> bool:
        """Wait for the next event of a chat (0: of any); False when none came in time or the feed closes."""
        if self.is_closed:
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (chat_id, future)
        self._waiting.add(entry)
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(entry)
        return not self.is_closed

    async def follow(self, after: int, *, quiet_s: float) -> AsyncIterator[Event | None]:
        """Every event numbered above `after`; None after each `quiet_s` seconds without one. Ends when it
        closes.

        A reader whose place is no longer kept gets one event of kind `reset` instead of the missed ones.
        """
        while not self.is_closed:
            oldest = self._events[0].number if self._events else self.last_number + 1
            if not oldest - 1 <= after <= self.last_number:
                after = self.last_number
                yield Event(after, "reset", 0, {})
            for event in [event for event in self._events if event.number > after]:
                after = event.number
                yield event
            if after == self.last_number and not await self.wait(0, quiet_s):
                yield None

    def close(self) -> None:
        """End all waiting, for good."""
        self.is_closed = True
        for _, future in self._waiting:
            if not future.done():
                future.set_result(None)
