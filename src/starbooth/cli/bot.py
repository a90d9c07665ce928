"""The bot process."""

# First of all imports: it halves what aiogram costs, and only if nothing has imported aiogram before.
from starbooth.outside.telegram import lean  # noqa: F401

# isort: split
import contextlib

from starbooth.base.database import Database
from starbooth.base.embedded import database_url
from starbooth.base.settings import Settings
from starbooth.cli.group import stop_on_signals
from starbooth.cli.prompt_check import opened_prompt_check
from starbooth.doors.bot.run import run_bot
from starbooth.outside.telegram.client import opened_bot


async def run_bot_process(settings: Settings) -> None:
    """Receive and answer until SIGTERM or SIGINT; updates under way are finished first."""
    stop = stop_on_signals()
    async with contextlib.AsyncExitStack() as stack:
        bot = await stack.enter_async_context(opened_bot(settings.token, settings.telegram_api))
        database = Database(await database_url(settings), connections=12)
        stack.push_async_callback(database.aclose)
        check = await stack.enter_async_context(opened_prompt_check(settings))
        await run_bot(database=database, settings=settings, bot=bot, stop=stop, prompt_check=check)
