"""/models through the real bot: one message, edited by every press."""

from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.domain.models.reports import Reason, report_model
from starbooth.domain.studio.remembered import read_remembered
from starbooth.doors.bot.inbox import keep_updates
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.models_review import tell_makers
from starbooth.outside.storage.store import open_storage
from tests.doors.bot.chat import answer_to, start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.test_gallery import shown, user_of
from tests.doors.bot.updates import press_update
from tests.make.loras import make_lora
from tests.make.orders import end_order, place_pictures
from tests.make.pictures import make_picture
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


@pytest.fixture
async def eve(make_guest: MakeGuest) -> Guest:
    """An operator."""
    return await make_guest("Eve")


@pytest.fixture
async def at_work(database: Database, settings: Settings, bot: Bot, eve: Guest) -> AsyncIterator[None]:
    async with running_bot(database, settings.model_copy(update={"operators": (eve.user_id,)}), bot):
        yield


async def press(guest: Guest, message: Message, label: str) -> str:
    """Press a button; what is said where it was pressed."""
    answer = await guest.press(message, label)
    assert answer is not None
    return str(answer.get("text", ""))


async def forge(database: Database, guest: Guest, *actions: str) -> None:
    """Presses of buttons that the guest does not have, handled."""
    async with database.transaction() as tx:
        updates = [
            press_update(900_000_000 + number, action, chat_id=guest.user_id)
            for number, action in enumerate(actions)
        ]
        await keep_updates(tx, updates)
    asked = await guest.say("/help")
    await answer_to(guest, asked, "How this works")  # a chat's updates are handled in their order


async def open_models(guest: Guest) -> Message:
    asked = await guest.say("/models")
    return await guest.wait_for(lambda message: bool(message.photo_id), after=asked)


async def choices_of(database: Database, guest: Guest) -> list[str]:
    async with database.transaction() as tx:
        remembered = await read_remembered(tx, user_id=await user_of(database, guest))
    return [each.lora_id for each in remembered.choices.loras]


async def named(database: Database, lora: str, column: str) -> object:
    async with database.transaction() as tx:
        return await tx.scalar(
            text(f'SELECT "{column}" FROM public."LoraModel" WHERE "id" = :id'), {"id": lora}
        )


