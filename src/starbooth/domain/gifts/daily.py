"""The gift of the day: once per guest and day of UTC. Knows no wording."""

from datetime import UTC, date, datetime, timedelta

from starbooth.base.database import Tx
from starbooth.domain.gifts.errors import DailyTaken
from starbooth.domain.stars import ledger
from starbooth.domain.stars.errors import KeyReused
from starbooth.domain.stars.ledger import Movement


async def give_daily(tx: Tx, *, user_id: str, amount_stars: int, day: date, request_key: str) -> Movement:
    """Give the gift of this day to who asks for it by the message of this key.

    day: when Telegram took the message, so that handling it after midnight once more gives nothing more.
    Locks: the guest's account. Repeat: the same message repeats the answer.
    Raises: DailyTaken (by another message), AmountRefused, TooManyStars.
    """
    try:
        return await ledger.credit_bonus(
            tx,
            user_id=user_id,
            amount=amount_stars,
            key=f"daily:{user_id}:{day.isoformat()}",
            facts={"reason": "daily", "asked": request_key},
        )
    except KeyReused as error:  # another message, or another amount before the operator changed it
        raise DailyTaken from error


def time_to_next(day: date, *, at: datetime) -> timedelta:
    """How long until the gift after this day's one; nothing where it is there already."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return max(timedelta(), midnight - at)
