"""How an order looks to its guest: state, progress, place in the queue and the wait to expect."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import TextClause, text

from starbooth.base.database import Tx
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.place import OrderKind, next_turn


@dataclass(frozen=True, kw_only=True)
class Part:
    """One picture of an order. file_key: where it lies; None while there is none. error_code: why there never
    will be.
    """

    number: int
    seed: int
    file_key: str | None
    error_code: str | None


@dataclass(frozen=True, kw_only=True)
class OrderView:
    """One order at one moment.

    position: 1 is the next to start; None unless it waits.
    wait: how long until the picture, from the pace of recent orders; None where nothing is known yet.
    request: what was asked and what we froze for it, as placing wrote it.
    file_keys: the pictures that lie in storage, in order. pictures: each that was asked for, in order.
    """

    order_id: str
    kind: OrderKind
    user_id: str
    state: OrderState
    request: Mapping[str, Any]
    price_stars: int
    spent_stars: int | None
    parts: int
    progress: float
    position: int | None
    wait: timedelta | None
    error_code: str | None
    seeds: tuple[int, ...]
    file_keys: tuple[str, ...]
    pictures: tuple[Part, ...] = ()

    @property
    def prompt(self) -> str:
        """The guest's words."""
        return str(self.request["asked"].get("prompt") or "")

    @property
    def has_ended(self) -> bool:
        """Whether nothing about it will change any more."""
        return self.state not in (OrderState.HELD, OrderState.RUNNING)


def _seconds(kind: OrderKind) -> str:
    """What one order of a kind takes, over the last twenty."""
    return f"""
        (SELECT extract(epoch FROM avg(r.ended_at - r.started_at))::double precision FROM (
            SELECT started_at, ended_at FROM starbooth.orders
            WHERE state = 'done' AND kind = '{kind.value}' ORDER BY ended_at DESC LIMIT 20) r)
    """  # noqa: S608 - our own constants


def _running(kind: OrderKind) -> str:
    """How long each order of a kind that is at work has run."""
    return f"""
        (SELECT array_agg(extract(epoch FROM now() - started_at)::double precision) FROM starbooth.orders
            WHERE state = 'running' AND kind = '{kind.value}')
    """  # noqa: S608 - our own constants


def _by_kind(column: Callable[[OrderKind], str]) -> str:
    training, picture = column(OrderKind.TRAINING), column(OrderKind.GENERATION)
    return f"CASE o.kind WHEN 'training' THEN {training} ELSE {picture} END"


_VIEW = text(f"""
    SELECT o.id, o.kind, o.user_id, o.state, o.request, o.price_stars,
        o.spent_stars, o.parts, o.progress, o.error_code, waiting.position, pace.seconds, pace.running,
        extract(epoch FROM now() - o.started_at)::double precision AS ran,
        array_agg(t.seed ORDER BY t.number) AS seeds,
        array_agg(t.file_key ORDER BY t.number) AS file_keys,
        array_agg(t.error_code ORDER BY t.number) AS error_codes
    FROM starbooth.orders o
    JOIN starbooth.tickets t ON t.order_id = o.id
    LEFT JOIN LATERAL (
        SELECT count(*) AS position FROM starbooth.orders w
        WHERE w.state = 'held' AND w.kind = o.kind
            AND (w.turn, w.created_at, w.id) <= (o.turn, o.created_at, o.id)
    ) waiting ON o.state = 'held'
    LEFT JOIN LATERAL (SELECT {_by_kind(_seconds)} AS seconds, {_by_kind(_running)} AS running
    ) pace ON o.state IN ('held', 'running')
    WHERE o.id = :id
    GROUP BY o.id, waiting.position, pace.seconds, pace.running
""")  # noqa: S608 - our own constants


def _next_wait(kind: OrderKind) -> TextClause:
    return text(f"""
        WITH mine AS (SELECT {next_turn(kind)} AS turn)
        SELECT (SELECT count(*) FROM starbooth.orders o
                WHERE o.state = 'held' AND o.kind = '{kind.value}' AND o.turn <= mine.turn) AS ahead,
            {_seconds(kind)} AS seconds, {_running(kind)} AS running
        FROM mine
    """)  # noqa: S608 - our own constants


_NEXT_WAIT = {kind: _next_wait(kind) for kind in OrderKind}


async def read_order(tx: Tx, order_id: str, *, slots: int, training_slots: int = 1) -> OrderView | None:
    """The order as it stands, or None.

    slots: how many orders for pictures the engines work on at one time; training_slots: how many trainings.
    """
    row = (await tx.execute(_VIEW, {"id": order_id})).first()
    if row is None:
        return None
    return OrderView(
        order_id=row.id,
        kind=OrderKind(row.kind),
        user_id=row.user_id,
        state=OrderState(row.state),
        request=row.request,
        price_stars=row.price_stars,
        spent_stars=row.spent_stars,
        parts=row.parts,
        progress=max(row.progress, _share_ended(row)),
        position=row.position,
        wait=_expected_wait(row, training_slots if row.kind == OrderKind.TRAINING else slots),
        error_code=row.error_code,
        seeds=tuple(row.seeds),
        file_keys=tuple(key for key in row.file_keys if key is not None),
        pictures=tuple(
            Part(number=number, seed=seed, file_key=file_key, error_code=error_code)
            for number, (seed, file_key, error_code) in enumerate(
                zip(row.seeds, row.file_keys, row.error_codes, strict=True)
            )
        ),
    )


