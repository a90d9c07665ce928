"""`starbooth doctor`: look at everything the booth needs and say how to mend what is wrong."""

# First of all imports: it halves what aiogram costs, and only if nothing has imported aiogram before.
from starbooth.outside.telegram import lean  # noqa: F401

# isort: split
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
from rich.console import Console
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.embedded import database_url
from starbooth.base.errors import SettingError, Unavailable
from starbooth.base.settings import Settings
from starbooth.cli.painting import opened_engines
from starbooth.domain.payments.reconcile import read_last, xtr_text
from starbooth.domain.users.operators import count_unsent_alerts
from starbooth.outside.storage.store import open_storage
from starbooth.outside.telegram.client import opened_bot
from starbooth.outside.telegram.errors import TelegramRefused
from starbooth.outside.telegram.stars import TelegramStars


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at. `look` returns a line or raises; `advice` is what to do then."""

    name: str
    look: Callable[[Settings], Awaitable[str]]
    advice: str


async def examine(settings: Settings) -> int:
    """Make every check and print a line for each. Returns 0 where all is well, else 1."""
    console = Console()
    has_trouble = False
    for check in _CHECKS:
        try:
            console.print(f"[green]✓[/] {check.name}: {await check.look(settings)}", highlight=False)
        except SettingError as error:
            has_trouble = True
            console.print(f"[red]✗[/] {check.name}: {error.setting} {error.advice}", highlight=False)
        except (Unavailable, TelegramRefused, OSError, asyncpg.PostgresError) as error:
            has_trouble = True
            console.print(f"[red]✗[/] {check.name}: {error}\n  {check.advice}", highlight=False)
    return 1 if has_trouble else 0


async def _look_at_settings(settings: Settings) -> str:
    is_local = settings.public_url.startswith(("http://127.", "http://localhost"))
    where = f"{settings.public_url} ({'this machine only' if is_local else 'public'})"
    if settings.fal_key is not None and settings.engine_url is None and is_local:
        raise SettingError(
            "STARBOOTH_PUBLIC_URL", "is an address of this machine, so fal.ai's webhooks cannot reach it."
        )
    return f"read; home {settings.home}, address {where}"


async def _look_at_database(settings: Settings) -> str:
    database = Database(await database_url(settings), connections=1)
    try:
        async with database.transaction() as tx:
            version = await tx.scalar(text("SHOW server_version"))
            has_tables = await tx.scalar(text("SELECT to_regclass('starbooth.alembic_version') IS NOT NULL"))
            if not has_tables:
                raise Unavailable(f"PostgreSQL {version} answers but has no tables of ours")
            revision = await tx.scalar(text("SELECT version_num FROM starbooth.alembic_version"))
    finally:
        await database.aclose()
    return f"PostgreSQL {version}, revision {revision}"


async def _look_at_storage(settings: Settings) -> str:
    return await open_storage(settings.storage_url).health()


async def _look_at_engine(settings: Settings) -> str:
    if settings.engine_url is None and settings.fal_key is None and not settings.engines:
        return "none set; `starbooth up` starts the darkroom"
    async with opened_engines(settings) as engines:
        return "; ".join([await engine.health() for engine in engines.values()])


async def _look_at_telegram(settings: Settings) -> str:
    async with opened_bot(settings.token, settings.telegram_api) as bot:
        me = await bot.get_me()
    return f"@{me.username} at {settings.telegram_api}"


async def _look_at_stars(settings: Settings) -> str:
    """What the bot has, and what the last comparison with Telegram's list said."""
    async with opened_bot(settings.token, settings.telegram_api) as bot:
        balance = await TelegramStars(bot).balance()
    database = Database(await database_url(settings), connections=1)
    try:
        async with database.transaction() as tx:
            report = await read_last(tx)
            unsent = await count_unsent_alerts(tx)
    finally:
        await database.aclose()
    told = f"{xtr_text(balance.total_nanos)} XTR"
    if unsent and not settings.operators:
        raise Unavailable(f"{told}; {unsent} alerts wait, and STARBOOTH_OPERATORS names nobody to tell")
    if report is None:
        return f"{told}, not yet reconciled; a worker does it at its start"
    at = f"{report.at:%Y-%m-%d %H:%M} UTC"
    if not report.is_clean:
        left = sum(not each.is_mended for each in report.differences)
        raise Unavailable(f"{told}; {left} differences were left on {at}")
    if not report.is_complete:
        return f"{told}; Telegram's list is being read, {report.cursor} rows until {at}"
    return f"{told}, reconciled on {at}"


_CHECKS = (
    Check(name="settings", look=_look_at_settings, advice=""),
    Check(
        name="database",
        look=_look_at_database,
        advice="Check DATABASE_URL and that the server runs, then run `starbooth migrate`.",
    ),
    Check(
        name="storage",
        look=_look_at_storage,
        advice="Check STARBOOTH_STORAGE, the bucket's credentials (AWS_…) or the folder's permissions.",
    ),
    Check(
        name="engine",
        look=_look_at_engine,
        advice="Check FAL_KEY and its balance, or STARBOOTH_ENGINE_URL and STARBOOTH_ENGINE_KEY.",
    ),
    Check(
        name="telegram",
        look=_look_at_telegram,
        advice="Check STARBOOTH_TELEGRAM_TOKEN with @BotFather, and STARBOOTH_TELEGRAM_API if you set it.",
    ),
    Check(
        name="stars",
        look=_look_at_stars,
        advice="Run `starbooth reconcile`: it says what differs and what to do.",
    ),
)
