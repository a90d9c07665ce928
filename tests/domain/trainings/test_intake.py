"""Whatever a guest sends ends as a photo of the set or as a reason, and no file is left without a photo."""

import asyncio
from collections.abc import Sequence

import pytest
from PIL import Image
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.pictures.errors import PhotoFlaw
from starbooth.domain.pictures.faces import can_find_faces
from starbooth.domain.trainings import intake, photo_sets
from starbooth.domain.trainings.cutting import cut_photos
from starbooth.domain.trainings.errors import NoSuchSet
from starbooth.domain.trainings.intake import Intake, Sent
from starbooth.domain.trainings.photo_sets import PhotoSet, SetPhoto, SetState
from starbooth.outside.storage.contract import StorageUnavailable
from tests.make.guests import make_guest
from tests.make.photos import as_bytes, draw_person, draw_thing, zip_of
from tests.make.storage import MemoryStorage


class Table:
    """A guest with an open set."""

    def __init__(self, database: Database, storage: MemoryStorage, photo_set: PhotoSet) -> None:
        self.database, self.storage, self.photo_set = database, storage, photo_set
        self.intake = Intake(database, storage, set_id=photo_set.set_id, user_id=photo_set.user_id)

    async def photos(self) -> list[SetPhoto]:
        async with self.database.transaction() as tx:
            return await photo_sets.read_set_photos(tx, self.photo_set.set_id)

    async def refused(self) -> Sequence[tuple[str, PhotoFlaw | None, int]]:
        async with self.database.transaction() as tx:
            now = await photo_sets.read_set(tx, self.photo_set.set_id, user_id=self.photo_set.user_id)
        return sorted((each.name, each.flaw, each.limit) for each in now.refused)

    async def choose(self, *, state: str = "collecting", lora_type: str = "PORTRAIT") -> None:
        async with self.database.transaction() as tx:
            await tx.execute(
                text(
                    "UPDATE starbooth.photo_sets SET state = :state,"
                    ' lora_type = CAST(:type AS public."LoraType")'
                ),
                {"state": state, "type": lora_type},
            )

    async def stray_files(self) -> set[str]:
        """Files that neither a photo names nor the list of those that go."""
        return set(self.storage.files) - {each.key for each in await self.photos()} - await self.doomed()

    async def doomed(self) -> set[str]:
        """Files that go."""
        async with self.database.transaction() as tx:
            return set((await tx.execute(text("SELECT key FROM starbooth.doomed_files"))).scalars())


@pytest.fixture
async def table(database: Database) -> Table:
    user_id = await make_guest(database)
    async with database.transaction() as tx:
        photo_set = await photo_sets.open_set(tx, user_id=user_id, chat_id=7)
    return Table(database, MemoryStorage(), photo_set)


