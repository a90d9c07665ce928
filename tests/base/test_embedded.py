"""Our own PostgreSQL: shared by who asks, started again when it dies, gone when the last one leaves."""

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from starbooth.base.database import raw_dsn
from starbooth.base.embedded import EmbeddedServer

HOLD = (
    "import pathlib, sys, time; from starbooth.base.embedded import EmbeddedServer;"
    "print(EmbeddedServer.start(pathlib.Path(sys.argv[1])).url, flush=True); time.sleep(600)"
)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short path, as a unix socket needs; its server is stopped whatever happens."""
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        yield Path(folder)


def postmaster_pid(home: Path) -> int | None:
    """The server's process as it says itself; None where none runs."""
    file = home / "postgresql" / "postmaster.pid"
    return int(file.read_text().split()[0]) if file.exists() else None


async def ask(url: str) -> int:
    connection = await asyncpg.connect(raw_dsn(make_url(url)))
    try:
        return int(await connection.fetchval("SELECT 7"))
    finally:
        await connection.close()


@pytest.mark.slow
class TestEmbeddedServer:
    async def test_it_answers_and_is_gone_when_the_last_one_leaves(self, home: Path) -> None:
        server = EmbeddedServer.start(home)
        assert await ask(server.url) == 7
        assert EmbeddedServer.start(home).url == server.url
        server.stop()
        server.stop()
        assert postmaster_pid(home) is None

    async def test_one_who_was_killed_does_not_hold_it_for_ever(self, home: Path) -> None:
        doomed = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, str(home), stdout=PIPE)
        assert doomed.stdout is not None
        url = (await asyncio.wait_for(doomed.stdout.readline(), timeout=60)).decode().strip()
        server = EmbeddedServer.start(home)
        assert server.url == url
        doomed.kill()
        await doomed.communicate()
        assert await ask(url) == 7
        server.stop()
        assert postmaster_pid(home) is None

    async def test_a_server_that_was_killed_is_started_again(self, home: Path) -> None:
        server, stop = EmbeddedServer.start(home), asyncio.Event()
        keeping = asyncio.create_task(server.keep_running(stop))
        killed = postmaster_pid(home)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        for _ in range(150):
            await asyncio.sleep(0.2)
            if postmaster_pid(home) not in (None, killed):
                break
        for _ in range(50):
            try:
                assert await ask(server.url) == 7
                break
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.2)
        assert postmaster_pid(home) not in (None, killed)
        stop.set()
        await asyncio.wait_for(keeping, timeout=20)
        server.stop()
        assert postmaster_pid(home) is None
