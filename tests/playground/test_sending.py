"""What the bot sends: texts, photos, documents, albums, actions; aiogram asks, the playground answers."""

from io import BytesIO

import httpx
import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    InputMediaDocument,
    InputMediaPhoto,
    KeyboardButton,
    ReplyKeyboardMarkup,
    ReplyParameters,
)
from aiogram.utils.token import TokenValidationError
from PIL import Image

from tests.playground.conftest import TOKEN, Served, eventually, keyboard, picture
from tests.playground.guest import Guest


class TestWhoAndWhere:
    async def test_get_me_is_the_bot(self, bot: Bot) -> None:
        me = await bot.get_me()
        assert (me.id, me.is_bot, me.first_name, me.username) == (42, True, "Starbooth", "starbooth_bot")

    async def test_a_wrong_token_is_refused(self, playground: Served, bot: Bot) -> None:
        with pytest.raises(TokenValidationError):
            Bot("no token")
        other = Bot("43:TEST", session=bot.session)
        with pytest.raises(TelegramUnauthorizedError, match="Unauthorized"):
            await other.get_me()

    async def test_an_unknown_method_is_not_found(self, playground: Served) -> None:
        async with httpx.AsyncClient(base_url=playground.url, trust_env=False) as http:
            answer = await http.get(f"/bot{TOKEN}/sendDice")
        assert answer.status_code == 404
        assert answer.json() == {"ok": False, "error_code": 404, "description": "Not Found: method not found"}

    async def test_names_of_methods_have_no_case_and_parameters_come_in_four_ways(
        self, playground: Served, ada: Guest
    ) -> None:
        wanted = {"chat_id": str(ada.user_id), "text": "hello"}
        async with httpx.AsyncClient(base_url=f"{playground.url}/bot{TOKEN}", trust_env=False) as http:
            answers = [
                await http.get("/SENDMESSAGE", params=wanted),
                await http.post("/sendmessage", data=wanted),
                await http.post("/sendMessage", json={"chat_id": ada.user_id, "text": "hello"}),
                await http.post("/sendMessage", files={name: (None, text) for name, text in wanted.items()}),
            ]
        assert [answer.json()["result"]["text"] for answer in answers] == ["hello"] * 4

    async def test_a_chat_that_nobody_started_is_not_found(self, playground: Served, bot: Bot) -> None:
        stranger = next(iter(playground.world.chats))
        for chat_id in (stranger, 1, -100):
            with pytest.raises(TelegramBadRequest, match="Bad Request: chat not found"):
                await bot.send_message(chat_id, "hello")

    async def test_a_missing_chat_id_is_named(self, bot: Bot, playground: Served) -> None:
        async with httpx.AsyncClient(base_url=f"{playground.url}/bot{TOKEN}", trust_env=False) as http:
            answer = await http.post("/sendMessage", data={"text": "a"})
        assert answer.json()["description"] == "Bad Request: chat_id is empty"

    async def test_a_guest_who_blocked_the_bot_hears_nothing(self, bot: Bot, ada: Guest) -> None:
        await ada.block()
        with pytest.raises(TelegramForbiddenError, match="Forbidden: bot was blocked by the user"):
            await bot.send_message(ada.user_id, "hello")
        await ada.unblock()
        await bot.send_message(ada.user_id, "hello again")
        assert (await ada.messages())[-1].text == "hello again"


