"""Buttons under finished pictures: each does what it says, for the guest whose picture it is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from starbooth.base.database import Database
from starbooth.domain.gallery.pictures import delete_doomed_files
from starbooth.domain.generations.photos import delete_old_photos
from starbooth.domain.generations.quote import Quote, quote
from starbooth.doors.bot.photos import PHOTOS
from starbooth.outside.storage.store import open_storage
from tests.doors.bot.buying import execute, rows
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.panels import choose, deliver, now, open_settings, press, use_up
from tests.doors.bot.updates import press_update
from tests.doors.bot.worker import Worker
from tests.make.audits import assert_accounts_are_true
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


async def paint(ada: Guest, worker: Worker, prompt: str = "a red boat") -> Message:
    count = len(await worker.orders())
    said = await ada.say(prompt)
    await worker.wait_for_order(count=count + 1)
    await worker.paint_all()
    return await ada.wait_for(lambda message: bool(message.photo_id), after=said)


@pytest.fixture
async def picture(ada: Guest, worker: Worker) -> Message:
    """A picture of a red boat in Ada's chat, with its buttons."""
    await start(ada)
    return await paint(ada, worker)


@pytest.fixture
async def album(ada: Guest, worker: Worker) -> Message:
    """The message below two pictures of a red boat."""
    await start(ada)
    await choose(ada, await open_settings(ada), "Pictures: 1", "2")
    said = await ada.say("a red boat")
    order_id = await worker.wait_for_order()
    await worker.start()
    for number in range(2):
        await worker.paint(order_id, number)
    await worker.show()
    return await ada.wait_for(lambda message: "Again · 6 ⭐" in message.labels, after=said, timeout_s=20)


async def favourites(database: Database) -> int:
    return len(await rows(database, "SELECT 1 FROM starbooth.favourites"))


