"""Building what painting needs: the engines, and the addresses that name an order there. Not for the bot."""

import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from starbooth.base.clock import now
from starbooth.base.settings import Settings
from starbooth.cli.wiring import Booth
from starbooth.domain.crafts import all_crafts
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.routing import Router
from starbooth.doors.hooks.address import hook_path
from starbooth.outside.engine.client import open_engines
from starbooth.outside.engine.contract import Engine
from starbooth.outside.storage.links import sign

_LENT_FOR = timedelta(hours=2)


@asynccontextmanager
async def opened_engines(settings: Settings) -> AsyncIterator[Mapping[str, Engine]]:
    """The engines that the settings name, in order of preference. Raises SettingError where there is none."""
    async with AsyncExitStack() as stack:
        engines = open_engines(settings)
        for engine in engines.values():
            stack.push_async_callback(engine.aclose)
        yield engines


def outside_of(booth: Booth, engines: Mapping[str, Engine]) -> Outside:
    """What running an order needs from outside."""
    public_url = booth.settings.public_url
    return Outside(
        engines=engines,
        router=Router(list(engines), slots=booth.settings.engine_slots),
        crafts=all_crafts(),
        storage=booth.storage,
        hook_url=functools.partial(_hook_url, public_url, booth.secret),
        file_url=functools.partial(_file_url, public_url),
        lend_url=functools.partial(_lend_url, public_url, booth.secret),
    )


def _hook_url(public_url: str, secret: bytes, engine: str, order_id: str, number: int) -> str:
    return public_url + hook_path(secret, engine, order_id, number)


def _file_url(public_url: str, key: str) -> str:
    return f"{public_url}/files/{key}"


def _lend_url(public_url: str, secret: bytes, url: str) -> str:
    """A lasting address of ours with a signature for two hours; any other address as it is."""
    path = url.removeprefix(public_url)
    if path == url or not path.startswith("/files/"):
        return url
    return public_url + sign(path, secret=secret, expires_at=now() + _LENT_FOR)
