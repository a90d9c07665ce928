"""The bot process."""

# First of all imports: it halves what aiogram costs, and only if nothing has imported aiogram before.
from starbooth.outside.telegram import lean  # noqa: F401

# isort: split
from starbooth.base.settings import Settings
from starbooth.cli.group import stop_on_signals
from starbooth.cli.wiring import open_booth
from starbooth.doors.bot.run import run_bot
from starbooth.outside.telegram.client import opened_bot


async def run_bot_process(settings: Settings) -> None:
    """Receive and answer until SIGTERM or SIGINT; updates under way are finished first."""
    stop = stop_on_signals()
    async with (
        open_booth(settings, connections=12) as booth,
        opened_bot(settings.token, settings.telegram_api) as bot,
    ):
        await run_bot(database=booth.database, settings=settings, bot=bot, stop=stop)
