"""A refund whose process dies at a named point: `python dying_refund.py CHARGE begun|called`.

begun: the stars are away and Telegram has not been asked. called: Telegram has given the money back, and the
process dies before it could write that down. Run with the environment of a house.
"""

import asyncio
import os
import signal
import sys

from starbooth.base.database import Database
from starbooth.base.settings import Settings, read_settings
from starbooth.domain.payments import refunds
from starbooth.outside.telegram.client import opened_bot
from starbooth.outside.telegram.stars import TelegramStars


class DyingBank(TelegramStars):
    """Telegram, with a process that dies as soon as the money has gone back."""

    async def refund(self, *, telegram_id: int, charge_id: str) -> None:
        """Give it back, and die."""
        await super().refund(telegram_id=telegram_id, charge_id=charge_id)
        die()


def die() -> None:
    """As `kill -9` does it."""
    os.kill(os.getpid(), signal.SIGKILL)


async def refund(settings: Settings, charge_id: str, point: str) -> None:
    """Refund the charge as far as the point."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), connections=1)
    async with database.transaction() as tx:
        begun = await refunds.begin(
            tx, charge_id=charge_id, operator="command:doomed", reason="a test", is_forced=True
        )
    if point == "begun":
        die()
    async with opened_bot(settings.token, settings.telegram_api) as bot:
        await refunds.carry_out(database, DyingBank(bot), begun.refund_id)


if __name__ == "__main__":
    asyncio.run(refund(read_settings(), *sys.argv[1:]))
