"""The gallery through the real bot: one message, edited by every press."""

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.outside.storage.store import open_storage
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.worker import Worker
from tests.make.gallery import add_pictures
from tests.make.pictures import make_picture
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


async def user_of(database: Database, guest: Guest) -> str:
    async with database.transaction() as tx:
        return str(
            await tx.scalar(
                text('SELECT "id" FROM public."User" WHERE "telegramId" = :id'), {"id": str(guest.user_id)}
            )
        )


async def hang(database: Database, settings: Settings, guest: Guest, prompts: list[str]) -> list[str]:
    """Pictures of this guest, with their files: a picture each, and thumbnails but for the first."""
    await start(guest)
    pictures = await add_pictures(database, await user_of(database, guest), prompts)
    storage = open_storage(settings.storage_url)
    for place in range(len(prompts)):
        await storage.put(f"pictures/c{place:024}/0.png", make_picture(), "image/png")
        if place:
            await storage.put(f"thumbnails/c{place:024}/0.jpg", make_picture(kind="JPEG"), "image/jpeg")
    return pictures


async def open_gallery(guest: Guest, command: str = "/gallery") -> Message:
    asked = await guest.say(command)
    return await guest.wait_for(lambda message: bool(message.photo_id), after=asked)


async def shown(guest: Guest, message: Message, wanted: str) -> Message:
    """This message once it shows these words."""
    return await guest.wait_for(lambda found: found.message_id == message.message_id and wanted in found.text)


async def size_of(guest: Guest, message: Message) -> tuple[int, int]:
    with Image.open(io.BytesIO(await guest.download(message.photo_id))) as picture:
        return picture.size


async def pictures_left(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text('SELECT count(*) FROM public."Generation"')) or 0)


PROMPTS = [f"boat number {number}" for number in range(12)]


class TestPages:
    async def test_a_guest_without_pictures_is_told_what_to_do(self, ada: Guest) -> None:
        await start(ada)
        asked = await ada.say("/gallery")
        answer = await answer_to(ada, asked, "Your pictures will hang here.")
        assert answer.photo_id == ""
        assert answer.labels == []

    async def test_the_newest_nine_hang_on_one_numbered_sheet(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, PROMPTS)
        sheet = await open_gallery(ada)
        assert sheet.labels == [*"123456789", "Older ›", "❤️ Favourites", "🔎 Search"]
        assert "1. boat number 11" in sheet.text
        assert "9. boat number 3" in sheet.text
        assert await size_of(ada, sheet) == (992, 992)

    async def test_pages_turn_in_the_same_message_there_and_back(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, PROMPTS)
        sheet = await open_gallery(ada)
        await ada.press(sheet, "Older ›")
        second = await shown(ada, sheet, "3. boat number 0")
        assert second.labels == ["1", "2", "3", "‹ Newer", "❤️ Favourites", "🔎 Search"]
        await ada.press(second, "‹ Newer")
        assert (await shown(ada, sheet, "1. boat number 11")).labels == sheet.labels
        assert len([each for each in await ada.messages() if each.photo_id]) == 1

    async def test_ten_presses_of_one_button_are_one_page(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, PROMPTS * 3)
        sheet = await open_gallery(ada)
        before = len(await ada.messages())
        answers = await asyncio.gather(*(ada.press(sheet, "Older ›") for _ in range(10)))
        assert all(answer is not None for answer in answers)
        second = await shown(ada, sheet, "1. boat number 2")
        assert "9. boat number 6" in second.text
        assert len(await ada.messages()) == before

    @pytest.mark.parametrize(
        ("language", "title", "older"),
        [("es", "Tus imágenes", "Anteriores ›"), ("ru", "Ваши картинки", "Раньше ›")],
    )
    async def test_it_speaks_the_language_of_the_guest(
        self,
        make_guest: MakeGuest,
        database: Database,
        settings: Settings,
        language: str,
        title: str,
        older: str,
    ) -> None:
        guest = await make_guest("Ida", language)
        await hang(database, settings, guest, PROMPTS)
        sheet = await open_gallery(guest)
        assert title in sheet.text
        assert older in sheet.labels

    async def test_buttons_of_somebody_elses_gallery_show_nothing(
        self, ada: Guest, make_guest: MakeGuest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, PROMPTS)
        bo = await make_guest("Bo")
        await hang(database, settings, bo, ["my own"])
        sheet, theirs = await open_gallery(ada), await open_gallery(bo)
        async with database.transaction() as tx:
            owner = await user_of(database, ada)
            await tx.execute(
                text("UPDATE starbooth.galleries SET user_id = :ada WHERE user_id <> :ada"), {"ada": owner}
            )
        answer = await bo.press(theirs, "1")
        assert answer is not None
        assert answer["text"] == "This gallery was closed long ago. /gallery opens a new one."
        assert sheet.photo_id


