"""Photo packs in the chat: chosen by buttons, ordered once, delivered as they come, paid for what came."""

import asyncio

import pytest

from starbooth.base.database import Database
from starbooth.domain.packs.photo_packs import photo_packs
from starbooth.domain.users.guests import Language, find_user
from starbooth.doors.bot.packs_moves import Move, Verb, parse_move
from starbooth.doors.bot.pieces import length_utf16
from tests.doors.bot.buying import execute
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.panels import choose, now, press
from tests.doors.bot.worker import Worker
from tests.make.audits import assert_accounts_are_true
from tests.make.loras import make_lora
from tests.playground.guest import Guest, Message

LORA = "c" + "z" * 24


async def rich(database: Database, guest: Guest) -> str:
    """Give the guest a hundred stars; their id."""
    async with database.transaction() as tx:
        user_id = await find_user(tx, str(guest.user_id))
    await execute(
        database,
        'INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type")'
        " VALUES ('c' || repeat('8', 24), :user_id, 80, 'ADMIN_GRANT')",
        user_id=user_id,
    )
    await execute(
        database, 'UPDATE public."User" SET "stars" = "stars" + 80 WHERE "id" = :user_id', user_id=user_id
    )
    return user_id


@pytest.fixture
async def model(ada: Guest, database: Database, at_work: None) -> str:
    """A style of Ada's, who has a hundred stars."""
    await start(ada)
    return await make_lora(database, await rich(database, ada), name="Woodcut <b>", trigger_word="zwx")


async def open_pack(ada: Guest) -> Message:
    """The message that sells a pack of the only model."""
    asked = await ada.say("/packs")
    packs = await answer_to(ada, asked, "Of which one?")
    packs = await choose(ada, packs, "🎨 Woodcut <b>")
    assert "Photo packs of Woodcut <b>" in packs.text
    return await choose(ada, packs, "🏞 Places in your style")


async def said_since(guest: Guest, asked: Message) -> list[Message]:
    return [each for each in await guest.messages() if each.message_id > asked.message_id]


class TestChoosing:
    async def test_who_has_no_model_is_told_how_to_make_one(self, ada: Guest, at_work: None) -> None:
        await start(ada)
        asked = await ada.say("/packs")
        assert not (await answer_to(ada, asked, "You have none yet: send /train.")).labels

    async def test_one_message_leads_from_the_model_to_the_price_and_back(
        self, ada: Guest, model: str
    ) -> None:
        sale = await open_pack(ada)
        assert sale.labels == ["8 pictures · 19 ⭐", "20 pictures · 48 ⭐", "40 pictures · 96 ⭐", "‹ Back"]
        assert "A pack costs 20 % less than the same pictures one by one." in sale.text
        assert "Of which one?" in (await choose(ada, sale, "‹ Back", "‹ Back")).text

    async def test_a_model_that_cannot_be_used_any_more_is_refused(
        self, ada: Guest, model: str, database: Database
    ) -> None:
        sale = await open_pack(ada)
        await execute(database, 'UPDATE public."LoraModel" SET "status" = \'FAILED\'')
        assert (await press(ada, sale, "8 pictures"))["show_alert"] is True
        assert await balance_of(database, ada) == 100


