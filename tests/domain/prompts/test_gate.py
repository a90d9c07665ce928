"""Refused prompts: before any star is held, counted once each, and a pause for who goes on."""

import asyncio
from datetime import timedelta

import pytest

from starbooth.base.database import Database, sql
from starbooth.domain.generations.choices import Choices
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.place import PlacedOrder, Source
from starbooth.domain.prompts.errors import PromptRefused, PromptsPaused
from starbooth.domain.prompts.gate import Leniency, list_refused, note_refusal
from starbooth.domain.prompts.word_list import add_entry, list_entries, remove_entry
from tests.make.guests import make_guest, read_stars

LENIENCY = Leniency(refusals_per_hour=3, pause=timedelta(minutes=30))
BAD = "a lolicon"


async def ask(
    database: Database,
    user_id: str,
    prompt: str = "a red boat",
    *,
    key: str,
    negative: str = "",
    leniency: Leniency = LENIENCY,
) -> PlacedOrder:
    """Ask as a door does: a refusal is counted after the transaction of the order."""
    wanted = PictureRequest(
        request_key=key,
        user_id=user_id,
        source=Source.BOT,
        prompt=prompt,
        choices=Choices(negative=negative),
    )
    limits = Limits(active_orders=50, deadline=timedelta(minutes=5), leniency=leniency)
    try:
        async with database.transaction() as tx:
            return await request_pictures(tx, wanted, limits=limits, recipient=None)
    except PromptRefused as refusal:
        async with database.transaction() as tx:
            await note_refusal(tx, refusal)
        raise


async def offend(database: Database, user_id: str, times: int, *, key: str = "bad") -> None:
    for number in range(times):
        with pytest.raises(PromptRefused):
            await ask(database, user_id, BAD, key=f"{key}{number}")


async def let_pass(database: Database, minutes: float) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            sql("UPDATE starbooth.prompt_refusals SET at = at - CAST(:by AS interval)"),
            {"by": timedelta(minutes=minutes)},
        )


async def count_orders(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(sql("SELECT count(*) FROM starbooth.orders")) or 0)


class TestRefusal:
    async def test_nothing_is_held_and_no_word_is_kept(self, database: Database) -> None:
        user_id = await make_guest(database, stars=20)
        with pytest.raises(PromptRefused) as caught:
            await ask(database, user_id, f"my secret wish: {BAD}", key="one")
        assert "lolicon" not in str(caught.value)
        assert await read_stars(database, user_id) == (20, 0, 0)
        assert await count_orders(database) == 0
        async with database.transaction() as tx:
            row = (await tx.execute(sql("SELECT * FROM starbooth.prompt_refusals"))).one()
        assert (row.user_id, row.request_key, row.cause) == (user_id, "one", "word")
        assert "secret" not in str(tuple(row))

    async def test_it_comes_before_the_stars_are_missed(self, database: Database) -> None:
        with pytest.raises(PromptRefused):
            await ask(database, await make_guest(database), BAD, key="poor")

    async def test_what_a_guest_does_not_want_to_see_is_not_looked_at(self, database: Database) -> None:
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.offers SET negative_engines = '{darkroom}'"))
        user_id = await make_guest(database, stars=20)
        await ask(database, user_id, "children on a beach", key="one", negative="nude, naked")
        assert await count_orders(database) == 1

    async def test_what_was_ordered_before_the_list_grew_stays_ordered(self, database: Database) -> None:
        user_id = await make_guest(database, stars=20)
        first = await ask(database, user_id, "a red dragon", key="one")
        async with database.transaction() as tx:
            await add_entry(tx, typed="dragon", note="", operator="command:test")
        again = await ask(database, user_id, "a red dragon", key="one")
        assert (again.order_id, again.is_repeat) == (first.order_id, True)
        with pytest.raises(PromptRefused):
            await ask(database, user_id, "a red dragon", key="two")
        async with database.transaction() as tx:
            await remove_entry(tx, typed="dragon", operator="command:test")
        await ask(database, user_id, "a red dragon", key="three")

    async def test_another_guest_cannot_borrow_an_order_that_was_placed(self, database: Database) -> None:
        await ask(database, await make_guest(database, stars=20), key="one")
        with pytest.raises(PromptRefused):
            await ask(database, await make_guest(database, stars=20), BAD, key="one")


