"""Groups and topics: who sees what, where the bot can write, and how it learns of what changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramMigrateToChat
from aiogram.types import BufferedInputFile, InputMediaPhoto, ReplyParameters, Update

from starbooth.playground import groups
from starbooth.playground.errors import ApiError
from starbooth.playground.limits import SendingLimits
from tests.playground.conftest import Served, keyboard, make_world, picture
from tests.playground.group import make_group
from tests.playground.guest import Guest


@pytest.fixture
async def boris(playground: Served) -> AsyncIterator[Guest]:
    async with Guest(playground.url, "Bo") as guest:
        yield guest


async def news(playground: Served, bot: Bot) -> list[Update]:
    """What has come for the bot since the last call."""
    playground.clock.now_s += 10
    found = await bot.get_updates(timeout=0)
    playground.world.updates.drop_all()
    return found


async def texts_seen(playground: Served, bot: Bot) -> list[str | None]:
    return [each.message.text for each in await news(playground, bot) if each.message]


class TestPrivacy:
    async def test_a_member_bot_sees_what_is_meant_for_it(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        group = await make_group(ada)
        here = group.seat(ada)
        sent = await bot.send_message(group.group_id, "hello")
        playground.world.updates.drop_all()
        for text in (
            "a fox",
            "/paint a fox",
            "/paint@starbooth_bot a fox",
            "/paint@other_bot a fox",
            "🦊 hey @Starbooth_Bot a fox",
            "@other_bot a fox",
            "not /paint in the middle",
        ):
            await here.say(text)
        own = await here.say("mine")
        await here.say("to myself", reply_to=own)
        await here.say("to the bot", reply_to=next(m for m in await here.messages() if m.is_from_bot))
        seen = ["/paint a fox", "/paint@starbooth_bot a fox", "🦊 hey @Starbooth_Bot a fox", "to the bot"]
        assert await texts_seen(playground, bot) == seen
        assert sent.chat.title == "Painters"

    async def test_an_administrator_sees_everything_and_who_is_out_nothing(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        group = await make_group(ada)
        await group.set_bot("administrator")
        await news(playground, bot)
        await group.seat(ada).say("a fox")
        assert await texts_seen(playground, bot) == ["a fox"]
        await group.set_bot("left")
        await news(playground, bot)
        await group.seat(ada).say("/paint a fox")
        assert await news(playground, bot) == []

    async def test_captions_and_edits_are_seen_alike(self, playground: Served, bot: Bot, ada: Guest) -> None:
        here = (await make_group(ada)).seat(ada)
        await news(playground, bot)
        await here.send_photo(picture(), caption="/paint like this")
        await here.send_photo(picture(), caption="my cat")
        said = await here.say("a fox")
        await here.edit(said, "/paint a fox")
        updates = await news(playground, bot)
        assert [each.message.caption for each in updates if each.message] == ["/paint like this"]
        assert [each.edited_message.text for each in updates if each.edited_message] == ["/paint a fox"]


class TestMembers:
    async def test_the_bot_learns_of_its_own_coming_and_going(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        playground.world.updates.drop_all()
        group = await make_group(ada, bot_status="left")
        assert await news(playground, bot) == []
        for status in ("member", "member", "administrator", "kicked"):
            await group.set_bot(status)
        changes = [each.my_chat_member for each in await news(playground, bot) if each.my_chat_member]
        assert [(each.old_chat_member.status, each.new_chat_member.status) for each in changes] == [
            ("left", "member"),
            ("member", "administrator"),
            ("administrator", "kicked"),
        ]
        assert changes[0].chat.id == group.group_id
        assert changes[0].from_user.id == ada.user_id

    async def test_who_comes_and_goes_is_told(
        self, playground: Served, bot: Bot, ada: Guest, boris: Guest
    ) -> None:
        group = await make_group(ada)
        await news(playground, bot)
        await group.add(boris)
        await group.add(boris)
        await group.remove(boris)
        told = [each.message for each in await news(playground, bot) if each.message]
        assert [bool(each.new_chat_members) for each in told] == [True, False]
        assert told[1].left_chat_member is not None
        assert told[1].left_chat_member.id == boris.user_id

    async def test_who_is_not_in_the_group_can_neither_read_nor_write(self, ada: Guest, boris: Guest) -> None:
        outside = (await make_group(ada)).seat(boris)
        with pytest.raises(httpx.HTTPStatusError, match="403"):
            await outside.say("/paint a fox")
        with pytest.raises(httpx.HTTPStatusError, match="403"):
            await outside.messages()
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            await ada.in_chat(-5).messages()

    async def test_only_own_messages_can_be_changed(self, ada: Guest, boris: Guest) -> None:
        group = await make_group(ada, boris)
        said = await group.seat(ada).say("a fox")
        for act in (group.seat(boris).delete(said), group.seat(boris).edit(said, "a dog")):
            with pytest.raises(httpx.HTTPStatusError, match="403"):
                await act
        await group.seat(ada).delete(said)


class TestSending:
    async def test_the_bot_must_be_there(self, bot: Bot, ada: Guest) -> None:
        group = await make_group(ada, bot_status="left")
        for kind, where in (("supergroup", group), ("group", await make_group(ada, kind="group"))):
            await where.set_bot("kicked")
            with pytest.raises(TelegramForbiddenError, match=f"bot was kicked from the {kind} chat"):
                await bot.send_message(where.group_id, "hello")
            await where.set_bot("left")
            with pytest.raises(TelegramForbiddenError, match=f"bot is not a member of the {kind} chat"):
                await bot.send_message(where.group_id, "hello")
        with pytest.raises(TelegramBadRequest, match="chat not found"):
            await bot.send_message(-77, "hello")

    async def test_a_message_becomes_a_picture_and_goes(self, bot: Bot, ada: Guest) -> None:
        group = await make_group(ada)
        here = group.seat(ada)
        sent = await bot.send_message(group.group_id, "wait")
        photo = InputMediaPhoto(media=BufferedInputFile(picture(), "a.png"))
        await bot.edit_message_media(photo, chat_id=group.group_id, message_id=sent.message_id)
        assert (await here.messages())[-1].photo_id
        with pytest.raises(TelegramForbiddenError, match="kicked"):
            await group.set_bot("kicked")
            await bot.delete_message(group.group_id, sent.message_id)
        await group.set_bot("member")
        assert await bot.delete_messages(group.group_id, [sent.message_id])

    async def test_others_messages_are_for_administrators_to_delete(self, bot: Bot, ada: Guest) -> None:
        group = await make_group(ada)
        said = await group.seat(ada).say("/paint a fox")
        with pytest.raises(TelegramBadRequest, match="message can't be deleted"):
            await bot.delete_message(group.group_id, said.message_id)
        await group.set_bot("administrator")
        assert await bot.delete_message(group.group_id, said.message_id)

    async def test_an_album_and_a_file_arrive_as_replies(self, bot: Bot, ada: Guest) -> None:
        group = await make_group(ada)
        asked = await group.seat(ada).say("/paint a fox")
        reply = ReplyParameters(message_id=asked.message_id)
        media = [InputMediaPhoto(media=BufferedInputFile(picture(), "a.png")) for _ in range(2)]
        album = await bot.send_media_group(group.group_id, [*media], reply_parameters=reply)
        file = BufferedInputFile(picture(), "a.png")
        document = await bot.send_document(group.group_id, file, reply_parameters=reply)
        for sent in (*album, document):
            assert sent.reply_to_message is not None
            assert sent.reply_to_message.message_id == asked.message_id
            assert (sent.message_thread_id, sent.is_topic_message) == (asked.message_id, None)

    def test_a_group_takes_twenty_messages_a_minute(self) -> None:
        limits = SendingLimits()
        for second in range(60):
            limits.take(100, 1000.0 + second)
        for second in range(20):
            limits.take(-100, 2000.0 + second)
        with pytest.raises(ApiError, match="retry after"):
            for second in range(20, 60):
                limits.take(-100, 2000.0 + second)


class TestButtons:
    async def test_any_member_can_press_and_is_named(
        self, playground: Served, bot: Bot, ada: Guest, boris: Guest
    ) -> None:
        group = await make_group(ada, boris)
        await bot.send_message(group.group_id, "Sure?", reply_markup=keyboard("Yes"))
        await news(playground, bot)
        shown = (await group.seat(boris).messages())[-1]
        await group.seat(boris).press(shown, "Yes", timeout_s=0)
        query = (await news(playground, bot))[0].callback_query
        assert query is not None
        assert query.message is not None
        assert (query.from_user.id, query.message.chat.id) == (boris.user_id, group.group_id)
        await bot.answer_callback_query(query.id, text="Not yours")
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            await boris.press(shown, "Yes")


class TestTopics:
    async def test_messages_stand_in_their_topic(self, playground: Served, bot: Bot, ada: Guest) -> None:
        group = await make_group(ada, is_forum=True)
        topic = await group.open_topic("Foxes")
        await news(playground, bot)
        asked = await group.seat(ada, topic).say("/paint a fox")
        await group.seat(ada).say("/paint a dog")
        seen = [each.message for each in await news(playground, bot) if each.message]
        assert [(each.message_thread_id, each.is_topic_message) for each in seen] == [
            (topic, True),
            (None, None),
        ]
        sent = await bot.send_message(group.group_id, "here", message_thread_id=topic)
        assert (sent.message_thread_id, sent.is_topic_message, sent.chat.is_forum) == (topic, True, True)
        reply = ReplyParameters(message_id=asked.message_id)
        assert (
            await bot.send_message(group.group_id, "x", reply_parameters=reply)
        ).message_thread_id == topic
        assert await bot.send_chat_action(group.group_id, "typing", message_thread_id=topic)

    async def test_a_topic_that_is_not_there_is_refused(self, bot: Bot, ada: Guest) -> None:
        forum = await make_group(ada, is_forum=True)
        plain = await make_group(ada)
        topic = await forum.open_topic("Foxes")
        said = await plain.seat(ada).say("/paint a fox")
        await bot.send_message(
            plain.group_id, "x", reply_parameters=ReplyParameters(message_id=said.message_id)
        )
        places = ((forum, 1), (forum, 999), (plain, said.message_id), (plain, topic))
        for group, thread_id in places:
            with pytest.raises(TelegramBadRequest, match="Bad Request: message thread not found"):
                await bot.send_message(group.group_id, "x", message_thread_id=thread_id)
        with pytest.raises(TelegramBadRequest, match="message thread not found"):
            await bot.send_message(ada.user_id, "x", message_thread_id=topic)
        await forum.delete_topic(topic)
        with pytest.raises(TelegramBadRequest, match="message thread not found"):
            await bot.send_message(forum.group_id, "x", message_thread_id=topic)

    async def test_a_closed_topic_takes_no_message(self, bot: Bot, ada: Guest) -> None:
        group = await make_group(ada, is_forum=True)
        topic = await group.open_topic("Foxes")
        await group.close_topic(topic)
        with pytest.raises(TelegramBadRequest, match="TOPIC_CLOSED"):
            await bot.send_message(group.group_id, "x", message_thread_id=topic)
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            await group.seat(ada, topic).say("x")
        await group.close_topic(topic, is_closed=False)
        await bot.send_message(group.group_id, "x", message_thread_id=topic)


class TestMigration:
    async def test_a_group_that_grew_says_where_it_is(self, playground: Served, bot: Bot, ada: Guest) -> None:
        group = await make_group(ada, kind="group")
        await news(playground, bot)
        grown = await group.migrate()
        told = [each.message for each in await news(playground, bot) if each.message]
        assert [(each.chat.id, each.migrate_to_chat_id, each.migrate_from_chat_id) for each in told] == [
            (group.group_id, grown.group_id, None),
            (grown.group_id, None, group.group_id),
        ]
        with pytest.raises(TelegramMigrateToChat, match="upgraded") as refused:
            await bot.send_message(group.group_id, "hello")
        assert refused.value.migrate_to_chat_id == grown.group_id
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            await group.seat(ada).say("hello")
        await bot.send_message(grown.group_id, "hello")
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            await grown.migrate()


class TestKeeping:
    async def test_groups_outlive_a_restart_and_end_with_a_reset(self, tmp_path: Path) -> None:
        world = make_world(folder=tmp_path)
        members = list(world.chats)[:2]
        made = groups.make(
            world,
            "Painters",
            kind="supergroup",
            is_forum=True,
            members=[world.guest(user_id) for user_id in members],
        )
        groups.open_topic(world, made, "Foxes", by=world.guest(members[0]))
        world.commit()
        world.close()
        again = make_world(folder=tmp_path)
        assert again.groups == {made.chat_id: again.groups[made.chat_id]}
        assert again.groups[made.chat_id].record() == made.record()
        assert list(again.groups[made.chat_id].messages) == list(made.messages)
        again.clear()
        assert again.groups == {}
        again.close()
