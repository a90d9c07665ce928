"""What makers do with their models, and what they may not."""

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.ids import new_id
from starbooth.domain.models.cards import ModelCard, read_card
from starbooth.domain.models.errors import (
    FeeRefused,
    ModelHidden,
    ModelInTraining,
    ModelNameRefused,
    ModelReported,
    ModelUnfinished,
    NoSuchModel,
    PenNameRefused,
    PenNameTaken,
)
from starbooth.domain.models.makers import Maker, Shows, read_maker, show_maker, take_pen_name
from starbooth.domain.models.own import delete_model, publish_model, rename_model, set_fee, unpublish_model
from starbooth.domain.models.previews import list_candidates, set_preview
from starbooth.domain.models.reports import Reason, hide_model, keep_model, lift_model, report_model
from starbooth.domain.prompts.word_list import add_entry
from tests.make.guests import make_guest
from tests.make.loras import make_lora
from tests.make.orders import end_order, place_pictures, read_pictures
from tests.make.pictures import make_picture
from tests.make.storage import MemoryStorage


async def card_of(database: Database, lora: str, user_id: str) -> ModelCard:
    async with database.transaction() as tx:
        return await read_card(tx, lora, user_id=user_id)


async def publish(database: Database, lora: str, user_id: str) -> None:
    async with database.transaction() as tx:
        await publish_model(tx, lora, user_id=user_id)


async def doomed(database: Database) -> set[str]:
    async with database.transaction() as tx:
        return set((await tx.execute(text("SELECT key FROM starbooth.doomed_files"))).scalars())


async def add_training(database: Database, lora: str, user_id: str, *, state: str) -> str:
    """An order for the training of this model, with one photo kept; returns the key of the photo."""
    placed = await place_pictures(database, user_id)
    if state == "done":
        await end_order(database, placed.order_id, done=1)
    set_id, key = new_id(), f"training/{lora}/a.jpg"
    async with database.transaction() as tx:
        values = {"order": placed.order_id, "lora": lora, "set": set_id, "user": user_id, "key": key}
        for statement in (
            "UPDATE starbooth.orders SET kind = 'training' WHERE id = :order",
            """INSERT INTO public."Training" ("id", "loraId", "baseModelId", "userId", "instancePrompt",
                "starsSpent", "imageUrls") SELECT :set, "id", "baseModelId", "userId", 'x', 1, '{}'
                FROM public."LoraModel" WHERE "id" = :lora""",
            """INSERT INTO starbooth.photo_sets (id, user_id, state, chat_id, kept_until)
                VALUES (:set, :user, 'ordered', 1, now() + interval '1 day')""",
            """INSERT INTO starbooth.set_photos (set_id, number, source, key, width_px, height_px)
                VALUES (:set, 1, 'a', :key, 1, 1)""",
            """INSERT INTO starbooth.training_orders (order_id, training_id, lora_id, set_id, sample_key)
                VALUES (:order, :set, :lora, :set, 'samples/' || CAST(:lora AS text) || '.jpg')""",
        ):
            names = [name for name in values if f":{name}" in statement]
            await tx.execute(text(statement), {name: values[name] for name in names})
    return key


class TestName:
    async def test_a_model_is_called_as_its_maker_likes(self, database: Database) -> None:
        maker = await make_guest(database)
        lora = await make_lora(database, maker)
        async with database.transaction() as tx:
            assert await rename_model(tx, lora, "  Ada  at sea ", user_id=maker) == "Ada at sea"
        assert (await card_of(database, lora, maker)).name == "Ada at sea"

    @pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x00b", "rude thing"])
    async def test_no_name_that_is_none_or_against_the_rules(self, database: Database, name: str) -> None:
        maker = await make_guest(database)
        lora = await make_lora(database, maker, name="Ada")
        async with database.transaction() as tx:
            await add_entry(tx, typed="rude", note="", operator="command:test")
        with pytest.raises(ModelNameRefused):
            async with database.transaction() as tx:
                await rename_model(tx, lora, name, user_id=maker)
        assert (await card_of(database, lora, maker)).name == "Ada"

    async def test_nobody_else_finds_it(self, database: Database) -> None:
        lora = await make_lora(database, await make_guest(database), is_public=True)
        stranger = await make_guest(database)
        for work in (
            lambda tx: rename_model(tx, lora, "mine", user_id=stranger),
            lambda tx: set_fee(tx, lora, 0, user_id=stranger),
            lambda tx: publish_model(tx, lora, user_id=stranger),
            lambda tx: unpublish_model(tx, lora, user_id=stranger),
            lambda tx: delete_model(tx, lora, user_id=stranger),
        ):
            with pytest.raises(NoSuchModel):
                async with database.transaction() as tx:
                    await work(tx)


