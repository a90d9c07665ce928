"""Who wants to be asked first: words open a panel, and it orders once, for the price that it shows."""

import asyncio

import pytest

from starbooth.base.database import Database
from tests.doors.bot.buying import execute, rows, take_invoice, thanks
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.panels import choose, deliver, now, open_settings, press
from tests.doors.bot.updates import press_update
from tests.doors.bot.worker import Worker
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


@pytest.fixture
async def draft(ada: Guest) -> Message:
    """A panel for a red boat."""
    await start(ada)
    await choose(ada, await open_settings(ada), "Ask me first: off")
    return await draft_of(ada, "a red boat")


async def draft_of(guest: Guest, words: str) -> Message:
    asked = await guest.say(words)
    return await guest.wait_for(
        lambda message: any("Make it" in each for each in message.labels), after=asked
    )


async def press_late(guest: Guest, database: Database, message: Message) -> None:
    """Press every button of a message as it once stood, and wait until all of it is handled."""
    updates = [
        press_update(10**9 + number, button["callback_data"], chat_id=guest.user_id)
        for number, button in enumerate(message.buttons)
    ]
    await deliver(database, *updates)


class TestOrdering:
    async def test_the_panel_becomes_the_waiting_message_and_then_the_picture(
        self, ada: Guest, worker: Worker, draft: Message, database: Database
    ) -> None:
        assert "a red boat" in draft.text
        assert (await worker.orders(), await balance_of(database, ada)) == ([], 20)
        panel = await choose(ada, draft, "Pictures:", "2")
        assert panel.labels[0] == "Make it · 6 ⭐"
        assert (await press(ada, panel, "Make it"))["text"] == "On its way: 6 stars."
        await worker.show()
        assert (await now(ada, draft)).labels == ["Cancel"]
        before = len(await ada.messages())
        await worker.start()
        order = (await worker.orders())[0]
        assert (order.parts, order.prompt) == (2, "a red boat")
        assert len(await ada.messages()) == before

    async def test_what_is_changed_in_a_draft_stays_there(
        self, ada: Guest, draft: Message, database: Database
    ) -> None:
        await choose(ada, draft, "Pictures:", "4")
        assert (await draft_of(ada, "a green boat")).labels[0] == "Make it · 3 ⭐"

    async def test_the_wait_stands_on_the_button_once_it_is_known(
        self, ada: Guest, worker: Worker, draft: Message
    ) -> None:
        await press(ada, draft, "Make it")
        await worker.paint_all()
        assert (await draft_of(ada, "a green boat")).labels[0] == "Make it · 3 ⭐ · ~10 s"

    async def test_ten_quick_presses_are_one_order(
        self, ada: Guest, worker: Worker, draft: Message, database: Database
    ) -> None:
        answers = await asyncio.gather(*(ada.press(draft, "Make it") for _ in range(10)))
        texts = [answer["text"] for answer in answers if answer is not None]
        assert sorted(texts) == ["On its way."] * 9 + ["On its way: 3 stars."]
        assert len(await worker.orders()) == 1
        assert await balance_of(database, ada) == 17

    async def test_a_price_that_rose_is_shown_first(
        self, ada: Guest, worker: Worker, draft: Message, database: Database
    ) -> None:
        await execute(database, "UPDATE starbooth.offers SET price_stars = 5")
        assert (await press(ada, draft, "Make it"))["text"] == "The price has changed."
        assert (await worker.orders(), await balance_of(database, ada)) == ([], 20)
        assert (await press(ada, draft, "Make it · 5"))["text"] == "On its way: 5 stars."

    async def test_words_that_are_none_or_too_many_open_nothing(
        self, ada: Guest, draft: Message, database: Database
    ) -> None:
        asked = await ada.say("…")
        await answer_to(ada, asked, "There is nothing in it to paint.")
        asked = await ada.say("a" * 2001)
        await answer_to(ada, asked, "That is 2001 characters")
        assert await rows(database, "SELECT count(*) FROM starbooth.drafts") == [(1,)]

    async def test_other_words_take_the_place_of_the_first(
        self, ada: Guest, worker: Worker, draft: Message
    ) -> None:
        await choose(ada, draft, "Other words")
        await ada.say("a green boat")
        await ada.wait_for(lambda message: "a green boat" in message.text)
        await press(ada, draft, "Make it")
        assert [each.prompt for each in await worker.orders()] == ["a green boat"]

    async def test_too_many_orders_leave_the_panel_as_it_is(
        self, ada: Guest, draft: Message, database: Database
    ) -> None:
        for words in ("one", "two", "three"):
            await press(ada, await draft_of(ada, words), "Make it")
        answer = await press(ada, draft, "Make it")
        assert answer["show_alert"] is True
        assert answer["text"].startswith("You have 3 pictures in the works")
        assert (await now(ada, draft)).labels[0] == "Make it · 3 ⭐"


