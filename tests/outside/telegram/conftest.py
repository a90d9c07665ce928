"""A bot for each test: at a scripted server for errors, at a playground process for the rest."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from aiogram import Bot

from starbooth.outside.telegram.client import opened_bot
from tests.outside.scripted import ScriptedServer
from tests.outside.servers import started

TOKEN = "42:TEST"


@pytest.fixture
async def scripted_bot(scripted: ScriptedServer) -> AsyncIterator[Bot]:
    async with opened_bot(TOKEN, scripted.url) as bot:
        yield bot


@pytest.fixture(scope="module")
def playground_url() -> Iterator[str]:
    with started("starbooth.playground", "--token", TOKEN) as url:
        yield url.rstrip("/")


@pytest.fixture
async def bot(playground_url: str) -> AsyncIterator[Bot]:
    async with opened_bot(TOKEN, playground_url) as bot:
        yield bot


@pytest.fixture
async def control(playground_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{playground_url}/control") as control:
        yield control


@pytest.fixture
async def chat_id(control: httpx.AsyncClient) -> int:
    """A new guest, who has begun to talk to the bot."""
    guest = (await control.post("/users", json={"first_name": "Ada"})).raise_for_status().json()
    (await control.post(f"/users/{guest['id']}/messages", json={"text": "/start"})).raise_for_status()
    return int(guest["id"])
