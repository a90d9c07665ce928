"""A pack is one order at one price: paid for what came, a few pictures at a time, and in turn with others."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.crafts import all_crafts
from starbooth.domain.gallery.again import offer_again
from starbooth.domain.gallery.pictures import read_picture
from starbooth.domain.generations.cart import start_funded
from starbooth.domain.generations.errors import LoraNotFound, StarsMissing
from starbooth.domain.orders import cart, run
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.read import read_order
from starbooth.domain.orders.run import MOST_AT_ENGINES
from starbooth.domain.packs.errors import NoSuchPack
from starbooth.domain.packs.request import ask_for_pack, list_pack_models, price_of_pack
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.finish import cancel_waiting
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.sweep import sweep
from starbooth.domain.stars.ledger import credit_bonus
from starbooth.domain.users.guests import Language
from starbooth.outside.engine.contract import EngineRefused
from tests.make.audits import assert_accounts_are_true
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest, read_stars
from tests.make.loras import make_lora
from tests.make.orders import (
    let_pass,
    make_outside,
    place_pictures,
    read_order_row,
    read_pictures,
)
from tests.make.packs import EIGHT_STARS, LIMITS, place_pack
from tests.make.storage import MemoryStorage

STARS = 100
LONG = 70  # seconds: longer than any pause between two looks


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def outside(engine: MemoryEngine) -> Outside:
    return make_outside(engine, MemoryStorage())


@pytest.fixture
async def ada(database: Database) -> str:
    return await make_guest(database, stars=STARS)


@pytest.fixture
async def style(database: Database, ada: str) -> str:
    """A style of Ada's."""
    return await make_lora(database, ada, trigger_word="zwx")


async def look_again(database: Database, outside: Outside) -> None:
    await let_pass(database, LONG)
    await sweep(database, outside)


async def paint_all(database: Database, outside: Outside, engine: MemoryEngine, *, most: int = 60) -> None:
    """Finish whatever is bought until nothing more is."""
    finished = 0
    for _ in range(most):
        if finished == len(engine.purchases):
            break
        for number in range(finished, len(engine.purchases)):
            engine.finish(number)
        finished = len(engine.purchases)
        await look_again(database, outside)
        await look_again(database, outside)


