"""A photo with words opens a panel that paints from it; what cannot be painted from is refused in words."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from starbooth.base.database import Database
from starbooth.domain.generations.photos import delete_old_photos
from starbooth.domain.studio.drafts import forget_old_drafts
from starbooth.doors.bot.photos import PHOTOS
from starbooth.outside.storage.contract import Storage
from starbooth.outside.storage.store import open_storage
from tests.doors.bot.buying import execute, rows, take_invoice
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.panels import choose, deliver, now, open_settings, press, use_up
from tests.doors.bot.updates import thing_update
from tests.doors.bot.worker import Worker
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


def photo_of(width_px: int = 640, height_px: int = 480) -> bytes:
    """A JPEG that tells where it was taken."""
    exif = Image.Exif()
    exif[0x010F] = "a camera of Ada's"
    body = io.BytesIO()
    Image.new("RGB", (width_px, height_px), "tomato").save(body, "JPEG", exif=exif)
    return body.getvalue()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Where the bot keeps photos."""
    return open_storage(f"file://{tmp_path / 'storage'}")


async def panel_of(guest: Guest, photo: bytes, *, caption: str = "make me a pirate") -> Message:
    """Send a photo with these words and get its panel."""
    asked = await guest.send_photo(photo, caption=caption)
    return await guest.wait_for(
        lambda message: any("Make it" in each for each in message.labels), after=asked
    )


async def stored_photos(storage: Storage) -> list[str]:
    return [key async for key in storage.list("photos")]


