"""Building what painting needs: the engine, and the addresses that name an order there. Not for the bot."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starbooth.base.settings import Settings
from starbooth.cli.wiring import Booth
from starbooth.domain.generations.run import Outside
from starbooth.doors.hooks.address import hook_path
from starbooth.outside.engine.client import open_engine
from starbooth.outside.engine.contract import Engine


@asynccontextmanager
async def opened_engine(settings: Settings) -> AsyncIterator[Engine]:
    """The engine that the settings name. Raises SettingError where none is."""
    engine = open_engine(settings)
    try:
        yield engine
    finally:
        await engine.aclose()


def outside_of(booth: Booth, engine: Engine) -> Outside:
    """What running an order needs from outside."""
    public_url = booth.settings.public_url
    return Outside(
        engine=engine,
        storage=booth.storage,
        hook_url=functools.partial(_hook_url, public_url, booth.secret),
        file_url=functools.partial(_file_url, public_url),
        slots=booth.settings.engine_slots,
    )


def _hook_url(public_url: str, secret: bytes, order_id: str, number: int) -> str:
    return public_url + hook_path(secret, order_id, number)


def _file_url(public_url: str, key: str) -> str:
    return f"{public_url}/files/{key}"