class TestOpenPicture:
    async def test_it_tells_the_whole_recipe_and_goes_back_to_its_page(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, PROMPTS)
        sheet = await open_gallery(ada)
        await ada.press(sheet, "Older ›")
        page = await shown(ada, sheet, "boat number 2")
        await ada.press(page, "2")
        picture = await shown(ada, sheet, "Model: Flux")
        for told in ("boat number 1", "Seed: 7", "3 stars", "Mar 1, 2026"):
            assert told in picture.text
        assert await size_of(ada, picture) == (16, 16)
        await ada.press(picture, "‹ Back")
        assert (await shown(ada, sheet, "1. boat number 2")).labels == page.labels

    async def test_what_guests_write_is_no_markup(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, ["<b>bold</b> & <i>sly"])
        sheet = await open_gallery(ada)
        assert "1. <b>bold</b> & <i>sly" in sheet.text
        await ada.press(sheet, "1")
        assert "<b>bold</b> & <i>sly" in (await shown(ada, sheet, "Model: Flux")).text

    async def test_again_orders_one_by_the_same_choices_and_says_its_price(
        self, ada: Guest, database: Database, worker: Worker
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        first = await worker.wait_for_order()
        await worker.paint_all()
        before = await balance_of(database, ada)
        sheet = await open_gallery(ada)
        await ada.press(sheet, "1")
        picture = await shown(ada, sheet, "Model: Flux")
        assert picture.labels[0] == "Again · 3 ⭐"
        answer = await ada.press(picture, "Again")
        assert answer is not None
        assert answer["text"] == "On its way: 3 stars."
        again = await worker.wait_for_order(count=2)
        assert again != first
        orders = await worker.orders()
        assert orders[0].request["asked"]["prompt"] == orders[1].request["asked"]["prompt"]
        assert orders[0].seeds != orders[1].seeds
        assert await balance_of(database, ada) == before - 3

    async def test_the_original_comes_as_a_file_byte_for_byte(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, ["a boat"])
        sheet = await open_gallery(ada)
        await ada.press(sheet, "1")
        picture = await shown(ada, sheet, "Model: Flux")
        await ada.press(picture, "⬇️")
        sent = await ada.wait_for(lambda message: bool(message.document_id), after=picture)
        assert await ada.download(sent.document_id) == make_picture()
        answers = [await ada.press(picture, "⬇️") for _ in range(9)]
        assert any(answer is not None and answer["show_alert"] for answer in answers)
        files = [each for each in await ada.messages() if each.document_id]
        assert len(files) == 5

    async def test_a_picture_whose_file_is_lost_is_told_of_and_not_sent(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, ["a boat"])
        await open_storage(settings.storage_url).delete(f"pictures/c{0:024}/0.png")
        sheet = await open_gallery(ada)
        await ada.press(sheet, "1")
        picture = await shown(ada, sheet, "Model: Flux")
        answer = await ada.press(picture, "⬇️")
        assert answer is not None
        assert answer["text"] == "The file of this picture is not here any more."


class TestFavourites:
    async def test_stars_are_put_on_taken_off_and_shown_alone(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, PROMPTS)
        sheet = await open_gallery(ada)
        await ada.press(sheet, "❤️ Favourites")
        empty = await shown(ada, sheet, "None yet.")
        assert empty.labels == ["🖼 All pictures", "🔎 Search"]
        await ada.press(empty, "All pictures")
        await ada.press(await shown(ada, sheet, "boat number 11"), "3")
        await ada.press(await shown(ada, sheet, "Model: Flux"), "🤍")
        marked = await ada.wait_for(lambda found: "❤️" in found.labels)
        await ada.press(marked, "‹ Back")
        await ada.press(await shown(ada, sheet, "3. ❤️ boat number 9"), "❤️ Favourites")
        only = await shown(ada, sheet, "1. ❤️ boat number 9")
        assert only.labels == ["1", "🖼 All pictures", "🔎 Search"]


class TestDelete:
    async def test_it_asks_first_and_then_deletes_once(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, PROMPTS)
        sheet = await open_gallery(ada)
        await ada.press(sheet, "1")
        await ada.press(await shown(ada, sheet, "Model: Flux"), "🗑")
        question = await shown(ada, sheet, "Delete this picture for good?")
        assert await pictures_left(database) == 12
        await ada.press(question, "No, keep it")
        kept = await ada.wait_for(lambda found: "🗑" in found.labels)
        await ada.press(kept, "🗑")
        question = await shown(ada, sheet, "Delete this picture for good?")
        answers = await asyncio.gather(*(ada.press(question, "Yes, delete it") for _ in range(10)))
        said = [answer["text"] for answer in answers if answer is not None]
        assert sorted(said) == ["Deleted."] + ["This picture is not there any more."] * 9
        await shown(ada, sheet, "1. boat number 10")
        assert await pictures_left(database) == 11

    async def test_an_old_button_of_a_deleted_picture_is_answered_in_words(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        pictures = await hang(database, settings, ada, ["a boat", "a cat"])
        sheet = await open_gallery(ada)
        async with database.transaction() as tx:
            await tx.execute(text('DELETE FROM public."Generation" WHERE "id" = :id'), {"id": pictures[1]})
        answer = await ada.press(sheet, "1")
        assert answer is not None
        assert (answer["text"], answer["show_alert"]) == ("This picture is not there any more.", True)
        assert "2." not in (await shown(ada, sheet, "1. a boat")).text

    async def test_the_last_one_leaves_an_empty_page(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, ["a boat"])
        sheet = await open_gallery(ada)
        await ada.press(sheet, "1")
        await ada.press(await shown(ada, sheet, "Model: Flux"), "🗑")
        await ada.press(await shown(ada, sheet, "for good?"), "Yes, delete it")
        empty = await shown(ada, sheet, "There is nothing here any more.")
        assert empty.photo_id


class TestSearch:
    async def test_words_behind_the_command_search_at_once(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await hang(database, settings, ada, ["a cat in a hat", "a boat", "the hat of a cat"])
        found = await open_gallery(ada, "/gallery Cat HAT")
        assert "🔎 cat hat" in found.text
        assert found.labels == ["1", "2", "🖼 All pictures", "🔎 Search"]
        none = await open_gallery(ada, "/gallery zeppelin")
        assert "Nothing here has all of these words." in none.text

    async def test_the_next_text_is_what_to_look_for_and_orders_nothing(
        self, ada: Guest, database: Database, settings: Settings, worker: Worker
    ) -> None:
        await hang(database, settings, ada, ["a cat", "a boat"])
        before = await balance_of(database, ada)
        sheet = await open_gallery(ada)
        await ada.press(sheet, "🔎 Search")
        await shown(ada, sheet, "Which picture are you looking for?")
        await ada.say("cat")
        found = await shown(ada, sheet, "🔎 cat")
        assert "1. a cat" in found.text
        await ada.say("a red boat")  # the one after it is an order again
        await worker.wait_for_order()
        assert len(await worker.orders()) == 1
        assert await balance_of(database, ada) == before - 3

    async def test_a_text_without_words_is_refused_and_asked_for_again(
        self, ada: Guest, database: Database, settings: Settings, worker: Worker
    ) -> None:
        await hang(database, settings, ada, ["a cat"])
        sheet = await open_gallery(ada)
        await ada.press(sheet, "🔎 Search")
        await shown(ada, sheet, "Which picture")
        asked = await ada.say("?!")
        await answer_to(ada, asked, "There is no word in it to search for.")
        await ada.say("cat")
        await shown(ada, sheet, "🔎 cat")
        assert await worker.orders() == []

    async def test_who_goes_back_is_not_asked_any_more(
        self, ada: Guest, database: Database, settings: Settings, worker: Worker
    ) -> None:
        await hang(database, settings, ada, ["a cat"])
        sheet = await open_gallery(ada)
        await ada.press(sheet, "🔎 Search")
        await ada.press(await shown(ada, sheet, "Which picture"), "‹ Back")
        await shown(ada, sheet, "1. a cat")
        await ada.say("a red boat")
        await worker.wait_for_order()


class TestOldThumbnails:
    async def test_a_picture_without_any_file_leaves_its_tile_empty(
        self, ada: Guest, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        await hang(database, settings, ada, PROMPTS)
        storage = open_storage(settings.storage_url)
        await storage.delete(f"thumbnails/c{11:024}/0.jpg")
        await storage.delete(f"pictures/c{11:024}/0.png")
        assert (await open_gallery(ada)).labels[0] == "1"
