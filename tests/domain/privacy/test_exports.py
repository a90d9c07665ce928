"""An export holds all that is kept of a guest and nothing of others; one at a time, and it goes in a day."""

import asyncio
import csv
import io
import json
import stat
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.privacy import exports
from starbooth.domain.privacy.export_folders import clear_leftovers, export_folder
from starbooth.domain.privacy.exports import EXPORTS, Export, ExportUnderWay, ask_export
from starbooth.domain.privacy.packing import build_next_export, pack
from starbooth.domain.privacy.telling import NAMES
from starbooth.domain.users.guests import Guest, find_guest
from starbooth.domain.users.pace import TooOften
from starbooth.outside.storage.contract import StorageUnavailable
from tests.make.belongings import ORDER, TELEGRAM_ID, WORD, give_everything
from tests.make.guests import make_guest
from tests.make.holdings import assert_storage_is_true
from tests.make.storage import MemoryStorage


async def keep_on() -> None:
    return


async def packed(database: Database, storage: MemoryStorage, path: Path, user_id: str) -> zipfile.ZipFile:
    await pack(database, storage, path / "export.zip", user_id=user_id, keep_on=keep_on)
    return zipfile.ZipFile(path / "export.zip")


def table(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(archive.read(f"{name}.json"))
    return rows


async def due(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.exports SET due_at = now()"))


async def ask(database: Database, guest: Guest, key: str) -> None:
    async with database.transaction() as tx:
        await ask_export(tx, guest=guest, key=key)


async def a_guest(database: Database) -> Guest:
    await make_guest(database, telegram_id=TELEGRAM_ID)
    async with database.transaction() as tx:
        guest = await find_guest(tx, telegram_id=TELEGRAM_ID)
    assert guest is not None
    return guest


class TestContents:
    async def test_everything_of_the_guest_is_in_it(self, database: Database, tmp_path: Path) -> None:
        storage = MemoryStorage()
        everything = await give_everything(database, storage)
        archive = await packed(database, storage, tmp_path, everything.guest.user_id)
        names = archive.namelist()
        empty = {"plans", "friends", "fees", "earnings"}
        assert {f"{name}.json" for name in NAMES if name not in empty} <= set(names)
        folders = [name.partition("/")[0] for name in names if "/" in name]
        assert {each: folders.count(each) for each in folders} == {
            "pictures": 3,
            "photos": 1,
            "photos of sets": 4,
            "models": 1,
        }
        assert table(archive, "account")[0]["telegram_id"] == str(TELEGRAM_ID)
        assert table(archive, "pictures")[0]["prompt"] == f"a {WORD}"
        assert sum(each["is_favourite"] for each in table(archive, "pictures")) == 1
        assert table(archive, "photos of sets")[0]["caption"] == "thing 1"
        assert table(archive, "consents")[0]["words"] == "You may train on these photos."
        assert table(archive, "messages to operators")[0]["text"] == WORD
        assert len(table(archive, "orders")) == 2

    async def test_the_ledger_is_a_table_too_and_adds_up(self, database: Database, tmp_path: Path) -> None:
        storage = MemoryStorage()
        everything = await give_everything(database, storage)
        archive = await packed(database, storage, tmp_path, everything.guest.user_id)
        rows = list(csv.DictReader(io.StringIO(archive.read("ledger.csv").decode())))
        assert len(rows) == len(table(archive, "ledger"))
        assert sum(int(row["stars"]) for row in rows) == table(archive, "account")[0]["stars"]

    async def test_nothing_of_others_is_in_it(self, database: Database, tmp_path: Path) -> None:
        storage = MemoryStorage()
        await give_everything(database, storage)
        stranger = await make_guest(database)
        archive = await packed(database, storage, tmp_path, stranger)
        assert archive.namelist() == ["account.json"]

    async def test_a_file_that_is_lost_is_named_and_keeps_nothing_up(
        self, database: Database, tmp_path: Path
    ) -> None:
        storage = MemoryStorage()
        everything = await give_everything(database, storage)
        del storage.files[f"pictures/{ORDER}/0.png"]
        archive = await packed(database, storage, tmp_path, everything.guest.user_id)
        missing = archive.read("missing.txt").decode().splitlines()
        assert len(missing) == 1
        assert missing[0].startswith("pictures/2026-03-01-")

    async def test_many_rows_come_page_by_page_and_all_of_them(
        self, database: Database, tmp_path: Path
    ) -> None:
        user_id = await make_guest(database)
        async with database.transaction() as tx:
            await tx.execute(
                text("""
                    INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type")
                    SELECT 'row' || n, :user_id, 1, 'BONUS' FROM generate_series(1, 1203) AS s (n)
                """),
                {"user_id": user_id},
            )
        archive = await packed(database, MemoryStorage(), tmp_path, user_id)
        assert len({row["row"] for row in table(archive, "ledger")}) == 1203


class TestOneAtATime:
    async def test_a_second_one_is_refused_while_the_first_is_made(self, database: Database) -> None:
        guest = await a_guest(database)
        await ask(database, guest, "one")
        with pytest.raises(ExportUnderWay):
            await ask(database, guest, "two")

    async def test_more_than_a_few_a_day_are_refused(self, database: Database) -> None:
        guest = await a_guest(database)
        storage = MemoryStorage()
        for number in range(EXPORTS.most):
            await ask(database, guest, str(number))
            assert await build_next_export(database, storage)
            await send(database)
        with pytest.raises(TooOften):
            await ask(database, guest, "more")


async def send(database: Database) -> Export:
    async with database.transaction() as tx:
        export = await exports.claim_export(tx, is_built=True)
        assert export is not None
        await exports.note_sent(tx, export)
    return export


class TestBuilding:
    async def test_it_lies_under_a_drawn_name_for_a_day_and_then_goes(self, database: Database) -> None:
        storage = MemoryStorage()
        await ask(database, await a_guest(database), "one")
        assert await build_next_export(database, storage)
        assert not await build_next_export(database, storage)
        (key,) = storage.files
        export = await send(database)
        assert export.key == key
        assert export.size_bytes == len(storage.files[key])
        await assert_storage_is_true(database, storage)
        async with database.transaction() as tx:
            assert await exports.end_old_exports(tx, limit=5) == 0
            await tx.execute(text("UPDATE starbooth.exports SET due_at = due_at - interval '1 day'"))
            assert await exports.end_old_exports(tx, limit=5) == 1
        await assert_storage_is_true(database, storage)
        assert storage.files == {}

    async def test_several_workers_build_one_of_them(self, database: Database) -> None:
        storage = MemoryStorage()
        await ask(database, await a_guest(database), "one")
        built = await asyncio.gather(*(build_next_export(database, storage) for _ in range(3)))
        assert sorted(built) == [False, False, True]
        await assert_storage_is_true(database, storage)

    async def test_who_lost_the_claim_leaves_no_file_behind(self, database: Database) -> None:
        class Slow(MemoryStorage):
            async def put_file(self, key: str, path: Path, content_type: str) -> None:
                await super().put_file(key, path, content_type)
                async with database.transaction() as tx:
                    await tx.execute(text("UPDATE starbooth.exports SET tries = tries + 1"))

        storage = Slow()
        await ask(database, await a_guest(database), "one")
        assert await build_next_export(database, storage)
        assert storage.files == {}

    async def test_while_storage_is_away_it_is_tried_again_and_given_up_at_last(
        self, database: Database
    ) -> None:
        storage = MemoryStorage()
        storage.next_puts.extend(StorageUnavailable("away") for _ in range(8))
        guest = await a_guest(database)
        await ask(database, guest, "one")
        for _ in range(8):
            assert await build_next_export(database, storage)
            assert not await build_next_export(database, storage)
            await due(database)
        assert not await build_next_export(database, storage)
        await ask(database, guest, "two")
        assert await build_next_export(database, storage)
        assert len(storage.files) == 1


class TestLeftovers:
    def test_what_a_killed_process_left_on_its_disk_is_cleared_away(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with export_folder() as folder:
            (folder / "export.zip").write_bytes(b"all of a guest")
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert clear_leftovers(at=datetime.now(UTC) + timedelta(hours=1)) == 0
            assert clear_leftovers(at=datetime.now(UTC) + timedelta(hours=3)) == 1
            assert not folder.exists()
            folder.mkdir()  # the block removes it
        (tmp_path / "of-others").mkdir()
        assert clear_leftovers(at=datetime.now(UTC) + timedelta(hours=3)) == 0
