"""(g) Movements of stars: the quickest of each kind against pgbench, a hot account, and the naive way beside.

Every comparison takes turns on one server. The naive way has accounts of its own, and what it did to them is
counted: charges that left no trace in the balance, and stars spent that were not there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import asyncpg
from sqlalchemy import make_url

from bench.contest import CONNECTIONS, name_parameters, open_accounts, run_clients, run_pgbench
from bench.figures import Figure, Measurement, median
from bench.naive import charge_naively
from bench.server import own_server
from starbooth.base.database import Database, Tx, raw_dsn
from starbooth.domain.stars import buying, ledger
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.stars.tables import TransactionType

ACCOUNTS = 10_000
START_STARS = 1_000_000
RACES = 40
RACE_STARS = 20

_DRAW = f"\\set id random(1, 9000000000000000000)\n\\set key :id\n\\set user_id random(1, {ACCOUNTS})\n"
_GIVEN = {"facts": '{"orderId": "measured"}'}
_HOLD = name_parameters(ledger.MOVE, ":id", ":user_id", "-1", "'GENERATION'", "'PENDING'", ":key", ":facts")
_SETTLE = name_parameters(ledger.END_HOLD, ":id", ":transaction_id", "1", ":facts")
_BONUS = name_parameters(ledger.MOVE, ":id", ":user_id", "1", "'BONUS'", "'COMPLETED'", ":key", ":facts")
_PAYMENT = name_parameters(buying.CREDIT, ":id", ":user_id", "1", ":key", "NULL", ":facts")
# The script of a kind, and how many movements it makes.
_KINDS = {
    "pair": (f"{_DRAW}{_HOLD} \\gset\n{_SETTLE};\n", 2),
    "bonus": (f"{_DRAW}{_BONUS};\n", 1),
    "payment": (f"{_DRAW}{_PAYMENT};\n", 1),
}
_NAMES = {"pair": "hold and settle", "bonus": "bonus", "payment": "payment credited"}

# By how many stars an account differs from what it began with and its rows.
_LOST = """
    SELECT count(*) FILTER (WHERE lost <> 0) AS accounts, coalesce(sum(abs(lost)), 0)::bigint AS stars FROM (
        SELECT u."stars" - $2 - coalesce(sum(t."amount"), 0) AS lost
        FROM public."User" u LEFT JOIN public."StarTransaction" t ON t."userId" = u."id"
        WHERE u."id" ~ $1 GROUP BY u."id") AS each
"""
_HELD = 'SELECT coalesce(-sum("amount"), 0)::bigint FROM public."StarTransaction" WHERE "userId" ~ $1'

Figures = tuple[Figure, ...]


async def measure(*, rounds: int = 3, seconds: float = 3.0) -> Measurement:
    """About two minutes."""
    async with own_server() as url:
        for prefix in ("", "naive", "hot", "naivehot"):
            await open_accounts(url, 1 if "hot" in prefix else ACCOUNTS, stars=START_STARS, prefix=prefix)
        kinds = {kind: [await _contest(url, kind, seconds) for _ in range(rounds)] for kind in _KINDS}
        ways = [await _ways(url, seconds) for _ in range(rounds)]
        lost = {
            prefix: await _fetch(url, _LOST, f"^{prefix}[0-9]+$", START_STARS)
            for prefix in ("hot", "naive", "naivehot")
        }
        overspent = {
            "ours": await _race(url, "race", _spend),
            "naive": await _race(url, "naiverace", charge_naively),
        }
    return Measurement(
        figures=(*_kind_figures(kinds), *_way_figures(ways), *_anomaly_figures(lost, overspent)),
        details={"kinds": kinds, "ways": ways, "lost": lost, "overspent": overspent},
    )


async def _contest(url: str, kind: str, seconds: float) -> dict[str, float]:
    """Movements per second of one kind, each statement committing by itself."""
    script, movements = _KINDS[kind]
    theirs = movements * await run_pgbench(url, script, given=_GIVEN, seconds=seconds)
    pace = await run_clients(url, kind, accounts=ACCOUNTS, seconds=seconds, is_bare=True)
    ours = movements * pace.per_s
    return {"ours": ours, "pgbench": theirs, "ratio": ours / theirs}


async def _ways(url: str, seconds: float) -> dict[str, float]:
    """Charges per second in transactions: ours and the naive way, on one account and on many."""
    paces = {}
    for name, kind, prefix, accounts in (
        ("ours_spread", "hold", "", ACCOUNTS),
        ("naive_spread", "naive", "naive", ACCOUNTS),
        ("ours_hot", "hold", "hot", 1),
        ("naive_hot", "naive", "naivehot", 1),
    ):
        pace = await run_clients(url, kind, accounts=accounts, seconds=seconds, is_bare=False, prefix=prefix)
        paces[name] = pace.per_s
    return paces


async def _fetch(url: str, statement: str, *values: object) -> dict[str, int]:
    connection = await asyncpg.connect(raw_dsn(make_url(url)))
    try:
        return dict(await connection.fetchrow(statement, *values))
    finally:
        await connection.close()


async def _race(url: str, prefix: str, charge: Callable[..., Awaitable[bool]]) -> int:
    """Eight at once spend one account's few stars until each is refused. Stars spent that were not there."""
    await open_accounts(url, RACES, stars=RACE_STARS, prefix=prefix)
    database = Database(url, connections=CONNECTIONS)
    keys = (f"{prefix}:{number}" for number in count())

    async def spend_all(user_id: str) -> None:
        is_charged = True
        while is_charged:
            async with database.transaction() as tx:
                is_charged = await charge(tx, user_id=user_id, price_stars=1, key=next(keys))

    for number in range(1, RACES + 1):
        await asyncio.gather(*(spend_all(f"{prefix}{number}") for _ in range(CONNECTIONS)))
    await database.aclose()
    held = await _fetch(url, _HELD, f"^{prefix}[0-9]+$")
    return next(iter(held.values())) - RACES * RACE_STARS