class TestVary:
    async def test_it_starts_from_the_picture_itself_with_the_same_words(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        assert (await press(ada, picture, "Vary · 3 ⭐"))["text"] == "On its way: 3 stars."
        await worker.wait_for_order(count=2)
        first, second = await worker.orders()
        assert second.prompt == first.prompt == "a red boat"
        assert second.seeds != first.seeds
        frozen = second.request["frozen"]
        assert frozen["endpoint"] == "fal-ai/flux/dev/image-to-image"
        assert frozen["photo_key"] == f"photos/of-{first.order_id}-0.jpg"
        assert (frozen["width_px"], frozen["height_px"], frozen["strength"]) == (256, 256, 0.7)
        await worker.paint_all()
        fresh = await ada.wait_for(lambda message: bool(message.photo_id), after=picture)
        assert "Other shape" not in fresh.labels  # its shape is its photo's
        assert await balance_of(database, ada) == 14
        await assert_accounts_are_true(database)

    async def test_so_many_presses_a_minute_are_enough(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        await use_up(database, PHOTOS)
        answer = await press(ada, picture, "Vary")
        assert "often enough" in answer["text"]
        assert answer["show_alert"] is True
        assert len(await worker.orders()) == 1

    async def test_ten_quick_presses_are_one_order(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        await asyncio.gather(*(press(ada, picture, "Vary") for _ in range(10)))
        assert len(await worker.orders()) == 2
        assert await balance_of(database, ada) == 14

    async def test_a_price_that_rose_is_asked_about_first(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        await execute(database, "UPDATE starbooth.offers SET price_stars = 5")
        assert (await press(ada, picture, "Vary"))["text"] == "The price has changed."
        question = await ada.wait_for(lambda message: "costs 5 stars by now" in message.text)
        assert (await press(ada, question, "Paint it · 5"))["text"] == "On its way: 5 stars."
        assert (await worker.orders_after_wait(count=2))[-1].request["frozen"]["strength"] == 0.7

    async def test_a_price_that_rises_in_the_middle_of_a_press_is_not_charged(
        self,
        ada: Guest,
        worker: Worker,
        picture: Message,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        look = quote

        async def look_and_raise(*arguments: Any, **options: Any) -> Quote:
            found = await look(*arguments, **options)
            await execute(database, "UPDATE starbooth.offers SET price_stars = 5")
            return found

        monkeypatch.setattr("starbooth.doors.bot.presses.quote", look_and_raise)
        assert (await press(ada, picture, "Vary · 3 ⭐"))["text"] == "On its way: 3 stars."
        assert await balance_of(database, ada) == 14

    async def test_a_model_that_starts_from_no_picture_has_no_such_button(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await execute(database, "UPDATE starbooth.offers SET photo_endpoint = NULL")
        assert not any("Vary" in label for label in (await paint(ada, worker)).labels)


class TestOtherShape:
    async def test_the_same_seed_is_painted_in_another_shape(
        self, ada: Guest, worker: Worker, picture: Message
    ) -> None:
        shapes = await choose(ada, picture, "Other shape")
        assert shapes.labels == [
            *("◻ 1:1 · 3 ⭐", "▯ 3:4 · 3 ⭐", "▯ 9:16 · 3 ⭐", "▭ 4:3 · 3 ⭐", "▭ 16:9 · 3 ⭐", "‹ Back")
        ]
        await press(ada, picture, "▭ 16:9")
        first, second = await worker.orders_after_wait(count=2)
        assert second.seeds == first.seeds
        assert (second.request["frozen"]["width_px"], second.request["frozen"]["height_px"]) == (1024, 576)

    async def test_the_list_of_shapes_folds_back_once_one_is_ordered(
        self, ada: Guest, worker: Worker, picture: Message
    ) -> None:
        await choose(ada, picture, "🤍", "Other shape", "▭ 16:9")
        labels = (await now(ada, picture)).labels
        assert labels == [each.replace("🤍", "❤️") for each in picture.labels]

    async def test_what_is_deleted_meanwhile_is_painted_in_another_shape_all_the_same(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        await choose(ada, picture, "Other shape")
        await execute(database, 'DELETE FROM public."Generation"')
        assert (await press(ada, picture, "▭ 16:9"))["text"] == "On its way: 3 stars."

    async def test_back_shows_what_was_there(self, ada: Guest, picture: Message) -> None:
        assert (await choose(ada, picture, "Other shape", "‹ Back")).labels == picture.labels


class TestOtherWords:
    async def test_the_next_text_is_painted_with_the_same_seed_once_its_button_is_pressed(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        await press(ada, picture, "Other words")
        panel = await answer_to(ada, picture, "The same seed. Which words")
        await ada.say("a blue boat")
        ready = await ada.wait_for(
            lambda message: message.message_id == panel.message_id and "a blue boat" in message.text
        )
        assert len(await worker.orders()) == 1
        await press(ada, ready, "Make it")
        first, second = await worker.orders_after_wait(count=2)
        assert (second.prompt, second.seeds) == ("a blue boat", first.seeds)
        assert await balance_of(database, ada) == 14


class TestFavourite:
    async def test_it_is_set_and_taken_back_and_the_button_tells(
        self, ada: Guest, picture: Message, database: Database
    ) -> None:
        assert "❤️" in (await choose(ada, picture, "🤍")).labels
        assert await favourites(database) == 1
        assert "🤍" in (await choose(ada, picture, "❤️")).labels
        assert await favourites(database) == 0

    async def test_an_old_press_handled_again_sets_the_same(
        self, ada: Guest, picture: Message, database: Database
    ) -> None:
        action = next(each["callback_data"] for each in picture.buttons if "🤍" in each["text"])
        presses = [press_update(10**9 + n, action, chat_id=ada.user_id) for n in range(3)]
        await deliver(database, *presses)
        assert await favourites(database) == 1


class TestOriginal:
    async def test_the_file_comes_as_it_is_stored(
        self, ada: Guest, worker: Worker, picture: Message, tmp_path: Path
    ) -> None:
        await press(ada, picture, "⬇️")
        sent = await ada.wait_for(lambda message: bool(message.document_id), after=picture)
        (order,) = await worker.orders()
        stored = await open_storage(f"file://{tmp_path / 'storage'}").get(order.file_keys[0])
        assert await ada.download(sent.document_id) == stored

    async def test_a_file_that_is_lost_is_told_in_words(
        self, ada: Guest, worker: Worker, picture: Message, tmp_path: Path
    ) -> None:
        (order,) = await worker.orders()
        await open_storage(f"file://{tmp_path / 'storage'}").delete(order.file_keys[0])
        assert (await press(ada, picture, "⬇️"))["show_alert"] is True
        assert (await press(ada, picture, "Vary"))["show_alert"] is True
        assert len(await worker.orders()) == 1


class TestShare:
    async def test_it_asks_inline_for_this_very_picture(
        self, ada: Guest, worker: Worker, picture: Message
    ) -> None:
        (order,) = await worker.orders()
        share = next(button for button in picture.buttons if button["text"] == "📤")
        assert share["switch_inline_query"] == f"#{order.order_id}-0"


class TestDelete:
    async def test_it_is_asked_once_more_and_then_gone_with_its_file_and_message(
        self, ada: Guest, worker: Worker, picture: Message, database: Database, tmp_path: Path
    ) -> None:
        asked = await choose(ada, picture, "🗑")
        assert asked.labels == ["Delete it for good", "Keep it"]
        assert (await press(ada, asked, "Delete it for good"))["text"] == "Deleted for good."
        assert all(message.message_id != picture.message_id for message in await ada.messages())
        assert not await rows(database, 'SELECT 1 FROM public."Generation"')
        storage = open_storage(f"file://{tmp_path / 'storage'}")
        await delete_doomed_files(database, storage, limit=10)
        assert [key async for key in storage.list("pictures")] == []
        assert await balance_of(database, ada) == 17
        await assert_accounts_are_true(database)

    async def test_the_copy_it_was_varied_from_and_telegrams_name_go_too(
        self, ada: Guest, worker: Worker, picture: Message, database: Database, tmp_path: Path
    ) -> None:
        await press(ada, picture, "Vary")
        await worker.wait_for_order(count=2)
        assert len(await rows(database, "SELECT 1 FROM starbooth.telegram_files")) == 1
        storage = open_storage(f"file://{tmp_path / 'storage'}")
        await press(ada, await choose(ada, picture, "🗑"), "Delete it for good")
        assert not await rows(database, "SELECT 1 FROM starbooth.telegram_files")
        await delete_old_photos(database, storage, limit=10)
        assert len([key async for key in storage.list("photos")]) == 1  # the variation still needs it
        await worker.paint_all()
        await delete_old_photos(database, storage, limit=10)
        assert [key async for key in storage.list("photos")] == []

    async def test_it_can_be_kept_after_all(self, ada: Guest, picture: Message, database: Database) -> None:
        assert (await choose(ada, picture, "🗑", "Keep it")).labels == picture.labels
        assert len(await rows(database, 'SELECT 1 FROM public."Generation"')) == 1

    async def test_what_is_deleted_can_be_painted_again_but_not_varied(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        await execute(database, 'DELETE FROM public."Generation"')
        for label in ("Vary", "🤍", "⬇️"):
            assert (await press(ada, picture, label))["show_alert"] is True
        assert (await press(ada, picture, "Again"))["text"] == "On its way: 3 stars."
        assert len(await worker.orders()) == 2


class TestAlbum:
    async def test_again_orders_the_whole(
        self, ada: Guest, worker: Worker, album: Message, database: Database
    ) -> None:
        assert album.labels == ["Again · 6 ⭐", "🖼 1", "🖼 2"]
        assert (await press(ada, album, "Again"))["text"] == "On its way: 6 stars."
        first, second = await worker.orders_after_wait(count=2)
        assert second.parts == 2
        assert not {*first.seeds} & {*second.seeds}

    async def test_a_number_opens_that_pictures_own_buttons(
        self, ada: Guest, worker: Worker, album: Message
    ) -> None:
        second = await choose(ada, album, "🖼 2")
        assert second.labels[-1] == "‹ Back"
        assert (await press(ada, second, "Vary · 3 ⭐"))["text"] == "On its way: 3 stars."
        first, varied = await worker.orders_after_wait(count=2)
        assert varied.parts == 1
        assert varied.request["frozen"]["photo_key"] == f"photos/of-{first.order_id}-1.jpg"
        assert (await choose(ada, album, "‹ Back")).labels == album.labels

    async def test_one_of_it_can_be_deleted(
        self, ada: Guest, worker: Worker, album: Message, database: Database
    ) -> None:
        deleted = await choose(ada, album, "🖼 1", "🗑", "Delete it for good")
        assert deleted.labels == album.labels
        left = await rows(database, """SELECT metadata ->> 'number' FROM public."Generation" """)
        assert [number for (number,) in left] == ["1"]


class TestOthers:
    async def test_nobody_else_can_do_anything_with_it(
        self, ada: Guest, make_guest: MakeGuest, worker: Worker, picture: Message, database: Database
    ) -> None:
        bob = await make_guest("Bob")
        await start(bob)
        presses = [
            press_update(10**9 + place, button["callback_data"], chat_id=bob.user_id)
            for place, button in enumerate(picture.buttons)
            if "callback_data" in button
        ]
        await deliver(database, *presses)
        assert len(await worker.orders()) == 1
        assert await favourites(database) == 0
        assert not any(message.document_id for message in await bob.messages())
        assert (await now(ada, picture)).labels == picture.labels

    async def test_an_order_that_is_not_done_has_no_pictures(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        order_id = await worker.wait_for_order()
        presses = [
            press_update(10**9 + place, f"r:{verb}:{order_id}:0", chat_id=ada.user_id)
            for place, verb in enumerate("po")
        ]
        await deliver(database, *presses)
        assert not any(message.document_id for message in await ada.messages())
