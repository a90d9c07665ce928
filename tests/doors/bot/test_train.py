"""Photos for a model, gathered in the chat: one message that counts, and names what is bad."""

import asyncio
from pathlib import Path

import pytest
from PIL import Image

from starbooth.base.database import Database
from starbooth.domain.pictures.faces import can_find_faces
from starbooth.outside.storage.store import open_storage
from tests.doors.bot.buying import execute, rows
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.panels import choose, deliver, now, press
from tests.doors.bot.training import PEOPLE, THINGS, begin, chosen, counted, gathered
from tests.doors.bot.updates import press_update, thing_update
from tests.doors.bot.worker import Worker
from tests.make.photos import as_bytes, draw_thing, zip_of
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")
needs_faces = pytest.mark.skipif(not can_find_faces(), reason="no detector of faces for this machine")


async def only_panel(guest: Guest) -> Message:
    """The one message that shows the set, once those before it are gone. Raises: TimeoutError."""
    for _ in range(200):
        shown = [each for each in await guest.messages() if "Delete it all" in each.labels]
        if len(shown) == 1:
            return shown[0]
        await asyncio.sleep(0.02)
    raise TimeoutError


class TestGathering:
    async def test_an_album_becomes_one_message_that_counts_it(self, ada: Guest, database: Database) -> None:
        await begin(ada, database)
        panel = await gathered(ada, THINGS)
        assert panel.photo_id
        assert "6 photos of 30" in panel.text
        assert (await only_panel(ada)).message_id == panel.message_id
        assert (await ada.messages())[-1].message_id == panel.message_id  # it stands below what was sent

    async def test_photos_files_and_zips_come_in_any_order(self, ada: Guest, database: Database) -> None:
        await begin(ada, database)
        await ada.send_document(as_bytes(draw_thing(7), "PNG"), name="seven.png")
        await ada.send_photo(as_bytes(draw_thing(8)))
        await ada.send_document(
            zip_of([("a.jpg", THINGS[0]), ("b/c.webp", as_bytes(draw_thing(9), "WEBP"))]), name="more.zip"
        )
        assert "4 photos of 30" in (await counted(ada, 4)).text
        assert await rows(database, "SELECT 1 FROM starbooth.drafts") == []

    async def test_what_is_no_photo_is_named_with_the_reason_and_costs_no_place(
        self, ada: Guest, database: Database
    ) -> None:
        await begin(ada, database)
        await ada.send_document(b"Dear diary", name="me.jpg")
        await ada.send_document(as_bytes(draw_thing(1), "GIF"), name="dance.gif")
        await ada.send_document(as_bytes(Image.new("L", (30_000, 900)), "PNG"), name="wall.png")
        panel = await gathered(ada, THINGS[:1])
        for line in (
            "me.jpg: not a picture",
            "dance.gif: a moving picture",
            "wall.png: more than 24 megapixels",
        ):
            assert line in panel.text
        panel = await choose(ada, panel, "A style or thing")  # seen, so it is told no more
        assert "me.jpg" not in panel.text

    async def test_a_photo_with_words_belongs_to_the_set_too(self, ada: Guest, database: Database) -> None:
        await begin(ada, database)
        await ada.send_photo(THINGS[0], caption="make me a pirate")
        await counted(ada, 1)
        assert await rows(database, "SELECT 1 FROM starbooth.drafts") == []

    async def test_handled_twice_it_is_there_once(self, ada: Guest, database: Database) -> None:
        await begin(ada, database)
        sent = await ada.send_photo(THINGS[0])
        await counted(ada, 1)
        await deliver(
            database,
            thing_update(
                10**9,
                chat_id=ada.user_id,
                things={"photo": sent.raw["photo"], "message_id": sent.message_id},
            ),
        )
        assert await rows(database, "SELECT count(*) FROM starbooth.set_photos") == [(1,)]
        await only_panel(ada)

    async def test_without_an_open_set_a_photo_is_to_paint_from(self, ada: Guest, database: Database) -> None:
        await start(ada)
        asked = await ada.send_photo(THINGS[0], caption="make me a pirate")
        await answer_to(ada, asked, "make me a pirate")
        panel = await begin(ada, database)
        panel = await choose(ada, panel, "Delete it all", "Delete")
        asked = await ada.send_photo(THINGS[1], caption="make me a knight")
        await answer_to(ada, asked, "make me a knight")

    async def test_where_no_training_is_sold_no_set_is_opened(self, ada: Guest, database: Database) -> None:
        await begin(ada, database)
        await execute(database, "DELETE FROM starbooth.photo_sets")
        await execute(database, "UPDATE starbooth.training_offers SET is_on = false")
        asked = await ada.say("/train")
        await answer_to(ada, asked, "No models are trained here at the moment.")
        asked = await ada.send_photo(THINGS[1], caption="make me a knight")
        await answer_to(ada, asked, "make me a knight")

    async def test_after_a_day_it_is_to_paint_from_again_until_train_is_said(
        self, ada: Guest, database: Database
    ) -> None:
        await begin(ada, database)
        await gathered(ada, THINGS[:2])
        await only_panel(ada)  # then nothing touches the set any more
        await execute(database, "UPDATE starbooth.photo_sets SET touched_at = now() - interval '25 hours'")
        asked = await ada.send_photo(THINGS[3], caption="make me a pirate")
        await answer_to(ada, asked, "make me a pirate")
        asked = await ada.say("/train")
        await counted(ada, 2, after=asked)
        await ada.send_photo(THINGS[4])
        await counted(ada, 3)


