"""Storage against the database: what is a stray, what is lost, and what the sweep leaves alone."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from starbooth.base.database import Database, sql
from starbooth.domain.generations.asking import PhotoReference
from starbooth.domain.generations.photos import keep_photo
from starbooth.domain.privacy.holdings import Named
from starbooth.domain.privacy.strays import Survey, delete_strays, survey, sweep_storage
from tests.make.gallery import add_pictures
from tests.make.guests import make_guest
from tests.make.holdings import assert_storage_is_true, named_keys, tomorrow
from tests.make.storage import MemoryStorage

PICTURE, THUMBNAIL = f"pictures/c{0:024}/0.png", f"thumbnails/c{0:024}/0.jpg"
STRAY = "training/cset/cphoto.jpg"


@pytest.fixture
async def storage(database: Database) -> MemoryStorage:
    """One guest with one picture, whole."""
    storage = MemoryStorage()
    await add_pictures(database, await make_guest(database), ["a boat"])
    for key in (PICTURE, THUMBNAIL):
        await storage.put(key, b"picture", "image/png")
    return storage


async def look(database: Database, storage: MemoryStorage) -> Survey:
    return await survey(database, storage, at=tomorrow())


class TestSurvey:
    async def test_a_whole_booth_is_clean(self, database: Database, storage: MemoryStorage) -> None:
        found = await look(database, storage)
        assert found.is_clean
        assert (found.files, found.size_bytes) == (2, 14)
        await assert_storage_is_true(database, storage)

    async def test_an_old_file_that_nobody_names_is_a_stray_and_goes(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        await storage.put(STRAY, b"a face", "image/jpeg")
        found = await look(database, storage)
        assert [each.key for each in found.strays] == [STRAY]
        assert await delete_strays(database, storage, found.strays) == 1
        assert (await look(database, storage)).is_clean

    async def test_a_young_one_may_be_work_under_way(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        await storage.put(STRAY, b"a face", "image/jpeg")
        found = await survey(database, storage, at=datetime.now(UTC) + timedelta(hours=23))
        assert (found.strays, found.young) == ([], 1)

    async def test_a_file_that_is_missing_is_lost_and_named(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        del storage.files[PICTURE]
        found = await look(database, storage)
        assert found.lost == [Named(kind="picture", key=PICTURE)]
        assert not found.is_clean

    async def test_what_is_doomed_is_neither_stray_nor_lost(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        await storage.put(STRAY, b"a face", "image/jpeg")
        async with database.transaction() as tx:
            await tx.execute(
                sql("INSERT INTO starbooth.doomed_files (key) VALUES (:key), ('photos/long-gone.jpg')"),
                {"key": STRAY},
            )
        assert (await look(database, storage)).is_clean

    async def test_what_lies_in_folders_that_are_not_ours_is_let_be(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        await storage.put("backups/2026.dump", b"of somebody else", "application/octet-stream")
        found = await look(database, storage)
        assert (found.is_clean, found.foreign) == (True, 1)

    async def test_addresses_of_other_programs_name_no_file_of_ours(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        user_id = await make_guest(database)
        await add_pictures(
            database, user_id, ["a cat"], imageUrl="https://elsewhere.invalid/cat.png", metadata=None
        )
        assert (await look(database, storage)).is_clean

    async def test_strays_beyond_one_look_at_the_database_are_found_and_deleted_too(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        for number in range(1203):
            await storage.put(f"samples/c{number}.jpg", b"x", "image/jpeg")
        found = await look(database, storage)
        assert len(found.strays) == 1203
        assert found.is_strange
        assert await delete_strays(database, storage, found.strays) == 1203
        assert set(storage.files) == await named_keys(database)


class TestDeleting:
    async def test_what_got_a_name_since_the_survey_stays(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        key = "photos/cdraft.jpg"
        await storage.put(key, b"a face", "image/jpeg")
        found = await look(database, storage)
        user_id = await make_guest(database)
        async with database.transaction() as tx:
            await keep_photo(tx, PhotoReference(key=key, width_px=64, height_px=64), user_id=user_id)
        assert await delete_strays(database, storage, found.strays) == 0
        assert key in storage.files

    async def test_what_was_put_anew_since_the_survey_stays(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        await storage.put(STRAY, b"a face", "image/jpeg")
        found = await look(database, storage)
        await storage.put(STRAY, b"another face", "image/jpeg")
        assert await delete_strays(database, storage, found.strays) == 0
        assert await delete_strays(database, storage, found.strays) == 0
        assert STRAY in storage.files


class TestSweep:
    async def test_workers_do_it_once_a_day_among_them(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        await storage.put(STRAY, b"a face", "image/jpeg")
        sweeps = await asyncio.gather(*(sweep_storage(database, storage, at=tomorrow()) for _ in range(3)))
        assert sum(each is not None for each in sweeps) == 1
        assert STRAY not in storage.files
        assert await sweep_storage(database, storage, at=tomorrow()) is None
        await age_sweeps(database, hours=24)
        assert await sweep_storage(database, storage, at=tomorrow()) is not None

    async def test_one_that_was_killed_is_done_anew_after_an_hour(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        await sweep_storage(database, storage, at=tomorrow())
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.storage_sweeps SET ended_at = NULL"))
        assert await sweep_storage(database, storage, at=tomorrow()) is None
        await age_sweeps(database, hours=2)
        assert await sweep_storage(database, storage, at=tomorrow()) is not None

    async def test_before_a_strange_database_it_deletes_nothing(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        for number in range(101):
            await storage.put(f"pictures/cgone{number}/0.png", b"x", "image/png")
        found = await sweep_storage(database, storage, at=tomorrow())
        assert found is not None
        assert found.is_strange
        assert len(storage.files) == 103


async def age_sweeps(database: Database, *, hours: int) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            sql("UPDATE starbooth.storage_sweeps SET began_at = began_at - CAST(:age AS interval)"),
            {"age": timedelta(hours=hours)},
        )
