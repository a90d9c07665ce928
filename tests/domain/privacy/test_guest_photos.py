"""Photos go in time, on demand and with the consent, and trainings of them are asked to stop."""

from datetime import timedelta

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.generations.photos import delete_old_photos
from starbooth.domain.privacy.guest_photos import (
    count_photos,
    delete_photos,
    forget_old_sets,
    withdraw_consents,
)
from starbooth.domain.trainings.photo_sets import SET_LIFE
from tests.make.belongings import Everything, give_everything
from tests.make.guests import make_guest
from tests.make.holdings import assert_storage_is_true
from tests.make.orders import read_order_row
from tests.make.storage import MemoryStorage


async def do(database: Database, statement: str, **values: object) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement), values)


async def ask(database: Database, statement: str) -> object:
    async with database.transaction() as tx:
        return await tx.scalar(text(statement))


async def forget(database: Database) -> int:
    return await forget_old_sets(database, life=SET_LIFE, limit=10)


async def grow_old(database: Database) -> None:
    await do(database, "UPDATE starbooth.photo_sets SET kept_until = now()")


async def end_training(database: Database, everything: Everything) -> None:
    await do(
        database,
        "UPDATE starbooth.orders SET state = 'failed', spent_stars = 0, check_at = NULL, ended_at = now()"
        " WHERE id = :id",
        id=everything.training_order_id,
    )


class TestInTime:
    async def test_photos_go_when_their_time_is_up_and_the_training_names_them_no_more(
        self, database: Database
    ) -> None:
        storage = MemoryStorage()
        everything = await give_everything(database, storage)
        await do(database, """UPDATE public."Training" SET "imageUrls" = '{https://booth.invalid/files/1}'""")
        await end_training(database, everything)
        assert await forget(database) == 0
        await grow_old(database)
        assert await forget(database) == 1
        assert await forget(database) == 0
        assert await ask(database, 'SELECT "imageUrls" FROM public."Training"') == []
        await assert_storage_is_true(database, storage)
        assert not [key for key in storage.files if key.startswith("training/")]

    async def test_not_while_a_training_needs_them(self, database: Database) -> None:
        everything = await give_everything(database, MemoryStorage())
        await grow_old(database)
        assert await forget(database) == 0
        await end_training(database, everything)
        assert await forget(database) == 1

    async def test_a_set_that_is_gathered_lives_as_long_as_the_operator_says(
        self, database: Database
    ) -> None:
        everything = await give_everything(database, MemoryStorage())
        await end_training(database, everything)
        await do(database, "UPDATE starbooth.photo_sets SET state = 'collecting', kept_until = now()")
        assert await forget_old_sets(database, life=SET_LIFE + timedelta(hours=1), limit=10) == 0
        await do(database, "UPDATE starbooth.photo_sets SET kept_until = now() + interval '6 days'")
        assert await forget(database) == 0
        assert await forget_old_sets(database, life=timedelta(days=1), limit=10) == 1

    async def test_a_set_that_was_doomed_goes_without_waiting(self, database: Database) -> None:
        everything = await give_everything(database, MemoryStorage())
        await end_training(database, everything)
        await do(database, "UPDATE starbooth.photo_sets SET state = 'doomed'")
        assert await forget(database) == 1
        assert await ask(database, "SELECT count(*) FROM starbooth.photo_sets") == 0


class TestOnDemand:
    async def test_all_photos_go_at_once_and_drafts_with_them(self, database: Database) -> None:
        storage = MemoryStorage()
        everything = await give_everything(database, storage)
        user_id = everything.guest.user_id
        async with database.transaction() as tx:
            assert (await count_photos(tx, user_id=user_id)).for_models == 4
            gone = await delete_photos(tx, user_id=user_id)
        assert (gone.photos, list(gone.stopped), gone.consents) == (5, [everything.training_order_id], 0)
        await delete_old_photos(database, storage, limit=10)
        await assert_storage_is_true(database, storage)
        assert not [key for key in storage.files if key.startswith(("photos/", "training/"))]
        async with database.transaction() as tx:
            again = await delete_photos(tx, user_id=user_id)
            kept = await count_photos(tx, user_id=user_id)
        assert (again.photos, list(again.stopped)) == (0, [])
        assert (kept.for_models, kept.for_pictures, kept.consents) == (0, 0, 1)

    async def test_those_of_others_stay(self, database: Database) -> None:
        storage = MemoryStorage()
        everything = await give_everything(database, storage)
        async with database.transaction() as tx:
            other = await make_guest(database)
            gone = await delete_photos(tx, user_id=other)
            kept = await count_photos(tx, user_id=everything.guest.user_id)
        assert gone.photos == 0
        assert (kept.for_models, kept.for_pictures) == (4, 1)


class TestWithdrawal:
    async def test_a_training_that_runs_is_asked_to_stop_and_fails_for_want_of_photos_at_worst(
        self, database: Database
    ) -> None:
        everything = await give_everything(database, MemoryStorage())
        await do(
            database,
            "UPDATE starbooth.orders SET state = 'running', started_at = now() WHERE id = :id",
            id=everything.training_order_id,
        )
        async with database.transaction() as tx:
            gone = await withdraw_consents(tx, user_id=everything.guest.user_id)
        assert list(gone.stopped) == [everything.training_order_id]
        assert await ask(database, "SELECT stop_asked_at IS NOT NULL FROM starbooth.training_orders")
        assert await forget(database) == 0  # the set's row stays until the training has ended
        assert await ask(database, "SELECT count(*) FROM starbooth.set_photos") == 0

    async def test_without_consent_the_photos_go_and_a_training_that_waits_is_cancelled(
        self, database: Database
    ) -> None:
        everything = await give_everything(database, MemoryStorage())
        user_id = everything.guest.user_id
        async with database.transaction() as tx:
            gone = await withdraw_consents(tx, user_id=user_id)
        assert (gone.consents, gone.photos, list(gone.stopped)) == (1, 5, [everything.training_order_id])
        assert (await read_order_row(database, everything.training_order_id)).state == "cancelled"
        assert await ask(database, "SELECT withdrawn_at IS NOT NULL FROM starbooth.consents")
        assert await ask(database, 'SELECT count(*) FROM public."LoraModel" WHERE "userId" <> \'\'') == 3
        async with database.transaction() as tx:
            again = await withdraw_consents(tx, user_id=user_id)
        assert (again.consents, again.photos) == (0, 0)