class TestAssistant:
    async def test_bad_photos_are_named_by_number(self, ada: Guest, database: Database) -> None:
        await begin(ada, database)
        dark = as_bytes(Image.new("RGB", (700, 600), (9, 9, 9)))
        blurred = as_bytes(draw_thing(3).resize((16, 13)).resize((640, 512)))
        twin = as_bytes(draw_thing(0).crop((4, 4, 636, 508)))
        panel = await gathered(ada, [THINGS[0], dark, blurred, twin])
        assert "2: too dark" in panel.text
        assert "3: blurred" in panel.text
        assert "4 = 1: nearly the same photo" in panel.text

    async def test_it_counts_what_is_missing_and_then_lets_on(self, ada: Guest, database: Database) -> None:
        await begin(ada, database)
        panel = await gathered(ada, THINGS[:3])
        assert "What shall I learn from them?" in panel.text
        panel = await choose(ada, panel, "A style or thing")
        assert "Send 1 more at least." in panel.text
        assert "Continue ›" not in panel.labels
        await ada.send_photo(THINGS[3])
        panel = await counted(ada, 4)
        assert "These are good photos." in panel.text
        assert "Continue ›" in panel.labels

    async def test_photos_go_by_their_numbers_and_twice_does_no_harm(
        self, ada: Guest, database: Database
    ) -> None:
        await begin(ada, database)
        panel = await gathered(ada, THINGS[:3])
        panel = await choose(ada, panel, "Take some out")
        assert [each for each in panel.labels if each.startswith("✕")] == ["✕ 1", "✕ 2", "✕ 3"]
        await asyncio.gather(*(ada.press(panel, "✕ 2") for _ in range(3)))
        panel = await now(ada, panel)
        assert [each for each in panel.labels if each.startswith("✕")] == ["✕ 1", "✕ 3"]
        assert "2 photos of 30" in (await choose(ada, panel, "‹ Back")).text

    @needs_faces
    async def test_of_a_person_faces_matter_and_crops_can_be_seen(
        self, ada: Guest, database: Database
    ) -> None:
        await begin(ada, database)
        panel = await gathered(ada, [*PEOPLE, THINGS[0]])
        assert "I see no face" not in panel.text
        panel = await choose(ada, panel, "A person")
        assert "5: I see no face" in panel.text
        assert "5 more would make it better" in panel.text
        assert "Crops: 4" in panel.labels
        panel = await choose(ada, panel, "Crops: 4", "✂ 2")
        assert "▢ 2" in panel.labels
        panel = await choose(ada, panel, "▢ 2", "‹ Back")
        assert "Crops: 4" in panel.labels


class TestRestart:
    async def test_nothing_is_lost_and_train_shows_it_again(self, ada: Guest, database: Database) -> None:
        await begin(ada, database)
        first = await gathered(ada, THINGS[:2])
        asked = await ada.say("/train")
        panel = await counted(ada, 2, after=asked)
        assert panel.message_id > first.message_id
        assert (await only_panel(ada)).message_id == panel.message_id

    async def test_deleting_takes_everything(self, ada: Guest, database: Database, tmp_path: Path) -> None:
        await begin(ada, database)
        panel = await gathered(ada, THINGS[:2])
        panel = await choose(ada, panel, "Delete it all", "Delete")
        assert "Your photos are deleted." in panel.text
        assert panel.labels == []
        stored = [key async for key in open_storage(f"file://{tmp_path / 'storage'}").list("training")]
        doomed = [key for (key,) in await rows(database, "SELECT key FROM starbooth.doomed_files")]
        assert sorted(stored) == sorted(doomed)
        assert len(doomed) == 2


