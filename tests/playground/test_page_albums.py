"""Albums on the chat page in a real browser: photos that were sent together stand together, in one grid."""

from typing import TYPE_CHECKING

import pytest
from aiogram import Bot
from aiogram.types import BufferedInputFile, InputMediaPhoto, Message

from tests.playground.browser import CHROMIUM, LOOKS, chat_page, check_layout
from tests.playground.conftest import Served, picture
from tests.playground.guest import Guest

if TYPE_CHECKING:
    from playwright.async_api import Page

pytest.importorskip("playwright.async_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine to open the page in")

BOXES = """(photos) => photos.map((photo) => photo.getBoundingClientRect()).map(
  ({ left, top, width, height }) => [left, top, width, height].map(Math.round)
)"""


def media(width_px: int, height_px: int, caption: str | None = None) -> InputMediaPhoto:
    body = BufferedInputFile(picture(width_px, height_px), "a.png")
    return InputMediaPhoto(media=body, caption=caption)


async def send(bot: Bot, guest: Guest, *photos: InputMediaPhoto) -> list[Message]:
    return await bot.send_media_group(guest.user_id, media=list(photos))


async def boxes(page: "Page") -> list[list[int]]:
    """Left, top, width and height of each photo in the album."""
    found: list[list[int]] = await page.locator(".album .photo").evaluate_all(BOXES)
    return found


class TestGrid:
    @pytest.mark.parametrize(("look", "size"), list(zip(LOOKS, [(64, 36), (36, 64), (64, 64)], strict=True)))
    async def test_any_number_of_any_shape_fills_its_bubble_without_overlap(
        self, playground: Served, bot: Bot, ada: Guest, look: str, size: tuple[int, int]
    ) -> None:
        async with chat_page(playground, ada, look) as page:
            for count in (2, 3, 4, 7):
                sent = await send(bot, ada, *[media(*size) for _ in range(count)])
                await page.locator(f"#message-{sent[-1].message_id} img").wait_for()
                placed = await boxes(page)
                assert len(placed) == count
                assert len({(left, top) for left, top, _, _ in placed}) == count
                right, bottom = (max(box[at] + box[at + 2] for box in placed) for at in (0, 1))
                whole = (right - placed[0][0]) * (bottom - placed[0][1])
                assert sum(width * height for _, _, width, height in placed) == pytest.approx(
                    whole, rel=0.06
                ), placed
                await check_layout(page)
                await bot.delete_messages(ada.user_id, [each.message_id for each in sent])
                await page.locator(".album").wait_for(state="detached")


class TestMessages:
    async def test_each_photo_is_its_own_message_and_the_only_caption_stands_below(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        async with chat_page(playground, ada) as page:
            sent = await send(bot, ada, media(64, 64, "three boats"), media(64, 64), media(64, 64))
            await page.locator(".album .photo").nth(2).wait_for()
            assert await page.locator(".captioned", has_text="three boats").count() == 1
            await page.locator(f"#message-{sent[1].message_id}").click()
            await page.locator(".viewer img").wait_for()
            await page.keyboard.press("Escape")
            await bot.edit_message_media(
                media(64, 64, "the second"), chat_id=ada.user_id, message_id=sent[1].message_id
            )
            await page.locator(".bubble.uncaptioned").wait_for()
            assert await page.locator(".album .photo").count() == 3
            await bot.delete_message(ada.user_id, sent[0].message_id)
            await page.locator(".captioned", has_text="the second").wait_for()
            await bot.delete_message(ada.user_id, sent[2].message_id)
            await page.locator(".album").wait_for(state="detached")
            assert await page.locator(f"#message-{sent[1].message_id} img").count() == 1

    async def test_a_text_in_between_belongs_to_no_album(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        async with chat_page(playground, ada) as page:
            await send(bot, ada, media(64, 64), media(64, 64))
            await bot.send_message(ada.user_id, "and now the other two")
            await send(bot, ada, media(64, 64), media(64, 64))
            await page.locator(".album").nth(1).wait_for()
            assert await page.locator(".album .photo").count() == 4