class TestOwn:
    async def test_who_has_none_is_led_to_the_public_ones(self, ada: Guest) -> None:
        await start(ada)
        page = await open_models(ada)
        assert "You have none yet." in page.text
        await ada.press(page, "🌍 Public models")
        await shown(ada, page, "There is none yet.")

    async def test_a_model_is_named_shared_for_a_fee_and_taken_back(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        lora = await make_lora(database, await user_of(database, ada), name="Ada")
        page = await open_models(ada)
        assert "1. Ada: private" in page.text
        await ada.press(page, "1")
        page = await shown(ada, page, "🔒 Private: only you can use it.")
        await ada.press(page, "✏️")
        await shown(ada, page, "Write the new name of Ada")
        await ada.say("  Ada   at sea")
        page = await shown(ada, page, "Ada at sea")
        await ada.press(page, "🌍 Share")
        page = await shown(ada, page, "By which name do others see you?")
        await ada.press(page, "A pen name")
        await shown(ada, page, "Write the pen name")
        await ada.say("Captain Ada")
        page = await shown(ada, page, "By which name do others see you?")
        assert "✓ Captain Ada" in page.labels
        await ada.press(page, "Fee: 0 ⭐")
        page = await shown(ada, page, "What do others pay you")
        await ada.press(page, "5 ⭐")
        page = await shown(ada, page, "By which name do others see you?")
        await ada.press(page, "🌍 Make it public")
        page = await ada.wait_for(
            lambda found: found.message_id == page.message_id and "🔒 Make it private" in found.labels
        )
        assert (await named(database, lora, "isPublic"), await named(database, lora, "starsRequired")) == (
            True,
            5,
        )
        await ada.press(page, "‹ Back")
        page = await shown(ada, page, "others pay 5 stars more")
        await ada.press(page, "‹ Back")
        await shown(ada, page, "1. Ada at sea: public, 5 stars a picture")

    async def test_a_picture_made_with_it_becomes_its_preview(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await start(ada)
        user_id = await user_of(database, ada)
        lora = await make_lora(database, user_id, name="Ada")
        placed = await place_pictures(database, user_id, loras=[lora])
        await end_order(database, placed.order_id, done=1)
        storage = open_storage(settings.storage_url)
        await storage.put("0.png", make_picture(), "image/png")
        page = await open_models(ada)
        await ada.press(page, "1")
        page = await shown(ada, page, "🔒 Private")
        before = page.photo_id
        await ada.press(page, "🖼 Preview")
        page = await shown(ada, page, "Which picture shows what it can do?")
        await ada.press(page, "1")
        page = await shown(ada, page, "🔒 Private")
        assert page.photo_id != before
        url = str(await named(database, lora, "previewImageUrl"))
        assert url.startswith(f"{settings.public_url}/files/models/{lora}/")
        assert await storage.size(url.partition("/files/")[2]) > 0

    async def test_the_weights_come_as_a_file(
        self, ada: Guest, database: Database, settings: Settings
    ) -> None:
        await start(ada)
        lora = await make_lora(database, await user_of(database, ada), name="Ada", trigger_word="adax")
        page = await open_models(ada)
        await ada.press(page, "1")
        page = await shown(ada, page, "🔒 Private")
        assert "not here any more" in await press(ada, page, "⬇️")
        await open_storage(settings.storage_url).put(f"loras/{lora}", b"weights", "application/octet-stream")
        await ada.press(page, "⬇️")
        sent = await ada.wait_for(lambda found: bool(found.document_id), after=page)
        assert await ada.download(sent.document_id) == b"weights"

    async def test_deleting_asks_once_more_and_takes_the_weights_with_it(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        lora = await make_lora(database, await user_of(database, ada), name="Ada")
        page = await open_models(ada)
        await ada.press(page, "1")
        page = await shown(ada, page, "🔒 Private")
        await ada.press(page, "🗑")
        page = await shown(ada, page, "Delete Ada for good?")
        await ada.press(page, "Yes, delete it")
        await shown(ada, page, "You have none yet.")
        assert await named(database, lora, "id") is None


class TestPublic:
    async def test_a_public_model_is_searched_used_kept_and_left(
        self, ada: Guest, make_guest: MakeGuest, database: Database
    ) -> None:
        bo = await make_guest("Bo")
        for guest in (ada, bo):
            await start(guest)
        maker = await user_of(database, bo)
        lora = await make_lora(database, maker, name="Storybook", is_public=True, fee_stars=5)
        await make_lora(database, maker, name="Night", is_public=True)
        page = await open_models(ada)
        await ada.press(page, "🌍 Public models")
        page = await shown(ada, page, "the most used first")
        await ada.press(page, "🔎 Search")
        await shown(ada, page, "Which model are you looking for?")
        await ada.say("story")
        page = await shown(ada, page, "🔎 story")
        assert "1. Storybook · 🖼\u00a00 · +5\u00a0⭐" in page.text
        await ada.press(page, "1")
        page = await shown(ada, page, "You have 3 of them left without that.")
        said = await press(ada, page, "🎨 Make pictures with it")
        assert "from now on your pictures are made with it" in said
        assert await choices_of(database, ada) == [lora]
        page = await ada.wait_for(
            lambda found: found.message_id == page.message_id and "✓ In use. Stop using it" in found.labels
        )
        await ada.press(page, "🤍")
        page = await ada.wait_for(lambda found: found.message_id == page.message_id and "❤️" in found.labels)
        await ada.press(page, "✓ In use. Stop using it")
        page = await ada.wait_for(
            lambda found: found.message_id == page.message_id and "🎨 Make pictures with it" in found.labels
        )
        assert await choices_of(database, ada) == []
        await ada.press(page, "‹ Back")
        page = await shown(ada, page, "🔎 story")
        await ada.press(page, "❤️ Favourites")
        await shown(ada, page, "1. ❤️ Storybook")

    async def test_what_becomes_private_meanwhile_is_refused_in_words(
        self, ada: Guest, make_guest: MakeGuest, database: Database
    ) -> None:
        bo = await make_guest("Bo")
        for guest in (ada, bo):
            await start(guest)
        lora = await make_lora(database, await user_of(database, bo), name="Storybook", is_public=True)
        page = await open_models(ada)
        await ada.press(page, "🌍 Public models")
        page = await shown(ada, page, "1. Storybook")
        async with database.transaction() as tx:
            await tx.execute(
                text('UPDATE public."LoraModel" SET "isPublic" = false WHERE "id" = :id'), {"id": lora}
            )
        assert "not there any more, or it is private now" in await press(ada, page, "1")
        await shown(ada, page, "There is none yet.")

    async def test_a_stranger_cannot_press_what_is_the_makers(
        self, ada: Guest, make_guest: MakeGuest, database: Database
    ) -> None:
        bo = await make_guest("Bo")
        for guest in (ada, bo):
            await start(guest)
        lora = await make_lora(database, await user_of(database, bo), name="Storybook", is_public=True)
        page = await open_models(ada)
        async with database.transaction() as tx:
            number = int(await tx.scalar(text("SELECT max(id) FROM starbooth.model_lists")) or 0)
        verbs = ("close", "name", "drop", "gone", "share", "fees", "looks")
        await forge(database, ada, *(f"m:{verb}:{number}:{lora}" for verb in verbs), f"m:gone:{number}")
        await shown(ada, page, "You have none yet.")
        assert await named(database, lora, "isPublic") is True


class TestReview:
    async def test_a_report_reaches_operators_who_hide_it_and_the_maker_is_told(
        self, make_guest: MakeGuest, ada: Guest, eve: Guest, database: Database, bot: Bot
    ) -> None:
        bo = await make_guest("Bo", "es")
        for guest in (ada, bo, eve):
            await start(guest)
        lora = await make_lora(database, await user_of(database, bo), name="Storybook", is_public=True)
        page = await open_models(ada)
        await ada.press(page, "🌍 Public models")
        page = await shown(ada, page, "1. Storybook")
        await ada.press(page, "1")
        page = await shown(ada, page, "A style, for")
        await ada.press(page, "⚠️ Report")
        page = await shown(ada, page, "What is wrong with Storybook?")
        assert "Thank you." in await press(ada, page, "somebody else's work")
        page = await shown(ada, page, "A style, for")
        assert "⚠️ Report" not in page.labels
        await answer_to(ada, await ada.say("/reports"), "I do not know that command.")

        listed = await answer_to(eve, await eve.say("/reports"), "Reported models")
        assert "somebody else's work (1)" in listed.text
        await eve.press(listed, "1. Hide")
        listed = await shown(eve, listed, "Why shall it be hidden?")
        assert "is told why" in await press(eve, listed, "somebody else's work")
        await shown(eve, listed, "No model waits to be looked at.")
        assert await named(database, lora, "isPublic") is False
        assert await tell_makers(database, BotMessenger(bot)) == 1
        assert await tell_makers(database, BotMessenger(bot)) == 0
        await bo.wait_for(lambda found: "Storybook" in found.text and "obra ajena" in found.text)
        await ada.press(page, "‹ Back")
        await shown(ada, page, "There is none yet.")

    async def test_a_report_that_is_unfounded_leaves_the_model_where_it_is(
        self, make_guest: MakeGuest, ada: Guest, eve: Guest, database: Database
    ) -> None:
        bo = await make_guest("Bo")
        for guest in (ada, bo, eve):
            await start(guest)
        lora = await make_lora(database, await user_of(database, bo), name="Storybook", is_public=True)
        ada_id = await user_of(database, ada)
        async with database.transaction() as tx:
            await report_model(tx, lora, Reason.HATEFUL, user_id=ada_id)
        listed = await answer_to(eve, await eve.say("/reports"), "Reported models")
        await forge(database, ada, f"mr:why:{lora}:stolen", f"mr:keep:{lora}")
        assert "It stays." in await press(eve, listed, "1. Keep")
        await shown(eve, listed, "No model waits to be looked at.")
        assert await named(database, lora, "isPublic") is True