class TestPublish:
    async def test_a_finished_model_is_listed_and_taken_back(self, database: Database) -> None:
        maker, guest = await make_guest(database), await make_guest(database)
        lora = await make_lora(database, maker)
        with pytest.raises(NoSuchModel):
            await card_of(database, lora, guest)
        await publish(database, lora, maker)
        assert (await card_of(database, lora, guest)).is_listed
        async with database.transaction() as tx:
            await unpublish_model(tx, lora, user_id=maker)
        with pytest.raises(NoSuchModel):
            await card_of(database, lora, guest)

    async def test_not_while_it_is_unfinished(self, database: Database) -> None:
        maker = await make_guest(database)
        for status in ("PENDING", "TRAINING", "FAILED"):
            lora = await make_lora(database, maker, status=status)
            with pytest.raises(ModelUnfinished):
                await publish(database, lora, maker)

    async def test_not_while_a_report_waits_and_not_once_operators_hid_it(self, database: Database) -> None:
        maker, guest = await make_guest(database), await make_guest(database)
        lora = await make_lora(database, maker, is_public=True)
        async with database.transaction() as tx:
            await report_model(tx, lora, Reason.STOLEN, user_id=guest)
            await unpublish_model(tx, lora, user_id=maker)
        with pytest.raises(ModelReported):
            await publish(database, lora, maker)
        async with database.transaction() as tx:
            await keep_model(tx, lora, operator="command:test")
        await publish(database, lora, maker)
        async with database.transaction() as tx:
            assert await hide_model(tx, lora, reason="stolen", operator="command:test")
        with pytest.raises(ModelHidden):
            await publish(database, lora, maker)
        async with database.transaction() as tx:
            assert await lift_model(tx, lora, operator="command:test")
        await publish(database, lora, maker)

    async def test_a_hidden_model_stays_out_whatever_another_program_writes(self, database: Database) -> None:
        maker, guest = await make_guest(database), await make_guest(database)
        lora = await make_lora(database, maker, is_public=True)
        async with database.transaction() as tx:
            await hide_model(tx, lora, reason="stolen", operator="command:test")
            await tx.execute(text('UPDATE public."LoraModel" SET "isPublic" = true'))
        with pytest.raises(NoSuchModel):
            await card_of(database, lora, guest)

    @pytest.mark.parametrize("fee", [-1, 101])
    async def test_a_fee_has_its_range(self, database: Database, fee: int) -> None:
        maker = await make_guest(database)
        lora = await make_lora(database, maker)
        with pytest.raises(FeeRefused):
            async with database.transaction() as tx:
                await set_fee(tx, lora, fee, user_id=maker)
        async with database.transaction() as tx:
            await set_fee(tx, lora, 100, user_id=maker)
        assert (await card_of(database, lora, maker)).fee_stars == 100


class TestDelete:
    async def test_weights_and_photos_go_and_pictures_keep_their_history(self, database: Database) -> None:
        maker = await make_guest(database, stars=50)
        lora = await make_lora(database, maker, name="Ada")
        photo = await add_training(database, lora, maker, state="done")
        placed = await place_pictures(database, maker, loras=[lora])
        await end_order(database, placed.order_id, done=1)
        async with database.transaction() as tx:
            await delete_model(tx, lora, user_id=maker)
        assert await doomed(database) == {f"loras/{lora}", photo, f"samples/{lora}.jpg"}
        (picture,) = await read_pictures(database, placed.order_id)
        assert picture["loraId"] is None
        assert picture["metadata"]["loras"][0]["name"] == "Ada"
        async with database.transaction() as tx:
            left = await tx.scalar(text('SELECT count(*) FROM public."Training"'))
            sample = await tx.scalar(text("SELECT sample_key FROM starbooth.training_orders"))
        assert (left, sample) == (0, None)
        with pytest.raises(NoSuchModel):
            async with database.transaction() as tx:
                await delete_model(tx, lora, user_id=maker)

    async def test_not_while_it_is_trained(self, database: Database) -> None:
        maker = await make_guest(database, stars=50)
        lora = await make_lora(database, maker, status="TRAINING")
        await add_training(database, lora, maker, state="held")
        with pytest.raises(ModelInTraining):
            async with database.transaction() as tx:
                await delete_model(tx, lora, user_id=maker)
        assert await doomed(database) == set()


