"""The worker's timers about money and models: what is due, whoever left it. Several workers may run them."""

# First of all imports: it halves what aiogram costs, and only if nothing has imported aiogram before.
from starbooth.outside.telegram import lean  # noqa: F401

# isort: split
import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import structlog
from aiogram import Bot

from starbooth.base import jobs
from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.domain.gifts.referrals import pay_due
from starbooth.domain.models.counting import count_uses
from starbooth.domain.models.earnings import pay_out
from starbooth.domain.models.lists import forget_old_lists
from starbooth.domain.payments.reconcile import carry_out_due, is_due, reconcile
from starbooth.domain.payments.shop import shop_of
from starbooth.doors.bot.alerts import send_alerts
from starbooth.doors.bot.gifts import tell_gifts
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.models_review import tell_makers
from starbooth.doors.bot.refund_news import tell_guests
from starbooth.outside.telegram.stars import TelegramStars

_log = structlog.get_logger()
_LOOK_S = 2.0
_SLOW_LOOK_S = 30.0
_TIDY_S = 3600.0


class MoneySweeps:
    """What the timers do. Every call looks once, does what is due, and may be repeated."""

    def __init__(self, database: Database, settings: Settings, bot: Bot) -> None:
        self._database, self._settings = database, settings
        self._bank = TelegramStars(bot)
        self._messenger = BotMessenger(bot)
        self._has_reconciled = False

    async def ask_refunds(self) -> None:
        """Ask Telegram for refunds whose process died or whose answer never came."""
        await carry_out_due(self._database, self._bank)

    async def tell_guests(self) -> None:
        """Tell guests that a payment went back to them."""
        await tell_guests(self._database, self._messenger)

    async def send_alerts(self) -> None:
        """Tell the operators what they should know."""
        await send_alerts(self._database, self._messenger, operators=self._settings.operators)

    async def pay_referrals(self) -> None:
        """Pay for friends who were brought and have bought, and tell both."""
        await pay_due(
            self._database,
            reward_stars=self._settings.referral_stars,
            cap=self._settings.referral_cap,
        )
        await tell_gifts(self._database, self._messenger)

    async def pay_makers(self) -> None:
        """Pay makers of public models what was gathered for them."""
        await pay_out(self._database, interval=timedelta(minutes=self._settings.payout_minutes))

    async def count_uses(self) -> None:
        """Count what public models were used, for the catalogue's order."""
        async with self._database.transaction() as tx:
            await count_uses(tx)

    async def forget_lists(self) -> None:
        """Forget lists of models that nobody has looked at for months."""
        async with self._database.transaction() as tx:
            await forget_old_lists(tx)

    async def tell_makers(self) -> None:
        """Tell makers what operators did with their models."""
        await tell_makers(self._database, self._messenger)

    async def reconcile(self) -> None:
        """Compare with Telegram's list once at the start, then whenever the newest comparison is too old."""
        if self._has_reconciled:
            interval = timedelta(minutes=self._settings.reconcile_minutes)
            async with self._database.transaction() as tx:
                if not await is_due(tx, interval=interval):
                    return
        report = await reconcile(self._database, self._bank, shop=shop_of(self._settings))
        self._has_reconciled = True
        if report is not None:
            _log.info(
                "reconciled",
                rows=report.rows_read,
                differences=len(report.differences),
                is_clean=report.is_clean,
            )


def money_timers(
    database: Database, settings: Settings, bot: Bot, *, stop: asyncio.Event
) -> list[Awaitable[None]]:
    """The timers, for the worker to run until `stop` is set."""
    sweeps = MoneySweeps(database, settings, bot)
    return [
        jobs.every(_LOOK_S, sweeps.ask_refunds, stop=stop),
        jobs.every(_LOOK_S, sweeps.tell_guests, stop=stop),
        jobs.every(_LOOK_S, sweeps.send_alerts, stop=stop),
        jobs.every(_LOOK_S, sweeps.pay_referrals, stop=stop),
        jobs.every(_SLOW_LOOK_S, sweeps.pay_makers, stop=stop),
        jobs.every(_SLOW_LOOK_S, sweeps.count_uses, stop=stop),
        jobs.every(_LOOK_S, sweeps.tell_makers, stop=stop),
        jobs.every(_TIDY_S, sweeps.forget_lists, stop=stop),
        jobs.every(_SLOW_LOOK_S, sweeps.reconcile, stop=stop),
    ]
