"""Which engine gets a ticket: the first in the order of preference that is on, works, and has room.

A worker's own picture of the engines, a second old at most, so that choosing costs no query. It may be a
little wrong: then an engine gets one ticket too many, or a failing one is asked once more.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from starbooth.base.database import Database
from starbooth.domain.catalog.engines import EngineRow, claim_probes, list_breakers, list_engines
from starbooth.domain.orders.place import OrderKind
from starbooth.domain.orders.run import Openings

FRESH_S = 1.0


@dataclass(kw_only=True)
class _Seat:
    """An engine in this worker's picture of it: its slots, and what is at work there, per kind of order."""

    name: str
    slots: dict[OrderKind, int]
    at_work: dict[OrderKind, int]

    def has_room(self, kind: OrderKind) -> bool:
        return self.at_work[kind] < self.slots[kind]

    def load(self, kind: OrderKind) -> float:
        return self.at_work[kind] / self.slots[kind]


def _unknown_seat(name: str, slots: int) -> _Seat:
    return _Seat(
        name=name,
        slots={OrderKind.GENERATION: slots, OrderKind.TRAINING: 1},
        at_work=dict.fromkeys(OrderKind, 0),
    )


def _seat_of(row: EngineRow) -> _Seat:
    return _Seat(
        name=row.name,
        slots={OrderKind.GENERATION: row.slots, OrderKind.TRAINING: row.training_slots},
        at_work={OrderKind.GENERATION: row.at_work, OrderKind.TRAINING: row.trainings_at_work},
    )


class Router:
    """Chooses engines for one worker.

    names: those that this process can call. slots: of each that has no row. fresh_s: how old a look may be.
    """

    def __init__(self, names: Sequence[str], *, slots: int, fresh_s: float = FRESH_S) -> None:
        self._names, self._slots, self._fresh_s = tuple(names), slots, fresh_s
        self._seats = [_unknown_seat(name, slots) for name in names]
        self._shut: set[tuple[str, str]] = set()
        self._troubled: set[tuple[str, str]] = set()
        self._probes: set[tuple[str, str]] = set()
        self._read_at = float("-inf")

    async def refresh(self, database: Database) -> None:
        """Look at the engines' rows and breakers anew if the last look is older than a second."""
        if time.monotonic() - self._read_at < self._fresh_s:
            return
        self._read_at = time.monotonic()
        async with database.transaction() as tx:
            rows, breakers = await list_engines(tx), await list_breakers(tx)
            probes = await claim_probes(tx) if any(each.open_until for each in breakers) else []
        self._seats = self._seat(rows)
        self._shut = {(each.engine, each.endpoint) for each in breakers if each.open_until}
        self._troubled = {(each.engine, each.endpoint) for each in breakers}
        self._probes |= set(probes)

    def _seat(self, rows: Sequence[EngineRow]) -> list[_Seat]:
        known = {row.name for row in rows}
        unknown = [_unknown_seat(name, self._slots) for name in self._names if name not in known]
        return unknown + [_seat_of(row) for row in rows if row.is_on and row.name in self._names]

    @property
    def slots(self) -> int:
        """How many orders for pictures may run at one time: the room of all engines that are on."""
        return sum(seat.slots[OrderKind.GENERATION] for seat in self._seats)

    @property
    def training_slots(self) -> int:
        """How many trainings may run at one time."""
        return sum(seat.slots[OrderKind.TRAINING] for seat in self._seats)

    def choose(
        self,
        endpoint: str,
        *,
        allowed: Sequence[str],
        tried: Sequence[str],
        before: str | None = None,
        kind: OrderKind = OrderKind.GENERATION,
    ) -> str | None:
        """The engine for a ticket of this endpoint; None where nobody can take it now.

        allowed: in order of preference, empty for all. tried: who has ended it badly. before: who may have it
        already, so goes before all others. Where every engine is full, the one with most room in proportion
        gets it: engines have queues of their own.
        """
        order = allowed or [seat.name for seat in self._seats]
        seats = {seat.name: seat for seat in self._seats}
        able = [
            seats[name] for name in order if name in seats and name not in tried and seats[name].slots[kind]
        ]
        usable = [seat for seat in able if (seat.name, endpoint) not in self._shut]
        probing = [seat for seat in able if (seat.name, endpoint) in self._probes]
        chosen = _first(usable, probing, before, kind)
        if chosen is None:
            return None
        self._probes.discard((chosen.name, endpoint))
        chosen.at_work[kind] += 1
        return chosen.name

    def can_choose_other(
        self,
        name: str,
        endpoint: str,
        allowed: Sequence[str],
        tried: Sequence[str],
        *,
        kind: OrderKind = OrderKind.GENERATION,
    ) -> bool:
        """Whether an engine other than this one could take such a ticket now."""
        shut = {engine for engine, at in self._shut if at == endpoint}
        return any(
            seat.name != name and seat.name not in tried and seat.name not in shut and seat.slots[kind]
            for seat in self._seats
            if not allowed or seat.name in allowed
        )

    def openings(self) -> Openings:
        """Where something can be sent to now. An endpoint that this worker may probe counts as open."""
        return Openings(
            engines=tuple(seat.name for seat in self._seats), shut=tuple(sorted(self._shut - self._probes))
        )

    def is_troubled(self, name: str, endpoint: str) -> bool:
        """Whether something was wrong with this endpoint at the last look."""
        return (name, endpoint) in self._troubled

    def note_trouble(self, name: str, endpoint: str, *, has_opened: bool) -> None:
        """Remember what this worker has just learnt, before the next look."""
        self._troubled.add((name, endpoint))
        if has_opened:
            self._shut.add((name, endpoint))

    def note_success(self, name: str, endpoint: str) -> None:
        """Forget that something was wrong."""
        self._troubled.discard((name, endpoint))
        self._shut.discard((name, endpoint))


def _first(
    usable: Sequence[_Seat], probing: Sequence[_Seat], before: str | None, kind: OrderKind
) -> _Seat | None:
    if probing:
        return probing[0]
    sticky = next((seat for seat in usable if seat.name == before), None)
    if sticky is not None or not usable:
        return sticky
    roomy = next((seat for seat in usable if seat.has_room(kind)), None)
    return roomy or min(usable, key=lambda seat: seat.load(kind))
