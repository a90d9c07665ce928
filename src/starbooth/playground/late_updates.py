"""Updates that a fault holds back: each goes out when its time has come, or at once after a restart."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass

from starbooth.playground.errors import Json
from starbooth.playground.records import Records


@dataclass(frozen=True, slots=True)
class LateUpdate:
    """What `World.send_update` was given. number: keeps the order after a restart."""

    number: int
    kind: str
    payload: Json
    chat_id: int
    message_id: int


class LateUpdates:
    """send: queues one for the bot and commits."""

    def __init__(self, records: Records, send: Callable[[LateUpdate], None]) -> None:
        self._records = records
        self._send = send
        self._waiting: dict[int, asyncio.TimerHandle] = {}
        self._next_number = 1

    def hold(self, kind: str, payload: Json, *, chat_id: int, message_id: int, seconds: float) -> None:
        update = LateUpdate(self._next_number, kind, payload, chat_id, message_id)
        self._next_number += 1
        self._records.put("late_update", update.number, asdict(update))
        loop = asyncio.get_running_loop()
        self._waiting[update.number] = loop.call_later(seconds, self._let_go, update)

    def restore(self) -> None:
        """Let go what was held when the process ended."""
        for record in list(self._records.all("late_update")):
            self._let_go(LateUpdate(**record))

    def stop(self) -> None:
        """Hold everything until the next start."""
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def clear(self) -> None:
        for number in self._waiting:
            self._records.delete("late_update", number)
        self.stop()

    def _let_go(self, update: LateUpdate) -> None:
        self._waiting.pop(update.number, None)
        self._records.delete("late_update", update.number)
        self._send(update)