class TestClosed:
    async def test_put_away_it_is_closed_for_good(
        self, ada: Guest, worker: Worker, draft: Message, database: Database
    ) -> None:
        await press(ada, draft, "Put it away")
        assert (await now(ada, draft)).text == "Put away. Nothing was charged."
        await press_late(ada, database, draft)
        assert (await worker.orders(), (await now(ada, draft)).labels) == ([], [])

    async def test_after_a_day_it_is_closed(self, ada: Guest, draft: Message, database: Database) -> None:
        await choose(ada, draft, "Pictures:", "Back")  # by now its message is noted, which would renew it
        await execute(database, "UPDATE starbooth.drafts SET expires_at = now()")
        assert (await press(ada, draft, "Make it"))["text"] == "This panel is closed. Nothing was charged."

    async def test_somebody_else_cannot_press_it(
        self, ada: Guest, make_guest: MakeGuest, worker: Worker, draft: Message, database: Database
    ) -> None:
        bo = await make_guest("Bo")
        await start(bo)
        await press_late(bo, database, draft)
        assert await worker.orders() == []
        assert (await now(ada, draft)).labels[0] == "Make it · 3 ⭐"


class TestTooFewStars:
    @pytest.fixture
    async def shortage(self, ada: Guest, draft: Message, database: Database) -> Message:
        """The panel of two boats, of a guest who has four stars."""
        await execute(
            database,
            'UPDATE public."User" SET "stars" = 4',
        )
        await choose(ada, draft, "Pictures:", "2", "Make it")
        return await now(ada, draft)

    async def test_the_panel_offers_stars_and_what_was_wanted_starts_once_they_came(
        self, ada: Guest, worker: Worker, shortage: Message, database: Database
    ) -> None:
        assert "This costs 6 stars, and you have 4 stars." in shortage.text
        assert shortage.labels[-2:] == ["Change it", "Forget it"]
        invoice = await take_invoice(ada, shortage)
        await ada.pay(invoice)
        await thanks(ada, invoice, "What you wanted starts by itself now.")
        assert await worker.orders() == []  # the worker has not looked yet

    async def test_changed_it_is_ordered_once_and_starts_no_more_by_itself(
        self, ada: Guest, worker: Worker, shortage: Message, database: Database
    ) -> None:
        panel = await choose(ada, shortage, "Change it")
        assert panel.labels[0] == "Make it · 6 ⭐"
        panel = await choose(ada, panel, "Pictures:", "1")
        assert (await press(ada, panel, "Make it"))["text"] == "On its way: 3 stars."
        assert [each.parts for each in await worker.orders()] == [1]
        assert await rows(database, "SELECT state FROM starbooth.carts") == [("dropped",)]

    async def test_pressed_again_nothing_more_waits(
        self, ada: Guest, worker: Worker, draft: Message, shortage: Message, database: Database
    ) -> None:
        await press_late(ada, database, draft)
        assert await rows(database, "SELECT count(*) FROM starbooth.carts") == [(1,)]
        assert await worker.orders() == []
