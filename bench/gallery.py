"""The gallery at size: ten million pictures, two million of them one guest's; page 1 and page 100,000.

Everything is asked for through the house's own functions, by one connection: what is told is the time of the
database and of our client with it, once as it came and once less what both waited for a core, as the kernel
counts it; on a quiet machine the two are the same. Kinds take turns, so that a busy neighbour slows them
alike. The form with OFFSET, which the house doesn't use, stands beside them. `BENCH_PICTURES=100000` makes it
a quick run.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from sqlalchemy import make_url, text

from bench.figures import Figure, Measurement, median, percentile
from bench.many_pictures import BIG, RARE, RARER, STOPPED, fill, fill_orders
from bench.server import own_server
from starbooth.base.database import Database, Tx, raw_dsn
from starbooth.domain.gallery.pages import Place, Wanted, read_page, read_words
from starbooth.domain.orders.read import read_order

PICTURES = int(os.environ.get("BENCH_PICTURES", "10000000"))
_PAGE = 9
_DEEPEST = 100_000
_WAITING = 2000
_OFFSET = text("""
    SELECT * FROM public."Generation" WHERE "userId" = :user_id
    ORDER BY "createdAt" DESC, "id" DESC OFFSET :offset LIMIT 10
""")
_MIDDLE = text("""
    SELECT "userId" FROM public."Generation" WHERE "userId" <> :user_id
    GROUP BY 1 ORDER BY count(*) DESC OFFSET 5 LIMIT 1