def _share_ended(row: Any) -> float:
    """How far an order is by its pictures that have ended: an engine that tells no progress tells that."""
    if row.state != OrderState.RUNNING:
        return 0.0
    ended = [key or code for key, code in zip(row.file_keys, row.error_codes, strict=True)]
    return sum(each is not None for each in ended) / len(ended)


# So much of a training must have run before its own pace says more than that of others: they differ in steps.
_TELLING = 0.02


def _expected_wait(row: Any, slots: int) -> timedelta | None:
    is_running = row.state == OrderState.RUNNING
    if row.kind == OrderKind.TRAINING and is_running and row.progress > _TELLING:
        return timedelta(seconds=row.ran * (1 - row.progress) / row.progress)
    if row.seconds is None:
        return None
    if row.position is not None:
        return time_until_done(row.position - 1, row.running or (), run_s=row.seconds, slots=slots)
    return timedelta(seconds=min(row.seconds * (1 - row.progress), _left(row.ran, row.seconds)))


def time_until_done(ahead: int, running_s: Sequence[float], *, run_s: float, slots: int) -> timedelta:
    """How long until an order has its picture that waits behind `ahead` others.

    running_s: how long each order at work has run. run_s: what one run takes. Each slot takes the next in
    line when its order ends, so the line moves once per slot and run.
    """
    left = sorted(_left(ran, run_s) for ran in running_s)[:slots]
    frees_at = [0.0] * (slots - len(left)) + left
    rounds, place = divmod(ahead, slots)
    return timedelta(seconds=frees_at[place] + (rounds + 1) * run_s)


def _left(ran_s: float, run_s: float) -> float:
    """What is left of a run; of one that takes longer than others, a tenth."""
    return max(run_s - ran_s, run_s / 10)


async def expected_wait(
    tx: Tx, *, user_id: str, slots: int, kind: OrderKind = OrderKind.GENERATION
) -> timedelta | None:
    """How long this guest's next order of this kind would take if placed now, in its turn.

    slots: how many orders of this kind the engines work on at one time. None where nothing is known.
    """
    row = (await tx.execute(_NEXT_WAIT[kind], {"user_id": user_id})).one()
    if row.seconds is None:
        return None
    return time_until_done(row.ahead, row.running or (), run_s=row.seconds, slots=slots)


async def newest_active(tx: Tx, *, user_id: str) -> str | None:
    """The guest's newest order for pictures that has not ended; a training only where there is none."""
    found = await tx.scalar(
        text(
            "SELECT id FROM starbooth.orders WHERE user_id = :user_id AND state IN ('held', 'running')"
            " ORDER BY kind = 'training', turn DESC, created_at DESC LIMIT 1"
        ),
        {"user_id": user_id},
    )
    return None if found is None else str(found)


async def newest_picture(tx: Tx, *, user_id: str) -> tuple[str, int] | None:
    """The storage key of the guest's newest picture and what its order cost; None where there is none."""
    row = (
        await tx.execute(
            text(
                "SELECT t.file_key, o.spent_stars FROM starbooth.orders o"
                " JOIN starbooth.tickets t ON t.order_id = o.id AND t.state = 'done'"
                " WHERE o.user_id = :user_id AND o.kind = 'generation' AND o.state = 'done'"
                " ORDER BY o.created_at DESC, t.number LIMIT 1"
            ),
            {"user_id": user_id},
        )
    ).first()
    return None if row is None else (row.file_key, row.spent_stars)


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A guest's orders whose request keys begin alike. `youngest`: the last one's age, None without any."""

    count: int
    has_this_key: bool
    is_any_active: bool
    youngest: timedelta | None

    def is_any_younger_than(self, age: timedelta) -> bool:
        """Whether one was placed within this time."""
        return self.youngest is not None and self.youngest < age


async def read_earlier(tx: Tx, *, user_id: str, request_key: str, key_prefix: str) -> Earlier:
    """What this guest ordered by keys with this beginning, and whether by this very key."""
    row = (
        await tx.execute(
            text("""
                SELECT count(*) AS count,
                    coalesce(bool_or(request_key = :request_key), false) AS has_this_key,
                    coalesce(bool_or(state IN ('held', 'running')), false) AS is_any_active,
                    now() - max(created_at) AS youngest
                FROM starbooth.orders WHERE user_id = :user_id AND starts_with(request_key, :key_prefix)
            """),
            {"user_id": user_id, "request_key": request_key, "key_prefix": key_prefix},
        )
    ).one()
    return Earlier(**row._mapping)
