"""The waiting line: who is next, and how many stand before whom. Knows numbers only, no painter, no disk.

Two lanes, `normal` before `low`; first come, first served within a lane, by ticket number. Not thread-safe:
it belongs to the event loop.
"""

from bisect import bisect_left, insort
from enum import StrEnum


class Priority(StrEnum):
    """The two values of fal's `X-Fal-Queue-Priority`."""

    NORMAL = "normal"
    LOW = "low"


class Line:
    """Ticket numbers that wait. A position is found by bisection: O(log n)."""

    def __init__(self) -> None:
        self._lanes: dict[Priority, list[int]] = {Priority.NORMAL: [], Priority.LOW: []}

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def join(self, number: int, priority: Priority) -> None:
        """Stand in the lane at the place of `number`, which must be unique; old numbers stand in front."""
        insort(self._lanes[priority], number)

    def position(self, number: int, priority: Priority) -> int:
        """How many are painted before this ticket; 0 is next.

        Raises: KeyError if the ticket does not wait here.
        """
        before = len(self._lanes[Priority.NORMAL]) if priority is Priority.LOW else 0
        return before + self._place(number, priority)

    def leave(self, number: int, priority: Priority) -> None:
        """Take the ticket out of the line.

        Raises: KeyError if the ticket does not wait here.
        """
        del self._lanes[priority][self._place(number, priority)]

    def next(self) -> int | None:
        """Take the first ticket out of the line; None when nobody waits."""
        for lane in self._lanes.values():
            if lane:
                return lane.pop(0)
        return None

    def _place(self, number: int, priority: Priority) -> int:
        lane = self._lanes[priority]
        place = bisect_left(lane, number)
        if place == len(lane) or lane[place] != number:
            raise KeyError(number)
        return place