class TestText:
    async def test_it_arrives_with_entities_and_keyboard(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_message(
            ada.user_id, "<b>Hi</b> /help", parse_mode="HTML", reply_markup=keyboard("Again")
        )
        assert sent.text == "Hi /help"
        assert [entity.type for entity in sent.entities or []] == ["bold", "bot_command"]
        received = (await ada.messages())[-1]
        assert received.labels == ["Again"]
        assert received.is_from_bot
        assert sent.message_id == received.message_id

    async def test_bad_markup_is_refused_with_the_place(self, bot: Bot, ada: Guest) -> None:
        with pytest.raises(TelegramBadRequest, match='can\'t parse entities: Unsupported start tag "q"'):
            await bot.send_message(ada.user_id, "<q>", parse_mode="HTML")

    async def test_a_reply_quotes_and_a_lost_one_is_refused(self, bot: Bot, ada: Guest) -> None:
        asked = await ada.say("a fox")
        sent = await bot.send_message(
            ada.user_id, "here", reply_parameters=ReplyParameters(message_id=asked.message_id)
        )
        assert sent.reply_to_message is not None
        assert sent.reply_to_message.text == "a fox"
        await ada.delete(asked)
        lost = ReplyParameters(message_id=asked.message_id)
        with pytest.raises(TelegramBadRequest, match="message to be replied not found"):
            await bot.send_message(ada.user_id, "here", reply_parameters=lost)
        lost = ReplyParameters(message_id=asked.message_id, allow_sending_without_reply=True)
        assert (await bot.send_message(ada.user_id, "here", reply_parameters=lost)).reply_to_message is None

    async def test_a_reply_keyboard_belongs_to_the_chat(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        markup = ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text="Yes")]], resize_keyboard=True)
        sent = await bot.send_message(ada.user_id, "Sure?", reply_markup=markup)
        assert sent.reply_markup is None
        chat = playground.world.chats[ada.user_id]
        assert chat.keyboard == {"keyboard": [[{"text": "Yes"}]], "resize_keyboard": True}
        with pytest.raises(TelegramBadRequest, match="message can't be edited"):
            await bot.edit_message_text("No?", chat_id=ada.user_id, message_id=sent.message_id)


class TestPhoto:
    async def test_it_comes_in_several_sizes_the_largest_last(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_photo(
            ada.user_id,
            BufferedInputFile(picture(2000, 1000), "a.png"),
            caption="<i>wide</i>",
            parse_mode="HTML",
        )
        assert [(size.width, size.height) for size in sent.photo or []] == [
            (90, 45),
            (320, 160),
            (800, 400),
            (1280, 640),
        ]
        assert sent.caption == "wide"
        assert (await ada.messages())[-1].text == "wide"

    async def test_a_small_one_keeps_its_size(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(256, 256), "a.png"))
        assert [(size.width, size.height) for size in sent.photo or []] == [(90, 90), (256, 256)]

    async def test_it_can_be_sent_again_by_its_id(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(), "a.png"))
        assert sent.photo is not None
        again = await bot.send_photo(ada.user_id, sent.photo[-1].file_id)
        assert again.photo is not None
        assert again.photo[-1].file_unique_id == sent.photo[-1].file_unique_id

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b"", "file must be non-empty"),
            (b"no picture at all", "IMAGE_PROCESS_FAILED"),
            (picture(400, 400)[:-30], "IMAGE_PROCESS_FAILED"),
            (picture(400, 400, kind="JPEG")[:-400], "IMAGE_PROCESS_FAILED"),
            (picture(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
            (picture(210, 10), "PHOTO_INVALID_DIMENSIONS"),
            (b"\0" * (10 * 1024 * 1024 + 1), "file of size 10485761 bytes is too big for a photo"),
        ],
        ids=["empty", "no picture", "cut PNG", "cut JPEG", "too large", "too long", "too heavy"],
    )
    async def test_what_is_no_good_photo_is_refused(
        self, bot: Bot, ada: Guest, content: bytes, complaint: str
    ) -> None:
        with pytest.raises(TelegramBadRequest, match=complaint):
            await bot.send_photo(ada.user_id, BufferedInputFile(content, "a.png"))

    async def test_a_wrong_id_and_a_web_address_are_refused(self, bot: Bot, ada: Guest) -> None:
        with pytest.raises(TelegramBadRequest, match="wrong remote file identifier specified"):
            await bot.send_photo(ada.user_id, "AgACnothing")
        with pytest.raises(TelegramBadRequest, match="failed to get HTTP URL content"):
            await bot.send_photo(ada.user_id, "http://127.0.0.1/a.png")
        with pytest.raises(TelegramBadRequest, match="there is no photo in the request"):
            await bot.send_photo(ada.user_id, "")

    async def test_a_turned_photo_is_shown_upright(self, bot: Bot, ada: Guest) -> None:
        file = BytesIO()
        upright = Image.new("RGB", (300, 100))
        exif = upright.getexif()
        exif[0x0112] = 6
        upright.save(file, "JPEG", exif=exif)
        sent = await ada.send_photo(file.getvalue())
        assert [(size["width"], size["height"]) for size in sent.raw["photo"]][-1] == (100, 300)
        with Image.open(BytesIO(await ada.download(sent.photo_id))) as shown:
            assert shown.size == (100, 300)


