"""One open set per guest; photos come once, keep their numbers, and their files go with them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.pictures.errors import PhotoFlaw
from starbooth.domain.trainings import gathering, photo_sets
from starbooth.domain.trainings.errors import NoSuchPhoto, NoSuchSet, OtherSetOpen, SetFull, SetTooHeavy
from starbooth.domain.trainings.gathering import NewPhoto
from starbooth.domain.trainings.photo_sets import PhotoSet, Refused, SetState
from tests.make.guests import make_guest
from tests.make.photos import make_looks


async def opened(database: Database, user_id: str) -> PhotoSet:
    async with database.transaction() as tx:
        return await photo_sets.open_set(tx, user_id=user_id, chat_id=7)


async def add(database: Database, photo_set: PhotoSet, *sources: str, size_bytes: int = 1000) -> list[bool]:
    added = []
    for source in sources:
        photo = NewPhoto(
            source=source,
            key=gathering.new_key(photo_set.set_id),
            width_px=1024,
            height_px=768,
            given_px=768,
            size_bytes=size_bytes,
            looks=make_looks(),
        )
        async with database.transaction() as tx:
            added.append(await gathering.add_photo(tx, photo_set, photo))
    return added


async def numbers(database: Database, photo_set: PhotoSet) -> list[int]:
    async with database.transaction() as tx:
        return [each.number for each in await photo_sets.read_set_photos(tx, photo_set.set_id)]


async def doomed(database: Database) -> set[str]:
    async with database.transaction() as tx:
        return set((await tx.execute(text("SELECT key FROM starbooth.doomed_files"))).scalars())


@pytest.fixture
async def ada(database: Database) -> str:
    return await make_guest(database)


class TestOpening:
    async def test_a_guest_has_one_open_set(self, database: Database, ada: str) -> None:
        first = await opened(database, ada)
        assert (await opened(database, ada)).set_id == first.set_id
        assert (await opened(database, await make_guest(database))).set_id != first.set_id

    async def test_what_is_chosen_is_kept(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        chosen = replace(
            photo_set,
            lora_type=LoraType.STYLE,
            name="Ink",
            trigger_word="zuvoqi",
            steps=400,
            learning_rate=0.0004,
            message_id=12,
        )
        async with database.transaction() as tx:
            await photo_sets.change_set(tx, chosen)
            kept = await photo_sets.read_set(tx, photo_set.set_id, user_id=ada)
        assert replace(kept, kept_until=chosen.kept_until) == chosen

    async def test_nobody_else_finds_it(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        bo = await make_guest(database)
        async with database.transaction() as tx:
            with pytest.raises(NoSuchSet):
                await photo_sets.read_set(tx, photo_set.set_id, user_id=bo)
            assert await photo_sets.doom_set(tx, photo_set.set_id, user_id=bo) == 0
            assert await photo_sets.find_open_set(tx, user_id=bo) is None

    async def test_it_is_kept_for_a_week(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        assert timedelta(days=6) < photo_set.kept_until - datetime.now(UTC) < timedelta(days=8)


class TestGathering:
    async def test_what_arrives_twice_is_kept_once(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        assert await add(database, photo_set, "tg:a", "tg:b", "tg:a") == [True, True, False]
        assert await numbers(database, photo_set) == [1, 2]

    async def test_a_number_stays_with_its_photo(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        await add(database, photo_set, "tg:a", "tg:b", "tg:c")
        async with database.transaction() as tx:
            second = (await photo_sets.read_set_photos(tx, photo_set.set_id))[1]
            for _ in range(2):  # a press that is handled twice
                await gathering.remove_photo(tx, photo_set.set_id, 2)
        await add(database, photo_set, "tg:d")
        assert await numbers(database, photo_set) == [1, 3, 4]
        assert await doomed(database) == {second.key}

    async def test_there_is_room_for_thirty(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        await add(database, photo_set, *(f"tg:{number}" for number in range(30)))
        with pytest.raises(SetFull):
            await add(database, photo_set, "tg:more")
        assert await add(database, photo_set, "tg:3") == [False]

    async def test_and_for_so_many_bytes(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        await add(database, photo_set, "tg:a", "tg:b", size_bytes=50 << 20)
        with pytest.raises(SetTooHeavy):
            await add(database, photo_set, "tg:c")

    async def test_a_caption_is_ours_until_the_guest_writes_one(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        await add(database, photo_set, "tg:a")
        async with database.transaction() as tx:
            await photo_sets.change_set(
                tx, replace(photo_set, lora_type=LoraType.PORTRAIT, trigger_word="zuvoqi")
            )
            (ours,) = await photo_sets.read_set_photos(tx, photo_set.set_id)
            await gathering.caption_photo(tx, photo_set.set_id, 1, "[trigger] at the sea")
            (theirs,) = await photo_sets.read_set_photos(tx, photo_set.set_id)
            with pytest.raises(NoSuchPhoto):
                await gathering.caption_photo(tx, photo_set.set_id, 2, "a boat")
        assert (ours.caption, ours.own_caption) == ("a photo of zuvoqi", "")
        assert theirs.caption == "zuvoqi at the sea"

    async def test_what_was_refused_is_remembered_once_and_not_without_end(
        self, database: Database, ada: str
    ) -> None:
        photo_set = await opened(database, ada)
        for number in [*range(60), *range(10)]:
            refused = Refused(source=f"tg:{number}", name="notes.txt", flaw=PhotoFlaw.NOT_A_PICTURE)
            async with database.transaction() as tx:
                photo_set = await photo_sets.read_set(tx, photo_set.set_id, user_id=ada)
                await gathering.refuse(tx, photo_set, refused)
        async with database.transaction() as tx:
            photo_set = await photo_sets.read_set(tx, photo_set.set_id, user_id=ada)
        assert len(photo_set.refused) == 40
        assert photo_set.refused[0].flaw is PhotoFlaw.NOT_A_PICTURE

    async def test_a_cut_stands_for_its_photo_and_the_whole_goes(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        await add(database, photo_set, "tg:a")
        async with database.transaction() as tx:
            (whole,) = await photo_sets.read_set_photos(tx, photo_set.set_id)
            size = {"width_px": 600, "height_px": 700}
            did = [
                await gathering.replace_by_cut(tx, photo_set.set_id, whole, key=key, **size)
                for key in ("training/cut.jpg", "training/again.jpg")
            ]
            (cut,) = await photo_sets.read_set_photos(tx, photo_set.set_id)
        assert (did, cut.key, cut.width_px, cut.is_cut) == ([True, False], "training/cut.jpg", 600, True)
        assert await doomed(database) == {whole.key}


class TestEnds:
    async def test_a_doomed_set_is_gone_with_its_files(self, database: Database, ada: str) -> None:
        photo_set = await opened(database, ada)
        await add(database, photo_set, "tg:a", "tg:b")
        async with database.transaction() as tx:
            assert await photo_sets.doom_set(tx, photo_set.set_id, user_id=ada) == 2
            assert await photo_sets.doom_set(tx, photo_set.set_id, user_id=ada) == 0
            with pytest.raises(NoSuchSet):
                await photo_sets.read_set(tx, photo_set.set_id, user_id=ada)
        assert len(await doomed(database)) == 2
        assert (await opened(database, ada)).set_id != photo_set.set_id

    async def test_an_ordered_set_makes_room_for_another_and_comes_back(
        self, database: Database, ada: str
    ) -> None:
        first = await opened(database, ada)
        await add(database, first, "tg:a")
        async with database.transaction() as tx:
            await photo_sets.change_set(tx, replace(first, state=SetState.ORDERED))
            with pytest.raises(NoSuchSet):
                await photo_sets.read_open_set(tx, first.set_id, user_id=ada)
        second = await opened(database, ada)
        async with database.transaction() as tx:
            again = await photo_sets.reopen_set(tx, first.set_id, user_id=ada)
            with pytest.raises(NoSuchSet):  # it had no photos, and made way
                await photo_sets.read_set(tx, second.set_id, user_id=ada)
        assert (again.set_id, again.state) == (first.set_id, SetState.COLLECTING)

    async def test_it_does_not_push_other_photos_aside(self, database: Database, ada: str) -> None:
        first = await opened(database, ada)
        async with database.transaction() as tx:
            await photo_sets.change_set(tx, replace(first, state=SetState.ORDERED))
        await add(database, await opened(database, ada), "tg:a")
        async with database.transaction() as tx:
            with pytest.raises(OtherSetOpen):
                await photo_sets.reopen_set(tx, first.set_id, user_id=ada)