class TestPhotos:
    async def test_a_photo_is_stored_plain_under_a_name_of_ours(self, table: Table) -> None:
        exif = Image.Exif()
        exif[0x010F] = "Maker"
        await table.intake.take(Sent(source="tg:a", name="me.jpg"), as_bytes(draw_thing(1), exif=exif))
        (photo,) = await table.photos()
        assert photo.key.startswith(f"training/{table.photo_set.set_id}/c")
        assert (photo.width_px, photo.height_px, photo.given_px) == (640, 512, 512)
        assert b"Maker" not in table.storage.files[photo.key]

    async def test_handled_twice_it_is_one(self, table: Table) -> None:
        sent, body = Sent(source="tg:a"), as_bytes(draw_thing(1))
        await asyncio.gather(table.intake.take(sent, body), table.intake.take(sent, body))
        (photo,) = await table.photos()
        assert await table.stray_files() == set()
        assert await table.intake.wants(sent) is False
        assert photo.key not in await table.doomed()

    @pytest.mark.parametrize(
        ("body", "flaw"),
        [
            (b"Dear diary", PhotoFlaw.NOT_A_PICTURE),
            (as_bytes(draw_thing(1))[:2000], PhotoFlaw.NOT_A_PICTURE),
            (as_bytes(draw_thing(1), "GIF"), PhotoFlaw.MOVING),
            (as_bytes(Image.new("L", (30_000, 900)), "PNG"), PhotoFlaw.TOO_MANY_PIXELS),
            (as_bytes(draw_thing(1, width_px=200)), PhotoFlaw.TOO_SMALL),
        ],
    )
    async def test_what_is_no_photo_is_named_with_the_reason(
        self, table: Table, body: bytes, flaw: PhotoFlaw
    ) -> None:
        await table.intake.take(Sent(source="tg:a", name="me.jpg"), body)
        assert (await table.photos(), [each[:2] for each in await table.refused()]) == (
            [],
            [("me.jpg", flaw)],
        )
        assert table.storage.files == {}

    @pytest.mark.parametrize(
        ("kind", "mode"), [("PNG", "RGBA"), ("WEBP", "RGB"), ("JPEG", "CMYK"), ("PNG", "P")]
    )
    async def test_every_kind_is_taken(self, table: Table, kind: str, mode: str) -> None:
        await table.intake.take(Sent(source="tg:a"), as_bytes(draw_thing(1).convert(mode), kind))
        assert len(await table.photos()) == 1

    async def test_the_thirty_first_is_not_even_fetched(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(intake, "LONGEST_TURN_S", 3600.0)
        body = as_bytes(draw_thing(1, width_px=256, height_px=256))
        await table.intake.take(
            Sent(source="zip", name="all.zip"), zip_of([(f"{n}.jpg", body) for n in range(400)])
        )
        assert len(await table.photos()) == 30
        assert await table.intake.wants(Sent(source="tg:more", name="more.jpg")) is False
        assert await table.refused() == [("all.zip", None, 370), ("more.jpg", None, 1)]
        assert await table.stray_files() == set()

    async def test_a_kill_before_the_photo_is_named_leaves_a_file_that_goes(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        async def die(*_: object) -> bool:
            raise Killed

        monkeypatch.setattr(intake.Intake, "_enter", die)
        with pytest.raises(Killed):
            await table.intake.take(Sent(source="tg:a"), as_bytes(draw_thing(1)))
        assert (len(table.storage.files), await table.photos()) == (1, [])
        assert await table.stray_files() == set()

    async def test_a_storage_that_is_away_leaves_nothing_behind(self, table: Table) -> None:
        table.storage.next_puts.append(StorageUnavailable("full"))
        with pytest.raises(StorageUnavailable):
            await table.intake.take(Sent(source="tg:a"), as_bytes(draw_thing(1)))
        assert await table.photos() == []
        await table.intake.take(Sent(source="tg:a"), as_bytes(draw_thing(1)))
        assert len(await table.photos()) == 1

    async def test_a_set_that_was_ordered_meanwhile_takes_nothing(self, table: Table) -> None:
        await table.choose(state=SetState.ORDERED.value)
        with pytest.raises(NoSuchSet):
            await table.intake.take(Sent(source="tg:a"), as_bytes(draw_thing(1)))
        assert (await table.photos(), await table.stray_files()) == ([], set())


class TestZips:
    async def test_it_gives_its_photos_and_names_the_rest(self, table: Table) -> None:
        files = [
            ("one.jpg", as_bytes(draw_thing(1))),
            ("notes.jpg", b"Dear diary"),
            ("../two.png", as_bytes(draw_thing(2), "PNG")),
            ("more.zip", zip_of([("three.jpg", as_bytes(draw_thing(3)))])),
        ]
        await table.intake.take(Sent(source="tg:zip", name="all.zip"), zip_of(files))
        assert [each.number for each in await table.photos()] == [1, 2]
        assert await table.refused() == [
            ("more.zip", PhotoFlaw.ZIP_IN_A_ZIP, 0),
            ("notes.jpg", PhotoFlaw.NOT_A_PICTURE, 0),
        ]

    async def test_taken_in_once_more_it_adds_nothing(self, table: Table) -> None:
        body = zip_of([(f"{n}.jpg", as_bytes(draw_thing(n))) for n in range(3)])
        for _ in range(2):
            await table.intake.take(Sent(source="tg:zip"), body)
        assert len(await table.photos()) == 3

    async def test_a_large_one_is_taken_in_several_turns(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(intake, "LONGEST_TURN_S", 0.0)
        body = zip_of([(f"{n}.jpg", as_bytes(draw_thing(n))) for n in range(3)])
        for photos in (1, 2):
            with pytest.raises(Unavailable):
                await table.intake.take(Sent(source="tg:zip"), body)
            assert len(await table.photos()) == photos
        await table.intake.take(Sent(source="tg:zip"), body)
        assert len(await table.photos()) == 3

    async def test_one_that_is_broken_is_named(self, table: Table) -> None:
        await table.intake.take(Sent(source="tg:zip", name="all.zip"), b"PK\x03\x04 and nothing more")
        assert await table.refused() == [("all.zip", PhotoFlaw.NOT_A_ZIP, 0)]


@pytest.mark.skipif(not can_find_faces(), reason="no detector of faces for this machine")
class TestCutting:
    async def test_small_people_are_cut_out_once_and_the_wholes_go(self, table: Table) -> None:
        far = draw_person(width_px=2000, height_px=1500, faces=[(0.3, 0.4, 0.12)])
        await table.intake.take(Sent(source="tg:a"), as_bytes(far))
        await table.intake.take(Sent(source="tg:b"), as_bytes(draw_thing(1)))
        await table.choose()
        for _ in range(2):
            await cut_photos(
                table.database, table.storage, table.photo_set.set_id, user_id=table.photo_set.user_id
            )
        cut, whole = await table.photos()
        assert (cut.is_cut, whole.is_cut) == (True, False)
        assert cut.width_px < 1200
        assert await table.stray_files() == set()
        assert len(table.storage.files) == 3  # the whole is only deleted by the timer
