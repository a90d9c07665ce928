"""Guests, with as many stars as a test needs."""

from itertools import count

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.stars.ledger import credit_bonus
from starbooth.domain.users.guests import Language, meet

_TELEGRAM_IDS = count(1_000_001)


async def make_guest(
    database: Database,
    *,
    stars: int = 0,
    telegram_id: int | None = None,
    username: str | None = None,
    language: Language = Language.ENGLISH,
) -> str:
    """A guest with `stars` stars from a bonus; returns the user's id. The chat has their Telegram id."""
    number = telegram_id or next(_TELEGRAM_IDS)
    async with database.transaction() as tx:
        guest = await meet(tx, telegram_id=number, chat_id=number, username=username, language=language)
        if stars:
            await credit_bonus(tx, user_id=guest.user_id, amount=stars, key=f"made:{number}", facts={})
    return guest.user_id


async def read_stars(database: Database, user_id: str) -> tuple[int, int, int]:
    """The balance, and the totals of stars spent and bought, as the account says."""
    async with database.transaction() as tx:
        row = (
            await tx.execute(
                text(
                    'SELECT "stars", "totalSpentStars", "totalBoughtStars"'
                    ' FROM public."User" WHERE "id" = :id'
                ),
                {"id": user_id},
            )
        ).one()
    return (row[0], row[1], row[2])