class TestPause:
    async def test_after_so_many_in_an_hour_nothing_is_looked_at_for_a_while(
        self, database: Database
    ) -> None:
        user_id = await make_guest(database, stars=20)
        await offend(database, user_id, 2)
        await ask(database, user_id, key="good")
        await offend(database, user_id, 1, key="third")
        for prompt in (BAD, "a red boat"):
            with pytest.raises(PromptsPaused) as paused:
                await ask(database, user_id, prompt, key="next")
            assert timedelta(minutes=29) < paused.value.wait <= timedelta(minutes=30)
        assert (await read_stars(database, user_id))[0] == 17

    async def test_it_ends_and_is_not_drawn_out_by_trying(self, database: Database) -> None:
        user_id = await make_guest(database, stars=20)
        await offend(database, user_id, 3)
        for number in range(5):
            with pytest.raises(PromptsPaused):
                await ask(database, user_id, BAD, key=f"try{number}")
        await let_pass(database, 31)
        await ask(database, user_id, key="good")

    async def test_one_more_soon_after_a_pause_begins_the_next(self, database: Database) -> None:
        user_id = await make_guest(database, stars=20)
        await offend(database, user_id, 3)
        await let_pass(database, 31)
        await offend(database, user_id, 1, key="again")
        with pytest.raises(PromptsPaused):
            await ask(database, user_id, key="good")

    async def test_refusals_far_apart_bring_none(self, database: Database) -> None:
        user_id = await make_guest(database, stars=20)
        for number in range(6):
            await offend(database, user_id, 1, key=f"slow{number}")
            await let_pass(database, 31)
        await ask(database, user_id, key="good")

    async def test_others_are_not_affected(self, database: Database) -> None:
        await offend(database, await make_guest(database, stars=20), 3)
        await ask(database, await make_guest(database, stars=20), key="good")

    async def test_one_request_handled_again_counts_once_and_finds_the_same_answer(
        self, database: Database
    ) -> None:
        user_id = await make_guest(database, stars=20)
        for _ in range(5):
            with pytest.raises(PromptRefused):
                await ask(database, user_id, BAD, key="one")
        await offend(database, user_id, 1)
        await ask(database, user_id, key="good")

    async def test_an_order_that_was_placed_is_found_in_a_pause_too(self, database: Database) -> None:
        user_id = await make_guest(database, stars=20)
        await ask(database, user_id, key="good")
        await offend(database, user_id, 3)
        assert (await ask(database, user_id, key="good")).is_repeat

    async def test_refused_at_the_same_time_each_counts(self, database: Database) -> None:
        user_id = await make_guest(database, stars=20)
        found = await asyncio.gather(
            *(ask(database, user_id, BAD, key=f"at-once{number}") for number in range(8)),
            return_exceptions=True,
        )
        assert {type(each) for each in found} <= {PromptRefused, PromptsPaused}
        counted = sum(isinstance(each, PromptRefused) for each in found)
        assert counted >= 3
        async with database.transaction() as tx:
            (refused,) = await list_refused(tx, limit=9)
        assert (refused.refusals, refused.refusals_today) == (counted, counted)
        with pytest.raises(PromptsPaused):
            await ask(database, user_id, key="good")

    async def test_the_operator_may_bear_any_number(self, database: Database) -> None:
        user_id = await make_guest(database, stars=20)
        endless = Leniency(refusals_per_hour=0)
        for number in range(8):
            with pytest.raises(PromptRefused):
                await ask(database, user_id, BAD, key=f"bad{number}", leniency=endless)
        await ask(database, user_id, key="good", leniency=endless)


class TestCounts:
    async def test_operators_see_who_and_by_which_entry_and_old_ones_are_forgotten(
        self, database: Database
    ) -> None:
        user_id = await make_guest(database, username="bo")
        await offend(database, user_id, 2)
        await let_pass(database, 25 * 60)
        await offend(database, user_id, 1, key="later")
        async with database.transaction() as tx:
            (refused,) = await list_refused(tx, limit=9)
            by_entry = [each.refusals for each in await list_entries(tx) if "lolicon" in each.entry]
        assert (refused.username, refused.refusals, refused.refusals_today) == ("bo", 3, 1)
        assert by_entry == [3]
        await let_pass(database, 30 * 24 * 60)
        await offend(database, user_id, 1, key="much later")
        async with database.transaction() as tx:
            assert await tx.scalar(sql("SELECT count(*) FROM starbooth.prompt_refusals")) == 1
