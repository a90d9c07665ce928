"""One picture: its recipe, its mark, its end; and that nobody else's can be touched."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections import deque
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.gallery.again import offer_again, read_again
from starbooth.domain.gallery.errors import NoSuchPicture
from starbooth.domain.gallery.pictures import (
    KeptPicture,
    UsedLora,
    delete_doomed_files,
    delete_picture,
    mark_favourite,
    read_picture,
    unmark_favourite,
)
from starbooth.domain.generations.choices import Choices, LoraChoice, Shape
from starbooth.outside.storage.contract import StorageUnavailable
from tests.make.gallery import add_pictures
from tests.make.guests import make_guest, read_stars
from tests.make.orders import place_pictures, read_order_row
from tests.make.storage import MemoryStorage

ACTIONS = [read_picture, mark_favourite, unmark_favourite, delete_picture]


async def read(database: Database, picture_id: str, user_id: str) -> KeptPicture:
    async with database.transaction() as tx:
        return await read_picture(tx, picture_id, user_id=user_id)


async def delete(database: Database, picture_id: str, user_id: str) -> None:
    async with database.transaction() as tx:
        await delete_picture(tx, picture_id, user_id=user_id)


async def doomed(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return list((await tx.execute(text("SELECT key FROM starbooth.doomed_files ORDER BY key"))).scalars())


async def count(database: Database, table: str) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def due_now(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.doomed_files SET due_at = now()"))


class TestReadPicture:
    async def test_it_tells_everything_that_was_noted(self, database: Database) -> None:
        ada = await make_guest(database)
        metadata = {
            "orderId": "c" + "1" * 24,
            "number": 2,
            "fileKey": "pictures/a/2.png",
            "model_name": "Flux",
            "steps": 28,
            "guidance": 3.5,
            "strength": 0.8,
            "words": "TOK, a boat",
            "hasPhoto": True,
            "width_px": 1024,
            "height_px": 768,
            "loras": [
                {"lora_id": "c1", "name": "Me", "weight": 0.7},
                {"lora_id": "c2", "name": "Oil", "weight": 1},
            ],
        }
        (picture,) = await add_pictures(
            database, ada, ["a boat"], metadata=metadata, negativePrompt="rain", seed=2**63 - 1
        )
        recipe = await read(database, picture, ada)
        assert (recipe.prompt, recipe.words, recipe.negative) == ("a boat", "TOK, a boat", "rain")
        assert (recipe.seed, recipe.stars, recipe.size_px) == (2**63 - 1, 3, (1024, 768))
        assert (recipe.steps, recipe.guidance, recipe.strength, recipe.has_photo) == (28, 3.5, 0.8, True)
        assert recipe.loras == (
            UsedLora(name="Me", weight=0.7, lora_id="c1"),
            UsedLora(name="Oil", weight=1.0, lora_id="c2"),
        )
        assert (recipe.order_id, recipe.number, recipe.file_key) == ("c" + "1" * 24, 2, "pictures/a/2.png")

    @pytest.mark.parametrize(
        "metadata",
        [
            None,
            {},
            {"loras": "none", "steps": "many", "number": [1], "orderId": 5, "guidance": True, "words": ""},
            {"loras": [5, {"name": "x"}, {"weight": 1}], "width_px": -1, "fileKey": "../../etc/passwd"},
        ],
    )
    async def test_a_row_of_another_program_is_read_as_far_as_it_goes(
        self, database: Database, metadata: dict[str, Any] | None
    ) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(
            database, ada, ["a boat"], metadata=metadata, imageUrl="https://elsewhere.invalid/1.png"
        )
        recipe = await read(database, picture, ada)
        assert (recipe.prompt, recipe.model_name, recipe.loras) == ("a boat", "Flux", ())
        assert (recipe.file_key, recipe.order_id, recipe.steps) == (None, None, None)

    async def test_a_picture_is_found_by_its_address_where_nothing_else_is_noted(
        self, database: Database
    ) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(
            database, ada, ["a boat"], metadata=None, imageUrl="https://booth.invalid/files/pictures/x/1.webp"
        )
        assert (await read(database, picture, ada)).file_key == "pictures/x/1.webp"

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_nobody_reaches_anothers_picture(self, database: Database, action: Any) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        with pytest.raises(NoSuchPicture):
            async with database.transaction() as tx:
                await action(tx, picture, user_id=bo)
        assert not (await read(database, picture, ada)).is_favourite
        assert await doomed(database) == []


class TestFavourites:
    async def test_marking_and_unmarking_twice_is_once(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        for action, is_marked in [(mark_favourite, True), (unmark_favourite, False)]:
            for _ in range(2):
                async with database.transaction() as tx:
                    await action(tx, picture, user_id=ada)
            assert (await read(database, picture, ada)).is_favourite is is_marked

    async def test_a_mark_goes_with_its_picture(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        async with database.transaction() as tx:
            await mark_favourite(tx, picture, user_id=ada)
        await delete(database, picture, ada)
        assert await count(database, "starbooth.favourites") == 0

    async def test_marking_what_is_being_deleted_waits_and_finds_it_gone(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])

        async def mark() -> None:
            async with database.transaction() as tx:
                await mark_favourite(tx, picture, user_id=ada)

        async with database.transaction() as tx:
            await delete_picture(tx, picture, user_id=ada)
            marking = asyncio.create_task(mark())
            await asyncio.sleep(0.1)
        with pytest.raises(NoSuchPicture):
            await marking


class TestDeletePicture:
    async def test_row_and_files_go_and_order_and_stars_stay(self, database: Database) -> None:
        ada = await make_guest(database, stars=10)
        placed = await place_pictures(database, ada)
        stars, order = await read_stars(database, ada), await read_order_row(database, placed.order_id)
        ledger = await count(database, 'public."StarTransaction"')
        metadata = {"orderId": placed.order_id, "number": 0, "fileKey": f"pictures/{placed.order_id}/0.png"}
        (picture,) = await add_pictures(database, ada, ["a boat"], metadata=metadata)
        storage = MemoryStorage()
        for folder, name in [("pictures", "0.png"), ("thumbnails", "0.jpg"), ("pictures", "1.png")]:
            await storage.put(f"{folder}/{placed.order_id}/{name}", b"...", "image/png")
        await delete(database, picture, ada)
        assert await doomed(database) == [metadata["fileKey"], f"thumbnails/{placed.order_id}/0.jpg"]
        assert await delete_doomed_files(database, storage, limit=10) == 2
        assert list(storage.files) == [f"pictures/{placed.order_id}/1.png"]
        assert await doomed(database) == []
        assert await count(database, 'public."Generation"') == 0
        assert await read_stars(database, ada) == stars
        assert await read_order_row(database, placed.order_id) == order
        assert await count(database, 'public."StarTransaction"') == ledger

    async def test_a_second_time_there_is_nothing_to_delete(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        await delete(database, picture, ada)
        with pytest.raises(NoSuchPicture):
            await delete(database, picture, ada)

    async def test_ten_at_once_delete_it_once(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        ends = await asyncio.gather(
            *(delete(database, picture, ada) for _ in range(10)), return_exceptions=True
        )
        assert [end for end in ends if not isinstance(end, NoSuchPicture)] == [None]

    async def test_what_is_rolled_back_keeps_row_and_files(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        with pytest.raises(RuntimeError):
            async with database.transaction() as tx:
                await delete_picture(tx, picture, user_id=ada)
                raise RuntimeError
        assert (await read(database, picture, ada)).picture_id == picture
        assert await doomed(database) == []

    async def test_a_file_that_is_not_ours_dooms_nothing(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(
            database,
            ada,
            ["a boat"],
            metadata={"fileKey": "../secret", "orderId": "a/../../b", "number": 1},
            imageUrl="https://elsewhere.invalid/1.png",
        )
        await delete(database, picture, ada)
        assert await doomed(database) == []


class TestDeleteDoomedFiles:
    async def test_killed_between_the_file_and_its_row_the_next_one_ends_it(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        await delete(database, picture, ada)

        class Dying(MemoryStorage):
            async def delete(self, key: str) -> None:
                await super().delete(key)
                raise KeyboardInterrupt  # as a kill: nothing after it happens

        storage = Dying(files=dict.fromkeys(await doomed(database), b"..."))
        with pytest.raises(KeyboardInterrupt):
            await delete_doomed_files(database, storage, limit=10)
        assert len(await doomed(database)) == 2
        assert await delete_doomed_files(database, MemoryStorage(files=storage.files), limit=10) == 2
        assert (storage.files, await doomed(database)) == ({}, [])

    async def test_a_process_killed_right_after_the_commit_loses_no_file(
        self, database: Database, database_url: str
    ) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        script = """
