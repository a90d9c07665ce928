"""The bot process: receive updates, handle them, and introduce the bot to Telegram. Stops cleanly."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiogram import Bot
from aiogram.types import BotCommand, BotCommandScopeAllGroupChats

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.base.settings import Settings
from starbooth.domain.generations.checking import PromptCheck
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.address import WEBHOOK_PATH, webhook_secret
from starbooth.doors.bot.answers import describe_bot
from starbooth.doors.bot.commands import GROUP_COMMANDS, Command, describe_command, offered_commands
from starbooth.doors.bot.handlers import ALLOWED_UPDATES, Handlers
from starbooth.doors.bot.handling import run_inbox
from starbooth.doors.bot.polling import poll_updates
from starbooth.doors.bot.terms import terms_of
from starbooth.doors.bot.words import Words, words_for
from starbooth.outside.storage.store import open_storage
from starbooth.outside.telegram.client import telegram_errors
from starbooth.outside.telegram.errors import TelegramRefused

_log = structlog.get_logger()
_LONGEST_PAUSE_S = 30.0


async def run_bot(
    *,
    database: Database,
    settings: Settings,
    bot: Bot,
    stop: asyncio.Event,
    prompt_check: PromptCheck | None = None,
) -> None:
    """Receive and answer until `stop` is set; handlers under way end first, claims are given back.

    Receives by long polling, or by the web process's webhook where the settings say so.
    """
    wake = asyncio.Event()
    terms = terms_of(settings)
    handlers = Handlers(database, bot, terms, prompt_check, storage=open_storage(settings.storage_url))
    async with asyncio.TaskGroup() as group:
        companions = [
            group.create_task(_receive(bot, database, settings, stop=stop, wake=wake)),
            group.create_task(_until(stop, lambda: introduce(bot, offered_commands(terms)))),
        ]
        await run_inbox(
            database,
            handlers.handle,
            give_up=handlers.apologise,
            alarm=handlers.alarm,
            stop=stop,
            wake=wake,
        )
        for task in companions:  # what still waits for Telegram to answer
            task.cancel()


async def _receive(
    bot: Bot, database: Database, settings: Settings, *, stop: asyncio.Event, wake: asyncio.Event
) -> None:
    if settings.telegram_webhook:
        await _until(stop, lambda: register_webhook(bot, settings))
    else:
        await _until(stop, lambda: forget_webhook(bot))
        await poll_updates(bot, database, allowed_updates=ALLOWED_UPDATES, stop=stop, wake=wake)


async def register_webhook(bot: Bot, settings: Settings) -> None:
    """Have Telegram post updates to the web process, with the secret. Repeat: harmless.

    Raises: TelegramRefused (an address that Telegram does not take), TelegramUnavailable.
    """
    with telegram_errors():
        await bot.set_webhook(
            f"{settings.public_url}{WEBHOOK_PATH}",
            secret_token=webhook_secret(settings.signing_secret()),
            allowed_updates=list(ALLOWED_UPDATES),
            max_connections=40,
        )


async def forget_webhook(bot: Bot) -> None:
    """Let long polling work; updates that wait are kept. Repeat: harmless.

    Raises: TelegramRefused, TelegramUnavailable.
    """
    with telegram_errors():
        await bot.delete_webhook(drop_pending_updates=False)


async def introduce(bot: Bot, commands: Sequence[Command]) -> None:
    """Give Telegram these commands and the profile's texts in every language. Repeat: harmless.

    Raises: TelegramRefused, TelegramUnavailable.
    """
    for language in Language:
        # Telegram shows the texts without a language code to everybody whose language we do not speak.
        code = None if language is Language.ENGLISH else language.value
        await _introduce_in(bot, commands, words_for(language), code)


async def _introduce_in(bot: Bot, commands: Sequence[Command], words: Words, code: str | None) -> None:
    described = [
        BotCommand(command=each.value, description=describe_command(each, words)) for each in commands
    ]
    long_text, short_text = describe_bot(words)
    with telegram_errors():
        await bot.set_my_commands(described, language_code=code)
        await bot.set_my_commands(
            [each for each in described if each.command in GROUP_COMMANDS],
            scope=BotCommandScopeAllGroupChats(),
            language_code=code,
        )
        await bot.set_my_description(long_text, language_code=code)
        await bot.set_my_short_description(short_text, language_code=code)


async def _until(stop: asyncio.Event, do: Callable[[], Awaitable[None]]) -> None:
    """Do it; where Telegram fails, log why and try again after a growing pause, until `stop` is set."""
    pause_s = 1.0
    while not stop.is_set():
        try:
            return await do()
        except (Unavailable, TelegramRefused) as error:
            asked_s = error.retry_after_s or 0.0 if isinstance(error, Unavailable) else 0.0
            _log.error("telegram.failed", reason=str(error), pause_s=max(pause_s, asked_s))
            await _pause(stop, seconds=max(pause_s, asked_s))
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
    return None


async def _pause(stop: asyncio.Event, *, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return