class TestDocument:
    async def test_it_keeps_its_name_and_bytes(self, bot: Bot, ada: Guest) -> None:
        content = picture()
        sent = await bot.send_document(
            ada.user_id, BufferedInputFile(content, "original.png"), caption="As it is"
        )
        assert sent.document is not None
        assert (sent.document.file_name, sent.document.mime_type) == ("original.png", "image/png")
        received = (await ada.messages())[-1]
        assert await ada.download(received.document_id) == content

    async def test_a_photo_is_no_document(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(), "a.png"))
        assert sent.photo is not None
        with pytest.raises(TelegramBadRequest, match="can't use file of type Photo as Document"):
            await bot.send_document(ada.user_id, sent.photo[-1].file_id)


class TestAlbum:
    async def test_it_is_several_messages_with_one_group(self, bot: Bot, ada: Guest) -> None:
        media = [
            InputMediaPhoto(media=BufferedInputFile(picture(colour=colour), f"{colour}.png"), caption=colour)
            for colour in ("red", "gold", "navy")
        ]
        sent = await bot.send_media_group(ada.user_id, media)  # type: ignore[arg-type] # a list is invariant
        assert [message.caption for message in sent] == ["red", "gold", "navy"]
        assert len({message.media_group_id for message in sent}) == 1
        assert sent[0].media_group_id

    async def test_too_many_and_mixed_ones_are_refused(self, bot: Bot, ada: Guest) -> None:
        photo = InputMediaPhoto(media=BufferedInputFile(picture(), "a.png"))
        file = InputMediaDocument(media=BufferedInputFile(b"x", "a.txt"))
        with pytest.raises(TelegramBadRequest, match="too many messages to send as an album"):
            await bot.send_media_group(ada.user_id, [photo] * 11)
        with pytest.raises(TelegramBadRequest, match="document can't be mixed with other media types"):
            await bot.send_media_group(ada.user_id, [photo, file])
        with pytest.raises(TelegramBadRequest, match="there are no messages to send"):
            await bot.send_media_group(ada.user_id, [])


class TestFiles:
    async def test_what_a_guest_sent_can_be_fetched(self, bot: Bot, ada: Guest) -> None:
        sent = await ada.send_document(b"the very bytes", name="words.txt")
        file = await bot.get_file(sent.document_id)
        assert file.file_path is not None
        assert file.file_size == 14
        fetched = await bot.download_file(file.file_path)
        assert fetched is not None
        assert fetched.read() == b"the very bytes"

    async def test_a_photo_is_fetched_as_jpeg_in_the_wanted_size(self, bot: Bot, ada: Guest) -> None:
        sent = await ada.send_photo(picture(500, 400))
        file = await bot.get_file(sent.raw["photo"][0]["file_id"])
        assert file.file_path is not None
        fetched = await bot.download_file(file.file_path)
        assert fetched is not None
        content = fetched.read()
        assert content[:3] == b"\xff\xd8\xff"
        assert file.file_size == len(content)

    async def test_unknown_ids_and_paths_are_refused(self, playground: Served, bot: Bot) -> None:
        with pytest.raises(TelegramBadRequest, match="wrong remote file identifier"):
            await bot.get_file("BQACnothing")
        async with httpx.AsyncClient(base_url=playground.url, trust_env=False) as http:
            assert (await http.get(f"/file/bot{TOKEN}/photos/file_99o.jpg")).status_code == 404
            assert (await http.get(f"/file/bot{TOKEN}/../../etc/passwd")).status_code == 404
            assert (await http.get("/file/bot43:TEST/photos/file_1o.jpg")).status_code == 401


