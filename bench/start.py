"""(e) From `starbooth up` to the first answered update, on a database that is there already.

The real command with all that it starts: PostgreSQL of its own, web, bot, worker and the darkroom with the
tiny FLUX. The playground, which stands for Telegram, runs before, and a guest's `/start` waits in it.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, Measurement, median
from tests.journeys.house import TOKEN
from tests.playground.guest import Guest


async def measure(*, times: int = 4) -> Measurement:
    """Start and stop again and again; the first start makes the database and is told apart."""
    with tempfile.TemporaryDirectory(prefix="start-", ignore_cleanup_errors=True) as folder:
        playground = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starbooth.playground", "--port", "0", "--token", TOKEN),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert playground.stdout is not None
            greeting = (await asyncio.wait_for(playground.stdout.readline(), 60)).decode()
            url = greeting.rpartition(" ")[2].strip().rstrip("/")
            took_s = [await _start_once(Path(folder), url) for _ in range(1 + times)]
        finally:
            playground.terminate()
            await playground.wait()
    first_s, *later_s = took_s
    return Measurement(
        figures=(
            Figure(
                name="`starbooth up` to the first answer, p50", value=median(later_s), unit="s", at_most=5
            ),
            Figure(name="`starbooth up` to the first answer, slowest", value=max(later_s), unit="s"),
            Figure(name="the very first time, with making the database", value=first_s, unit="s"),
        ),
        details={"took_s": took_s},
    )


async def _start_once(folder: Path, playground_url: str) -> float:
    """Seconds from the command to the answer that a waiting guest sees."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("STARBOOTH_") and name not in ("DATABASE_URL", "FAL_KEY")
    }
    environment = {
        **kept,
        "STARBOOTH_HOME": str(folder),
        "STARBOOTH_TELEGRAM_TOKEN": TOKEN,
        "STARBOOTH_TELEGRAM_API": playground_url,
        "STARBOOTH_WEB_PORT": "0",
        "STARBOOTH_LOG_LEVEL": "ERROR",
    }
    async with Guest(playground_url, "Ada") as ada:
        await ada.say("/start")
        began = time.perf_counter()
        up = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starbooth", "up"),
            cwd=folder,
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await ada.wait_for(lambda message: bool(message.text), timeout_s=90)
            return time.perf_counter() - began
        finally:
            up.send_signal(signal.SIGTERM)
            await asyncio.wait_for(up.wait(), 60)
