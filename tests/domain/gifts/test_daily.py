"""The gift of the day: once per day of UTC, whoever asks how often."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from starbooth.base.database import Database
from starbooth.domain.gifts.daily import give_daily, time_to_next
from starbooth.domain.gifts.errors import DailyTaken
from tests.make.guests import make_guest, read_stars

TODAY = date(2026, 11, 24)


async def ask(database: Database, user_id: str, key: str, *, day: date = TODAY, stars: int = 5) -> bool:
    """Whether the gift was given or repeated, in a transaction of its own."""
    try:
        async with database.transaction() as tx:
            await give_daily(tx, user_id=user_id, amount_stars=stars, day=day, request_key=key)
    except DailyTaken:
        return False
    return True


class TestGiveDaily:
    async def test_a_day_gives_once_and_the_next_day_again(self, database: Database) -> None:
        ada = await make_guest(database)
        assert await ask(database, ada, "tg:1:1")
        assert not await ask(database, ada, "tg:1:2")
        assert await ask(database, ada, "tg:1:3", day=TODAY + timedelta(days=1))
        assert (await read_stars(database, ada))[0] == 10

    async def test_the_same_message_handled_twice_repeats_the_answer(self, database: Database) -> None:
        ada = await make_guest(database)
        assert await ask(database, ada, "tg:1:1")
        assert await ask(database, ada, "tg:1:1")
        assert (await read_stars(database, ada))[0] == 5

    async def test_another_amount_on_the_same_day_gives_nothing_more(self, database: Database) -> None:
        ada = await make_guest(database)
        assert await ask(database, ada, "tg:1:1")
        assert not await ask(database, ada, "tg:1:1", stars=50)
        assert (await read_stars(database, ada))[0] == 5

    async def test_many_messages_at_once_give_once(self, database: Database) -> None:
        ada = await make_guest(database)
        given = await asyncio.gather(*(ask(database, ada, f"tg:1:{n}") for n in range(8)))
        assert given.count(True) == 1
        assert (await read_stars(database, ada))[0] == 5

    async def test_each_guest_has_a_day_of_their_own(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        assert await ask(database, ada, "tg:1:1")
        assert await ask(database, bo, "tg:2:1")


class TestTimeToNext:
    @pytest.mark.parametrize(
        ("at", "left"),
        [
            (datetime(2026, 11, 24, 0, 0, tzinfo=UTC), timedelta(hours=24)),
            (datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC), timedelta(seconds=1)),
            (datetime(2026, 11, 25, 0, 0, 1, tzinfo=UTC), timedelta()),
        ],
    )
    def test_the_next_one_comes_at_midnight_of_utc(self, at: datetime, left: timedelta) -> None:
        assert time_to_next(TODAY, at=at) == left
