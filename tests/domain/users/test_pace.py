"""How often a guest may do a thing."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.users.pace import Pace, TooOften, take_turn
from tests.make.guests import make_guest

PACE = Pace(kind="test", most=3, within=timedelta(hours=1))


async def has_turn(database: Database, user_id: str, key: str, *, pace: Pace = PACE) -> bool:
    try:
        async with database.transaction() as tx:
            await take_turn(tx, user_id=user_id, pace=pace, key=key)
    except TooOften:
        return False
    return True


class TestTakeTurn:
    async def test_no_more_than_allowed_also_at_once(self, database: Database) -> None:
        ada = await make_guest(database)
        taken = await asyncio.gather(*(has_turn(database, ada, str(n)) for n in range(9)))
        assert taken.count(True) == 3

    async def test_the_same_key_takes_one_turn(self, database: Database) -> None:
        ada = await make_guest(database)
        for _ in range(5):
            assert await has_turn(database, ada, "same")
        assert await has_turn(database, ada, "b")
        assert await has_turn(database, ada, "c")
        assert not await has_turn(database, ada, "d")
        assert await has_turn(database, ada, "c")

    async def test_the_wait_is_until_the_oldest_turn_that_counts_is_too_old(self, database: Database) -> None:
        ada = await make_guest(database)
        for number in range(3):
            assert await has_turn(database, ada, str(number))
        async with database.transaction() as tx:
            await tx.execute(
                text("UPDATE starbooth.guest_turns SET at = now() - interval '59 min' WHERE key = '0'")
            )
        with pytest.raises(TooOften) as refused:
            async with database.transaction() as tx:
                await take_turn(tx, user_id=ada, pace=PACE, key="x")
        assert timedelta(0) < refused.value.wait <= timedelta(minutes=1)

    async def test_old_turns_are_forgotten_and_kinds_and_guests_are_apart(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        for number in range(3):
            assert await has_turn(database, ada, str(number))
        assert await has_turn(database, bo, "0")
        assert await has_turn(database, ada, "0", pace=Pace(kind="other", most=1, within=PACE.within))
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.guest_turns SET at = now() - interval '2 h'"))
        assert await has_turn(database, ada, "9")
        async with database.transaction() as tx:
            rows = await tx.execute(
                text("SELECT key FROM starbooth.guest_turns WHERE user_id = :id AND kind = 'test'"),
                {"id": ada},
            )
            assert list(rows.scalars()) == ["9"]
