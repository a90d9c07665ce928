"""What is owed stays owed until it is shown, by one at a time."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.delivery import owe
from starbooth.domain.delivery.owe import Delivery, Recipient
from starbooth.domain.users.guests import Language
from tests.make.guests import make_guest
from tests.make.orders import let_pass, place_pictures

CHAT = Recipient(chat_id=5, reply_to_message_id=6, language=Language.SPANISH)


@pytest.fixture
async def order_id(database: Database) -> str:
    """An order whose first message is owed."""
    guest = await make_guest(database, stars=20)
    return (await place_pictures(database, guest, recipient=CHAT)).order_id


async def claim(database: Database, order_id: str) -> Delivery | None:
    async with database.transaction() as tx:
        return await owe.claim_delivery(tx, order_id)


async def must_claim(database: Database, order_id: str) -> Delivery:
    claimed = await claim(database, order_id)
    assert claimed is not None
    return claimed


async def note_shown(database: Database, delivery: Delivery, *, is_final: bool = False) -> bool:
    async with database.transaction() as tx:
        return await owe.note_shown(tx, delivery, fingerprint="f", is_final=is_final)


async def owe_more(database: Database, order_id: str) -> bool:
    async with database.transaction() as tx:
        return await owe.owe(tx, order_id)


async def find_owed(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return await owe.find_owed(tx, limit=9)


async def read_state(database: Database) -> str:
    async with database.transaction() as tx:
        return str(await tx.scalar(text("SELECT state FROM starbooth.deliveries")))


class TestClaim:
    async def test_a_new_order_owes_its_first_message(self, database: Database, order_id: str) -> None:
        assert await find_owed(database) == [order_id]
        assert await claim(database, order_id) == Delivery(
            order_id=order_id,
            chat_id=5,
            reply_to_message_id=6,
            thread_id=None,
            message_id=None,
            language=Language.SPANISH,
            owed=1,
            fingerprint=None,
            tries=0,
        )

    async def test_of_eight_at_once_one_gets_it(self, database: Database, order_id: str) -> None:
        claims = await asyncio.gather(*(claim(database, order_id) for _ in range(8)))
        assert len([each for each in claims if each is not None]) == 1
        assert await find_owed(database) == []

    async def test_after_half_a_minute_another_may_have_it(self, database: Database, order_id: str) -> None:
        await claim(database, order_id)
        await let_pass(database, 29)
        assert await claim(database, order_id) is None
        await let_pass(database, 2)
        assert await find_owed(database) == [order_id]
        assert await claim(database, order_id) is not None

    async def test_an_order_that_never_was_owes_nothing(self, database: Database) -> None:
        assert await claim(database, "nothing") is None
        assert not await owe_more(database, "nothing")

    async def test_opening_it_twice_is_opening_it_once(self, database: Database, order_id: str) -> None:
        async with database.transaction() as tx:
            await owe.open_delivery(
                tx, order_id, owe.Recipient(chat_id=9, reply_to_message_id=None, language=Language.ENGLISH)
            )
        assert (await must_claim(database, order_id)).chat_id == 5


class TestShown:
    async def test_what_is_shown_is_owed_no_more(self, database: Database, order_id: str) -> None:
        assert not await note_shown(database, await must_claim(database, order_id))
        assert await find_owed(database) == []
        assert await claim(database, order_id) is None
        assert await read_state(database) == "open"

    async def test_what_became_owed_meanwhile_is_still_owed(self, database: Database, order_id: str) -> None:
        delivery = await must_claim(database, order_id)
        assert await owe_more(database, order_id)
        assert await note_shown(database, delivery)
        again = await must_claim(database, order_id)
        assert (again.owed, again.fingerprint) == (2, "f")

    async def test_the_last_word_delivers_it(self, database: Database, order_id: str) -> None:
        assert not await note_shown(database, await must_claim(database, order_id), is_final=True)
        assert await read_state(database) == "delivered"
        assert not await owe_more(database, order_id)

    async def test_a_last_word_said_too_early_is_not_the_last(
        self, database: Database, order_id: str
    ) -> None:
        delivery = await must_claim(database, order_id)
        await owe_more(database, order_id)
        assert await note_shown(database, delivery, is_final=True)
        assert await read_state(database) == "open"
        assert await find_owed(database) == [order_id]

    @pytest.mark.parametrize("is_final", [True, False])
    async def test_old_words_put_over_new_ones_by_a_slow_worker_are_put_right(
        self, database: Database, order_id: str, is_final: bool
    ) -> None:
        slow = await must_claim(database, order_id)
        await let_pass(database, 31)
        await owe_more(database, order_id)
        quick = await must_claim(database, order_id)
        assert not await note_shown(database, quick, is_final=is_final)
        assert await note_shown(database, slow)
        again = await must_claim(database, order_id)
        assert again.owed == 2
        assert not await note_shown(database, again, is_final=is_final)
        assert await read_state(database) == ("delivered" if is_final else "open")

    async def test_the_message_is_remembered_and_can_be_forgotten(
        self, database: Database, order_id: str
    ) -> None:
        for message_id in (42, None):
            async with database.transaction() as tx:
                await owe.note_message(tx, order_id, message_id)
                await owe.owe(tx, order_id)
            delivery = await must_claim(database, order_id)
            assert delivery.message_id == message_id
            await note_shown(database, delivery)


class TestPostpone:
    async def test_it_is_tried_again_after_the_pause_and_counted(
        self, database: Database, order_id: str
    ) -> None:
        await claim(database, order_id)
        async with database.transaction() as tx:
            await owe.postpone(tx, order_id, delay=timedelta(seconds=20))
        await let_pass(database, 19)
        assert await find_owed(database) == []
        assert await claim(database, order_id) is None
        await let_pass(database, 2)
        delivery = await must_claim(database, order_id)
        assert delivery.tries == 1
        await note_shown(database, delivery)
        await owe_more(database, order_id)
        assert (await must_claim(database, order_id)).tries == 0

    async def test_a_chat_that_takes_nothing_is_given_up(self, database: Database, order_id: str) -> None:
        await claim(database, order_id)
        async with database.transaction() as tx:
            await owe.give_up(tx, order_id)
        assert await read_state(database) == "undeliverable"
        assert await find_owed(database) == []
        assert not await owe_more(database, order_id)


class TestNews:
    async def find(self, database: Database) -> list[str]:
        async with database.transaction() as tx:
            return await owe.owe_news(tx, not_sooner_than=timedelta(seconds=3), limit=9)

    async def test_a_waiting_guest_is_told_again_after_a_while(
        self, database: Database, order_id: str
    ) -> None:
        await note_shown(database, await must_claim(database, order_id))
        assert await self.find(database) == []
        await let_pass(database, 4)
        assert await self.find(database) == [order_id]
        assert await self.find(database) == []
        assert await find_owed(database) == [order_id]

    async def test_what_is_owed_already_is_not_owed_twice(self, database: Database, order_id: str) -> None:
        await let_pass(database, 4)
        assert await self.find(database) == []

    async def test_an_order_that_has_ended_has_no_news(self, database: Database, order_id: str) -> None:
        await note_shown(database, await must_claim(database, order_id))
        async with database.transaction() as tx:
            await tx.execute(
                text("UPDATE starbooth.orders SET state = 'cancelled', ended_at = now(), spent_stars = 0")
            )
        await let_pass(database, 4)
        assert await self.find(database) == []