""")
# What guests look for: what is in every tenth picture, in few, in none, in old ones only; and several words.
_SEARCHES = [
    "cat",
    "clock",
    "lamp moon",
    "cat hat",
    "sunset dragon watercolor",
    RARE,
    RARER,
    STOPPED,
    "unicorn",
]

Look = Callable[[Tx], Awaitable[object]]


@dataclass
class _Looks:
    """What is looked for, and how long each took in milliseconds: as it came, and less waiting for a core."""

    looks: Mapping[str, Look]
    took_ms: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    async def take_turns(self, database: Database, *, rounds: int) -> None:
        """Every kind once a round. Five rounds before, while PostgreSQL chooses plans, do not count."""
        async with database.statement() as tx:
            pids = (os.getpid(), int(await tx.scalar(text("SELECT pg_backend_pid()")) or 0))
            for turn in range(rounds + 5):
                for name, look in self.looks.items():
                    waited_ms, began = _waited_ms(pids), time.perf_counter()
                    await look(tx)
                    took_ms = (time.perf_counter() - began) * 1000
                    if turn >= 5:
                        worked_ms = took_ms - (_waited_ms(pids) - waited_ms)
                        self.took_ms.setdefault(name, []).append((took_ms, max(0.0, worked_ms)))

    def came(self, prefix: str) -> Sequence[float]:
        """Every time of the kinds whose names begin so, as it came."""
        return [each for name, took in self.took_ms.items() if name.startswith(prefix) for each, _ in took]

    def worked(self, prefix: str) -> Sequence[float]:
        """The same less waiting for a core."""
        return [each for name, took in self.took_ms.items() if name.startswith(prefix) for _, each in took]


def _waited_ms(pids: Sequence[int]) -> float:
    """How long these processes could have run but had no core; 0 where the kernel does not tell."""
    try:
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e6
    except OSError:
        return 0.0


async def measure(*, pictures: int = PICTURES, rounds: int = 300) -> Measurement:
    """Fill a server of its own, which takes most of the time (20 minutes for ten million), and ask it."""
    async with own_server() as url:
        connection = await asyncpg.connect(raw_dsn(make_url(url)), timeout=60)
        took_s = await fill(connection, pictures=pictures, accounts=max(10, pictures // 100))
        await fill_orders(connection, ended=pictures // 20, waiting=_WAITING)
        sizes = await _sizes(connection)
        await connection.close()
        database = Database(url, connections=1)
        number, pages = await _pages(database, pictures)
        await pages.take_turns(database, rounds=rounds)
        offsets = _Looks({name: _offset(number if name == "deep" else 1) for name in ("first", "deep")})
        await offsets.take_turns(database, rounds=5)
        searches = await _searches(database)
        await searches.take_turns(database, rounds=max(20, rounds // 5))
        await database.aclose()
    return Measurement(
        figures=(
            Figure(name="pictures", value=pictures, unit=""),
            *_figures(number, pages, offsets, searches),
        ),
        details={"filling_s": took_s, "sizes_mb": sizes, **_details(pages), **_details(searches)},
    )


async def _pages(database: Database, pictures: int) -> tuple[int, _Looks]:
    """The number of the deepest page, and looks at it, at the first one and at the line."""
    number = min(_DEEPEST, pictures // 5 // _PAGE - 1)
    above = {"user_id": BIG, "offset": (number - 1) * _PAGE - 1}
    async with database.transaction() as tx:
        row = (await tx.execute(_OFFSET, above)).first()
    assert row is not None
    place = Place(at=row.createdAt, picture_id=row.id)

    async def first(tx: Tx) -> object:
        return await read_page(tx, Wanted(user_id=BIG), limit=_PAGE)

    async def deep(tx: Tx) -> object:
        return await read_page(tx, Wanted(user_id=BIG), limit=_PAGE, place=place)

    async def line(tx: Tx) -> object:
        return await read_order(tx, f"o{pictures // 20 + _WAITING}", slots=4)

    return number, _Looks({"first": first, "deep": deep, "line": line})


def _offset(number: int) -> Look:
    async def look(tx: Tx) -> object:
        return (await tx.execute(_OFFSET, {"user_id": BIG, "offset": (number - 1) * _PAGE})).all()

    return look


async def _searches(database: Database) -> _Looks:
    """Every search by the big guest, and by one with about a thousandth of all."""
    looks: dict[str, Look] = {}
    async with database.transaction() as tx:
        middle = str(await tx.scalar(_MIDDLE, {"user_id": BIG}))
        for said in _SEARCHES:
            words = await read_words(tx, said)
            for who, user_id in (("big", BIG), ("middle", middle)):
                looks[f"{who}: {said}"] = _search(Wanted(user_id=user_id, words=words))
    return _Looks(looks)


def _search(wanted: Wanted) -> Look:
    async def look(tx: Tx) -> object:
        return await read_page(tx, wanted, limit=_PAGE)

    return look


def _figures(number: int, pages: _Looks, offsets: _Looks, searches: _Looks) -> list[Figure]:
    deep = f"page {number:,}"
    ratio = percentile(pages.worked("deep"), 99) / percentile(pages.worked("first"), 99)
    return [
        *_times("page 1", pages, "first"),
        *_times(deep, pages, "deep"),
        Figure(name=f"{deep} ÷ page 1, p99", value=ratio, unit="", at_most=1.5),
        Figure(name="page 1 with OFFSET, p50", value=median(offsets.came("first")), unit="ms"),
        Figure(name=f"{deep} with OFFSET, p50", value=median(offsets.came("deep")), unit="ms"),
        *_times("search by a guest with a thousandth of all", searches, "middle"),
        *_times("search by the guest with a fifth of all", searches, "big"),
        *_times(f"place in a line of {_WAITING:,}", pages, "line"),
    ]


def _times(name: str, looks: _Looks, prefix: str) -> list[Figure]:
    worked, came = looks.worked(prefix), looks.came(prefix)
    return [
        Figure(name=f"{name}, p50", value=median(worked), unit="ms"),
        Figure(name=f"{name}, p99", value=percentile(worked, 99), unit="ms", at_most=10),
        Figure(name=f"{name}, p99 as it came", value=percentile(came, 99), unit="ms"),
    ]


def _details(looks: _Looks) -> dict[str, object]:
    return {
        name: {
            "p50_ms": round(median(looks.worked(name)), 2),
            "p99_ms": round(percentile(looks.worked(name), 99), 2),
            "p99_as_it_came_ms": round(percentile(looks.came(name), 99), 2),
        }
        for name in looks.looks
    }


async def _sizes(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, float]:
    rows = await connection.fetch("""
        SELECT c.relname AS name, pg_table_size(c.oid) / 1e6 AS mb FROM pg_class c JOIN pg_index i
            ON c.oid IN (i.indexrelid, i.indrelid) WHERE i.indrelid = 'public."Generation"'::regclass
        GROUP BY 1, 2
    """)
    return {row["name"]: round(float(row["mb"]), 1) for row in rows}
