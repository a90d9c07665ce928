"""A playground in the test's own event loop, aiogram's real Bot against it, and guests."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from io import BytesIO

import pytest
import uvicorn
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from PIL import Image

from starbooth.playground.app import Playground
from starbooth.playground.chats import BotIdentity
from starbooth.playground.world import World
from tests.playground.guest import Guest, Stars

TOKEN = "42:TEST"


@dataclass
class Clock:
    """Time that only the test moves."""

    now_s: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Served:
    """A running playground: where it is, what is in it, and its clock."""

    url: str
    world: World
    clock: Clock = field(default_factory=Clock)


def make_world(**options: object) -> World:
    return World(BotIdentity(TOKEN, "Starbooth", "starbooth_bot"), **options)  # type: ignore[arg-type] # passed through


@contextlib.asynccontextmanager
async def serving(world: World, clock: Clock) -> AsyncIterator[Served]:
    """Serve `world` on a free port of this machine until the end of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = Playground(world, webhook_wait_s=0.02)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    config.load()
    server = uvicorn.Server(config)
    # Not serve(): it takes over the signals of the process and looks for its end ten times a second only.
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", world, clock)
    world.feed.close()
    world.updates.end_poll(None)
    world.till.end_checkouts("The playground has ended.")
    await server.shutdown(sockets=[listener])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def playground(clock: Clock) -> AsyncIterator[Served]:
    async with serving(make_world(now=clock), clock) as served:
        yield served


class QuickSession(AiohttpSession):
    """aiogram's session, without its quarter of a second of waiting for TLS to end."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


@pytest.fixture
async def bot(playground: Served) -> AsyncIterator[Bot]:
    api = TelegramAPIServer.from_base(playground.url)
    async with Bot(TOKEN, session=QuickSession(api=api)) as made:
        yield made


@pytest.fixture
async def ada(playground: Served) -> AsyncIterator[Guest]:
    """A guest who has started the bot; the update of that is taken already."""
    async with Guest(playground.url, "Zoe") as guest:
        await guest.say("/start")
        playground.world.updates.drop_all()
        yield guest


@pytest.fixture
async def stars(playground: Served) -> AsyncIterator[Stars]:
    async with Stars(playground.url) as opened:
        yield opened


def picture(width_px: int = 64, height_px: int = 48, *, kind: str = "PNG", colour: str = "tomato") -> bytes:
    file = BytesIO()
    Image.new("RGB", (width_px, height_px), colour).save(file, kind)
    return file.getvalue()


def keyboard(*labels: str) -> InlineKeyboardMarkup:
    """One row of callback buttons whose data is their label."""
    return InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text=label, callback_data=label) for label in labels]]
    )


async def eventually(is_so: Callable[[], bool], *, timeout_s: float = 5) -> None:
    """Wait until `is_so()`; fails when it does not come about in time."""
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110 - any state of the world, which no event announces
            await asyncio.sleep(0.01)
