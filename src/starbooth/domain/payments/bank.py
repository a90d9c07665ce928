"""What the domain asks of Telegram about Stars. `outside.telegram.stars.TelegramStars` is one."""

from typing import Protocol

from starbooth.outside.telegram.star_rows import StarBalance, StarRow


class Bank(Protocol):
    """Where the money is. Raises, all: TelegramUnavailable, TelegramRefused."""

    async def refund(self, *, telegram_id: int, charge_id: str) -> None:
        """Give a whole payment back. Raises: AlreadyRefunded, ChargeUnknown."""

    async def list_transactions(self, *, offset: int, limit: int) -> list[StarRow]:
        """Rows from number `offset` on, oldest first; limit: 1 to 100."""

    async def balance(self) -> StarBalance:
        """What the bot has now."""
