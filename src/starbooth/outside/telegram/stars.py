"""The bot's Telegram Stars: giving a payment back, the list of transactions, the balance.

Answers stay plain JSON until `star_rows` reads them: aiogram refuses a list with a
partner that it does not know.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from typing import Any

from aiogram import Bot
from aiogram.methods import TelegramMethod

from starbooth.outside.telegram.client import telegram_errors
from starbooth.outside.telegram.errors import TelegramUnavailable
from starbooth.outside.telegram.star_rows import StarBalance, StarRow, parse_balance, parse_row


class GetRawStarTransactions(TelegramMethod[dict[str, Any]]):
    """`getStarTransactions`, with its answer left as it is."""

    __returning__ = dict[str, Any]
    __api_method__ = "getStarTransactions"

    offset: int
    limit: int


class GetRawStarBalance(TelegramMethod[dict[str, Any]]):
    """`getMyStarBalance`, with its answer left as it is."""

    __returning__ = dict[str, Any]
    __api_method__ = "getMyStarBalance"


class TelegramStars:
    """The Stars of one bot. Raises, all: TelegramUnavailable, TelegramRefused."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def refund(self, *, telegram_id: int, charge_id: str) -> None:
        """Give a whole payment back to who paid it. Repeat: Telegram refuses it as AlreadyRefunded.

        After TelegramUnavailable the money may have gone back or not. Raises: AlreadyRefunded, ChargeUnknown.
        """
        with telegram_errors():
            is_done = await self._bot.refund_star_payment(telegram_id, charge_id)
        if not is_done:
            raise TelegramUnavailable("refundStarPayment answered neither true nor an error")

    async def list_transactions(self, *, offset: int, limit: int) -> list[StarRow]:
        """Rows from number `offset` on, oldest first; limit: 1 to 100."""
        with telegram_errors():
            answer = await self._bot(GetRawStarTransactions(offset=offset, limit=limit))
        rows = answer.get("transactions")
        if not isinstance(rows, list):
            raise TelegramUnavailable("the list of transactions is no list")
        return [parse_row(row) for row in rows]

    async def balance(self) -> StarBalance:
        """What the bot has now."""
        with telegram_errors():
            answer = await self._bot(GetRawStarBalance())
        return parse_balance(answer)
