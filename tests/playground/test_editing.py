"""Edits, deletions and answers to buttons: what they change and each of their refusals."""

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.types import BufferedInputFile, CallbackQuery, InputMediaDocument, InputMediaPhoto, Message

from tests.playground.conftest import Served, eventually, keyboard, picture
from tests.playground.guest import Guest, Json

UNCHANGED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly "
    "the same as a current content and reply markup of the message"
)


def photo(colour: str = "tomato", caption: str = "") -> InputMediaPhoto:
    return InputMediaPhoto(media=BufferedInputFile(picture(colour=colour), "a.png"), caption=caption)


async def edited(bot: Bot, message: Message, text: str, **options: object) -> Message:
    result = await bot.edit_message_text(
        text,
        chat_id=message.chat.id,
        message_id=message.message_id,
        **options,  # type: ignore[arg-type] # passed through
    )
    assert isinstance(result, Message)
    return result


class TestText:
    async def test_it_changes_in_place(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "In the queue", reply_markup=keyboard("Cancel"))
        result = await edited(bot, sent, "<b>Drawing</b>", parse_mode="HTML")
        assert (result.text, result.message_id, result.reply_markup) == ("Drawing", sent.message_id, None)
        assert result.edit_date
        assert [message.text for message in await ada.messages()] == ["/start", "Drawing"]

    async def test_the_same_again_is_refused(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(
            ada.user_id, "<b>a</b> b", parse_mode="HTML", reply_markup=keyboard("x")
        )
        with pytest.raises(TelegramBadRequest) as refused:
            await edited(bot, sent, "<b>a</b> b", parse_mode="HTML", reply_markup=keyboard("x"))
        assert refused.value.message == UNCHANGED
        await edited(bot, sent, "a <b>b</b>", parse_mode="HTML", reply_markup=keyboard("x"))
        await edited(bot, sent, "a <b>b</b>", parse_mode="HTML", reply_markup=keyboard("y"))

    async def test_a_missing_message_is_refused(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "In the queue")
        await ada.delete((await ada.messages())[-1])
        with pytest.raises(TelegramBadRequest, match="Bad Request: message to edit not found"):
            await edited(bot, sent, "Drawing")

    async def test_a_message_of_another_chat_is_not_found(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        sent = await bot.send_message(ada.user_id, "secret")
        async with Guest(playground.url, "Eve") as eve:
            await eve.say("/start")
            with pytest.raises(TelegramBadRequest, match="message to edit not found"):
                await bot.edit_message_text("hm", chat_id=eve.user_id, message_id=sent.message_id)

    async def test_what_the_guest_wrote_cannot_be_edited(self, bot: Bot, ada: Guest) -> None:
        said = await ada.say("a fox")
        with pytest.raises(TelegramBadRequest, match="message can't be edited"):
            await bot.edit_message_text("a dog", chat_id=ada.user_id, message_id=said.message_id)

    async def test_a_photo_has_no_text_to_edit(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(), "a.png"))
        with pytest.raises(TelegramBadRequest, match="there is no text in the message to edit"):
            await edited(bot, sent, "words")

    async def test_an_empty_and_a_too_long_one_are_refused(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "a")
        with pytest.raises(TelegramBadRequest, match="message text is empty"):
            await edited(bot, sent, "")
        with pytest.raises(TelegramBadRequest, match="message is too long"):
            await edited(bot, sent, "a" * 4097)

    async def test_a_blocked_bot_cannot_edit(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "a")
        await ada.block()
        with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
            await edited(bot, sent, "b")


class TestMedia:
    async def test_a_text_turns_into_a_photo(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "In the queue", reply_markup=keyboard("Cancel"))
        place: Json = {"chat_id": ada.user_id, "message_id": sent.message_id}
        await bot.edit_message_media(photo(caption="a fox"), reply_markup=keyboard("Again"), **place)
        received = (await ada.messages())[-1]
        assert (received.text, received.labels, "text" in received.raw) == ("a fox", ["Again"], False)
        assert (await ada.download(received.photo_id))[:2] == b"\xff\xd8"

    async def test_a_photo_gives_way_to_a_document(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(), "a.png"))
        file = InputMediaDocument(media=BufferedInputFile(b"x", "a.txt"))
        result = await bot.edit_message_media(file, chat_id=ada.user_id, message_id=sent.message_id)
        assert isinstance(result, Message)
        assert result.document is not None
        assert result.photo is None

    async def test_the_same_photo_by_its_id_is_refused(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(), "a.png"), caption="a")
        assert sent.photo is not None
        same = InputMediaPhoto(media=sent.photo[-1].file_id, caption="a")
        with pytest.raises(TelegramBadRequest, match="message is not modified"):
            await bot.edit_message_media(same, chat_id=ada.user_id, message_id=sent.message_id)

    async def test_a_part_that_is_not_there_is_refused(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "a")
        lost = InputMediaPhoto(media="attach://nothing")
        with pytest.raises(TelegramBadRequest, match="there is no file in the request to attach"):
            await bot.edit_message_media(lost, chat_id=ada.user_id, message_id=sent.message_id)


