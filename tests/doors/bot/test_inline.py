"""Inline mode as guests see it: their own pictures, found by words, shared anywhere; nobody else's."""

from datetime import datetime

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.gallery.pages import Place
from starbooth.domain.gallery.sharing import read_shared
from starbooth.doors.bot.inline import read_offset, write_offset
from starbooth.doors.bot.result_moves import share_query
from tests.doors.bot.chat import start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.worker import Worker
from tests.playground.group import make_group
from tests.playground.guest import Guest


async def paint(guest: Guest, worker: Worker, *prompts: str) -> None:
    for prompt in prompts:
        known = len(await worker.orders())
        await guest.say(prompt)
        await worker.wait_for_order(count=known + 1)
        await worker.paint_all()


@pytest.mark.usefixtures("at_work")
class TestSharing:
    async def test_a_guest_finds_and_shares_their_own_pictures(
        self, ada: Guest, make_guest: MakeGuest, worker: Worker
    ) -> None:
        await start(ada)
        boris = await make_guest("Bo", "ru")
        await start(boris)
        await paint(ada, worker, "a red boat", "a blue Boat at 100%", "a fox")
        found = await ada.ask_inline("boat")
        assert found is not None
        captions = [each["caption_fields"]["caption"] for each in found.raw["results"]]
        assert captions == ["a blue Boat at 100%", "a red boat"]
        assert found.raw["is_personal"]
        assert (found.raw["cache_time"], found.raw["next_offset"], found.raw["button"]) == (5, "", None)
        here = (await make_group(ada, boris)).seat(ada)
        sent = await here.pick(found, found.ids[1])
        assert sent.text == "a red boat"
        assert sent.photo_id
        theirs = await boris.ask_inline("boat")
        assert theirs is not None
        assert theirs.ids == []
        assert theirs.raw["button"] == {
            "text": "Нарисовать картинку и поделиться",
            "start_parameter": "inline",
        }

    async def test_the_share_button_finds_its_very_picture_and_only_for_its_guest(
        self, ada: Guest, make_guest: MakeGuest, worker: Worker
    ) -> None:
        await start(ada)
        await paint(ada, worker, "a red boat", "a fox")
        asked = share_query((await worker.orders())[0].order_id, 0)
        found = await ada.ask_inline(asked)
        assert found is not None
        assert [each["caption_fields"]["caption"] for each in found.raw["results"]] == ["a red boat"]
        boris = await make_guest("Bo", "ru")
        await start(boris)
        for guest, query in ((boris, asked), (ada, asked.replace("-0", "-1"))):
            nothing = await guest.ask_inline(query)
            assert nothing is not None
            assert nothing.ids == []

    async def test_a_stranger_is_shown_the_way_and_gets_no_account(
        self, ada: Guest, database: Database
    ) -> None:
        offered = await ada.ask_inline("")
        assert offered is not None
        assert offered.raw["button"]["text"] == "Paint a picture to share"
        async with database.transaction() as tx:
            assert await tx.scalar(text('SELECT count(*) FROM public."User"')) == 0

    async def test_what_was_shared_in_our_chat_is_no_order(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        await paint(ada, worker, "a red boat")
        found = await ada.ask_inline("")
        assert found is not None
        await ada.pick(found, found.ids[0])
        before = len([message for message in await ada.messages() if message.is_from_bot])
        await ada.say("/balance")
        await ada.wait_for(lambda message: "You have 17 stars" in message.text)
        after = len([message for message in await ada.messages() if message.is_from_bot])
        assert after == before + 1
        assert len(await worker.orders()) == 1

    async def test_pages_go_on_by_key_and_words_are_taken_as_they_are(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await paint(ada, worker, "a red boat", "50% of a_boat", "a fox")
        async with database.transaction() as tx:
            user_id = await tx.scalar(text('SELECT "id" FROM public."User"'))
            seen, place = [], None
            while True:
                page = await read_shared(tx, user_id=user_id, text="", limit=2, place=place)
                seen.append([each.prompt for each in page.pictures])
                place = page.next_place
                if place is None:
                    break
            assert seen == [["a fox", "50% of a_boat"], ["a red boat"]]
            for words, wanted in (("50%", 1), ("%", 3), ("BOAT a", 2), ("boat fox", 0), ("bo", 2), ("\0", 3)):
                page = await read_shared(tx, user_id=user_id, text=words, limit=9)
                assert len(page.pictures) == wanted, words
            assert not (await read_shared(tx, user_id="c" + "0" * 24, text="", limit=9)).pictures


class TestOffsets:
    def test_an_offset_is_read_as_it_was_written(self) -> None:
        place = Place(at=datetime(2026, 11, 28, 10, 9, 8, 123000), picture_id="c" + "z" * 24)  # noqa: DTZ001
        assert read_offset(write_offset(place)) == place
        assert len(write_offset(place)) <= 64

    @pytest.mark.parametrize("offset", ["", "x", "1", "1.", ".c", "9" * 17 + ".c", "9" * 16 + ".c", "1.c'--"])
    def test_anything_else_is_the_beginning(self, offset: str) -> None:
        assert read_offset(offset) is None
