"""Using models of others: what it costs, what is free, and what the maker has earned of it."""

import asyncio

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.crafts import all_crafts
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.generations.errors import LoraNotFound
from starbooth.domain.generations.quote import Quote, quote
from starbooth.domain.running.finish import cancel_waiting
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.loras import make_lora
from tests.make.orders import DEFAULT_PRICE, end_order, place_pictures, read_order_row, read_pictures

FEE = 5


async def quote_for(database: Database, user_id: str, *lora_ids: str, pictures: int = 1) -> Quote:
    choices = Choices(count=pictures, loras=tuple(LoraChoice(lora_id=each, weight=1.0) for each in lora_ids))
    async with database.transaction() as tx:
        return await quote(tx, choices, user_id=user_id)


async def use_up_free(database: Database, user_id: str, lora_id: str) -> None:
    """The three pictures that are free of the fee."""
    placed = await place_pictures(database, user_id, pictures=3, loras=[lora_id])
    await end_order(database, placed.order_id, done=3)


async def earned(database: Database, maker_id: str) -> list[int]:
    async with database.transaction() as tx:
        rows = await tx.execute(
            text("SELECT hundredths FROM starbooth.earnings WHERE maker_id = :id ORDER BY earned_at"),
            {"id": maker_id},
        )
        return list(rows.scalars())


class TestPrice:
    async def test_own_models_cost_no_fee(self, database: Database) -> None:
        maker = await make_guest(database, stars=100)
        lora = await make_lora(database, maker, is_public=True, fee_stars=FEE)
        quoted = await quote_for(database, maker, lora, pictures=4)
        assert (quoted.price_stars, quoted.fees(share_percent=50)) == (4 * DEFAULT_PRICE, ())

    async def test_the_first_three_pictures_are_free_then_each_costs_the_fee(
        self, database: Database
    ) -> None:
        lora = await make_lora(database, await make_guest(database), is_public=True, fee_stars=FEE)
        guest = await make_guest(database, stars=100)
        assert (await quote_for(database, guest, lora, pictures=4)).price_stars == 4 * DEFAULT_PRICE + FEE
        placed = await place_pictures(database, guest, pictures=2, loras=[lora])
        assert placed.price_stars == 2 * DEFAULT_PRICE
        assert (await quote_for(database, guest, lora, pictures=2)).price_stars == 2 * DEFAULT_PRICE + FEE
        other = await make_guest(database)
        assert (await quote_for(database, other, lora, pictures=3)).price_stars == 3 * DEFAULT_PRICE

    async def test_pictures_that_did_not_come_out_leave_the_free_ones_free(self, database: Database) -> None:
        lora = await make_lora(database, await make_guest(database), is_public=True, fee_stars=FEE)
        guest = await make_guest(database, stars=100)
        failed = await place_pictures(database, guest, pictures=3, loras=[lora])
        cancelled = await place_pictures(database, guest, pictures=1, loras=[lora])
        await end_order(database, failed.order_id, done=1, failed=2)
        async with database.transaction() as tx:
            await cancel_waiting(tx, crafts=all_crafts(), order_id=cancelled.order_id, user_id=guest)
        assert (await quote_for(database, guest, lora, pictures=2)).price_stars == 2 * DEFAULT_PRICE
        assert (await quote_for(database, guest, lora, pictures=3)).price_stars == 3 * DEFAULT_PRICE + FEE

    async def test_fees_of_several_models_add_up(self, database: Database) -> None:
        maker, guest = await make_guest(database), await make_guest(database, stars=100)
        dear = await make_lora(database, maker, is_public=True, fee_stars=FEE)
        cheap = await make_lora(database, await make_guest(database), is_public=True, fee_stars=1)
        await use_up_free(database, guest, dear)
        await use_up_free(database, guest, cheap)
        quoted = await quote_for(database, guest, dear, cheap, pictures=2)
        assert quoted.price_stars == 2 * (DEFAULT_PRICE + FEE + 1)

    async def test_two_orders_at_once_do_not_both_have_the_free_pictures(self, database: Database) -> None:
        lora = await make_lora(database, await make_guest(database), is_public=True, fee_stars=FEE)
        guest = await make_guest(database, stars=100)
        placed = await asyncio.gather(
            *(place_pictures(database, guest, pictures=3, loras=[lora]) for _ in range(4))
        )
        dear = 3 * (DEFAULT_PRICE + FEE)
        assert sorted(each.price_stars for each in placed) == [3 * DEFAULT_PRICE, dear, dear, dear]

    async def test_what_operators_took_out_of_the_catalogue_is_not_found(self, database: Database) -> None:
        lora = await make_lora(database, await make_guest(database), is_public=True)
        async with database.transaction() as tx:
            await tx.execute(
                text(
                    "UPDATE starbooth.model_cards SET hidden_at = now(), hidden_reason = 'stolen',"
                    " is_listed = false WHERE lora_id = :id"
                ),
                {"id": lora},
            )
        with pytest.raises(LoraNotFound):
            await quote_for(database, await make_guest(database), lora)


