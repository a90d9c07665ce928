"""Subscriptions for Stars: the link by which a guest begins one, and whether Telegram renews it."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from aiogram import Bot
from aiogram.types import LabeledPrice

from starbooth.outside.telegram.client import telegram_errors

CURRENCY = "XTR"
PERIOD_S = 2_592_000  # thirty days; Telegram takes no other


class TelegramPlans:
    """The subscriptions of one bot. Raises, all: TelegramUnavailable, TelegramRefused."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def create_link(self, *, title: str, description: str, payload: str, amount_xtr: int) -> str:
        """A link `https://t.me/$…` that anybody can pay, each month from then on.

        title: 1 to 32 characters; description: 1 to 255. Repeat: another link for the same payload.
        """
        with telegram_errors():
            return await self._bot.create_invoice_link(
                title,
                description,
                payload,
                CURRENCY,
                [LabeledPrice(label=title, amount=amount_xtr)],
                subscription_period=PERIOD_S,
            )

    async def stop_renewing(self, *, telegram_id: int, charge_id: str) -> None:
        """Let a subscription end with the month that is paid. Repeat: harmless. Raises: ChargeUnknown."""
        await self._edit(telegram_id, charge_id, is_cancelled=True)

    async def allow_renewing(self, *, telegram_id: int, charge_id: str) -> None:
        """Let its guest take up again what was stopped; Telegram leaves the last word to them.

        Repeat: harmless. Raises: ChargeUnknown.
        """
        await self._edit(telegram_id, charge_id, is_cancelled=False)

    async def _edit(self, telegram_id: int, charge_id: str, *, is_cancelled: bool) -> None:
        with telegram_errors():
            await self._bot.edit_user_star_subscription(telegram_id, charge_id, is_cancelled)