class TestPrice:
    async def test_it_is_one_price_less_a_share_and_the_fee_of_another_is_paid_in_full(
        self, database: Database, ada: str, style: str
    ) -> None:
        bo = await make_guest(database, stars=STARS)
        public = await make_lora(database, bo, is_public=True, fee_stars=2)
        async with database.transaction() as tx:
            prices = []
            for lora_id in (style, public):
                asked = await ask_for_pack(tx, lora_id, "places", 8, user_id=ada, language=Language.ENGLISH)
                prices.append(await price_of_pack(tx, asked, user_id=ada, limits=LIMITS))
        assert prices == [EIGHT_STARS, EIGHT_STARS + 2 * (8 - 3)]  # the first three uses are free of it

    async def test_a_public_model_is_paid_for_by_the_pictures_that_came(
        self, database: Database, outside: Outside, engine: MemoryEngine, ada: str
    ) -> None:
        bo = await make_guest(database, stars=0)
        public = await make_lora(database, bo, is_public=True, fee_stars=2)
        await place_pack(database, ada, public, price_stars=29)
        await start_orders(database, outside)
        engine.refuse(0, EngineRefused("content_policy_violation"))
        await look_again(database, outside)
        for number in range(1, 8):
            engine.finish(number)
            await look_again(database, outside)
        assert (await read_stars(database, ada))[0] == STARS - (EIGHT_STARS * 7 // 8 + 2 * 4)
        await assert_accounts_are_true(database)


class TestOrder:
    async def test_each_picture_has_its_own_words_with_the_trigger_and_one_lora(
        self, database: Database, outside: Outside, engine: MemoryEngine, ada: str, style: str
    ) -> None:
        placed = await place_pack(database, ada, style)
        await start_orders(database, outside)
        await paint_all(database, outside, engine)
        prompts = [bought.order.prompt for bought in engine.purchases]
        assert len(prompts) == len(set(prompts)) == 8
        assert all(prompt.startswith("zwx, ") for prompt in prompts)
        assert {len(bought.order.loras) for bought in engine.purchases} == {1}
        pictures = await read_pictures(database, placed.order_id)
        assert sorted(each["prompt"] for each in pictures) == sorted(prompts)
        assert sum(each["starsUsed"] for each in pictures) == EIGHT_STARS
        assert await read_stars(database, ada) == (STARS - EIGHT_STARS, EIGHT_STARS, 0)
        await assert_accounts_are_true(database)

    async def test_the_same_key_orders_once(self, database: Database, ada: str, style: str) -> None:
        first = await place_pack(database, ada, style, request_key="pack")
        again = await place_pack(database, ada, style, request_key="pack")
        assert (first.order_id, again.is_repeat) == (again.order_id, True)
        assert (await read_stars(database, ada))[0] == STARS - EIGHT_STARS

    async def test_what_is_not_sold_or_not_theirs_is_refused_and_nothing_is_held(
        self, database: Database, ada: str, style: str
    ) -> None:
        bo = await make_guest(database, stars=STARS)
        for lora_id, pack, size, no in (
            (style, "profile", 8, NoSuchPack),
            (style, "places", 7, NoSuchPack),
            (await make_lora(database, bo), "places", 8, LoraNotFound),
            (await make_lora(database, ada, status="TRAINING"), "places", 8, LoraNotFound),
        ):
            with pytest.raises(no):
                await place_pack(database, ada, lora_id, pack=pack, size=size)
        assert await read_stars(database, ada) == (STARS, 0, 0)

    async def test_too_few_stars_are_told_with_the_whole_price(self, database: Database, style: str) -> None:
        poor = await make_guest(database, stars=18)
        mine = await make_lora(database, poor)
        with pytest.raises(StarsMissing) as refusal:
            await place_pack(database, poor, mine)
        assert refusal.value.price_stars == EIGHT_STARS

    async def test_what_waited_for_stars_starts_as_the_same_pack_at_the_price_shown(
        self, database: Database
    ) -> None:
        poor = await make_guest(database, stars=18)
        mine = await make_lora(database, poor, trigger_word="zwx")
        with pytest.raises(StarsMissing) as refusal:
            await place_pack(database, poor, mine)
        async with database.transaction() as tx:
            await cart.remember(tx, refusal.value.wish, life=timedelta(hours=1))
            await credit_bonus(tx, user_id=poor, amount=10, key="given", facts={})
            await cart.fund(tx, user_id=poor)
            placed = await start_funded(tx, user_id=poor, limits=replace(LIMITS, series_discount_percent=0))
        assert placed is not None
        assert placed.price_stars == EIGHT_STARS
        async with database.transaction() as tx:
            view = await read_order(tx, placed.order_id, slots=1)
        assert view is not None
        assert (view.parts, view.request["asked"]["series"]["name"]) == (8, "places")
        assert len(set(view.request["frozen"]["each_words"])) == 8

    async def test_again_in_the_gallery_is_this_one_picture_by_its_own_words(
        self, database: Database, outside: Outside, engine: MemoryEngine, ada: str, style: str
    ) -> None:
        placed = await place_pack(database, ada, style)
        await start_orders(database, outside)
        await paint_all(database, outside, engine)
        pictures = await read_pictures(database, placed.order_id)
        third = next(each["id"] for each in pictures if each["metadata"]["number"] == 2)
        async with database.transaction() as tx:
            offer = await offer_again(tx, await read_picture(tx, third, user_id=ada))
        assert (offer.asked.prompt, offer.price_stars) == ("zwx, a sailing boat on a calm lake", 3)
        assert (offer.asked.choices.count, offer.asked.series) == (1, None)

    async def test_own_models_come_first_and_unfinished_ones_not_at_all(
        self, database: Database, ada: str, style: str
    ) -> None:
        bo = await make_guest(database, stars=0)
        await make_lora(database, ada, status="TRAINING")
        await make_lora(database, bo)
        public = await make_lora(database, bo, is_public=True)
        async with database.transaction() as tx:
            found = await list_pack_models(tx, user_id=ada, limit=9)
        assert [each.lora_id for each in found] == [style, public]


class TestFairness:
    async def test_few_of_a_pack_are_at_engines_at_one_time(
        self, database: Database, outside: Outside, engine: MemoryEngine, ada: str, style: str
    ) -> None:
        await place_pack(database, ada, style)
        await start_orders(database, outside)
        assert len(engine.purchases) == MOST_AT_ENGINES == 4
        await look_again(database, outside)
        assert len(engine.purchases) == 4
        engine.finish(2)
        await look_again(database, outside)
        await look_again(database, outside)
        assert len(engine.purchases) == 5

    async def test_it_takes_one_slot_and_one_turn(
        self, database: Database, outside: Outside, engine: MemoryEngine, ada: str, style: str
    ) -> None:
        bo = await make_guest(database, stars=STARS)
        pack = await place_pack(database, ada, style, size=40, price_stars=96)
        quick = await place_pictures(database, bo)
        assert await start_orders(database, outside) == 2
        states = [(await read_order_row(database, each.order_id)).state for each in (pack, quick)]
        assert states == ["running", "running"]
        assert len(engine.purchases) == 5

    async def test_packs_have_half_of_the_slots_and_small_orders_the_others(self, database: Database) -> None:
        packs = []
        for _ in range(3):
            guest = await make_guest(database, stars=STARS)
            packs.append(await place_pack(database, guest, await make_lora(database, guest)))
        late = [await place_pictures(database, await make_guest(database, stars=STARS)) for _ in range(3)]
        started = await claim(database, slots=4)
        assert started == [each.order_id for each in (*packs[:2], *late[:2])]
        assert await claim(database, slots=4) == []
        assert await claim(database, slots=6) == [packs[2].order_id, late[2].order_id]

    async def test_a_pack_leaves_the_only_slot_to_others_as_well(self, database: Database) -> None:
        packs = []
        for _ in range(2):
            guest = await make_guest(database, stars=STARS)
            packs.append(await place_pack(database, guest, await make_lora(database, guest)))
        assert await claim(database, slots=1) == [packs[0].order_id]
        guest = await make_guest(database, stars=STARS)
        late = [await place_pictures(database, guest) for _ in range(2)]
        assert await claim(database, slots=1) == [late[0].order_id]
        assert await claim(database, slots=1) == []


async def claim(database: Database, *, slots: int) -> list[str]:
    """Start the next orders, oldest first."""
    async with database.transaction() as tx:
        started = {
            each.order_id for each in await run.claim_next(tx, slots=slots, check_in=timedelta(minutes=1))
        }
        rows = await tx.execute(text("SELECT id FROM starbooth.orders ORDER BY created_at, id"))
    return [order_id for (order_id,) in rows.all() if order_id in started]


class TestBadLuck:
    async def test_pictures_that_do_not_come_are_paid_back(
        self, database: Database, outside: Outside, engine: MemoryEngine, ada: str, style: str
    ) -> None:
        placed = await place_pack(database, ada, style)
        await start_orders(database, outside)
        for number in range(3):
            engine.refuse(number, EngineRefused("content_policy_violation"))
        await look_again(database, outside)
        await paint_all(database, outside, engine)
        row = await read_order_row(database, placed.order_id)
        assert (row.state, row.spent_stars) == ("done", EIGHT_STARS * 5 // 8)
        assert len(await read_pictures(database, placed.order_id)) == 5
        assert (await read_stars(database, ada))[0] == STARS - EIGHT_STARS * 5 // 8
        await assert_accounts_are_true(database)

    async def test_who_waits_can_call_it_off_and_has_everything_back(
        self, database: Database, ada: str, style: str
    ) -> None:
        placed = await place_pack(database, ada, style)
        async with database.transaction() as tx:
            await cancel_waiting(tx, order_id=placed.order_id, user_id=ada, crafts=all_crafts())
        assert await read_stars(database, ada) == (STARS, 0, 0)

    async def test_a_kill_in_the_middle_costs_nothing_and_buys_nothing_twice(
        self, database: Database, engine: MemoryEngine, ada: str, style: str
    ) -> None:
        storage = MemoryStorage()
        placed = await place_pack(database, ada, style)
        await start_orders(database, make_outside(engine, storage))
        engine.finish(0)
        engine.finish(1)
        await look_again(database, make_outside(engine, storage))
        for _ in range(12):  # each look by another process, as after a kill
            for number in range(len(engine.purchases)):
                engine.finish(number)
            await look_again(database, make_outside(engine, storage))
        async with database.transaction() as tx:
            view = await read_order(tx, placed.order_id, slots=1)
        assert view is not None
        assert (view.state, len(view.file_keys)) == (OrderState.DONE, 8)
        assert len(engine.purchases) == 8
        await assert_accounts_are_true(database)
