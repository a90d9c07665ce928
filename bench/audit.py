"""(f) The audit at size: a ledger of more than a million rows, every one of them recomputed and judged.

Asked for through `audit` itself, as `starbooth audit` does. Afterwards one row is altered behind the guards
and must be named: a quick audit that sees nothing would be no figure.
"""

import time

import asyncpg
from sqlalchemy import make_url

from bench.figures import Figure, Measurement, median
from bench.full_ledger import fill
from bench.server import own_server
from starbooth.base.database import Database, raw_dsn
from starbooth.domain.stars.audit import Audit, audit

_ALTER = """
    UPDATE public."StarTransaction" SET "amount" = "amount" - 1
    WHERE "id" = (SELECT "id" FROM public."StarTransaction" WHERE "type" = 'GENERATION' LIMIT 1)
    RETURNING "userId"
"""


async def measure(*, stories: int = 1_000_000, accounts: int = 20_000, times: int = 5) -> Measurement:
    """Fill a server of its own, which takes most of the time, and audit it again and again."""
    async with own_server() as url:
        connection = await asyncpg.connect(raw_dsn(make_url(url)), timeout=60)
        rows = await fill(connection, stories=stories, accounts=accounts)
        took_s = []
        for _ in range(1 + times):
            seconds, found = await _audit_once(url)
            assert found.is_clean, (found.differences[:3], found.odd_rows[:3])
            assert (found.accounts, found.rows) == (accounts, rows)
            took_s.append(seconds)
        await connection.execute("SET session_replication_role = replica")
        guilty = await connection.fetchval(_ALTER)
        await connection.close()
        _, found = await _audit_once(url)
        assert {each.user_id for each in found.differences} == {guilty}, found.differences
    took_s = took_s[1:]  # the first one finds nothing in memory
    return Measurement(
        figures=(
            Figure(name="ledger rows", value=rows, unit=""),
            Figure(name="the whole audit, p50", value=median(took_s), unit="s"),
            Figure(name="the whole audit, slowest", value=max(took_s), unit="s"),
            Figure(name="rows per 5 s", value=5 * rows / median(took_s), unit="", at_least=1_000_000),
        ),
        details={"took_s": took_s},
    )


async def _audit_once(url: str) -> tuple[float, Audit]:
    database = Database(url, connections=1)
    began = time.perf_counter()
    async with database.transaction() as tx:
        found = await audit(tx)
    took_s = time.perf_counter() - began
    await database.aclose()
    return took_s, found
