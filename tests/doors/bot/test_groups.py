"""Orders in groups and topics, as members see them: who pays, who may press, and what nobody is told."""

import pytest
from aiogram import Bot
from sqlalchemy import text

from starbooth.base.database import Database
from tests.doors.bot.chat import balance_of, start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.panels import choose, open_settings
from tests.doors.bot.worker import Worker
from tests.playground.group import Group, make_group
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


@pytest.fixture
async def boris(make_guest: MakeGuest) -> Guest:
    return await make_guest("Bo", "ru")


async def spend_all(database: Database, guest: Guest) -> None:
    """Leave the guest without a star, as after many pictures."""
    async with database.transaction() as tx:
        await tx.execute(
            text(
                'INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type")'
                " SELECT 'c' || repeat('9', 24), \"id\", -\"stars\", 'ADMIN_GRANT' FROM public.\"User\""
                ' WHERE "telegramId" = :id'
            ),
            {"id": str(guest.user_id)},
        )
        await tx.execute(
            text('UPDATE public."User" SET "stars" = 0 WHERE "telegramId" = :id'), {"id": str(guest.user_id)}
        )


async def bots_words(seat: Guest) -> list[str]:
    return [message.text for message in await seat.messages() if message.is_from_bot]


def is_reply_to(message: Message, asked: Message) -> bool:
    return bool(message.raw.get("reply_to_message", {}).get("message_id") == asked.message_id)


