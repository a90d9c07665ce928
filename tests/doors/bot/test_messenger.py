"""What Telegram would not take as a photo is made to fit, and what cannot fit goes as a document."""

from typing import Any

from aiogram import Bot
from aiogram.methods import EditMessageMedia, TelegramMethod
from aiogram.types import BufferedInputFile, InputMediaDocument, InputMediaPhoto

from starbooth.domain.delivery.screen import Screen
from starbooth.doors.bot.messenger import BotMessenger
from tests.make.pictures import make_picture


class Recorded(Bot):
    """A bot that calls nobody and remembers what it would have said."""

    def __init__(self) -> None:
        super().__init__("42:TEST")
        self.said: list[TelegramMethod[Any]] = []

    async def __call__(self, method: TelegramMethod[Any], request_timeout: int | None = None) -> Any:
        self.said.append(method)
        return True


async def edit(body: bytes) -> InputMediaPhoto | InputMediaDocument:
    bot = Recorded()
    await BotMessenger(bot).edit_picture(Screen(html="words"), body, chat_id=7, message_id=8)
    [said] = bot.said
    assert isinstance(said, EditMessageMedia)
    assert isinstance(said.media, InputMediaPhoto | InputMediaDocument)
    return said.media


def body_of(media: InputMediaPhoto | InputMediaDocument) -> bytes:
    assert isinstance(media.media, BufferedInputFile)
    return media.media.data


class TestEditPicture:
    async def test_what_fits_goes_as_it_is(self) -> None:
        body = make_picture()
        media = await edit(body)
        assert (type(media), body_of(media)) == (InputMediaPhoto, body)

    async def test_what_is_too_wide_is_made_to_fit(self) -> None:
        media = await edit(make_picture(width_px=10_000, height_px=1000))
        assert isinstance(media, InputMediaPhoto)
        assert body_of(media).startswith(b"\xff\xd8")

    async def test_what_cannot_be_a_photo_goes_as_a_document(self) -> None:
        body = make_picture(width_px=420, height_px=20)
        media = await edit(body)
        assert (type(media), body_of(media)) == (InputMediaDocument, body)
