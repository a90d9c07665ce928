"""What the bot says to everything a guest may send. Real aiogram against the playground."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.stars.ledger import grant
from starbooth.domain.users.guests import find_user
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.worker import Worker
from tests.make.audits import assert_accounts_are_true
from tests.playground.guest import Guest

pytestmark = pytest.mark.usefixtures("at_work")


class TestPrompts:
    @pytest.mark.parametrize(
        "prompt",
        [
            "<b>bold</b> & <a href='https://evil.example'>link</a> <script>",
            "*bold* _italic_ [link](https://evil.example) `code` ||hidden||",
            "قطة حمراء تحت القمر \u202eevil\u202c",
            "👩‍👩‍👧‍👦🏳️‍🌈 👍🏽",
            "{prompt} {0} %s %(a)s \\n",
            "line one\n\n\nline two",
            "&lt;b&gt; &amp;amp; &#128512;",
        ],
    )
    async def test_odd_letters_come_back_as_they_were(self, ada: Guest, worker: Worker, prompt: str) -> None:
        await start(ada)
        await ada.say(prompt)
        await worker.wait_for_order()
        await worker.paint_all()
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        assert picture.text.split("\n")[0] == " ".join(prompt.split())
        kinds = {entity["type"] for entity in picture.raw["caption_entities"]}
        assert kinds - {"url"} == {"blockquote", "code"}

    @pytest.mark.parametrize("letter", ["<", "&", '"', "😀", "ж", "👩‍👩‍👧‍👦"])
    async def test_two_thousand_letters_of_any_kind_fit(
        self, ada: Guest, worker: Worker, letter: str
    ) -> None:
        prompt = "a" + letter * (1999 // len(letter))
        await start(ada)
        await ada.say(prompt)
        await worker.wait_for_order()
        await worker.show()
        await ada.wait_for(lambda message: "…" in message.text and message.labels == ["Cancel"])
        await worker.paint_all()
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        assert picture.text.startswith(prompt[:20])
        assert (await worker.orders())[0].prompt == prompt

    async def test_a_first_message_that_is_a_prompt_is_greeted_and_painted(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await ada.say("a red boat")
        await ada.wait_for(lambda message: "Nice to meet you! Here are 20 stars" in message.text)
        await worker.wait_for_order()
        assert await balance_of(database, ada) == 17

    async def test_a_first_prompt_that_is_refused_does_not_take_the_gift_back(
        self, ada: Guest, database: Database
    ) -> None:
        asked = await ada.say("!!!")
        await answer_to(ada, asked, "nothing in it to paint")
        assert await balance_of(database, ada) == 20


class TestRefusals:
    @pytest.mark.parametrize("prompt", ["...", "?!", "‎‏", "— — —"])
    async def test_nothing_to_paint(self, ada: Guest, database: Database, prompt: str) -> None:
        await start(ada)
        asked = await ada.say(prompt)
        said = await answer_to(ada, asked, "There is nothing in it to paint.")
        assert said.raw["reply_to_message"]["message_id"] == asked.message_id
        assert await balance_of(database, ada) == 20

    async def test_a_prompt_of_4096_characters(self, ada: Guest, database: Database) -> None:
        await start(ada)
        asked = await ada.say("b" * 4096)
        await answer_to(ada, asked, "That is 4096 characters, and I take 2000 at most. Nothing was charged.")
        assert await balance_of(database, ada) == 20

    async def test_not_enough_stars_names_the_price_and_the_balance(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        await spend_down_to(database, ada, 2)
        asked = await ada.say("a red boat")
        await answer_to(ada, asked, "This costs 3 stars, and you have 2 stars. Nothing was charged.")
        assert await balance_of(database, ada) == 2

    async def test_two_at_once_with_stars_for_one(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await spend_down_to(database, ada, 4)
        first, second = await asyncio.gather(ada.say("a red boat"), ada.say("a blue boat"))
        await ada.wait_for(lambda message: "This costs 3 stars, and you have 1 star." in message.text)
        assert len(await worker.orders()) == 1
        assert await balance_of(database, ada) == 1
        assert first.message_id != second.message_id
        await assert_accounts_are_true(database)

    async def test_too_many_at_once(self, ada: Guest, worker: Worker, database: Database) -> None:
        await start(ada)
        for number in range(4):
            asked = await ada.say(f"boat {number}")
        await answer_to(ada, asked, "You have 3 pictures in the works, which is as many as I take.")
        assert len(await worker.orders()) == 3
        assert await balance_of(database, ada) == 11


async def spend_down_to(database: Database, guest: Guest, stars: int) -> None:

    async with database.transaction() as tx:
        user_id = await find_user(tx, str(guest.user_id))
        await grant(tx, user_id=user_id, amount=stars - 20, reason="test", operator="test", key="down")


class TestThingsThatAreNoText:
    @pytest.mark.parametrize(
        ("kind", "fields", "wanted"),
        [
            ("sticker", {"emoji": "😺"}, "Charming, but I paint from words."),
            ("voice", {"duration_s": 1}, "I can read, but I cannot hear."),
            ("location", {"latitude": 1.5, "longitude": 2.5}, "I cannot travel there"),
            ("contact", {"phone_number": "+15550100", "first_name": "Bo"}, "I do not need anybody's number."),
        ],
    )
    async def test_each_gets_a_clear_answer(
        self, ada: Guest, database: Database, kind: str, fields: dict[str, Any], wanted: str
    ) -> None:
        await start(ada)
        asked = await ada.send(kind, **fields)
        said = await answer_to(ada, asked, wanted)
        assert said.text.endswith("Nothing was charged.")
        assert await balance_of(database, ada) == 20

    async def test_a_document_is_no_order(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        asked = await ada.send_document(b"a wish list", name="wishes.txt", caption="a red boat")
        await answer_to(ada, asked, "I paint from words alone.")
        assert await worker.orders() == []

    async def test_an_edited_message_is_ignored(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        asked = await ada.say("a red boat")
        await worker.wait_for_order()
        await ada.edit(asked, "a blue boat")
        asked = await ada.say("/help")
        await answer_to(ada, asked, "How this works")
        assert [order.prompt for order in await worker.orders()] == ["a red boat"]


class TestCommands:
    @pytest.mark.parametrize("command", ["/frobnicate", "/start@somebody_else_bot", "/x y z", "/_"])
    async def test_an_unknown_one_is_said_to_be_unknown_and_not_painted(
        self, ada: Guest, worker: Worker, command: str
    ) -> None:
        await start(ada)
        asked = await ada.say(command)
        await answer_to(ada, asked, "I do not know that command.")
        assert await worker.orders() == []

    async def test_help_names_every_command_and_the_price(self, ada: Guest) -> None:
        await start(ada)
        asked = await ada.say("/HELP")
        said = await answer_to(ada, asked, "A picture costs 3 stars")
        for command in ("/start", "/balance", "/cancel", "/help"):
            assert command in said.text

    async def test_a_command_that_names_this_bot_is_known(self, ada: Guest) -> None:
        await start(ada)
        asked = await ada.say("/balance@starbooth_bot")
        await answer_to(ada, asked, "You have 20 stars.")

    async def test_the_balance_tells_the_last_movements(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        for prompt in ("a red boat", "a blue boat", "a green boat"):
            await ada.say(prompt)
        await worker.wait_for_order(count=3)
        painted, failed = await worker.start()
        await worker.finish(painted)
        await worker.finish(failed, error_code="deadline")
        asked = await ada.say("/balance")
        said = await answer_to(ada, asked, "You have 14 stars.")
        assert "Bought so far: 0 stars. Spent so far: 3 stars." in said.text
        told = [line.rpartition(" · ")[0] for line in said.text.split("Lately:\n")[1].split("\n")]
        assert sorted(told) == sorted(
            [
                "+3 · given back",
                "−3 · set aside for a picture",
                "−3 · a picture that was not made",
                "−3 · a picture",
                "+20 · the welcome gift",
            ]
        )

    async def test_cancel_gives_the_stars_back(self, ada: Guest, worker: Worker, database: Database) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.show()
        asked = await ada.say("/cancel")
        await answer_to(ada, asked, "Cancelled. All 3 stars are back with you.")
        await worker.show()
        status = await ada.wait_for(lambda message: message.text.startswith("Cancelled. All 3 stars"))
        assert status.labels == []
        assert await balance_of(database, ada) == 20

    async def test_one_cancel_cancels_one_although_its_answer_got_lost(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        await ada.say("a blue boat")
        await worker.wait_for_order(count=2)
        await ada.add_fault("server_error", method="sendmessage", count=2)
        asked = await ada.say("/cancel")
        await answer_to(ada, asked, "Cancelled. All 3 stars are back with you.")
        assert [order.state for order in await worker.orders()] == ["held", "cancelled"]
        assert await balance_of(database, ada) == 17

    async def test_cancel_with_nothing_waiting(self, ada: Guest) -> None:
        await start(ada)
        asked = await ada.say("/cancel")
        await answer_to(ada, asked, "Nothing is waiting")

    async def test_cancel_of_a_picture_that_is_being_painted(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.start()
        asked = await ada.say("/cancel")
        await answer_to(ada, asked, "Too late to cancel")


class TestLanguages:
    @pytest.mark.parametrize(
        ("code", "hello", "status"),
        [
            ("es-MX", "¡Hola, Bo!", "Tu imagen es la siguiente."),
            ("ru", "Здравствуйте, Bo!", "Ваша картинка следующая."),
            ("pt", "Hello, Bo!", "You are next."),
            ("", "Hello, Bo!", "You are next."),
        ],
    )
    async def test_a_guest_is_spoken_to_in_their_language_if_we_have_it(
        self, make_guest: MakeGuest, worker: Worker, code: str, hello: str, status: str
    ) -> None:
        guest = await make_guest("Bo", code)
        await guest.say("/start")
        await guest.wait_for(lambda message: hello in message.text)
        await guest.say("a red boat")
        await worker.wait_for_order()
        await worker.show()
        await guest.wait_for(lambda message: status in message.text)

    async def test_a_name_cannot_bring_marks_along(self, make_guest: MakeGuest) -> None:
        guest = await make_guest("<b>&Bo</b>")
        await guest.say("/start")
        await guest.wait_for(lambda message: "Hello, <b>&Bo</b>!" in message.text)


class TestBlocking:
    async def test_who_blocks_the_bot_is_remembered_until_they_come_back(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        await ada.block()
        await has_blocked(database, ada, is_so=True)
        await ada.unblock()
        await has_blocked(database, ada, is_so=False)

    async def test_an_answer_that_meets_a_block_is_let_go(self, ada: Guest, database: Database) -> None:
        await start(ada)
        await ada.add_fault("blocked", method="sendmessage")
        await ada.say("/help")
        await has_blocked(database, ada, is_so=True)
        asked = await ada.say("/balance")
        await answer_to(ada, asked, "You have 20 stars.")
        await has_blocked(database, ada, is_so=False)


async def has_blocked(database: Database, guest: Guest, *, is_so: bool) -> None:
    for _ in range(250):
        async with database.transaction() as tx:
            found = await tx.scalar(
                text("SELECT has_blocked_bot FROM starbooth.guests WHERE chat_id = :id"),
                {"id": guest.user_id},
            )
        if found is is_so:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError
