"""Asking for a training: everything or nothing, and every no before a star moves."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.errors import Refusal
from starbooth.domain.catalog.engines import change_engine, seed_engines
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.cart import start_funded
from starbooth.domain.generations.request import Limits
from starbooth.domain.orders import cart
from starbooth.domain.orders.cart import Wish
from starbooth.domain.orders.place import PlacedOrder
from starbooth.domain.trainings.cart import place_training_wish
from starbooth.domain.trainings.errors import (
    ConsentMissing,
    NoSuchSet,
    PhotosRefused,
    RecipeRefused,
    SetUnfinished,
    TooManyTrainings,
    TrainingPriceChanged,
    TrainingRefused,
    TrainingStarsMissing,
)
from starbooth.domain.trainings.offers import change_training_offer, read_training_offer
from starbooth.domain.users.guests import Language
from tests.make.guests import make_guest, read_stars
from tests.make.orders import place_pictures, read_order_row
from tests.make.trainings import LIMITS, make_photo_set, place_training, read_rows

PRICE = 24  # of a hundred steps of a style
CHAT = Recipient(chat_id=7, reply_to_message_id=5, language=Language.ENGLISH)


@pytest.fixture
async def ada(database: Database) -> str:
    return await make_guest(database, stars=1000, telegram_id=7)


async def count_rows(database: Database) -> Mapping[str, int]:
    tables = ('public."LoraModel"', 'public."Training"', "starbooth.training_orders", "starbooth.orders")
    async with database.transaction() as tx:
        return {table: await tx.scalar(text(f"SELECT count(*) FROM {table}")) for table in tables}


class TestPlacing:
    async def test_a_training_is_an_order_with_its_rows(self, database: Database, ada: str) -> None:
        set_id = await make_photo_set(database, ada, steps=150)
        placed = await place_training(database, ada, set_id, recipient=CHAT, price_stars=36)
        assert (placed.price_stars, placed.balance_stars, placed.is_repeat) == (36, 964, False)
        order = await read_order_row(database, placed.order_id)
        assert (order.state, order.tickets) == ("held", (("unsent", None),))
        rows = await read_rows(database, placed.order_id)
        assert (rows.lora["status"], rows.lora["type"], rows.lora["name"]) == ("PENDING", "STYLE", "Clay")
        assert (rows.lora["triggerWord"], rows.lora["userId"], rows.lora["isPublic"]) == ("qyzo", ada, False)
        assert (rows.training["status"], rows.training["steps"]) == ("PENDING", 150)
        assert (rows.training["starsSpent"], rows.training["loraId"]) == (36, rows.lora["id"])
        assert rows.lora["baseModelId"] == rows.training["baseModelId"]
        async with database.transaction() as tx:
            owed = await tx.scalar(text("SELECT chat_id FROM starbooth.deliveries"))
            held = await tx.scalar(
                text('SELECT "type"::text FROM public."StarTransaction" WHERE "status" = \'PENDING\'')
            )
        assert (owed, held) == (7, "TRAINING")

    async def test_no_photo_and_no_caption_stands_in_the_order(self, database: Database, ada: str) -> None:
        placed = await place_training(database, ada, await make_photo_set(database, ada))
        async with database.transaction() as tx:
            request = await tx.scalar(
                text("SELECT request::text FROM starbooth.orders WHERE id = :id"), {"id": placed.order_id}
            )
        assert "thing" not in request
        assert ".jpg" not in request

    async def test_the_photos_are_kept_until_the_training_may_end_and_be_tried_again(
        self, database: Database, ada: str
    ) -> None:
        set_id = await make_photo_set(database, ada)
        await place_training(database, ada, set_id)
        async with database.transaction() as tx:
            days = await tx.scalar(
                text(
                    "SELECT extract(epoch FROM kept_until - now()) / 86400 FROM starbooth.photo_sets"
                    " WHERE id = :id"
                ),
                {"id": set_id},
            )
        assert 7.2 < days < 7.3

    async def test_a_key_orders_once_whatever_becomes_of_the_set(self, database: Database, ada: str) -> None:
        set_id = await make_photo_set(database, ada)
        first = await place_training(database, ada, set_id, request_key="one")
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.photo_sets SET steps = 4000, state = 'doomed'"))
        again = await place_training(database, ada, set_id, request_key="one", price_stars=PRICE)
        assert (again.order_id, again.price_stars, again.is_repeat) == (first.order_id, PRICE, True)
        assert (await count_rows(database))["starbooth.training_orders"] == 1
        assert (await read_stars(database, ada))[0] == 1000 - PRICE

    async def test_two_presses_at_once_are_one_training(self, database: Database, ada: str) -> None:
        set_id = await make_photo_set(database, ada)
        placed = await asyncio.gather(
            *(place_training(database, ada, set_id, request_key="one") for _ in range(4))
        )
        assert len({each.order_id for each in placed}) == 1
        assert sum(not each.is_repeat for each in placed) == 1
        assert (await count_rows(database))["starbooth.orders"] == 1

    async def test_two_trainings_with_stars_for_one_are_one(self, database: Database) -> None:
        poor = await make_guest(database, stars=PRICE + 3)
        sets = [await make_photo_set(database, poor) for _ in range(2)]
        done = await asyncio.gather(
            *(place_training(database, poor, each) for each in sets), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in done) == ["PlacedOrder", "TrainingStarsMissing"]
        assert (await read_stars(database, poor))[0] == 3
        assert set((await count_rows(database)).values()) == {1}


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"lora_type": None}, SetUnfinished),
            ({"name": None}, SetUnfinished),
            ({"trigger_word": None}, SetUnfinished),
            ({"consents": False}, ConsentMissing),
            ({"photos": 3}, PhotosRefused),
            ({"photos": 31}, PhotosRefused),
            ({"steps": 99}, RecipeRefused),
            ({"steps": 10_000}, RecipeRefused),
            ({"learning_rate": 0.5}, RecipeRefused),
            ({"learning_rate": float("nan")}, RecipeRefused),
        ],
    )
    async def test_what_cannot_be_trained_is_refused_and_costs_nothing(
        self, database: Database, ada: str, changes: dict[str, Any], refusal: type[Refusal]
    ) -> None:
        set_id = await make_photo_set(database, ada, **changes)
        with pytest.raises(refusal):
            await place_training(database, ada, set_id)
        assert set((await count_rows(database)).values()) == {0}
        assert (await read_stars(database, ada))[0] == 1000

    async def test_somebody_elses_photos_are_not_there(self, database: Database, ada: str) -> None:
        set_id = await make_photo_set(database, await make_guest(database))
        with pytest.raises(NoSuchSet):
            await place_training(database, ada, set_id)

    @pytest.mark.parametrize("state", ["doomed"])
    async def test_photos_that_go_are_not_there(self, database: Database, ada: str, state: str) -> None:
        set_id = await make_photo_set(database, ada)
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.photo_sets SET state = :state"), {"state": state})
        with pytest.raises(NoSuchSet):
            await place_training(database, ada, set_id)

    async def test_a_consent_that_was_taken_back_is_none(self, database: Database, ada: str) -> None:
        set_id = await make_photo_set(database, ada)
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.consents SET withdrawn_at = now()"))
        with pytest.raises(ConsentMissing):
            await place_training(database, ada, set_id)

    async def test_an_old_button_does_not_train_more_steps_for_its_price(
        self, database: Database, ada: str
    ) -> None:
        set_id = await make_photo_set(database, ada, steps=4000)
        with pytest.raises(TrainingPriceChanged) as refused:
            await place_training(database, ada, set_id, price_stars=PRICE)
        assert refused.value.price_stars == 960

    async def test_the_cap_counts_trainings_and_not_pictures(self, database: Database, ada: str) -> None:
        await place_pictures(database, ada, active_orders=1)
        for _ in range(2):
            await place_training(database, ada, await make_photo_set(database, ada))
        third = await make_photo_set(database, ada)
        with pytest.raises(TooManyTrainings) as refused:
            await place_training(database, ada, third)
        assert refused.value.limit == 2
        await place_pictures(database, ada, active_orders=2)

    async def test_five_at_once_are_as_many_as_the_cap(self, database: Database, ada: str) -> None:
        sets = [await make_photo_set(database, ada) for _ in range(5)]
        done = await asyncio.gather(
            *(place_training(database, ada, each) for each in sets), return_exceptions=True
        )
        assert sum(isinstance(each, PlacedOrder) for each in done) == 2
        assert sum(isinstance(each, TooManyTrainings) for each in done) == 3
        assert (await read_stars(database, ada))[0] == 1000 - 2 * PRICE

    async def test_what_is_not_sold_or_cannot_be_done_is_refused(self, database: Database, ada: str) -> None:
        set_id = await make_photo_set(database, ada)
        async with database.transaction() as tx:
            await seed_engines(tx, ["darkroom", "fal"], slots=4)
            offer = await read_training_offer(tx, LoraType.STYLE)
            assert offer is not None
            await change_training_offer(tx, offer, {"engines": ["fal"]})
            await change_engine(tx, "fal", is_on=False, slots=None, position=None)
        with pytest.raises(TrainingRefused):
            await place_training(database, ada, set_id)
        async with database.transaction() as tx:
            await change_training_offer(tx, offer, {"engines": [], "is_on": False})
        with pytest.raises(TrainingRefused):
            await place_training(database, ada, set_id)


class TestCart:
    async def test_what_stars_did_not_cover_starts_when_they_come(self, database: Database) -> None:
        poor = await make_guest(database, stars=PRICE - 1, telegram_id=7)
        set_id = await make_photo_set(database, poor)
        with pytest.raises(TrainingStarsMissing) as missing:
            await place_training(database, poor, set_id, request_key="wish", recipient=CHAT)
        async with database.transaction() as tx:
            await cart.remember(tx, missing.value.wish, life=LIMITS.keep_photos)
            await cart.fund(tx, poor)
        assert await self._start(database, poor) is None
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.carts SET price_stars = price_stars"))
        rich = await self._give(database, poor)
        started = await self._start(database, poor)
        assert started is not None
        assert (await read_stars(database, poor))[0] == rich - PRICE
        assert (await read_rows(database, started.order_id)).lora["name"] == "Clay"

    async def _give(self, database: Database, user_id: str) -> int:
        from starbooth.domain.stars.ledger import credit_bonus

        async with database.transaction() as tx:
            moved = await credit_bonus(tx, user_id=user_id, amount=100, key="given", facts={})
        return moved.balance_stars

    async def _start(self, database: Database, user_id: str) -> PlacedOrder | None:
        async def place(tx: Any, wish: Wish) -> PlacedOrder:
            return await place_training_wish(tx, wish, limits=LIMITS)

        limits = Limits(active_orders=10, deadline=LIMITS.deadline)
        async with database.transaction() as tx:
            return await start_funded(tx, user_id=user_id, limits=limits, others={"training": place})