class TestChoices:
    async def test_the_price_stands_on_the_button_and_follows_the_steps(
        self, ada: Guest, database: Database
    ) -> None:
        panel = await chosen(ada, database)
        assert panel.labels[0] == "Go on · 240 ⭐"
        panel = await choose(ada, panel, "Advanced", "500")
        assert "It costs 120 stars then." in panel.text
        panel = await choose(ada, panel, "‹ Back")
        assert panel.labels[0] == "Go on · 120 ⭐"

    async def test_answers_are_taken_for_what_was_asked(self, ada: Guest, database: Database) -> None:
        panel = await chosen(ada, database)
        await press(ada, panel, "Name")
        await ada.say("Ink and paper")
        await ada.wait_for(lambda message: "Name: Ink and paper" in message.text)
        await press(ada, panel, "Word")
        asked = await ada.say("a woman")
        await answer_to(ada, asked, "One word only, without spaces.")
        for refused in ("woman", "<b>", "лицо", "😀😀😀"):
            asked = await ada.say(refused)
            await ada.wait_for(lambda message: bool(message.text), after=asked)
        await ada.say("inkozu")
        panel = await ada.wait_for(lambda message: "Word for prompts: inkozu" in message.text)
        await choose(ada, panel, "Advanced", "Other steps")
        asked = await ada.say("10000")
        await answer_to(ada, asked, "Write a number from 100 to 4000")
        await ada.say("300")
        panel = await ada.wait_for(lambda message: "Steps: 300 (100 to 4000)" in message.text)
        assert "It costs 72 stars then." in panel.text
        assert await rows(database, "SELECT 1 FROM starbooth.orders") == []

    async def test_a_caption_is_shown_with_its_photo_and_can_be_written(
        self, ada: Guest, database: Database
    ) -> None:
        panel = await chosen(ada, database)
        panel = await choose(ada, panel, "Captions")
        assert "All of them: a picture in the style of" in panel.text
        await press(ada, panel, "3")
        await ada.say("[trigger], a boat")
        panel = await ada.wait_for(lambda message: "All the others:" in message.text)
        assert ", a boat" in panel.text
        panel = await choose(ada, panel, "3", "Back to my words")
        assert "All of them:" in panel.text

    async def test_a_command_calls_the_question_off(self, ada: Guest, database: Database) -> None:
        panel = await chosen(ada, database)
        await press(ada, panel, "Name")
        asked = await ada.say("/balance")
        await answer_to(ada, asked, "You have")
        await ada.say("a red boat")
        for _ in range(200):
            if await rows(database, "SELECT 1 FROM starbooth.orders"):
                break
            await asyncio.sleep(0.02)
        assert await rows(database, "SELECT kind FROM starbooth.orders") == [("generation",)]


class TestConsent:
    async def test_nothing_can_be_ordered_before_it_and_its_words_are_kept(
        self, ada: Guest, database: Database
    ) -> None:
        panel = await chosen(ada, database)
        assert not any("Train it" in each for each in panel.labels)
        panel = await choose(ada, panel, "Go on")
        words = "I agree that these photos are used to train this model"
        assert words in panel.text
        panel = await choose(ada, panel, "I agree")
        assert panel.labels[0] == "Train it · 240 ⭐"
        assert "✓ You agreed on" in panel.text
        ((kept, language, withdrawn),) = await rows(
            database, "SELECT words, language, withdrawn_at FROM starbooth.consents"
        )
        assert kept.startswith(words)
        assert (language, withdrawn) == ("en", None)

    async def test_taken_back_the_photos_go(self, ada: Guest, database: Database) -> None:
        panel = await choose(ada, await chosen(ada, database), "Go on", "I agree", "I no longer agree")
        assert "Your photos are deleted." in panel.text
        assert await rows(database, "SELECT 1 FROM starbooth.consents WHERE withdrawn_at IS NULL") == []
        assert await rows(database, "SELECT 1 FROM starbooth.set_photos") == []


async def agreed(ada: Guest, database: Database, *, stars: int = 2000) -> Message:
    """A set that only has to be ordered."""
    panel = await chosen(ada, database, stars=stars)
    return await choose(ada, panel, "Go on", "I agree")