class TestOrdering:
    async def test_pictures_come_as_they_are_ready_and_the_buttons_with_the_last(
        self, ada: Guest, worker: Worker, model: str, database: Database
    ) -> None:
        sale = await open_pack(ada)
        assert (await press(ada, sale, "20 pictures"))["text"] == "On its way: 48 stars."
        assert (await now(ada, sale)).labels == sale.labels
        order_id = await worker.wait_for_order()
        await worker.start()
        await worker.paint(order_id, 0)
        await worker.show()
        *tiles, words = await said_since(ada, sale)
        assert (len(tiles), words.labels) == (10, [])
        assert "1 of 20 are there." in words.text
        for number in range(1, 20):
            await worker.paint(order_id, number, error_code="broken_picture" if number > 16 else None)
        await worker.show()
        *pictures, words = await said_since(ada, sale)
        assert len(pictures) == 17
        assert len({each.raw["media_group_id"] for each in pictures}) == 2
        assert "zwx, a lighthouse on a cliff above the sea at sunset" in pictures[0].text
        assert words.labels[:3] == ["📸 Photo pack", "🖼 1", "🖼 2"]
        assert "3 pictures did not come out; 8 stars came back to you." in words.text
        assert await balance_of(database, ada) == 100 - 48 * 17 // 20
        await assert_accounts_are_true(database)

    async def test_one_of_it_can_be_had_in_another_shape_by_its_own_words(
        self, ada: Guest, worker: Worker, model: str
    ) -> None:
        sale = await open_pack(ada)
        await press(ada, sale, "8 pictures")
        order_id = await worker.wait_for_order()
        await worker.start()
        for number in range(8):
            await worker.paint(order_id, number)
        await worker.show()
        result = (await said_since(ada, sale))[-1]
        await choose(ada, result, "🖼 3", "Other shape", "▭ 16:9")
        _, single = await worker.orders_after_wait(count=2)
        assert (single.parts, single.prompt) == (1, "zwx, a sailing boat on a calm lake")
        assert single.request["frozen"]["loras"][0]["lora_id"] == model

    async def test_ten_quick_presses_are_one_pack(
        self, ada: Guest, worker: Worker, model: str, database: Database
    ) -> None:
        sale = await open_pack(ada)
        await asyncio.gather(*(press(ada, sale, "8 pictures") for _ in range(10)))
        assert len(await worker.orders()) == 1
        assert await balance_of(database, ada) == 81

    async def test_who_waits_can_call_it_off(
        self, ada: Guest, worker: Worker, model: str, database: Database
    ) -> None:
        sale = await open_pack(ada)
        await press(ada, sale, "20 pictures")
        await worker.wait_for_order()
        await worker.show()
        words = (await said_since(ada, sale))[-1]
        assert "Places in your style" in words.text
        await press(ada, words, "Cancel")
        await worker.show()
        assert "All 48 stars are back with you." in (await now(ada, words)).text
        assert await balance_of(database, ada) == 100

    async def test_where_nothing_came_everything_is_back_and_other_packs_are_offered(
        self, ada: Guest, worker: Worker, model: str, database: Database
    ) -> None:
        sale = await open_pack(ada)
        await press(ada, sale, "8 pictures")
        order_id = await worker.wait_for_order()
        await worker.start()
        for number in range(8):
            await worker.paint(order_id, number, error_code="engine_unavailable")
        await worker.show()
        [words] = await said_since(ada, sale)
        assert words.labels == ["📸 Photo pack"]
        await press(ada, words, "📸 Photo pack")
        await answer_to(ada, words, "Photo packs of Woodcut")
        assert "did not come out" in (await now(ada, words)).text
        assert await balance_of(database, ada) == 100

    async def test_a_price_that_rose_is_asked_about_first(
        self, ada: Guest, worker: Worker, model: str, database: Database
    ) -> None:
        sale = await open_pack(ada)
        await execute(database, "UPDATE starbooth.offers SET price_stars = 5")
        assert (await press(ada, sale, "8 pictures"))["text"] == "The price has changed."
        question = await ada.wait_for(lambda message: "costs 32 stars by now" in message.text)
        assert (await press(ada, question, "Paint it · 32"))["text"] == "On its way: 32 stars."

    async def test_too_few_stars_keep_it_in_the_cart(
        self, ada: Guest, worker: Worker, model: str, database: Database
    ) -> None:
        sale = await open_pack(ada)
        await execute(database, 'UPDATE public."User" SET "stars" = 18')
        assert (await press(ada, sale, "8 pictures"))["show_alert"] is True
        await answer_to(ada, sale, "once you top up")
        assert await worker.orders() == []


class TestMoves:
    @pytest.mark.parametrize("pack", [each.name for each in photo_packs()])
    def test_it_is_read_as_it_was_written(self, pack: str) -> None:
        for move in (
            Move(verb=Verb.MODELS),
            Move(verb=Verb.MODEL, lora_id=LORA),
            Move(verb=Verb.SHOW, lora_id=LORA),
            Move(verb=Verb.PACK, lora_id=LORA, pack=pack),
            Move(verb=Verb.ORDER, lora_id=LORA, pack=pack, size=40, price_stars=999_999),
        ):
            assert len(str(move).encode()) <= 64
            assert parse_move(str(move)) == move

    @pytest.mark.parametrize(
        "text",
        [
            *(
                None,
                "",
                "k:",
                "k:m:1",
                "k:l",
                "k:l:",
                f"k:p:{LORA}",
                f"k:p:{LORA}:Places",
                f"k:o:{LORA}:places",
            ),
            *(f"k:o:{LORA}:places:8", f"k:o:{LORA}:places:8:-1", f"k:o:{LORA}:places:100:1", f"k:l:{LORA}\n"),
        ],
    )
    def test_nothing_else_is_read(self, text: str | None) -> None:
        assert parse_move(text) is None

    @pytest.mark.parametrize("language", list(Language))
    def test_labels_of_packs_fit_a_button(self, language: Language) -> None:
        assert all(length_utf16(pack.title[language]) <= 32 for pack in photo_packs())