class TestEnd:
    async def test_the_maker_has_a_share_of_each_fee_that_was_paid(self, database: Database) -> None:
        maker, guest = await make_guest(database), await make_guest(database, stars=100)
        lora = await make_lora(database, maker, is_public=True, fee_stars=FEE)
        await use_up_free(database, guest, lora)
        assert await earned(database, maker) == []
        placed = await place_pictures(database, guest, pictures=4, loras=[lora], share_percent=30)
        await end_order(database, placed.order_id, done=2, failed=2)
        assert await earned(database, maker) == [2 * FEE * 30]
        row = await read_order_row(database, placed.order_id)
        assert (row.price_stars, row.spent_stars) == (4 * (DEFAULT_PRICE + FEE), 2 * (DEFAULT_PRICE + FEE))
        assert (await read_stars(database, maker))[0] == 0
        await assert_accounts_are_true(database)

    async def test_the_pictures_tell_what_was_paid_with_the_fee(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        lora = await make_lora(database, await make_guest(database), is_public=True, fee_stars=FEE)
        placed = await place_pictures(database, guest, pictures=4, loras=[lora])
        await end_order(database, placed.order_id, done=4)
        pictures = await read_pictures(database, placed.order_id)
        assert sum(each["starsUsed"] for each in pictures) == 4 * DEFAULT_PRICE + FEE
        assert {each["loraId"] for each in pictures} == {lora}

    async def test_a_price_that_was_promised_holds_when_the_fee_has_risen(self, database: Database) -> None:
        maker, guest = await make_guest(database), await make_guest(database, stars=100)
        lora = await make_lora(database, maker, is_public=True, fee_stars=FEE)
        await use_up_free(database, guest, lora)
        placed = await place_pictures(
            database, guest, pictures=4, loras=[lora], price_stars=4 * DEFAULT_PRICE + 2 * FEE + 1
        )
        await end_order(database, placed.order_id, done=4)
        assert await earned(database, maker) == [2 * FEE * 50]
        assert (
            await read_order_row(database, placed.order_id)
        ).spent_stars == 4 * DEFAULT_PRICE + 2 * FEE + 1
        await assert_accounts_are_true(database)

    async def test_a_model_that_was_deleted_meanwhile_leaves_the_picture_its_recipe(
        self, database: Database
    ) -> None:
        guest = await make_guest(database, stars=100)
        lora = await make_lora(database, guest, name="Ada")
        placed = await place_pictures(database, guest, loras=[lora])
        async with database.transaction() as tx:
            await tx.execute(text('DELETE FROM public."LoraModel" WHERE "id" = :id'), {"id": lora})
        await end_order(database, placed.order_id, done=1)
        (picture,) = await read_pictures(database, placed.order_id)
        assert picture["loraId"] is None
        assert picture["metadata"]["loras"] == [{"lora_id": lora, "name": "Ada", "weight": 1.0}]