import asyncio, os, signal, sys
from starbooth.base.database import Database
from starbooth.domain.gallery.pictures import delete_picture

async def main():
    database = Database(sys.argv[1], connections=1)
    async with database.transaction() as tx:
        await delete_picture(tx, sys.argv[2], user_id=sys.argv[3])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, database_url, picture, ada), stderr=PIPE, env=dict(os.environ)
        )
        _, said = await asyncio.wait_for(process.communicate(), timeout=60)
        assert process.returncode == -signal.SIGKILL, said
        storage = MemoryStorage(files=dict.fromkeys(await doomed(database), b"..."))
        assert len(storage.files) == 2
        assert await delete_doomed_files(database, storage, limit=10) == 2
        assert storage.files == {}

    async def test_a_storage_that_does_not_answer_is_asked_again_later(self, database: Database) -> None:
        ada = await make_guest(database)
        (picture,) = await add_pictures(database, ada, ["a boat"])
        await delete(database, picture, ada)
        troubles = deque([StorageUnavailable("no disk"), StorageUnavailable("no disk")])

        class Ailing(MemoryStorage):
            async def delete(self, key: str) -> None:
                if troubles:
                    raise troubles.popleft()
                await super().delete(key)

        storage = Ailing(files=dict.fromkeys(await doomed(database), b"..."))
        assert await delete_doomed_files(database, storage, limit=10) == 0
        assert await delete_doomed_files(database, storage, limit=10) == 0  # not due yet
        assert len(storage.files) == 2
        await due_now(database)
        assert await delete_doomed_files(database, storage, limit=10) == 2

    async def test_two_at_once_and_a_file_that_was_never_there_do_no_harm(self, database: Database) -> None:
        ada = await make_guest(database)
        for picture in await add_pictures(database, ada, ["a boat"] * 5):
            await delete(database, picture, ada)
        storage = MemoryStorage()
        await asyncio.gather(*(delete_doomed_files(database, storage, limit=100) for _ in range(3)))
        assert await doomed(database) == []


