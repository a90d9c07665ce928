"""A training on an engine, from the zip that goes out to the LoRA that is kept, and every other end of it."""

import io
import json
import zipfile

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.read import read_order
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.keeping import keep
from starbooth.domain.running.run import collect
from starbooth.domain.running.sweep import end_overdue, stop_abandoned, sweep
from starbooth.domain.trainings.zips import take_back_zips
from starbooth.outside.engine.contract import (
    EngineRefused,
    EngineUnavailable,
)
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import read_stars
from tests.make.orders import let_pass, make_outside, place_pictures
from tests.make.training_scene import FUNDS, PRICE, Scene, open_scene
from tests.make.trainings import (
    as_safetensors,
    make_photo_set,
    make_sample,
    make_weights,
    place_training,
    read_rows,
)


class TestBuying:
    async def test_the_engine_gets_the_photos_and_their_captions(self, running: Scene) -> None:
        [bought] = running.engine.purchases
        assert bought.endpoint == "fal-ai/flux-lora-fast-training"
        wanted = bought.training
        assert (wanted.trigger_word, wanted.steps, wanted.is_style) == ("qyzo", 100, True)
        [(url, body, lifetime_s)] = running.engine.uploads
        assert wanted.images_url == url
        assert 6 * 3600 < lifetime_s < 8 * 3600
        with zipfile.ZipFile(io.BytesIO(body)) as material:
            assert material.testzip() is None
            names = [f"{number:02}.{kind}" for number in range(1, 5) for kind in ("jpg", "txt")]
            assert material.namelist() == names
            assert material.read("02.jpg") == b"photo 2"
            caption = material.read("02.txt").decode()
        assert "qyzo" in caption
        assert "thing 2" in caption

    async def test_a_portrait_goes_to_its_own_trainer(self, database: Database) -> None:
        scene = await open_scene(database, lora_type=LoraType.PORTRAIT)
        await start_orders(database, scene.outside)
        [bought] = scene.engine.purchases
        assert bought.endpoint == "fal-ai/flux-lora-portrait-trainer"
        assert (bought.training.is_style, bought.training.learning_rate) == (False, 0.00009)

    async def test_the_rows_are_at_work_and_name_the_photos(self, running: Scene) -> None:
        rows = await read_rows(running.database, running.order_id)
        assert (rows.lora["status"], rows.training["status"]) == ("TRAINING", "PROCESSING")
        assert len(rows.training["imageUrls"]) == 4
        assert rows.training["imageUrls"][0].startswith("https://booth.invalid/files/training/")

    async def test_photos_that_are_gone_give_everything_back(self, waiting: Scene) -> None:
        waiting.storage.files.clear()
        await start_orders(waiting.database, waiting.outside)
        view = await waiting.view()
        assert (view.state, view.error_code, view.spent_stars) == (OrderState.FAILED, "photos_gone", 0)
        assert await waiting.stars() == FUNDS
        assert waiting.engine.purchases == []

    async def test_a_try_that_failed_uses_the_zip_again(self, waiting: Scene) -> None:
        waiting.engine.next_submits.append(EngineUnavailable("http_503"))
        waiting.outside.router._names = ("memory",)  # nobody else could take it
        await start_orders(waiting.database, waiting.outside)
        await waiting.look(later=20)
        assert len(waiting.engine.purchases) + len(waiting.other.purchases) == 1
        assert len(waiting.engine.uploads) == 1

    async def test_a_training_holds_no_slot_of_pictures_nor_pictures_one_of_trainings(
        self, running: Scene
    ) -> None:
        narrow = make_outside(running.engine, running.storage, slots=1)
        await place_pictures(running.database, running.guest)
        assert await start_orders(running.database, narrow) == 1
        await place_pictures(running.database, running.guest)
        more = await make_photo_set(running.database, running.guest, running.storage)
        await place_training(running.database, running.guest, more)
        assert await start_orders(running.database, narrow) == 0  # one of each kind is at work
        running.engine.finish_training(0, make_weights())
        await let_pass(running.database, 2)
        await sweep(running.database, narrow)
        assert [each.endpoint for each in running.engine.purchases] == [
            "fal-ai/flux-lora-fast-training",
            "fal-ai/flux/dev",
            "fal-ai/flux-lora-fast-training",
        ]

    async def test_the_wait_of_pictures_is_not_that_of_trainings(self, running: Scene) -> None:
        running.engine.finish_training(0, make_weights())
        await let_pass(running.database, 3600)
        await sweep(running.database, running.outside)
        placed = await place_pictures(running.database, running.guest)
        async with running.database.transaction() as tx:
            view = await read_order(tx, placed.order_id, slots=1)
        assert view is not None
        assert (view.position, view.wait) == (1, None)


