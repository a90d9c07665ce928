"""The chat page in a real browser at the size of a phone: what a guest sees and presses works."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from aiogram import Bot
from aiogram.types import BotCommand, BufferedInputFile, InputMediaPhoto

from tests.playground.browser import CHROMIUM, chat_page, check_layout
from tests.playground.conftest import Served, eventually, keyboard, picture
from tests.playground.guest import Guest

if TYPE_CHECKING:
    from playwright.async_api import FilePayload, Page

pytest.importorskip("playwright.async_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine to open the page in")

PULL = """(by) => {
  const target = document.querySelector("dialog h2");
  const send = (kind, y) => {
    const touch = new Touch({ identifier: 1, target, clientX: 100, clientY: y });
    const touches = kind === "touchend" ? [] : [touch];
    target.dispatchEvent(new TouchEvent(kind, { touches, changedTouches: [touch], bubbles: true }));
  };
  send("touchstart", 300);
  send("touchmove", 300 + by);
  send("touchend", 300 + by);
}"""


@pytest.fixture
async def page(request: pytest.FixtureRequest, playground: Served, ada: Guest) -> AsyncIterator["Page"]:
    """Her chat on a phone, unless a test asks for other looks."""
    async with chat_page(playground, ada, getattr(request, "param", "phone, light")) as page:
        yield page


class TestConversation:
    async def test_a_guest_writes_and_the_bots_text_turns_into_a_photo(
        self, page: "Page", playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await page.get_by_label("Message", exact=True).fill("a fox 🦊\nat night")
        await page.keyboard.press("Enter")
        said = await self.received(playground, ada)
        assert said == "a fox 🦊\nat night"
        sent = await bot.send_message(ada.user_id, "In the <b>queue</b>", parse_mode="HTML")
        await page.locator(".text b", has_text="queue").wait_for()
        media = InputMediaPhoto(media=BufferedInputFile(picture(400, 300), "a.png"), caption="a fox")
        await bot.edit_message_media(
            media, chat_id=ada.user_id, message_id=sent.message_id, reply_markup=keyboard("Again")
        )
        await page.locator(f"#message-{sent.message_id} img").wait_for()
        assert await page.get_by_text("queue").count() == 0
        await page.get_by_label("Open the photo").click()
        await page.locator(".viewer img").wait_for()
        await page.keyboard.press("Escape")
        await page.locator(".viewer").wait_for(state="detached")

    async def test_a_pressed_button_spins_until_the_bot_answers(
        self, page: "Page", playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await bot.send_message(ada.user_id, "Ready", reply_markup=keyboard("Again"))
        key = page.get_by_role("button", name="Again")
        await key.click()
        await page.locator(".key[aria-busy=true]").wait_for()
        await eventually(lambda: len(playground.world.updates) == 1)
        playground.clock.now_s += 10
        query = (await bot.get_updates())[0].callback_query
        assert query is not None
        await bot.answer_callback_query(query.id, text="On its way")
        await page.locator(".toast", has_text="On its way").wait_for()
        await page.locator(".key[aria-busy=true]").wait_for(state="detached")

    async def test_what_the_bot_does_is_shown_and_a_text_is_never_markup(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        await bot.send_chat_action(ada.user_id, "upload_photo")
        await page.get_by_text("sending a photo").wait_for()
        await bot.send_message(ada.user_id, "<img src=x onerror=alert(1)> & <b>plain</b>")
        await page.locator(".text", has_text="<img src=x onerror=alert(1)> & <b>plain</b>").wait_for()
        assert await page.locator("#messages img, #messages b").count() == 0

    async def test_the_list_of_commands_sends_one(
        self, page: "Page", playground: Served, bot: Bot, ada: Guest
    ) -> None:
        commands = [
            BotCommand(command="balance", description="Your stars"),
            BotCommand(command="help", description="Help"),
        ]
        await bot.set_my_commands(commands)
        await page.get_by_role("button", name="Commands").wait_for()
        await page.get_by_label("Message", exact=True).press_sequentially("/he")
        await page.get_by_role("option", name="/help").wait_for()
        await page.keyboard.press("Enter")
        assert await self.received(playground, ada) == "/help"

    async def received(self, playground: Served, ada: Guest) -> str:
        """What the guest wrote last, once the bot can take it."""
        await eventually(lambda: len(playground.world.updates) > 0)
        return (await ada.messages())[-1].text


class TestGuests:
    async def test_another_guest_starts_blocks_and_unblocks_the_bot(
        self, page: "Page", playground: Served
    ) -> None:
        await page.get_by_label("Switch guest").click()
        await page.get_by_role("button", name="Boris Petrov").click()
        await page.get_by_role("button", name="Start", exact=True).click()
        await page.get_by_text("/start", exact=True).wait_for()
        boris = playground.world.chats[6_100_000_002]
        assert boris.has_started
        await page.get_by_label("Message", exact=True).wait_for()
        await page.get_by_label("Chat menu").click()
        await page.get_by_role("menuitem", name="Block the bot").click()
        await page.get_by_role("button", name="Unblock bot").wait_for()
        assert boris.is_blocked
        await page.get_by_role("button", name="Unblock bot").click()
        await page.get_by_label("Message", exact=True).wait_for()
        assert not boris.is_blocked

    async def test_a_new_guest_can_be_made(self, page: "Page", playground: Served) -> None:
        await page.get_by_label("Switch guest").click()
        await page.get_by_label("New guest").click()
        await page.get_by_label("Name").fill("Olga")
        await page.get_by_label("Language").select_option("ru")
        await page.get_by_role("button", name="Create").click()
        await page.get_by_text("as Olga").wait_for()
        made = list(playground.world.chats.values())[-1]
        assert (made.user["first_name"], made.user["language_code"]) == ("Olga", "ru")

    async def test_a_photo_can_be_sent_with_a_caption(
        self, page: "Page", playground: Served, ada: Guest
    ) -> None:
        file: FilePayload = {"name": "me.png", "mimeType": "image/png", "buffer": picture()}
        await page.locator("#pick-photo").set_input_files(file)
        await page.get_by_label("Caption").fill("this is me")
        await page.get_by_role("button", name="Send", exact=True).last.click()
        await page.locator(".row.out img").wait_for()
        assert (await ada.messages())[-1].text == "this is me"


class TestColours:
    async def test_the_switch_goes_round_and_is_remembered(self, page: "Page") -> None:
        async def is_dark() -> bool:
            return bool(await page.evaluate("document.documentElement.hasAttribute('data-dark')"))

        assert not await is_dark()
        await page.emulate_media(color_scheme="dark")
        await asyncio.sleep(0.1)
        assert await is_dark()
        await page.get_by_label("Chat menu").click()
        await page.get_by_role("menuitem", name="Colours").click()
        assert not await is_dark()
        await page.reload()
        await page.get_by_text("/start", exact=True).wait_for()
        assert not await is_dark()


class TestFiles:
    @pytest.mark.parametrize("page", ["phone, light", "small phone, dark"], indirect=True)
    async def test_a_table_from_the_bot_is_looked_into_and_saved_under_its_name(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        name = "starbooth-all-movements-of-zoe-2026-11-24.csv"
        rows = [
            b"when,what,stars",
            b'2026-11-24,"Bought, ""100 stars""",100',
            b'2026-11-25,"A fox\nat night",-6',
        ]
        content = b"\r\n".join([*rows, b""])
        await bot.send_document(ada.user_id, BufferedInputFile(content, name), caption="All your movements.")
        link = page.get_by_role("link", name=name)
        await link.wait_for()
        await check_layout(page)
        await page.get_by_role("button", name=f"Look into {name}").click()
        await page.get_by_text("2 rows.").wait_for()
        cells = await page.get_by_role("cell").all_inner_texts()
        assert cells == ["2026-11-24", 'Bought, "100 stars"', "100", "2026-11-25", "A fox at night", "-6"]
        await page.get_by_role("button", name="Close").click()
        async with page.expect_download() as download:
            await link.click()
        saved = await download.value
        assert saved.suggested_filename == name
        assert (await asyncio.to_thread((await saved.path()).read_bytes)) == content


class TestSheets:
    async def test_a_sheet_is_pulled_down_with_a_finger(self, page: "Page") -> None:
        async def pull(by_px: int) -> None:
            await page.evaluate(PULL, by_px)

        await page.get_by_role("button", name="About").click()
        await page.get_by_text("About this playground").wait_for()
        await pull(60)
        assert await page.get_by_role("dialog").count() == 1
        await pull(160)
        await page.get_by_role("dialog").wait_for(state="detached")