class TestOfferAgain:
    async def test_it_asks_for_its_whole_order_by_the_model_that_made_it(self, database: Database) -> None:
        ada = await make_guest(database, stars=20)
        placed = await place_pictures(database, ada, pictures=4, prompt="a red boat", seed=11)
        metadata = {"orderId": placed.order_id, "number": 3, "fileKey": "pictures/a/3.png"}
        (picture,) = await add_pictures(database, ada, ["a red boat"], metadata=metadata)
        async with database.transaction() as tx:
            recipe = await read_picture(tx, picture, user_id=ada)
            offer = await offer_again(tx, recipe)
        assert offer.asked.prompt == "a red boat"
        assert offer.asked.choices == Choices(base_model_id=recipe.base_model_id, count=4)
        assert offer.price_stars == 12

    async def test_shape_and_all_are_kept_but_not_the_seed(self, database: Database) -> None:
        ada = await make_guest(database, stars=20)
        placed = await place_pictures(database, ada)
        async with database.transaction() as tx:
            await tx.execute(
                text(
                    "UPDATE starbooth.orders SET request = jsonb_set(request, '{asked}',"
                    """ request -> 'asked' || '{"shape": "portrait_16_9", "steps": 12, "seed": 5}')"""
                )
            )
        (picture,) = await add_pictures(
            database, ada, ["a boat"], metadata={"orderId": placed.order_id, "number": 0}
        )
        async with database.transaction() as tx:
            recipe = await read_picture(tx, picture, user_id=ada)
            offer = await offer_again(tx, recipe)
        assert offer.asked.choices == Choices(
            base_model_id=recipe.base_model_id, shape=Shape.PORTRAIT_16_9, steps=12
        )

    async def test_a_row_of_another_program_tells_its_choices_itself(self, database: Database) -> None:
        ada = await make_guest(database)
        metadata = {"loras": [{"lora_id": "c1", "name": "Me", "weight": 0.5}], "steps": 20}
        (picture,) = await add_pictures(database, ada, ["a boat"], metadata=metadata, negativePrompt="rain")
        async with database.transaction() as tx:
            recipe = await read_picture(tx, picture, user_id=ada)
            again = await read_again(tx, recipe)
        assert again.choices == Choices(
            base_model_id=recipe.base_model_id,
            loras=(LoraChoice(lora_id="c1", weight=0.5),),
            steps=20,
            negative="rain",
        )