class TestProgress:
    async def test_steps_and_samples_are_seen_on_the_way(self, running: Scene) -> None:
        running.engine.train(0, 30, preview=make_sample())
        await running.look()
        first = await running.view()
        assert (first.step, first.steps, first.price_if_stopped) == (30, 100, 7)
        assert first.sample_key is not None
        assert first.sample_key.startswith(f"models/{first.lora_id}/sample-")
        assert running.storage.files[first.sample_key][:2] == b"\xff\xd8"
        running.engine.train(0, 60, preview=make_sample())
        await running.look()
        second = await running.view()
        assert second.sample_key != first.sample_key
        assert await running.tidy() == [second.sample_key]

    async def test_its_own_pace_tells_how_long_it_takes(self, running: Scene) -> None:
        running.engine.train(0, 25)
        await running.look(later=60)
        async with running.database.transaction() as tx:
            view = await read_order(tx, running.order_id, slots=1)
        assert view is not None
        assert view.progress == 0.25
        assert view.wait is not None
        assert 175 < view.wait.total_seconds() < 200  # three times the minute that it took so far

    async def test_a_sample_that_is_none_hurts_nothing(self, running: Scene) -> None:
        running.engine.train(0, 30, preview=b"<html>")
        await running.look()
        view = await running.view()
        assert (view.state, view.step, view.sample_key) == (OrderState.RUNNING, 30, None)

    async def test_bars_of_other_things_are_no_steps(self, running: Scene) -> None:
        running.engine.train(0, 3, steps=4)
        await running.look()
        assert (await running.view()).step == 0

    async def test_a_silent_engine_keeps_what_it_has_begun(self, running: Scene) -> None:
        running.engine.train(0, 30)
        for _ in range(20):
            running.engine.next_statuses.append(EngineUnavailable("unreachable"))
            await running.look(later=60)
        assert running.other.purchases == []
        assert len(running.engine.purchases) == 1
        running.engine.finish_training(0, make_weights())
        await running.look(later=600)
        assert (await running.view()).state is OrderState.DONE


class TestDone:
    async def test_the_lora_is_kept_and_paid(self, running: Scene) -> None:
        running.engine.train(0, 90, preview=make_sample())
        await running.look()
        config = {
            "images_data_url": "https://engine.invalid/uploads/0",
            "instance_prompt": "qyzo, clay",
            "learning_rate": 0.0005,
            "rank": 16,
        }
        running.engine.finish_training(0, make_weights(), config=json.dumps(config).encode())
        await running.look()
        view = await running.view()
        assert (view.state, view.step, view.spent_stars) == (OrderState.DONE, 100, PRICE)
        rows = await read_rows(running.database, running.order_id)
        assert (rows.lora["status"], rows.training["status"]) == ("COMPLETED", "COMPLETED")
        weights_key = f"models/{view.lora_id}/weights.safetensors"
        config_key = f"models/{view.lora_id}/config.json"
        assert rows.lora["weightsUrl"] == f"https://booth.invalid/files/{weights_key}"
        assert rows.lora["configUrl"] == f"https://booth.invalid/files/{config_key}"
        assert rows.lora["previewImageUrl"] == f"https://booth.invalid/files/{view.sample_key}"
        assert running.storage.files[weights_key] == make_weights()
        kept = json.loads(running.storage.files[config_key])
        assert kept == {"instance_prompt": "qyzo, clay", "learning_rate": 0.0005, "rank": 16}
        assert rows.training["instancePrompt"] == "qyzo, clay"
        assert (rows.training["learningRate"], rows.training["starsSpent"]) == (0.0005, PRICE)
        assert rows.training["error"] is None
        assert rows.training["completedAt"] is not None
        recipe = rows.training["metadata"]
        assert recipe["orderId"] == running.order_id
        assert (recipe["steps"], recipe["steps_ran"], recipe["rank"]) == (100, 100, 4)
        assert (recipe["engine"], recipe["photos"], recipe["lora_type"]) == ("memory", 4, "STYLE")
        assert await running.tidy() == sorted([config_key, str(view.sample_key), weights_key])
        assert (await running.lent(), len(running.engine.deleted_uploads)) == (0, 1)
        assert await read_stars(running.database, running.guest) == (FUNDS - PRICE, PRICE, 0)
        await assert_accounts_are_true(running.database)

    async def test_a_webhook_and_the_sweep_together_keep_it_once(self, running: Scene) -> None:
        result = running.engine.finish_training(0, make_weights())
        for _ in range(2):
            await collect(
                running.database, running.outside, order_id=running.order_id, number=0, result=result
            )
        await running.look()
        assert (await running.view()).state is OrderState.DONE
        assert await read_stars(running.database, running.guest) == (FUNDS - PRICE, PRICE, 0)

    async def test_the_photos_stay_for_a_week_from_the_end_on(self, running: Scene) -> None:
        running.engine.finish_training(0, make_weights())
        await running.look()
        async with running.database.transaction() as tx:
            days = await tx.scalar(
                text("SELECT extract(epoch FROM kept_until - now()) / 86400 FROM starbooth.photo_sets")
            )
        assert 6.9 < days <= 7.0
        assert (await running.view()).may_try_again

    @pytest.mark.parametrize(
        "weights", [b"\x80\x04pickled", b"<html>", make_weights()[:-9], as_safetensors({}, b"")]
    )
    async def test_what_is_no_lora_is_not_kept_and_costs_nothing(
        self, running: Scene, weights: bytes
    ) -> None:
        running.engine.finish_training(0, weights)
        await running.look()
        view = await running.view()
        assert (view.state, view.error_code, view.spent_stars) == (OrderState.FAILED, "broken_lora", 0)
        assert await running.tidy() == []
        assert await running.stars() == FUNDS
        assert running.other.purchases == []

    async def test_a_picture_is_no_lora(self, running: Scene) -> None:
        running.engine.finish(0)
        await running.look()
        view = await running.view()
        assert (view.state, view.error_code) == (OrderState.FAILED, "no_lora")
        assert await running.tidy() == []

    async def test_a_config_that_is_none_is_refused_and_none_at_all_is_fine(self, running: Scene) -> None:
        running.engine.finish_training(0, make_weights(), config=None)
        await running.look()
        view = await running.view()
        assert view.state is OrderState.DONE
        assert running.storage.files[f"models/{view.lora_id}/config.json"] == b"{}"