async def _spend(tx: Tx, *, user_id: str, price_stars: int, key: str) -> bool:
    try:
        await ledger.hold(
            tx,
            user_id=user_id,
            price_stars=price_stars,
            purpose=TransactionType.GENERATION,
            key=key,
            facts={},
        )
    except NotEnoughStars:
        return False
    return True


def _kind_figures(kinds: dict[str, list[dict[str, float]]]) -> Figures:
    figures: list[Figure] = []
    for kind, turns in kinds.items():
        ours, theirs, ratio = (
            median([turn[name] for turn in turns]) for name in ("ours", "pgbench", "ratio")
        )
        name = _NAMES[kind]
        figures += (
            Figure(name=f"{name}: movements through our code", value=ours, unit="1/s"),
            Figure(name=f"{name}: movements through pgbench", value=theirs, unit="1/s"),
            Figure(name=f"{name}: ours ÷ pgbench's", value=ratio, unit="", at_least=0.5),
        )
    peak = max(figures[::3], key=lambda figure: figure.value)
    return (*figures, Figure(name="peak movements through our code", value=peak.value, unit="1/s"))


def _way_figures(turns: list[dict[str, float]]) -> Figures:
    def ratio(one: str, other: str) -> float:
        return median([turn[one] / turn[other] for turn in turns])

    rates = {name: median([turn[name] for turn in turns]) for name in turns[0]}
    return (
        Figure(name="holds on spread accounts", value=rates["ours_spread"], unit="1/s"),
        Figure(name="holds on one hot account", value=rates["ours_hot"], unit="1/s"),
        Figure(name="hot ÷ spread", value=ratio("ours_hot", "ours_spread"), unit=""),
        Figure(name="naive charges on spread accounts", value=rates["naive_spread"], unit="1/s"),
        Figure(name="naive charges on one hot account", value=rates["naive_hot"], unit="1/s"),
        Figure(name="ours ÷ naive, spread", value=ratio("ours_spread", "naive_spread"), unit=""),
        Figure(name="ours ÷ naive, hot", value=ratio("ours_hot", "naive_hot"), unit=""),
    )


def _anomaly_figures(lost: dict[str, dict[str, int]], overspent: dict[str, int]) -> Figures:
    raced = RACES * RACE_STARS
    return (
        Figure(
            name="ours: stars charged that the balance misses", value=lost["hot"]["stars"], unit="", at_most=0
        ),
        Figure(
            name="naive, hot: stars charged that the balance misses", value=lost["naivehot"]["stars"], unit=""
        ),
        Figure(
            name="naive, spread: stars charged that the balance misses", value=lost["naive"]["stars"], unit=""
        ),
        Figure(
            name=f"ours: overspent in races for {raced} stars", value=overspent["ours"], unit="", at_most=0
        ),
        Figure(name=f"naive: overspent in races for {raced} stars", value=overspent["naive"], unit=""),
    )
