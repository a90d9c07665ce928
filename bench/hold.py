"""(a) The hold through our code against pgbench running the same SQL on the same server.

Both hold one star of a random account of many: 8 connections, two threads or processes, prepared statements;
once as a statement that commits by itself, once between BEGIN and COMMIT. They take turns, so that whatever
else the machine does strikes both.
"""

from bench.contest import name_parameters, open_accounts, run_clients, run_pgbench
from bench.figures import Figure, Measurement, median
from bench.server import own_server
from starbooth.domain.stars import ledger

ACCOUNTS = 10_000

_DRAW = f"\\set id random(1, 9000000000000000000)\n\\set key :id\n\\set user_id random(1, {ACCOUNTS})\n"
_GIVEN = {
    "amount": "-1",
    "type": "GENERATION",
    "status": "PENDING",
    "facts": '{"orderId": "measured"}',
}


async def measure(*, rounds: int = 4, seconds: float = 3.0) -> Measurement:
    """Take turns for `rounds`: about 4 × `rounds` × `seconds`, and as much again for starting."""
    async with own_server() as url:
        await open_accounts(url, ACCOUNTS)
        bare = [await _round(url, seconds=seconds, is_bare=True) for _ in range(rounds)]
        whole = [await _round(url, seconds=seconds, is_bare=False) for _ in range(rounds)]
    return Measurement(
        figures=(*_figures("the statement alone", bare), *_figures("in a transaction", whole)),
        details={"bare": bare, "whole": whole},
    )


async def _round(url: str, *, seconds: float, is_bare: bool) -> dict[str, float]:
    hold = name_parameters(ledger.MOVE, ":id", ":user_id", ":amount", ":type", ":status", ":key", ":facts")
    script = _DRAW + (f"{hold};\n" if is_bare else f"BEGIN;\n{hold};\nCOMMIT;\n")
    theirs = await run_pgbench(url, script, given=_GIVEN, seconds=seconds)
    ours = await run_clients(url, "hold", accounts=ACCOUNTS, seconds=seconds, is_bare=is_bare)
    return {
        "holds_per_s": ours.per_s,
        "mean_ms": ours.mean_ms,
        "client_cpu_us": ours.cpu_us,
        "pgbench_per_s": theirs,
        "ratio": ours.per_s / theirs,
    }


def _figures(how: str, rounds: list[dict[str, float]]) -> tuple[Figure, ...]:
    def middle(name: str) -> float:
        return median([each[name] for each in rounds])

    return (
        Figure(name=f"{how}: holds through our code", value=middle("holds_per_s"), unit="1/s"),
        Figure(name=f"{how}: holds through pgbench", value=middle("pgbench_per_s"), unit="1/s"),
        Figure(name=f"{how}: ours ÷ pgbench's", value=middle("ratio"), unit="", at_least=0.5),
        Figure(name=f"{how}: our CPU per hold", value=middle("client_cpu_us"), unit="µs"),
    )
