"""Placing: all or nothing, once per request key, within the cap, and in turn with other guests."""

import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.errors import CountRefused, PromptEmpty, PromptTooLong
from starbooth.domain.orders.end import cancel
from starbooth.domain.orders.errors import RequestKeyReused, TooManyOrders
from starbooth.domain.orders.place import PlacedOrder, order_id_for
from starbooth.domain.orders.run import claim_next
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.users.guests import Language
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.orders import DEFAULT_PRICE, place_pictures, read_order_row

CHAT = Recipient(chat_id=5, reply_to_message_id=6, language=Language.ENGLISH)


async def count_rows(database: Database) -> dict[str, int]:
    """How many rows of each kind placing could have left."""
    tables = ("starbooth.orders", "starbooth.tickets", "starbooth.deliveries", "starbooth.pgqueuer")
    async with database.transaction() as tx:
        return {
            table.removeprefix("starbooth."): await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0
            for table in tables
        }


async def set_price(database: Database, price: int) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.offers SET price_stars = :price"), {"price": price})


NOTHING = {"orders": 0, "tickets": 0, "deliveries": 0, "pgqueuer": 0}


class TestPlacing:
    async def test_it_holds_the_price_and_writes_everything_that_runs_it(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        placed = await place_pictures(database, guest, pictures=2, recipient=CHAT)
        assert placed.price_stars == 2 * DEFAULT_PRICE
        assert placed.balance_stars == 20 - 2 * DEFAULT_PRICE
        assert await read_stars(database, guest) == (14, 0, 0)
        assert await count_rows(database) == {"orders": 1, "tickets": 2, "deliveries": 1, "pgqueuer": 1}
        row = await read_order_row(database, placed.order_id)
        assert (row.state, row.attempt, row.progress, row.spent_stars) == ("held", 0, 0, None)
        assert row.tickets == (("unsent", None), ("unsent", None))
        await assert_accounts_are_true(database)

    async def test_every_picture_has_a_seed_of_its_own(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        await place_pictures(database, guest, pictures=4, seed=2**63 - 2)
        await place_pictures(database, guest, pictures=4, seed=None)
        async with database.transaction() as tx:
            rows = await tx.execute(text("SELECT seed FROM starbooth.tickets t ORDER BY order_id, number"))
            seeds = list(rows.scalars())
        assert len(set(seeds)) == 8
        assert {2**63 - 2, 2**63 - 1, 0, 1} < set(seeds)

    async def test_the_id_has_the_form_of_every_other_id(self) -> None:
        assert re.fullmatch(r"c[0-9a-z]{24}", order_id_for("tg:1:2"))
        assert order_id_for("tg:1:2") == order_id_for("tg:1:2") != order_id_for("tg:12")

    async def test_nobody_in_a_chat_means_no_delivery(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        await place_pictures(database, guest)
        assert await count_rows(database) == {"orders": 1, "tickets": 1, "deliveries": 0, "pgqueuer": 1}

    async def test_a_free_offer_can_be_ordered_with_an_empty_account(self, database: Database) -> None:
        await set_price(database, 0)
        guest = await make_guest(database)
        assert (await place_pictures(database, guest)).price_stars == 0
        await assert_accounts_are_true(database)


class TestRefusals:
    async def test_too_few_stars_leave_nothing_behind(self, database: Database) -> None:
        guest = await make_guest(database, stars=DEFAULT_PRICE - 1)
        with pytest.raises(NotEnoughStars) as caught:
            await place_pictures(database, guest, recipient=CHAT)
        assert (caught.value.price_stars, caught.value.balance_stars) == (DEFAULT_PRICE, DEFAULT_PRICE - 1)
        assert await count_rows(database) == NOTHING
        assert await read_stars(database, guest) == (DEFAULT_PRICE - 1, 0, 0)

    @pytest.mark.parametrize("prompt", ["", "  \n\t ", "\x00\x07", "...!?", "\u200b\u200d"])
    async def test_a_prompt_with_nothing_to_paint_is_refused(self, database: Database, prompt: str) -> None:
        guest = await make_guest(database, stars=20)
        with pytest.raises(PromptEmpty):
            await place_pictures(database, guest, prompt=prompt)
        assert await count_rows(database) == NOTHING

    @pytest.mark.parametrize("prompt", ["🦊", "שלום", "<b>&amp;", "*bold*", "x\x00y", "一只猫"])
    async def test_any_words_and_signs_are_taken(self, database: Database, prompt: str) -> None:
        guest = await make_guest(database, stars=20)
        await place_pictures(database, guest, prompt=prompt)
        assert (await count_rows(database))["orders"] == 1

    async def test_a_prompt_that_is_too_long_is_refused_with_its_length(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        with pytest.raises(PromptTooLong) as caught:
            await place_pictures(database, guest, prompt="a" * 2001)
        assert (caught.value.length, caught.value.limit) == (2001, 2000)

    @pytest.mark.parametrize("pictures", [0, -1, 5])
    async def test_a_count_out_of_range_is_refused(self, database: Database, pictures: int) -> None:
        guest = await make_guest(database, stars=100)
        with pytest.raises(CountRefused):
            await place_pictures(database, guest, pictures=pictures)
        assert await read_stars(database, guest) == (100, 0, 0)

    async def test_one_more_than_the_cap_is_refused_and_nothing_held(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        first = await place_pictures(database, guest, active_orders=2)
        await place_pictures(database, guest, active_orders=2)
        with pytest.raises(TooManyOrders) as caught:
            await place_pictures(database, guest, active_orders=2)
        assert caught.value.limit == 2
        assert await read_stars(database, guest) == (94, 0, 0)
        async with database.transaction() as tx:
            await cancel(tx, order_id=first.order_id, user_id=guest)
        await place_pictures(database, guest, active_orders=2)

    async def test_the_cap_of_one_guest_is_not_anothers(self, database: Database) -> None:
        first, second = await make_guest(database, stars=9), await make_guest(database, stars=9)
        await place_pictures(database, first, active_orders=1)
        await place_pictures(database, second, active_orders=1)


class TestRequestKeys:
    async def test_a_repeat_returns_the_first_order_and_charges_nothing(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        first = await place_pictures(database, guest, request_key="k", recipient=CHAT)
        before = await count_rows(database)
        again = await place_pictures(database, guest, request_key="k", recipient=CHAT)
        assert again == PlacedOrder(order_id=first.order_id, price_stars=3, balance_stars=17, is_repeat=True)
        assert await count_rows(database) == before

    async def test_a_repeat_after_the_price_changed_keeps_the_first_price(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        first = await place_pictures(database, guest, request_key="k")
        await set_price(database, 9)
        again = await place_pictures(database, guest, request_key="k")
        assert again == PlacedOrder(order_id=first.order_id, price_stars=3, balance_stars=17, is_repeat=True)
        assert await read_stars(database, guest) == (17, 0, 0)

    async def test_a_repeat_is_answered_although_stars_and_cap_are_used_up(self, database: Database) -> None:
        guest = await make_guest(database, stars=3)
        first = await place_pictures(database, guest, request_key="k", active_orders=1)
        again = await place_pictures(database, guest, request_key="k", active_orders=1)
        assert (again.order_id, again.balance_stars, again.is_repeat) == (first.order_id, 0, True)

    async def test_another_request_under_the_same_key_is_refused(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        await place_pictures(database, guest, request_key="k", prompt="a red boat")
        for other in ({"prompt": "a blue boat"}, {"pictures": 2}, {"seed": 8}):
            with pytest.raises(RequestKeyReused):
                await place_pictures(database, guest, request_key="k", **other)
        assert await read_stars(database, guest) == (17, 0, 0)

    async def test_the_same_key_of_another_guest_is_refused(self, database: Database) -> None:
        first, second = await make_guest(database, stars=20), await make_guest(database, stars=20)
        await place_pictures(database, first, request_key="k")
        with pytest.raises(RequestKeyReused):
            await place_pictures(database, second, request_key="k")
        assert await read_stars(database, second) == (20, 0, 0)

    async def test_a_refused_request_may_come_again_under_its_key(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        await set_price(database, 30)
        with pytest.raises(NotEnoughStars):
            await place_pictures(database, guest, request_key="k")
        await set_price(database, 3)
        assert not (await place_pictures(database, guest, request_key="k")).is_repeat

    async def test_the_same_request_eight_times_at_once_is_one_order(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        placed = await asyncio.gather(
            *(place_pictures(database, guest, request_key="k", recipient=CHAT) for _ in range(8))
        )
        assert sorted(each.is_repeat for each in placed) == [False] + [True] * 7
        assert await count_rows(database) == {"orders": 1, "tickets": 1, "deliveries": 1, "pgqueuer": 1}
        assert await read_stars(database, guest) == (97, 0, 0)


class TestAtOnce:
    async def test_eight_orders_with_stars_for_one_are_one_order(self, database: Database) -> None:
        guest = await make_guest(database, stars=5)
        ends = await asyncio.gather(
            *(place_pictures(database, guest) for _ in range(8)), return_exceptions=True
        )
        assert sum(isinstance(end, PlacedOrder) for end in ends) == 1
        assert sum(isinstance(end, NotEnoughStars) for end in ends) == 7
        assert await read_stars(database, guest) == (2, 0, 0)
        assert (await count_rows(database))["orders"] == 1
        await assert_accounts_are_true(database)

    async def test_eight_orders_with_a_cap_of_three_are_three_orders(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        ends = await asyncio.gather(
            *(place_pictures(database, guest, active_orders=3) for _ in range(8)), return_exceptions=True
        )
        assert sum(isinstance(end, PlacedOrder) for end in ends) == 3
        assert sum(isinstance(end, TooManyOrders) for end in ends) == 5
        assert await read_stars(database, guest) == (91, 0, 0)


class TestTurns:
    async def start_one_by_one(self, database: Database, names: dict[str, str], *, slots: int = 1) -> str:
        """Claim order after order, each ending before the next; whose they were, in order."""
        claimed: list[str] = []
        while True:
            async with database.transaction() as tx:
                claims = await claim_next(tx, slots=slots, check_in=timedelta(seconds=10))
            if not claims:
                return "".join(claimed)
            for claim in claims:
                claimed.append(names[claim.order_id])
                await self.end(database, claim.order_id)

    async def end(self, database: Database, order_id: str) -> None:
        async with database.transaction() as tx:
            await tx.execute(
                text(
                    "UPDATE starbooth.orders SET state = 'done', ended_at = now(), spent_stars = 0"
                    " WHERE id = :id"
                ),
                {"id": order_id},
            )

    async def place_for(self, database: Database, names: dict[str, str], guest: str, name: str) -> None:
        names[(await place_pictures(database, guest)).order_id] = name

    async def test_ten_orders_of_one_guest_do_not_delay_anothers_one(self, database: Database) -> None:
        ann, bob, cid = [await make_guest(database, stars=100) for _ in range(3)]
        names: dict[str, str] = {}
        for _ in range(10):
            await self.place_for(database, names, ann, "a")
        await self.place_for(database, names, bob, "b")
        await self.place_for(database, names, cid, "c")
        await self.place_for(database, names, bob, "b")
        assert await self.start_one_by_one(database, names) == "abcab" + "a" * 8

    async def test_one_who_comes_while_others_run_waits_for_nobodys_second(self, database: Database) -> None:
        ann, bob = await make_guest(database, stars=100), await make_guest(database, stars=100)
        names: dict[str, str] = {}
        for _ in range(5):
            await self.place_for(database, names, ann, "a")
        async with database.transaction() as tx:
            running = await claim_next(tx, slots=1, check_in=timedelta(seconds=10))
        await self.place_for(database, names, bob, "b")
        await self.end(database, running[0].order_id)
        assert (await self.start_one_by_one(database, names))[0] == "b"

    async def test_an_old_order_that_still_runs_does_not_set_the_clock_back(self, database: Database) -> None:
        ann, bob, cid = [await make_guest(database, stars=100) for _ in range(3)]
        names: dict[str, str] = {}
        await self.place_for(database, names, bob, "b")
        async with database.transaction() as tx:
            await claim_next(tx, slots=1, check_in=timedelta(seconds=10))
        for _ in range(6):
            await self.place_for(database, names, ann, "a")
        for _ in range(3):
            async with database.transaction() as tx:
                claims = await claim_next(tx, slots=2, check_in=timedelta(seconds=10))
            await self.end(database, claims[0].order_id)
        for _ in range(3):
            await self.place_for(database, names, cid, "c")
        assert await self.start_one_by_one(database, names, slots=2) == "cacaca"

    async def test_turns_saved_up_by_waiting_are_not_kept(self, database: Database) -> None:
        """Who orders rarely gets the next turn, not all turns that others had meanwhile."""
        ann, bob = await make_guest(database, stars=100), await make_guest(database, stars=100)
        names: dict[str, str] = {}
        for _ in range(4):
            await self.place_for(database, names, ann, "a")
        assert await self.start_one_by_one(database, names) == "aaaa"
        for _ in range(3):
            await self.place_for(database, names, ann, "a")
        for _ in range(3):
            await self.place_for(database, names, bob, "b")
        assert await self.start_one_by_one(database, names) == "bababa"
