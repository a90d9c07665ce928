"""A playground to talk in, and a bot that answers there: real PostgreSQL, real aiogram, no engine."""

import asyncio
import io
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiogram import Bot
from PIL import Image

from starbooth.base.database import Database
from starbooth.base.settings import Settings, read_settings
from starbooth.domain.generations.checking import PromptCheck
from starbooth.doors.bot.run import run_bot
from starbooth.outside.telegram.client import opened_bot
from tests.doors.bot.worker import Worker
from tests.playground.guest import Guest

TOKEN = "42:TEST"
MakeGuest = Callable[..., Awaitable[Guest]]


@pytest.fixture(scope="session")
def playground_process() -> Iterator[str]:
    """The address of a playground that serves the whole run."""
    command = [sys.executable, "-m", "starbooth.playground", "--port", "0", "--token", TOKEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().rpartition(" ")[2].strip().rstrip("/")
        process.terminate()


@pytest.fixture
def playground(playground_process: str) -> str:
    """The address of an empty playground."""
    httpx.post(f"{playground_process}/control/reset", trust_env=False).raise_for_status()
    return playground_process


@pytest.fixture
def settings(playground: str, tmp_path: Path) -> Settings:
    return read_settings(
        home=tmp_path,
        telegram_token=TOKEN,
        telegram_api=playground,
        welcome_stars=20,
        active_orders_per_guest=3,
        public_url="http://127.0.0.1:9",
    )


@pytest.fixture
async def bot(settings: Settings) -> AsyncIterator[Bot]:
    async with opened_bot(settings.token, settings.telegram_api) as bot:
        yield bot


@asynccontextmanager
async def running_bot(
    database: Database, settings: Settings, bot: Bot, *, prompt_check: PromptCheck | None = None
) -> AsyncIterator[None]:
    """The bot at work while the block runs, then stopped as SIGTERM stops it."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        run_bot(database=database, settings=settings, bot=bot, stop=stop, prompt_check=prompt_check)
    )
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, timeout=20)


@pytest.fixture
async def at_work(database: Database, settings: Settings, bot: Bot) -> AsyncIterator[None]:
    """The bot answers while the test runs."""
    async with running_bot(database, settings, bot):
        yield


@pytest.fixture
async def ada(playground: str) -> AsyncIterator[Guest]:
    async with Guest(playground, "Ada") as guest:
        yield guest


@pytest.fixture
async def make_guest(playground: str) -> AsyncIterator[MakeGuest]:
    """Make more guests: `await make_guest("Bo", "ru")`."""
    async with AsyncExitStack() as stack:

        async def make(name: str, language_code: str = "en") -> Guest:
            return await stack.enter_async_context(Guest(playground, name, language_code=language_code))

        yield make


@pytest.fixture
def worker(database: Database, bot: Bot, tmp_path: Path) -> Worker:
    """Plays the worker, step by step."""
    return Worker(database, bot, tmp_path)


@pytest.fixture
def jpeg() -> bytes:
    """A small photo."""
    photo = io.BytesIO()
    Image.new("RGB", (64, 48), "tomato").save(photo, "JPEG")
    return photo.getvalue()
