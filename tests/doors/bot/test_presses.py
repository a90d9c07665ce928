"""Buttons: again, try again, cancel; pressed once, ten times, by others, or forged."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.studio.remembered import remember_choices
from starbooth.domain.users.guests import find_user
from starbooth.doors.bot.inbox import keep_updates
from tests.doors.bot.chat import balance_of, start
from tests.doors.bot.updates import press_update
from tests.doors.bot.worker import Worker
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest
from tests.make.loras import make_lora
from tests.make.orders import end_order, place_pictures
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


@pytest.fixture
async def picture(ada: Guest, worker: Worker) -> Message:
    """A picture of a red boat in Ada's chat, with its buttons."""
    await start(ada)
    await ada.say("a red boat")
    await worker.wait_for_order()
    await worker.paint_all()
    return await ada.wait_for(lambda message: bool(message.photo_id))


async def age_orders(database: Database) -> None:
    """Let all orders be older than a double press."""
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.orders SET created_at = created_at - interval '6 s'"))


async def press(guest: Guest, message: Message, label: str) -> dict[str, Any]:
    answer = await guest.press(message, label)
    assert answer is not None
    return answer


class TestAgain:
    async def test_the_same_words_with_another_seed_below_the_picture(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        answer = await press(ada, picture, "Again")
        assert answer["text"] == "On its way: 3 stars."
        await worker.wait_for_order(count=2)
        await worker.paint_all()
        fresh = await ada.wait_for(lambda message: bool(message.photo_id), after=picture)
        assert fresh.raw["reply_to_message"]["message_id"] == picture.message_id
        first, second = await worker.orders()
        assert first.prompt == second.prompt
        assert first.seeds != second.seeds
        assert await balance_of(database, ada) == 14

    async def test_with_a_model_of_somebody_else_the_button_says_the_price_with_its_fee(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        async with database.transaction() as tx:
            user_id = await find_user(tx, str(ada.user_id))
        lora = await make_lora(database, await make_guest(database), is_public=True, fee_stars=5)
        free = await place_pictures(database, user_id, pictures=3, loras=[lora])
        await end_order(database, free.order_id, done=3)
        async with database.transaction() as tx:
            choices = Choices(loras=(LoraChoice(lora_id=lora),))
            await remember_choices(tx, choices, user_id=user_id)
        await ada.say("a red boat")
        await worker.wait_for_order(count=2)
        await worker.paint_all()
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        assert {"Again · 8 ⭐", "Vary · 8 ⭐"} <= set(picture.labels)
        assert await balance_of(database, ada) == 3

    async def test_ten_quick_presses_are_one_order(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        answers = await asyncio.gather(*(press(ada, picture, "Again") for _ in range(10)))
        assert sorted(answer["text"] for answer in answers).count("On its way: 3 stars.") == 1
        assert len(await worker.orders()) == 2
        await worker.paint_all()
        assert (await press(ada, picture, "Again"))["text"].startswith("One is already on its way.")
        assert await balance_of(database, ada) == 14

    async def test_a_press_when_the_picture_is_there_is_one_more_order(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        await press(ada, picture, "Again")
        await age_orders(database)
        assert (await press(ada, picture, "Again"))["text"].startswith("One is already on its way.")
        await worker.paint_all()
        assert (await press(ada, picture, "Again"))["text"] == "On its way: 3 stars."
        assert len(await worker.orders()) == 3

    async def test_the_same_press_twice_is_one_order(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        await press(ada, picture, "Again")
        await worker.paint_all()
        await age_orders(database)
        action = next(button["callback_data"] for button in picture.buttons if "Again" in button["text"])
        async with database.transaction() as tx:
            query_id = await tx.scalar(
                text(
                    "SELECT split_part(request_key, ':', 4) FROM starbooth.orders"
                    " WHERE request_key LIKE 'cb:%'"
                )
            )
            update = press_update(10**9, action, chat_id=ada.user_id, query_id=query_id)
            await keep_updates(tx, [update])
        asked = await ada.say("/balance")
        await ada.wait_for(lambda message: "You have 14 stars." in message.text, after=asked)
        assert len(await worker.orders()) == 2

    async def test_no_stars_are_told_in_a_pop_up(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.offers SET price_stars = 1"))
            await tx.execute(text('UPDATE public."User" SET "stars" = 0'))
        answer = await press(ada, picture, "Again")
        assert answer["show_alert"] is True
        assert answer["text"] == "This costs 1 star, and you have 0 stars. Nothing was charged."
        assert len(await worker.orders()) == 1

    async def test_a_price_that_rose_is_asked_about_first(
        self, ada: Guest, worker: Worker, picture: Message, database: Database
    ) -> None:
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.offers SET price_stars = 5"))
        answer = await press(ada, picture, "Again")
        assert answer["text"] == "The price has changed."
        question = await ada.wait_for(lambda message: "costs 5 stars by now" in message.text)
        assert len(await worker.orders()) == 1
        assert (await press(ada, question, "Paint it · 5"))["text"] == "On its way: 5 stars."
        assert await balance_of(database, ada) == 12


class TestTryAgain:
    async def test_a_failed_order_can_be_tried_again(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        order_id = await worker.wait_for_order()
        await worker.start()
        await worker.finish(order_id, error_code="engine_unavailable")
        told = await ada.wait_for(lambda message: "did not come out" in message.text)
        assert "The painter is having trouble at the moment. All 3 stars are back with you." in told.text
        assert await balance_of(database, ada) == 20
        assert (await press(ada, told, "Try again · 3"))["text"] == "On its way: 3 stars."
        await worker.paint_all()
        await ada.wait_for(lambda message: bool(message.photo_id))
        assert await balance_of(database, ada) == 17
        await assert_accounts_are_true(database)


class TestCancel:
    async def test_a_waiting_order_is_cancelled_and_the_stars_are_back(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.show()
        status = await ada.wait_for(lambda message: message.labels == ["Cancel"])
        assert (await press(ada, status, "Cancel"))["text"] == "Cancelled. All 3 stars are back with you."
        await worker.show()
        await ada.wait_for(lambda message: message.message_id == status.message_id and not message.labels)
        assert await balance_of(database, ada) == 20

    async def test_a_second_press_says_the_same_and_gives_nothing_more(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.show()
        status = await ada.wait_for(lambda message: message.labels == ["Cancel"])
        answers = await asyncio.gather(*(press(ada, status, "Cancel") for _ in range(3)))
        assert {answer["text"] for answer in answers} == {"Cancelled. All 3 stars are back with you."}
        assert await balance_of(database, ada) == 20

    async def test_a_picture_that_is_being_painted_is_not_cancelled(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.show()
        status = await ada.wait_for(lambda message: message.labels == ["Cancel"])
        await worker.start()
        answer = await press(ada, status, "Cancel")
        assert (answer["text"], answer["show_alert"]) == (
            "Too late to cancel: it has started or is finished.",
            True,
        )
        assert await balance_of(database, ada) == 17