class TestChatAction:
    async def test_a_known_one_is_shown_and_an_unknown_one_refused(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        before = playground.world.feed.last_number
        await bot.send_chat_action(ada.user_id, "upload_photo")
        assert playground.world.feed.last_number == before + 1
        with pytest.raises(TelegramBadRequest, match="wrong parameter action in request"):
            await bot.send_chat_action(ada.user_id, "dancing")


class TestProfile:
    async def test_commands_are_kept_by_language(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await bot.set_my_commands([BotCommand(command="start", description="Begin")])
        await bot.set_my_commands([BotCommand(command="start", description="Начать")], language_code="ru")
        async with (
            httpx.AsyncClient(base_url=playground.url, trust_env=False) as http,
            Guest(playground.url, "Иван", language_code="ru") as ivan,
        ):
            shown = [
                (await http.get(f"/control/users/{guest.user_id}/profile")).json()["commands"][0][
                    "description"
                ]
                for guest in (ada, ivan)
            ]
        assert shown == ["Begin", "Начать"]
        await bot.delete_my_commands(language_code="ru")
        assert await bot.get_my_commands(language_code="ru") == []
        assert [command.command for command in await bot.get_my_commands()] == ["start"]

    @pytest.mark.parametrize(
        ("command", "description", "complaint"),
        [
            ("Start", "x", "BOT_COMMAND_INVALID"),
            ("a" * 33, "x", "command length must not exceed 32"),
            ("a", " ", "command description must be non-empty"),
            ("a", "x" * 257, "command description length must not exceed 256"),
        ],
    )
    async def test_wrong_commands_are_refused(
        self, bot: Bot, command: str, description: str, complaint: str
    ) -> None:
        with pytest.raises(TelegramBadRequest, match=complaint):
            await bot.set_my_commands([BotCommand(command=command, description=description)])

    async def test_descriptions_and_the_menu_button_are_taken(self, bot: Bot) -> None:
        assert await bot.set_my_description("Draws pictures")
        assert await bot.set_my_short_description("Pictures")
        assert await bot.set_chat_menu_button()
        with pytest.raises(TelegramBadRequest, match="bot short description is too long"):
            await bot.set_my_short_description("x" * 121)


class TestTicks:
    async def test_a_message_counts_as_read_once_the_bot_confirmed_it(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        said = await ada.say("a fox")
        chat = playground.world.chats[ada.user_id]
        playground.clock.now_s += 10
        update = (await bot.get_updates())[0]
        assert chat.read_by_bot < said.message_id
        playground.clock.now_s += 10
        await bot.get_updates(offset=update.update_id + 1)
        await eventually(lambda: chat.read_by_bot == said.message_id)


class TestWithoutAiogram:
    async def test_the_unauthorized_body_has_telegrams_shape(self, playground: Served) -> None:
        async with httpx.AsyncClient(base_url=playground.url, trust_env=False) as http:
            answer = await http.get("/bot1:X/getMe")
        assert answer.status_code == 401
        assert answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}

    async def test_a_body_above_the_limit_is_refused_unread(self, playground: Served) -> None:
        async with httpx.AsyncClient(base_url=playground.url, trust_env=False) as http:
            answer = await http.post(f"/bot{TOKEN}/sendDocument", content=b"x" * (52 * 1024 * 1024 + 1))
        assert answer.status_code == 413
        assert answer.json()["description"] == "Request Entity Too Large"

    async def test_rubbish_in_a_form_is_refused(self, playground: Served) -> None:
        kind = {"content-type": "multipart/form-data; boundary=x"}
        async with httpx.AsyncClient(base_url=f"{playground.url}/bot{TOKEN}", trust_env=False) as http:
            broken = await http.post("/sendMessage", content=b"--y rubbish", headers=kind)
            latin = await http.post(
                "/sendMessage",
                content=b"text=%E9\xe9",
                headers={"content-type": "application/x-www-form-urlencoded"},
            )
            no_json = await http.post(
                "/sendMessage", content=b"{", headers={"content-type": "application/json"}
            )
        assert [broken.status_code, latin.status_code, no_json.status_code] == [400, 400, 400]