class TestMaker:
    async def test_nothing_is_shown_of_who_has_not_chosen(self, database: Database) -> None:
        maker, guest = await make_guest(database, username="ada"), await make_guest(database)
        lora = await make_lora(database, maker, is_public=True)
        assert (await card_of(database, lora, guest)).maker_name is None
        async with database.transaction() as tx:
            await show_maker(tx, Shows.USERNAME, user_id=maker)
        assert (await card_of(database, lora, guest)).maker_name == "@ada"
        async with database.transaction() as tx:
            assert await take_pen_name(tx, " Ada  L. ", user_id=maker) == "Ada L."
        assert (await card_of(database, lora, guest)).maker_name == "Ada L."
        async with database.transaction() as tx:
            await show_maker(tx, Shows.NOTHING, user_id=maker)
            found = await read_maker(tx, user_id=maker)
        assert found == Maker(shows=Shows.NOTHING, pen_name="Ada L.", username="ada")

    @pytest.mark.parametrize("name", ["x", "@ada", "a" * 31, "ada\nlovelace<b>", "rude ada", "- -"])
    async def test_a_pen_name_is_a_name(self, database: Database, name: str) -> None:
        maker = await make_guest(database)
        async with database.transaction() as tx:
            await add_entry(tx, typed="rude", note="", operator="command:test")
        with pytest.raises(PenNameRefused):
            async with database.transaction() as tx:
                await take_pen_name(tx, name, user_id=maker)

    async def test_nobody_takes_the_name_of_another(self, database: Database) -> None:
        ada, bo = await make_guest(database, username="ada"), await make_guest(database)
        async with database.transaction() as tx:
            await take_pen_name(tx, "Queen", user_id=ada)
            await take_pen_name(tx, "queen", user_id=ada)
        for name in ("QUEEN", "Ada"):
            with pytest.raises(PenNameTaken):
                async with database.transaction() as tx:
                    await take_pen_name(tx, name, user_id=bo)


class TestPreview:
    async def test_a_picture_becomes_a_copy_that_outlives_it(self, database: Database) -> None:
        maker = await make_guest(database, stars=50)
        lora = await make_lora(database, maker)
        storage = MemoryStorage()
        placed = await place_pictures(database, maker, pictures=2, loras=[lora])
        await end_order(database, placed.order_id, done=2)
        for key in ("0.png", "1.png"):
            await storage.put(key, make_picture(), "image/png")
        previews = []
        for _ in range(2):
            async with database.transaction() as tx:
                candidates = await list_candidates(tx, lora, user_id=maker, limit=9)
            assert {each.file_key for each in candidates} == {"0.png", "1.png"}
            await set_preview(
                database, storage, lora, candidates[0], public_url="https://booth.invalid", user_id=maker
            )
            previews.append((await card_of(database, lora, maker)).preview_key)
        first, second = previews
        assert first != second
        assert await doomed(database) == {first}
        assert second is not None
        assert await storage.size(second) > 0

    async def test_others_cannot_set_it_and_leave_no_stray(self, database: Database) -> None:
        maker = await make_guest(database, stars=50)
        lora = await make_lora(database, maker, is_public=True)
        storage = MemoryStorage()
        stranger = await make_guest(database, stars=50)
        placed = await place_pictures(database, stranger, loras=[lora])
        await end_order(database, placed.order_id, done=1)
        await storage.put("0.png", make_picture(), "image/png")
        async with database.transaction() as tx:
            assert await list_candidates(tx, lora, user_id=maker, limit=9) == []
            (mine,) = await list_candidates(tx, lora, user_id=stranger, limit=9)
        with pytest.raises(NoSuchModel):
            await set_preview(
                database, storage, lora, mine, public_url="https://booth.invalid", user_id=stranger
            )
        stray = {key async for key in storage.list("models")}
        assert stray <= await doomed(database)