class TestAlbumParts:
    async def test_a_part_becomes_another_photo_and_stays_in_its_album(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_media_group(ada.user_id, [photo("red"), photo("gold")])
        changed = await bot.edit_message_media(
            photo("navy", "done"), chat_id=ada.user_id, message_id=sent[1].message_id
        )
        assert isinstance(changed, Message)
        assert (changed.media_group_id, changed.caption) == (sent[0].media_group_id, "done")

    async def test_a_part_cannot_become_a_file(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_media_group(ada.user_id, [photo("red"), photo("gold")])
        file = InputMediaDocument(media=BufferedInputFile(b"x", "a.txt"))
        with pytest.raises(TelegramBadRequest, match="can't change media type in the album"):
            await bot.edit_message_media(file, chat_id=ada.user_id, message_id=sent[0].message_id)


class TestCaptionAndKeyboard:
    async def test_a_caption_changes_and_the_photo_stays(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(), "a.png"), caption="a")
        place: Json = {"chat_id": ada.user_id, "message_id": sent.message_id}
        result = await bot.edit_message_caption(caption="<b>b</b>", parse_mode="HTML", **place)
        assert isinstance(result, Message)
        assert (result.caption, result.photo) == ("b", sent.photo)
        with pytest.raises(TelegramBadRequest, match="message is not modified"):
            await bot.edit_message_caption(caption="<b>b</b>", parse_mode="HTML", **place)
        with pytest.raises(TelegramBadRequest, match="message caption is too long"):
            await bot.edit_message_caption(caption="b" * 1025, **place)

    async def test_a_text_has_no_caption(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "a")
        with pytest.raises(TelegramBadRequest, match="there is no caption in the message to edit"):
            await bot.edit_message_caption(caption="b", chat_id=ada.user_id, message_id=sent.message_id)

    async def test_a_keyboard_comes_and_goes(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "a")
        place: Json = {"chat_id": ada.user_id, "message_id": sent.message_id}
        await bot.edit_message_reply_markup(reply_markup=keyboard("x"), **place)
        assert (await ada.messages())[-1].labels == ["x"]
        with pytest.raises(TelegramBadRequest, match="message is not modified"):
            await bot.edit_message_reply_markup(reply_markup=keyboard("x"), **place)
        await bot.edit_message_reply_markup(reply_markup=None, **place)
        assert (await ada.messages())[-1].labels == []


class TestDeletion:
    async def test_a_message_goes_once(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "a")
        assert await bot.delete_message(ada.user_id, sent.message_id)
        with pytest.raises(TelegramBadRequest, match="Bad Request: message to delete not found"):
            await bot.delete_message(ada.user_id, sent.message_id)

    async def test_after_two_days_it_stays(self, playground: Served, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(ada.user_id, "a")
        playground.clock.now_s += 48 * 3600 + 1
        with pytest.raises(TelegramBadRequest, match="Bad Request: message can't be deleted"):
            await bot.delete_message(ada.user_id, sent.message_id)

    async def test_several_go_at_once_and_missing_ones_do_not_matter(self, bot: Bot, ada: Guest) -> None:
        sent = [(await bot.send_message(ada.user_id, text)).message_id for text in "abc"]
        assert await bot.delete_messages(ada.user_id, [*sent[:2], 99])
        assert [message.text for message in await ada.messages()] == ["/start", "c"]


class TestButtons:
    async def press(self, playground: Served, bot: Bot, ada: Guest) -> CallbackQuery:
        sent = await bot.send_message(ada.user_id, "a", reply_markup=keyboard("Again"))
        message = await ada.wait_for(lambda each: each.message_id == sent.message_id)
        assert await ada.press(message, "Again", timeout_s=0) is None
        playground.clock.now_s += 10
        query = (await bot.get_updates(offset=-1))[0].callback_query
        assert query is not None
        return query

    async def test_a_press_is_an_update_with_all_that_aiogram_needs(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        query = await self.press(playground, bot, ada)
        assert (query.data, query.from_user.id) == ("Again", ada.user_id)
        assert query.chat_instance
        assert query.message is not None
        assert query.message.chat.id == ada.user_id

    async def test_the_guest_gets_the_answer(self, playground: Served, bot: Bot, ada: Guest) -> None:
        query = await self.press(playground, bot, ada)
        await bot.answer_callback_query(query.id, text="Done", show_alert=True)
        callback = playground.world.callbacks[query.id]
        assert callback.answer == {"text": "Done", "show_alert": True, "url": ""}

    async def test_twice_late_and_unknown_are_refused(self, playground: Served, bot: Bot, ada: Guest) -> None:
        query = await self.press(playground, bot, ada)
        await bot.answer_callback_query(query.id)
        late = await self.press(playground, bot, ada)
        playground.clock.now_s += 151
        for query_id in (query.id, late.id, "17"):
            with pytest.raises(
                TelegramBadRequest,
                match="Bad Request: query is too old and response timeout expired or query ID is invalid",
            ):
                await bot.answer_callback_query(query_id)

    async def test_an_answer_has_200_characters(self, playground: Served, bot: Bot, ada: Guest) -> None:
        query = await self.press(playground, bot, ada)
        with pytest.raises(TelegramBadRequest, match="MESSAGE_TOO_LONG"):
            await bot.answer_callback_query(query.id, text="a" * 201)
        await bot.answer_callback_query(query.id, text="a" * 200)

    async def test_a_button_that_is_gone_cannot_be_pressed(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        sent = await bot.send_message(ada.user_id, "a", reply_markup=keyboard("Again"))
        seen = await ada.wait_for(lambda each: bool(each.labels))
        await bot.edit_message_reply_markup(chat_id=ada.user_id, message_id=sent.message_id)
        with pytest.raises(Exception, match="the message has no such button"):
            await ada.press(seen, "Again")
        with pytest.raises(LookupError, match="no button 'Other'"):
            await ada.press(seen, "Other")
        await eventually(lambda: len(playground.world.updates) == 0)