class TestOrders:
    async def test_a_picture_answers_its_order_and_who_asked_pays(
        self, ada: Guest, boris: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        here = (await make_group(ada, boris)).seat(ada)
        asked = await here.say("/paint a red boat")
        order_id = await worker.wait_for_order()
        await worker.show()
        status = await here.wait_for(lambda message: "You are next." in message.text)
        assert is_reply_to(status, asked)
        assert await worker.start() == [order_id]
        await worker.finish(order_id)
        picture = await here.wait_for(lambda message: bool(message.photo_id))
        assert picture.message_id == status.message_id
        assert picture.text.startswith("a red boat\n")
        assert await balance_of(database, ada) == 17

    @pytest.mark.parametrize("how", ["mention", "command to us"])
    async def test_there_are_other_ways_to_ask(self, ada: Guest, worker: Worker, how: str) -> None:
        await start(ada)
        here = (await make_group(ada)).seat(ada)
        await here.wait_for(lambda message: "I paint what you describe" in message.text)
        if how == "mention":
            await here.say("@starbooth_bot a red boat")
        else:
            await here.say("/paint@starbooth_bot a red boat")
        await worker.wait_for_order()
        assert [order.prompt for order in await worker.orders()] == ["a red boat"]

    async def test_it_is_painted_as_its_guest_chose_in_private(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Model:", "Flux portrait")
        await choose(ada, panel, "Pictures: 1", "2")
        here = (await make_group(ada)).seat(ada)
        asked = await here.say("/paint a red boat")
        (order,) = await worker.orders_after_wait()
        assert (order.request["frozen"]["base_model"], order.parts) == ("FLUX_PORTRAIT", 2)
        await worker.start()
        for number in range(2):
            await worker.paint(order.order_id, number)
        await worker.show()
        below = await here.wait_for(lambda message: "Again · 8 ⭐" in message.labels, after=asked)
        assert "8 stars · Flux portrait" in below.text
        assert await balance_of(database, ada) == 12

    async def test_who_is_asked_first_in_private_gets_no_panel_in_front_of_everybody(
        self, ada: Guest, worker: Worker
    ) -> None:
        await start(ada)
        await choose(ada, await open_settings(ada), "Ask me first")
        here = (await make_group(ada)).seat(ada)
        await here.say("/paint a red boat")
        assert len(await worker.orders_after_wait()) == 1

    async def test_in_a_topic_everything_stays_there(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        group = await make_group(ada, is_forum=True)
        topic = await group.open_topic("Boats")
        asked = await group.seat(ada, topic).say("/paint a red boat")
        await worker.wait_for_order()
        await worker.paint_all()
        picture = await group.seat(ada).wait_for(lambda message: bool(message.photo_id))
        assert (picture.raw["message_thread_id"], picture.raw["is_topic_message"]) == (topic, True)
        assert is_reply_to(picture, asked)
        await group.seat(ada, topic).press(picture, "Again")
        await worker.wait_for_order(count=2)
        await worker.paint_all()
        again = await group.seat(ada).wait_for(lambda message: bool(message.photo_id), after=picture)
        assert again.raw["message_thread_id"] == topic
        assert is_reply_to(again, picture)

    async def test_a_mere_reply_orders_nothing(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        here = (await make_group(ada)).seat(ada)
        hello = await here.wait_for(lambda message: message.is_from_bot)
        await here.say("nice!", reply_to=hello)
        await here.say("/paint a red boat")
        await worker.wait_for_order()
        assert [order.prompt for order in await worker.orders()] == ["a red boat"]

    async def test_a_reply_in_a_group_without_topics_is_no_topic(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        here = (await make_group(ada)).seat(ada)
        hello = await here.wait_for(lambda message: message.is_from_bot)
        asked = await here.say("/paint a red boat", reply_to=hello)
        await worker.wait_for_order()
        await worker.show()
        assert is_reply_to(await here.wait_for(lambda message: "next" in message.text), asked)

    async def test_a_stranger_is_welcomed_with_their_first_order(
        self, ada: Guest, boris: Guest, worker: Worker, database: Database
    ) -> None:
        here = (await make_group(ada, boris)).seat(boris)
        await here.say("/help")
        await here.say("/paint красная лодка")
        gift = await here.wait_for(lambda message: "Приятно познакомиться" in message.text)
        assert "20 звёзд" in gift.text
        await worker.wait_for_order()
        await worker.paint_all()
        await here.wait_for(lambda message: bool(message.photo_id))
        assert await balance_of(database, boris) == 17
        hello = await start(boris)
        assert "17" in hello.text

    async def test_an_order_without_words_costs_nothing(self, ada: Guest, worker: Worker) -> None:
        here = (await make_group(ada)).seat(ada)
        await here.say("/paint")
        await here.wait_for(lambda message: message.text.startswith("Tell me what to paint"))
        assert await worker.orders() == []


class TestButtons:
    async def test_only_who_ordered_can_press(
        self, ada: Guest, boris: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        group = await make_group(ada, boris)
        await group.seat(ada).say("/paint a red boat")
        await worker.wait_for_order()
        await worker.show()
        status = await group.seat(ada).wait_for(lambda message: "Cancel" in message.labels)
        told = await group.seat(boris).press(status, "Cancel")
        assert told is not None
        assert told["show_alert"]
        assert "Это может сделать только тот" in told["text"]
        mine = await group.seat(ada).press(status, "Cancel")
        assert mine is not None
        assert "3" in mine["text"]
        assert await balance_of(database, ada) == 20
        async with database.transaction() as tx:
            assert await tx.scalar(text('SELECT count(*) FROM public."User"')) == 1

    async def test_cancelling_by_command_ends_ones_own_order_only(
        self, ada: Guest, boris: Guest, worker: Worker
    ) -> None:
        await start(ada)
        await start(boris)
        group = await make_group(ada, boris)
        await group.seat(ada).say("/paint a red boat")
        await worker.wait_for_order()
        await group.seat(boris).say("/cancel")
        await group.seat(boris).wait_for(lambda message: "отменять нечего" in message.text)
        assert [order.has_ended for order in await worker.orders()] == [False]

    async def test_without_stars_a_press_says_so_to_who_pressed(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        here = (await make_group(ada)).seat(ada)
        await here.say("/paint a red boat")
        await worker.wait_for_order()
        await worker.paint_all()
        picture = await here.wait_for(lambda message: bool(message.photo_id))
        await spend_all(database, ada)
        told = await here.press(picture, "Again")
        assert told is not None
        assert told["text"] == "This costs 3 stars, and you have fewer. Nothing was charged."
        assert len(await worker.orders()) == 1


class TestPrivacy:
    async def test_a_balance_is_for_the_private_chat(self, ada: Guest) -> None:
        await start(ada)
        here = (await make_group(ada)).seat(ada)
        await here.say("/balance")
        answer = await here.wait_for(lambda message: "between you and me" in message.text)
        assert answer.buttons[0]["url"] == "https://t.me/starbooth_bot?start=group"
        assert "20" not in answer.text

    async def test_too_few_stars_lead_to_the_shop_and_the_wish_waits(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await spend_all(database, ada)
        here = (await make_group(ada)).seat(ada)
        asked = await here.say("/paint a red boat")
        answer = await here.wait_for(lambda message: "you have fewer" in message.text)
        assert is_reply_to(answer, asked)
        assert answer.buttons[0]["url"] == "https://t.me/starbooth_bot?start=buy"
        assert "I remember what you wanted" in answer.text
        assert await worker.orders() == []
        assert not any(message.invoice for message in await here.messages())
        async with database.transaction() as tx:
            wish = await tx.scalar(text("SELECT request -> 'recipient' FROM starbooth.carts"))
        assert wish["chat_id"] < 0
        assert wish["reply_to_message_id"] == asked.message_id

    async def test_one_persons_refusals_end_and_silence_nobody_else(
        self, ada: Guest, boris: Guest, worker: Worker
    ) -> None:
        await start(boris)
        group = await make_group(ada, boris)
        for _ in range(8):
            await group.seat(ada).say("/balance")
        await group.seat(boris).say("/paint красная лодка")
        await worker.wait_for_order()
        answers = [words for words in await bots_words(group.seat(ada)) if "between you and me" in words]
        assert len(answers) <= 5

    async def test_what_is_for_others_is_not_answered(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        here = (await make_group(ada, bot_status="administrator")).seat(ada)
        await here.wait_for(lambda message: message.is_from_bot)
        for words in ("a red boat", "/paint@other_bot a boat", "/roll", "@other_bot a boat"):
            await here.say(words)
        await here.say("/paint@starbooth_bot a blue boat")
        await worker.wait_for_order()
        assert [order.prompt for order in await worker.orders()] == ["a blue boat"]
        assert len(await bots_words(here)) == 1


class TestTrouble:
    async def paint_in(self, group: Group, guest: Guest, worker: Worker) -> str:
        await group.seat(guest).say("/paint a red boat")
        order_id = await worker.wait_for_order()
        await worker.show()
        await group.seat(guest).wait_for(lambda message: "next" in message.text)
        await worker.start()
        return order_id

    async def test_a_group_that_grows_gets_its_picture(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        group = await make_group(ada, kind="group")
        order_id = await self.paint_in(group, ada, worker)
        grown = await group.migrate()
        await worker.finish(order_id)
        await worker.show()
        picture = await grown.seat(ada).wait_for(lambda message: bool(message.photo_id))
        assert picture.text.startswith("a red boat")

    @pytest.mark.parametrize("what", ["kicked", "left", "topic gone"])
    async def test_what_the_group_does_not_take_comes_in_private(
        self, ada: Guest, worker: Worker, database: Database, what: str
    ) -> None:
        await start(ada)
        group = await make_group(ada, is_forum=True)
        topic = await group.open_topic("Boats")
        await group.seat(ada, topic).say("/paint a red boat")
        order_id = await worker.wait_for_order()
        await worker.start()
        await (group.delete_topic(topic) if what == "topic gone" else group.set_bot(what))
        await worker.finish(order_id)
        await worker.show()
        await ada.wait_for(lambda message: bool(message.photo_id))
        assert await balance_of(database, ada) == 17

    async def test_who_never_opened_the_private_chat_keeps_the_picture(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        group = await make_group(ada)
        order_id = await self.paint_in(group, ada, worker)
        await group.set_bot("kicked")
        await worker.finish(order_id)
        async with database.transaction() as tx:
            assert await tx.scalar(text('SELECT count(*) FROM public."Generation"')) == 1
            state = await tx.scalar(text("SELECT state FROM starbooth.deliveries"))
        assert state == "undeliverable"
        assert await balance_of(database, ada) == 17


class TestComing:
    async def test_the_bot_says_how_it_works_once(self, ada: Guest, bot: Bot) -> None:
        group = await make_group(ada, bot_status="left")
        await group.set_bot("member")
        hello = await group.seat(ada).wait_for(lambda message: message.is_from_bot)
        assert "/paint a red fox in the snow" in hello.text
        await group.set_bot("administrator")
        await group.seat(ada).say("/help")
        await group.seat(ada).wait_for(lambda message: message.is_from_bot, after=hello)
        assert len(await bots_words(group.seat(ada))) == 2
        profile = await ada.ask("GET", f"/users/{ada.user_id}/profile", params={"chat": group.group_id})
        assert [each["command"] for each in profile["commands"]] == ["paint", "cancel", "help"]


class TestPrivateCommand:
    async def test_paint_works_in_private_too(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        await ada.say("/paint")
        await ada.wait_for(lambda message: message.text.startswith("Tell me what to paint"))
        await ada.say("/paint a red boat")
        await worker.wait_for_order()
        assert [order.prompt for order in await worker.orders()] == ["a red boat"]