class TestFailed:
    async def test_everything_goes_back_and_the_reason_is_told(self, running: Scene) -> None:
        running.engine.train(0, 50, preview=make_sample())
        await running.look()
        running.engine.refuse(0, EngineRefused("invalid_input", "bad photos"))
        await running.look()
        view = await running.view()
        assert (view.state, view.error_code, view.spent_stars) == (OrderState.FAILED, "invalid_input", 0)
        assert (view.sample_key, view.may_try_again) == (None, True)
        rows = await read_rows(running.database, running.order_id)
        assert (rows.lora["status"], rows.training["status"]) == ("FAILED", "FAILED")
        assert (rows.training["error"], rows.training["starsSpent"]) == ("invalid_input", 0)
        assert await running.tidy() == []
        assert len(running.engine.deleted_uploads) == 1
        assert await read_stars(running.database, running.guest) == (FUNDS, 0, 0)

    async def test_an_accident_is_tried_again_with_the_same_photos(self, running: Scene) -> None:
        running.engine.break_down(0)
        await running.look()
        await running.look()
        bought = running.engine.purchases[1:] + running.other.purchases
        assert len(bought) == 1
        assert bought[0].request_key != running.engine.purchases[0].request_key

    async def test_the_deadline_ends_it_and_the_engine_is_told(self, running: Scene) -> None:
        running.engine.train(0, 50)
        await running.look()
        await let_pass(running.database, 6 * 3600)
        await end_overdue(running.database, running.outside)
        await stop_abandoned(running.database, running.outside)
        view = await running.view()
        assert (view.state, view.error_code, view.spent_stars) == (OrderState.FAILED, "deadline", 0)
        assert running.engine.cancelled == ["memory-0"]
        assert await running.stars() == FUNDS
        await running.tidy()
        assert await running.lent() == 0

    async def test_weights_that_come_after_the_end_are_not_kept(self, running: Scene) -> None:
        result = running.engine.finish_training(0, make_weights())
        async with running.database.transaction() as tx:
            [ticket] = await orders.read_tickets(tx, running.order_id)
        await let_pass(running.database, 6 * 3600)
        await end_overdue(running.database, running.outside)
        await keep(running.database, running.outside, running.engine, ticket, result)
        assert await running.tidy() == []
        assert await running.stars() == FUNDS

    async def test_an_engine_that_cannot_delete_lets_the_zip_expire(self, running: Scene) -> None:
        running.engine.can_stop_early = False
        running.engine.refuse(0, EngineRefused("invalid_input"))
        await running.look()
        assert await take_back_zips(running.database, running.outside) == 0
        async with running.database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.lent_zips SET expires_at = now()"))
        assert await take_back_zips(running.database, running.outside) == 1
        assert await running.lent() == 0