class TestPhotoWithWords:
    @pytest.mark.parametrize("caption", ["/daily", "/grant me 100"])
    async def test_its_words_are_no_command(self, ada: Guest, database: Database, caption: str) -> None:
        await start(ada)
        assert caption in (await panel_of(ada, photo_of(), caption=caption)).text
        assert await balance_of(database, ada) == 20

    async def test_nothing_is_ordered_before_the_button_and_then_it_paints_from_the_photo(
        self, ada: Guest, worker: Worker, database: Database, storage: Storage
    ) -> None:
        await start(ada)
        panel = await panel_of(ada, photo_of())
        assert "make me a pirate" in panel.text
        assert "Shape: as the photo" in panel.text
        assert (await worker.orders(), await balance_of(database, ada)) == ([], 20)
        panel = await choose(ada, panel, "Change: 90", "40 %")
        assert "Change: 40 %" in panel.labels
        assert (await press(ada, panel, "Make it · 3"))["text"] == "On its way: 3 stars."
        order = (await worker.orders())[0]
        frozen = order.request["frozen"]
        assert (frozen["endpoint"], frozen["strength"]) == ("fal-ai/flux/dev/image-to-image", 0.4)
        assert (frozen["width_px"], frozen["height_px"]) == (640, 480)
        kept = await storage.get(frozen["photo_key"])
        assert b"a camera of Ada's" not in kept
        assert await stored_photos(storage) == [frozen["photo_key"]]

    async def test_again_under_its_picture_starts_from_the_photo_too(
        self, ada: Guest, worker: Worker
    ) -> None:
        await start(ada)
        await press(ada, await panel_of(ada, photo_of()), "Make it")
        await worker.paint_all()
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        await press(ada, picture, "Again")
        first, second = await worker.orders()
        assert first.request["frozen"]["photo_key"] == second.request["frozen"]["photo_key"]

    async def test_a_picture_sent_as_a_file_is_a_photo_too(self, ada: Guest) -> None:
        await start(ada)
        asked = await ada.send_document(photo_of(), name="me.jpg", caption="make me a pirate")
        panel = await ada.wait_for(lambda message: "make me a pirate" in message.text, after=asked)
        assert panel.labels[0] == "Make it · 3 ⭐"

    async def test_handled_twice_it_is_one_panel_and_one_file(
        self, ada: Guest, database: Database, storage: Storage
    ) -> None:
        await start(ada)
        panel = await panel_of(ada, photo_of())
        sent = (await ada.messages())[-2]
        things = {"photo": sent.raw["photo"], "caption": "make me a pirate", "message_id": sent.message_id}
        await deliver(database, thing_update(10**9, chat_id=ada.user_id, things=things))
        assert (await ada.messages())[-1].message_id == panel.message_id
        assert len(await stored_photos(storage)) == 1

    async def test_of_an_album_the_first_photo_counts(self, ada: Guest, database: Database) -> None:
        await start(ada)
        sent = await ada.send_photo(photo_of(), caption="first of all")
        await ada.wait_for(lambda message: "first of all" in message.text, after=sent)
        file: dict[str, Any] = {"photo": sent.raw["photo"], "media_group_id": "g"}
        updates = [
            thing_update(10**9 + number, chat_id=ada.user_id, things={**file, **more})
            for number, more in enumerate([{"caption": "a gang of pirates"}, {}, {"caption": "and more"}])
        ]
        await deliver(database, *updates)
        assert len([each for each in await ada.messages() if "a gang of pirates" in each.text]) == 1

    async def test_too_few_stars_wait_with_the_photo(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        panel = await panel_of(ada, photo_of())
        await execute(database, 'UPDATE public."User" SET "stars" = 1')
        panel = await choose(ada, panel, "Make it")
        assert (await ada.pay(await take_invoice(ada, panel))).status == "paid"
        panel = await choose(ada, panel, "Change it")
        assert "Shape: as the photo" in panel.text
        await press(ada, panel, "Make it")
        assert (await worker.orders())[0].request["frozen"]["photo_key"].startswith("photos/")


class TestPhotoWithoutWords:
    @pytest.fixture
    async def wordless(self, ada: Guest) -> Message:
        """A panel that asks what should become of a photo."""
        await start(ada)
        await ada.send_photo(photo_of())
        return await ada.wait_for(lambda message: "What should become of it?" in message.text)

    async def test_the_next_words_are_for_the_photo(
        self, ada: Guest, worker: Worker, wordless: Message
    ) -> None:
        assert not any("Make it" in each for each in wordless.labels)
        await ada.say("make me a pirate")
        panel = await ada.wait_for(lambda message: any("Make it" in each for each in message.labels))
        assert panel.message_id == wordless.message_id
        assert await worker.orders() == []

    async def test_choosing_and_commands_leave_the_question_open(
        self, ada: Guest, worker: Worker, wordless: Message
    ) -> None:
        await choose(ada, wordless, "Pictures:", "2")
        asked = await ada.say("/balance")
        await answer_to(ada, asked, "You have 20 stars.")
        await ada.say("make me a pirate")
        panel = await ada.wait_for(lambda message: any("Make it" in each for each in message.labels))
        assert "make me a pirate" in panel.text
        assert await worker.orders() == []

    @pytest.mark.parametrize("way", ["/cancel", "Put it away"])
    async def test_called_off_words_are_an_order_again(
        self, ada: Guest, worker: Worker, wordless: Message, way: str
    ) -> None:
        if way == "/cancel":
            asked = await ada.say(way)
            await answer_to(ada, asked, "Nothing is waiting")
        else:
            await press(ada, wordless, way)
        await ada.say("a red boat")
        assert "photo_key" not in (await worker.orders_after_wait())[0].request["frozen"]


class TestModelsThatCannot:
    async def test_it_says_which_can_and_switches(self, ada: Guest, database: Database) -> None:
        await start(ada)
        await choose(ada, await open_settings(ada), "Model:", "Flux fast")
        asked = await ada.send_photo(photo_of(), caption="make me a pirate")
        panel = await answer_to(ada, asked, "Flux fast cannot start from a photo. These can.")
        assert panel.labels == ["Flux · 3 ⭐", "Flux portrait · 4 ⭐", "Put it away"]
        panel = await choose(ada, panel, "Flux portrait")
        assert panel.labels[0] == "Make it · 4 ⭐"

    async def test_where_none_can_nothing_is_kept(
        self, ada: Guest, database: Database, storage: Storage
    ) -> None:
        await execute(
            database, "UPDATE starbooth.offers SET photo_endpoint = NULL, loras_photo_endpoint = NULL"
        )
        await start(ada)
        asked = await ada.send_photo(photo_of(), caption="make me a pirate")
        await answer_to(ada, asked, "No model here can start from a photo. Nothing was charged.")
        assert await stored_photos(storage) == []


class TestTooManyPhotos:
    async def test_so_many_a_minute_are_enough_and_one_more_is_not_even_fetched(
        self, ada: Guest, database: Database, storage: Storage
    ) -> None:
        await start(ada)
        await use_up(database, PHOTOS)
        asked = await ada.send_photo(photo_of(), caption="make me a pirate")
        await answer_to(ada, asked, "That was often enough for now. Please wait: ")
        assert await stored_photos(storage) == []


class TestUnfitPhotos:
    async def test_one_that_is_too_small_is_refused_in_words(
        self, ada: Guest, jpeg: bytes, storage: Storage
    ) -> None:
        await start(ada)
        asked = await ada.send_photo(jpeg, caption="make me a pirate")
        await answer_to(ada, asked, "That photo is too small: its shorter side needs 256 pixels.")
        assert await stored_photos(storage) == []

    async def test_a_file_that_is_none_is_refused_in_words(self, ada: Guest) -> None:
        await start(ada)
        asked = await ada.send_document(b"no photo at all", name="me.jpg", caption="make me a pirate")
        await answer_to(ada, asked, "I cannot read that as a photo.")

    async def test_a_file_that_telegram_gives_to_no_bot_is_refused_in_words(self, ada: Guest) -> None:
        await start(ada)
        asked = await ada.send_document(photo_of() + b"\0" * (21 << 20), name="me.jpg", caption="a pirate")
        await answer_to(ada, asked, "That photo is larger than 20 MB. Send a smaller one.")


class TestKeeping:
    async def test_what_was_put_away_is_deleted_and_what_was_ordered_stays_a_week(
        self, ada: Guest, worker: Worker, database: Database, storage: Storage
    ) -> None:
        await start(ada)
        await press(ada, await panel_of(ada, photo_of()), "Put it away")
        await press(ada, await panel_of(ada, photo_of()), "Make it")
        await worker.paint_all()
        assert len(await stored_photos(storage)) == 2
        await self.let_pass(database, storage, timedelta(days=2))
        assert len(await stored_photos(storage)) == 1
        await self.let_pass(database, storage, timedelta(days=6))
        assert (await stored_photos(storage), await rows(database, "SELECT 1 FROM starbooth.photos")) == (
            [],
            [],
        )
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        answer = await press(ada, picture, "Again")
        assert answer["text"] == (
            "The photo to start from is not kept any more. Send it to me again. Nothing was charged."
        )
        assert await balance_of(database, ada) == 17

    async def let_pass(self, database: Database, storage: Storage, time: timedelta) -> None:
        await execute(
            database,
            "UPDATE starbooth.photos SET kept_until = kept_until - CAST(:time AS interval)",
            time=time,
        )
        async with database.transaction() as tx:
            await forget_old_drafts(tx)
        await delete_old_photos(database, storage, limit=10)


class TestRefusedWords:
    async def test_words_against_the_rules_are_refused_and_each_try_counts(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await execute(
            database, "INSERT INTO starbooth.prompt_words (entry, operator) VALUES ('zeppelin', 'ada')"
        )
        await start(ada)
        panel = await panel_of(ada, photo_of(), caption="a zeppelin")
        for _ in range(2):
            answer = await press(ada, panel, "Make it")
            assert answer["show_alert"] is True
        assert await worker.orders() == []
        assert len(await rows(database, "SELECT 1 FROM starbooth.prompt_refusals")) == 2
        assert (await now(ada, panel)).labels[0] == "Make it · 3 ⭐"
