"""The control API: acting as a guest, waiting, blocking, refusals, and who may not call it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from aiogram import Bot

from tests.playground.conftest import Served, eventually, keyboard, picture
from tests.playground.guest import Guest, Message


@pytest.fixture
async def http(playground: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=playground.url, trust_env=False, verify=False) as client:
        yield client


async def updates(playground: Served, bot: Bot) -> list[str]:
    """The kinds of the pending updates, read as aiogram reads them."""
    playground.clock.now_s += 10
    return [update.event_type for update in await bot.get_updates()]


class TestGuests:
    async def test_the_first_guests_speak_four_languages(self, http: httpx.AsyncClient) -> None:
        guests = (await http.get("/control/users")).json()
        assert [guest["user"]["language_code"] for guest in guests] == ["en", "ru", "es", "fr"]
        assert all(guest["user"]["id"] > 2**32 for guest in guests)

    async def test_a_guest_can_be_made_and_used_again(
        self, playground: Served, http: httpx.AsyncClient
    ) -> None:
        async with Guest(playground.url, "Иван", language_code="ru") as ivan:
            async with Guest(playground.url, user_id=ivan.user_id) as same:
                await same.say("привет")
            assert [message.text for message in await ivan.messages()] == ["привет"]
        taken = await http.post("/control/users", json={"first_name": "X", "user_id": ivan.user_id})
        assert (taken.status_code, taken.json()) == (
            409,
            {"error": f"there is already a user {ivan.user_id}"},
        )

    @pytest.mark.parametrize("wrong", [{}, {"first_name": ""}, {"first_name": "A", "language_code": "?"}])
    async def test_a_wrong_guest_is_refused(self, http: httpx.AsyncClient, wrong: dict[str, str]) -> None:
        assert (await http.post("/control/users", json=wrong)).status_code == 422

    async def test_nobody_is_404(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/control/users/5/messages", json={"text": "hello"})
        assert (answer.status_code, answer.json()) == (404, {"error": "there is no guest 5"})


class TestWhatAGuestSends:
    async def test_every_kind_is_an_update_that_aiogram_reads(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await ada.say("text")
        await ada.send_photo(picture(), caption="photo")
        await ada.send_document(b"x", name="a.txt")
        for kind in ("sticker", "voice", "location", "contact"):
            await ada.send(kind)
        playground.clock.now_s += 10
        received = [update.message for update in await bot.get_updates()]
        kinds = [message.content_type for message in received if message is not None]
        assert kinds == ["text", "photo", "document", "sticker", "voice", "location", "contact"]

    async def test_a_command_carries_its_entity(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.say("/balance please")
        message = (await bot.get_updates())[0].message
        assert message is not None
        assert message.entities is not None
        assert (message.entities[0].type, message.entities[0].length) == ("bot_command", 8)

    async def test_an_album_is_several_messages(
        self, playground: Served, bot: Bot, ada: Guest, http: httpx.AsyncClient
    ) -> None:
        files = [("file", (f"{index}.png", picture(colour="navy"))) for index in range(3)]
        path = f"/control/users/{ada.user_id}/photo"
        assert (await http.post(path, files=files, data={"caption": "three"})).status_code == 201
        received = [update.message for update in await bot.get_updates()]
        assert [message.caption for message in received if message] == ["three", None, None]
        assert len({message.media_group_id for message in received if message}) == 1

    @pytest.mark.parametrize("text", ["", "  \n", "a" * 4097])
    async def test_an_empty_or_too_long_text_is_refused(self, ada: Guest, text: str) -> None:
        with pytest.raises(httpx.HTTPStatusError, match="400: "):
            await ada.say(text)

    async def test_what_is_no_picture_is_no_photo(self, ada: Guest) -> None:
        with pytest.raises(httpx.HTTPStatusError, match="IMAGE_PROCESS_FAILED"):
            await ada.send_photo(b"words")

    async def test_a_reply_names_what_it_replies_to(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await bot.send_message(ada.user_id, "What shall I draw?")
        question = (await ada.messages())[-1]
        await ada.say("a fox", reply_to=question)
        message = (await bot.get_updates())[0].message
        assert message is not None
        assert message.reply_to_message is not None
        assert message.reply_to_message.text == "What shall I draw?"

    async def test_an_edit_is_told_and_a_deletion_is_not(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        said = await ada.say("a fox")
        await ada.edit(said, "a dog")
        await ada.delete(said)
        assert await updates(playground, bot) == ["message", "edited_message"]
        assert [message.text for message in await ada.messages()] == ["/start"]

    async def test_only_own_messages_can_be_edited(self, bot: Bot, ada: Guest) -> None:
        await bot.send_message(ada.user_id, "mine")
        with pytest.raises(httpx.HTTPStatusError, match="403: "):
            await ada.edit((await ada.messages())[-1], "yours")


class TestBlocking:
    async def test_the_bot_learns_of_it_once(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.block()
        await ada.block()
        with pytest.raises(httpx.HTTPStatusError, match="the bot is blocked"):
            await ada.say("hello?")
        await ada.unblock()
        playground.clock.now_s += 10
        states = [update.my_chat_member for update in await bot.get_updates()]
        assert [state.new_chat_member.status for state in states if state] == ["kicked", "member"]


class TestWaiting:
    async def test_a_message_that_comes_later_ends_it(self, bot: Bot, ada: Guest) -> None:
        waiting = asyncio.create_task(ada.wait_for(lambda message: message.text == "done", timeout_s=5))
        await asyncio.sleep(0.05)
        sent = await bot.send_message(ada.user_id, "drawing")
        await asyncio.sleep(0.05)
        await bot.edit_message_text("done", chat_id=ada.user_id, message_id=sent.message_id)
        assert (await waiting).message_id == sent.message_id

    async def test_it_gives_up_in_time_and_shows_the_chat(self, ada: Guest) -> None:
        with pytest.raises(TimeoutError, match=r"the chat: \['guest: /start'\]"):
            await ada.wait_for(lambda message: True, timeout_s=0.2)

    async def test_earlier_messages_can_be_left_out(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "one")
        first = await ada.wait_for(lambda message: message.message_id == sent.message_id)
        await bot.send_message(ada.user_id, "two")
        later = await ada.wait_for(lambda message: True, after=first)
        assert later.text == "two"

    async def test_the_server_can_wait_too(self, bot: Bot, ada: Guest, http: httpx.AsyncClient) -> None:
        path = f"/control/users/{ada.user_id}/wait"
        waiting = asyncio.create_task(http.post(path, json={"text_matches": "^do.e$"}))
        await asyncio.sleep(0.05)
        await bot.send_message(ada.user_id, "not yet")
        await bot.send_message(ada.user_id, "done")
        assert Message((await waiting).json()).text == "done"
        late = await http.post(path, json={"has": "photo", "timeout_s": 0.05})
        assert late.status_code == 408
        assert (await http.post(path, json={"text_matches": "("})).status_code == 400

    async def test_a_press_waits_for_the_answer(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await bot.send_message(ada.user_id, "a", reply_markup=keyboard("Again"))
        message = await ada.wait_for(lambda each: bool(each.labels))
        pressing = asyncio.create_task(ada.press(message, "Again"))
        await eventually(lambda: len(playground.world.updates) == 1)
        query = (await bot.get_updates())[0].callback_query
        assert query is not None
        await bot.answer_callback_query(query.id, text="Done")
        assert await pressing == {"text": "Done", "show_alert": False, "url": ""}


class TestCalls:
    async def test_calls_are_counted_by_status(self, bot: Bot, ada: Guest, http: httpx.AsyncClient) -> None:
        await bot.send_message(ada.user_id, "a")
        await ada.add_fault("server_error", method="sendMessage")
        with pytest.raises(Exception, match="Internal Server Error"):
            await bot.send_message(ada.user_id, "b")
        told = (await http.get("/control/calls", params={"method": "sendMessage"})).json()
        assert told["counts"] == {"sendmessage 200": 1, "sendmessage 500": 1}
        assert [call["status"] for call in told["calls"]] == [200, 500]


class TestReset:
    async def test_everything_begins_anew(
        self, playground: Served, ada: Guest, http: httpx.AsyncClient
    ) -> None:
        await ada.send_photo(picture())
        await ada.add_fault("slow")
        assert (await http.post("/control/reset")).status_code == 200
        state = (await http.get("/control/state")).json()
        assert [guest["user"]["first_name"] for guest in state["guests"]] == [
            "Ada",
            "Boris",
            "Carmen",
            "Chloé",
        ]
        assert state["pending_updates"] == 0
        assert (await http.get("/control/faults")).json() == []


class TestWhoMayCall:
    async def test_other_web_sites_may_not(self, http: httpx.AsyncClient) -> None:
        foreign = {"sec-fetch-site": "cross-site"}
        assert (await http.post("/control/reset", headers=foreign)).status_code == 403
        assert (await http.get("/control/state", headers=foreign)).status_code == 403
        assert (
            await http.get("/control/state", headers={"sec-fetch-site": "same-origin"})
        ).status_code == 200


class TestEvents:
    async def test_the_stream_tells_what_happens_and_goes_on_where_it_broke(
        self, playground: Served, bot: Bot, ada: Guest, http: httpx.AsyncClient
    ) -> None:
        start = playground.world.feed.last_number
        await bot.send_message(ada.user_id, "one")
        async with http.stream("GET", "/events", params={"after": start}) as stream:
            lines = stream.aiter_lines()
            first = [await anext(lines) for _ in range(4)]
        assert first[0] == "retry: 1000"
        assert '"kind": "message"' in first[3]
        number = first[2].removeprefix("id: ")
        await bot.send_message(ada.user_id, "two")
        async with http.stream("GET", "/events", headers={"last-event-id": number}) as stream:
            lines = stream.aiter_lines()
            again = [await anext(lines) for _ in range(4)]
        assert '"text": "two"' in again[3]

    async def test_a_reader_who_fell_behind_is_told_to_start_over(self, http: httpx.AsyncClient) -> None:
        async with http.stream("GET", "/events", headers={"last-event-id": "3"}) as stream:
            lines = stream.aiter_lines()
            told = [await anext(lines) for _ in range(4)]
        assert '"kind": "reset"' in told[3]