class TestOrdering:
    async def test_many_presses_order_once(self, ada: Guest, database: Database) -> None:
        panel = await agreed(ada, database)
        answers = await asyncio.gather(*(ada.press(panel, "Train it") for _ in range(5)))
        assert {answer["text"] for answer in answers if answer} == {"On its way: 240 stars.", "On its way."}
        ((kind, price),) = await rows(database, "SELECT kind, price_stars FROM starbooth.orders")
        assert (kind, price, await balance_of(database, ada)) == ("training", 240, 1760)
        assert (await now(ada, panel)).labels == []
        # Photos that come now are for painting again.
        asked = await ada.send_photo(THINGS[5], caption="make me a pirate")
        await answer_to(ada, asked, "make me a pirate")

    async def test_a_price_that_rose_is_shown_before_it_is_charged(
        self, ada: Guest, database: Database
    ) -> None:
        panel = await agreed(ada, database)
        await execute(database, "UPDATE starbooth.training_offers SET stars_per_100_steps = 50")
        assert (await press(ada, panel, "Train it"))["text"] == "The price has changed."
        assert (await now(ada, panel)).labels[0] == "Train it · 500 ⭐"
        assert await balance_of(database, ada) == 2000

    async def test_too_few_stars_are_told_and_the_set_stays(self, ada: Guest, database: Database) -> None:
        panel = await agreed(ada, database, stars=20)
        answer = await press(ada, panel, "Train it")
        assert answer["text"].startswith("This costs 240 stars, and you have 20 stars.")
        assert (await now(ada, panel)).labels[0] == "Train it · 240 ⭐"
        assert await rows(database, "SELECT 1 FROM starbooth.orders") == []

    async def test_nobody_elses_buttons_do_anything(self, ada: Guest, database: Database) -> None:
        panel = await agreed(ada, database)
        action = next(each for each in panel.buttons if "Train it" in each["text"])["callback_data"]
        await deliver(
            database,
            press_update(10**9, action, chat_id=7),
            press_update(10**9 + 1, action.replace(":o:240", ":e"), chat_id=7),
        )
        assert await rows(database, "SELECT 1 FROM starbooth.orders") == []
        assert await rows(database, "SELECT state FROM starbooth.photo_sets") == [("collecting",)]


class TestUnderATraining:
    @pytest.fixture
    async def ordered(self, ada: Guest, database: Database, worker: Worker) -> Message:
        """The message of a training that waits."""
        panel = await agreed(ada, database)
        await press(ada, panel, "Train it")
        await worker.show()
        return await ada.wait_for(lambda message: "My style is next." in message.text, after=panel)

    async def test_one_that_waits_is_cancelled_at_once(
        self, ada: Guest, database: Database, worker: Worker, ordered: Message
    ) -> None:
        await press(ada, ordered, "Cancel")
        await worker.show()
        assert "Try again with the same photos" in (await now(ada, ordered)).labels
        assert await balance_of(database, ada) == 2000

    async def test_failed_all_comes_back_and_the_same_photos_serve_again(
        self, ada: Guest, database: Database, worker: Worker, ordered: Message
    ) -> None:
        (order_id,) = await worker.start()
        await worker.finish(order_id, error_code="engine_unavailable")
        failed = await now(ada, ordered)
        assert "My style could not be learned." in failed.text
        assert "240 stars are back with you." in failed.text
        assert await balance_of(database, ada) == 2000
        await press(ada, failed, "Try again with the same photos")
        panel = await ada.wait_for(lambda message: "4 photos of 30" in message.text, after=failed)
        panel = await choose(ada, panel, "Continue ›", "Train it")
        assert panel.labels == []
        assert await balance_of(database, ada) == 1760

    async def test_asked_to_stop_it_says_so_and_nobody_else_can_ask(
        self, ada: Guest, database: Database, worker: Worker, ordered: Message
    ) -> None:
        (order_id,) = await worker.start()
        await execute(database, "UPDATE starbooth.deliveries SET owed = owed + 1, due_at = now()")
        await worker.show()
        running = await now(ada, ordered)
        assert "Step 0 of 1000." in running.text
        await deliver(database, press_update(10**9, f"j:s:{order_id}", chat_id=7))
        asked = "SELECT stop_asked_at IS NOT NULL FROM starbooth.training_orders"
        assert await rows(database, asked) == [(False,)]
        assert (await press(ada, running, "Stop now: pay 0 of 240"))["text"] == "It stops after this step."
        assert await rows(database, asked) == [(True,)]
