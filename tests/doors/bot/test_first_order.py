"""From /start to the picture, as a guest sees it."""

import pytest

from starbooth.base.database import Database
from tests.doors.bot.worker import Worker
from tests.playground.guest import Guest

pytestmark = pytest.mark.usefixtures("at_work")


class TestStart:
    async def test_a_new_guest_is_greeted_and_given_the_gift(self, ada: Guest) -> None:
        await ada.say("/start")
        hello = await ada.wait_for(lambda message: "Hello, Ada!" in message.text)
        assert "A welcome gift: 20 stars for you. A picture costs 3 stars." in hello.text

    async def test_the_gift_comes_once(self, ada: Guest) -> None:
        await ada.say("/start")
        first = await ada.wait_for(lambda message: "gift" in message.text)
        await ada.say("/start")
        second = await ada.wait_for(lambda message: "Hello" in message.text, after=first)
        assert "You have 20 stars." in second.text


class TestPrompt:
    async def test_a_prompt_becomes_a_picture_in_place_of_the_status_message(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await ada.say("/start")
        await ada.wait_for(lambda message: "gift" in message.text)
        await ada.say("a red boat")
        order_id = await worker.wait_for_order()
        await worker.show()
        status = await ada.wait_for(lambda message: "You are next." in message.text)
        assert status.labels == ["Cancel"]
        assert "reply_to_message" not in status.raw
        assert await worker.start() == [order_id]
        await worker.finish(order_id)
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        assert picture.message_id == status.message_id
        assert picture.text.startswith("a red boat\n3 stars · Flux · seed ")
        assert picture.labels == [
            *("Again · 3 ⭐", "Vary · 3 ⭐", "Other words", "Other shape"),
            *("🤍", "⬇️", "📤", "🗑"),
        ]
