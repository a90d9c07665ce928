"""The worker's timers about what is kept of guests: what is due to go. Several workers may run them."""

# First of all imports: it halves what aiogram costs, and only if nothing has imported aiogram before.
from starbooth.outside.telegram import lean  # noqa: F401

# isort: split
import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from aiogram import Bot

from starbooth.base import jobs
from starbooth.base.clock import now
from starbooth.cli.wiring import Booth
from starbooth.domain.payments.forgetting import forget_old_differences
from starbooth.domain.privacy.erasing import erase_accounts
from starbooth.domain.privacy.export_folders import clear_leftovers
from starbooth.domain.privacy.exports import end_old_exports, forget_gone_exports
from starbooth.domain.privacy.guest_photos import forget_old_sets
from starbooth.domain.privacy.packing import build_next_export
from starbooth.domain.privacy.strays import sweep_storage
from starbooth.domain.users.operators import forget_old_alerts
from starbooth.doors.bot.exporting import send_next_export
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.privacy import farewell_by
from starbooth.outside.telegram.plans import TelegramPlans

_SETS_AT_ONCE = 20
_FAREWELLS_AT_ONCE = 5
_EXPORTS_AT_ONCE = 20


class PrivacySweeps:
    """What the timers do. Every call looks once, does what is due, and may be repeated."""

    def __init__(self, booth: Booth, bot: Bot) -> None:
        self._booth, self._bot = booth, bot
        self._plans, self._tell = TelegramPlans(bot), farewell_by(BotMessenger(bot))

    async def forget_photos(self) -> None:
        """Let photos for models go whose time is up."""
        life = timedelta(days=self._booth.settings.training_photos_days)
        await forget_old_sets(self._booth.database, life=life, limit=_SETS_AT_ONCE)

    async def erase_accounts(self) -> None:
        """Go on with accounts that their guests deleted."""
        await erase_accounts(self._booth.database, self._plans, self._tell, limit=_FAREWELLS_AT_ONCE)

    async def build_exports(self) -> None:
        """Gather what guests asked for, one after the other."""
        while await build_next_export(self._booth.database, self._booth.storage):
            pass

    async def send_exports(self) -> None:
        """Send what is gathered, and let what was sent a day ago go."""
        while await send_next_export(self._booth.database, self._booth.storage, self._bot):
            pass
        async with self._booth.database.transaction() as tx:
            await end_old_exports(tx, limit=_EXPORTS_AT_ONCE)

    async def forget(self) -> None:
        """Let go of names in what the operators were told long ago, and of what is left of exports."""
        await asyncio.to_thread(clear_leftovers, at=now())
        async with self._booth.database.transaction() as tx:
            await forget_old_alerts(tx)
            await forget_old_differences(tx)
            await forget_gone_exports(tx)

    async def compare_storage(self) -> None:
        """Once a day, have no file lie there that nobody names."""
        await sweep_storage(self._booth.database, self._booth.storage, at=now())


def privacy_timers(booth: Booth, bot: Bot, *, stop: asyncio.Event) -> list[Awaitable[None]]:
    """The timers, for the worker to run until `stop` is set."""
    sweeps = PrivacySweeps(booth, bot)
    return [
        jobs.every(60.0, sweeps.forget_photos, stop=stop),
        jobs.every(2.0, sweeps.erase_accounts, stop=stop),
        jobs.every(3.0, sweeps.build_exports, stop=stop),
        jobs.every(3.0, sweeps.send_exports, stop=stop),
        jobs.every(3600.0, sweeps.forget, stop=stop),
        jobs.every(3600.0, sweeps.compare_storage, stop=stop),
    ]
