"""However an order ends, storage holds exactly what the database names: both are listed."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from starbooth.base.database import Database
from starbooth.domain.gallery.of_order import find_picture
from starbooth.domain.gallery.pictures import delete_picture
from starbooth.domain.gifts.before import Marks
from starbooth.domain.privacy.erasing import erase_accounts
from starbooth.domain.privacy.farewell import begin_farewell
from starbooth.domain.privacy.guest_photos import delete_photos, forget_old_sets
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.sweep import end_overdue, sweep
from starbooth.domain.trainings.photo_sets import SET_LIFE
from starbooth.domain.trainings.zips import take_back_zips
from starbooth.domain.users.guests import find_guest
from starbooth.outside.engine.contract import EngineRefused
from tests.domain.privacy.test_erasing import Telegram, due_again
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest
from tests.make.holdings import assert_storage_is_true, named_keys
from tests.make.orders import let_pass, make_outside, place_pictures
from tests.make.storage import MemoryStorage
from tests.make.training_scene import Scene, open_scene
from tests.make.trainings import make_sample, make_weights


async def is_done(scene: Scene) -> None:
    scene.engine.finish_training(0, make_weights())
    await scene.look()


async def is_broken(scene: Scene) -> None:
    scene.engine.finish_training(0, b"\x80\x04pickled")
    await scene.look()


async def is_refused(scene: Scene) -> None:
    scene.engine.refuse(0, EngineRefused("invalid_input"))
    await scene.look()


async def is_stopped(scene: Scene) -> None:
    await scene.stop()
    await scene.look(later=0)
    scene.engine.finish_training(0, make_weights(), steps_ran=31)
    await scene.look()


async def is_stopped_with_nothing(scene: Scene) -> None:
    await scene.stop()
    await scene.look(later=0)
    scene.engine.refuse(0, EngineRefused("cancelled"))
    await scene.look()


async def is_overdue(scene: Scene) -> None:
    await let_pass(scene.database, 6 * 3600)
    await end_overdue(scene.database, scene.outside)


async def loses_its_photos(scene: Scene) -> None:
    async with scene.database.transaction() as tx:
        await delete_photos(tx, user_id=scene.guest)
    scene.engine.finish_training(0, make_weights(), steps_ran=31)
    await scene.look()
    await forget_old_sets(scene.database, life=SET_LIFE, limit=10)


async def loses_its_guest(scene: Scene) -> None:
    async with scene.database.transaction() as tx:
        guest = await find_guest(tx, telegram_id=7)
        assert guest is not None
        await begin_farewell(tx, guest=guest, marks=Marks(b"a secret"), today=datetime.now(UTC).date())
    await end_overdue(scene.database, scene.outside)
    telegram = Telegram()
    for _ in range(2):
        await due_again(scene.database)
        await erase_accounts(scene.database, telegram, telegram.tell, limit=5)
    assert len(telegram.told) == 1


class TestTrainings:
    @pytest.mark.parametrize(
        ("ends", "kept"),
        [
            (is_done, 7),  # four photos, weights, config, and the sample as a preview
            (is_broken, 4),
            (is_refused, 4),
            (is_stopped, 7),
            (is_stopped_with_nothing, 4),
            (is_overdue, 4),
            (loses_its_photos, 3),
            (loses_its_guest, 0),
        ],
    )
    async def test_storage_holds_what_is_named_and_nothing_else(
        self, database: Database, ends: Callable[[Scene], Awaitable[None]], kept: int
    ) -> None:
        scene = await open_scene(database)
        await start_orders(database, scene.outside)
        for step in (10, 30):
            scene.engine.train(0, step, preview=make_sample())
            await scene.look()
        await ends(scene)
        await take_back_zips(database, scene.outside)
        await assert_storage_is_true(database, scene.storage)
        assert len(scene.storage.files) == kept

    async def test_one_that_was_cancelled_while_it_waited_leaves_its_photos_alone(
        self, database: Database
    ) -> None:
        scene = await open_scene(database)
        await scene.stop()
        await assert_storage_is_true(database, scene.storage)
        assert len(scene.storage.files) == 4


class TestPictures:
    @pytest.mark.parametrize("done", [0, 1, 2])
    async def test_what_came_is_there_and_nothing_of_what_did_not(
        self, database: Database, done: int
    ) -> None:
        engine, storage = MemoryEngine(), MemoryStorage()
        outside = make_outside(engine, storage)
        await place_pictures(database, await make_guest(database, stars=20), pictures=2)
        await start_orders(database, outside)
        for number in range(2):
            if number < done:
                engine.finish(number)
            else:
                engine.refuse(number, EngineRefused("content_policy_violation"))
        await let_pass(database, 2)
        await sweep(database, outside)
        await assert_storage_is_true(database, storage)
        assert len(storage.files) == 2 * done

    async def test_when_its_time_is_up_the_half_that_came_stays(self, database: Database) -> None:
        engine, storage = MemoryEngine(), MemoryStorage()
        outside = make_outside(engine, storage)
        await place_pictures(database, await make_guest(database, stars=20), pictures=2)
        await start_orders(database, outside)
        engine.finish(0)
        await let_pass(database, 2)
        await sweep(database, outside)
        await assert_storage_is_true(database, storage)  # it runs still, and its ticket names the picture
        assert len(await named_keys(database)) == 2
        await let_pass(database, 3600)
        await end_overdue(database, outside)
        await assert_storage_is_true(database, storage)
        assert len(storage.files) == 2

    async def test_a_deleted_picture_leaves_nothing(self, database: Database) -> None:
        engine, storage = MemoryEngine(), MemoryStorage()
        outside = make_outside(engine, storage)
        user_id = await make_guest(database, stars=20)
        placed = await place_pictures(database, user_id)
        await start_orders(database, outside)
        engine.finish(0)
        await let_pass(database, 2)
        await sweep(database, outside)
        async with database.transaction() as tx:
            picture_id = await find_picture(tx, placed.order_id, 0, user_id=user_id)
            await delete_picture(tx, picture_id, user_id=user_id)
        await assert_storage_is_true(database, storage)
        assert storage.files == {}
