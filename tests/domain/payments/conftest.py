"""Telegram's side of the money: a playground with its list of Stars, and payments that no bot was told of."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from aiogram import Bot

from starbooth.base.database import Database
from starbooth.outside.telegram.client import opened_bot
from starbooth.outside.telegram.stars import TelegramStars
from tests.make.till import Till
from tests.outside.servers import started
from tests.playground.guest import Stars

TOKEN = "42:TEST"


@pytest.fixture(scope="session")
def telegram_process() -> Iterator[str]:
    """The address of a playground that serves the whole run."""
    with started("starbooth.playground", "--token", TOKEN) as url:
        yield url.rstrip("/")


@pytest.fixture
def telegram_url(telegram_process: str) -> str:
    """The address of an empty playground."""
    httpx.post(f"{telegram_process}/control/reset", trust_env=False).raise_for_status()
    return telegram_process


@pytest.fixture
async def bot(telegram_url: str) -> AsyncIterator[Bot]:
    async with opened_bot(TOKEN, telegram_url) as bot:
        yield bot


@pytest.fixture
def bank(bot: Bot) -> TelegramStars:
    return TelegramStars(bot)


@pytest.fixture
async def stars(telegram_url: str) -> AsyncIterator[Stars]:
    """The bot's Stars as Telegram's own people see them."""
    async with Stars(telegram_url) as stars:
        yield stars


@pytest.fixture
async def till(telegram_url: str, bot: Bot, database: Database) -> AsyncIterator[Till]:
    """Sells to guests in the playground, with or without telling the ledger."""
    async with Till(telegram_url, bot, database) as till:
        yield till
