"""Groups and inline mode in the page: a group is opened and written in, results are shown and sent."""

from typing import TYPE_CHECKING

import pytest
from aiogram import Bot
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultCachedPhoto,
    InlineQueryResultPhoto,
    InlineQueryResultsButton,
    InlineQueryResultUnion,
)

from tests.playground.browser import CHROMIUM, chat_page, check_layout
from tests.playground.conftest import Served, eventually, keyboard, picture
from tests.playground.group import make_group
from tests.playground.guest import Guest

if TYPE_CHECKING:
    from playwright.async_api import Page

pytest.importorskip("playwright.async_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine to open the page in")
LOOKS = ["phone, light", "small phone, dark"]


async def open_group(page: "Page", name: str = "Painters") -> None:
    await page.get_by_label("Switch guest").click()
    await page.locator(".people").get_by_role("button", name=name).click()
    await page.locator(".chat-title", has_text=name.removeprefix("# ")).wait_for()


async def write(page: "Page", words: str) -> None:
    await page.get_by_label("Message", exact=True).fill(words)
    await page.keyboard.press("Enter")


class TestGroups:
    @pytest.mark.parametrize("look", LOOKS)
    async def test_members_talk_and_each_sees_who_said_what(
        self, playground: Served, bot: Bot, ada: Guest, look: str
    ) -> None:
        async with Guest(playground.url, "Bo") as boris:
            group = await make_group(ada, boris)
            async with chat_page(playground, ada, look) as page:
                await open_group(page)
                await write(page, "/paint a red fox")
                await page.locator(".out", has_text="/paint a red fox").wait_for()
                await group.seat(boris).say("me too")
                await page.locator(".row:not(.out)", has_text="me too").get_by_text("Bo").wait_for()
                sent = await bot.send_message(group.group_id, "Painting", reply_markup=keyboard("Cancel"))
                key = page.get_by_role("button", name="Cancel")
                await key.click()
                await eventually(
                    lambda: any("callback_query" in each.text for each in playground.world.updates.pending())
                )
                await check_layout(page)
                assert (await group.seat(ada).messages())[-1].message_id == sent.message_id
                assert len(await ada.messages()) == 1

    async def test_a_topic_shows_its_own_messages_only(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        group = await make_group(ada, is_forum=True)
        topic = await group.open_topic("Foxes")
        await group.seat(ada).say("in general")
        async with chat_page(playground, ada) as page:
            await open_group(page)
            await page.locator(".text", has_text="in general").wait_for()
            await open_group(page, "# Foxes")
            await write(page, "/paint a fox")
            await page.locator(".out", has_text="/paint a fox").wait_for()
            assert await page.locator(".messages").get_by_text("in general").count() == 0
            assert (await group.seat(ada).messages())[-1].raw["message_thread_id"] == topic
            await bot.send_message(group.group_id, "elsewhere")
            await bot.send_message(group.group_id, "here", message_thread_id=topic)
            await page.locator(".text", has_text="here").wait_for()
            assert await page.locator(".messages").get_by_text("elsewhere").count() == 0

    async def test_a_link_to_the_bot_leads_into_the_private_chat(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        group = await make_group(ada)
        button = InlineKeyboardButton(text="Open our chat", url="https://t.me/starbooth_bot?start=buy")
        markup = InlineKeyboardMarkup(inline_keyboard=[[button]])
        async with chat_page(playground, ada) as page:
            await open_group(page)
            await bot.send_message(group.group_id, "between you and me", reply_markup=markup)
            await page.get_by_role("button", name="Open our chat").click()
            await page.locator(".chat-title", has_text="Starbooth").wait_for()
            await page.locator(".out", has_text="/start buy").wait_for()
            assert (await ada.messages())[-1].text == "/start buy"

    async def test_a_group_is_made_and_the_bot_thrown_out(self, playground: Served, ada: Guest) -> None:
        async with chat_page(playground, ada) as page:
            await page.get_by_label("Switch guest").click()
            await page.get_by_role("button", name="New group").click()
            await page.get_by_label("Title").fill("Us")
            await page.get_by_role("button", name="Create").click()
            await page.locator(".chat-title", has_text="Us").wait_for()
            made = next(iter(playground.world.groups.values()))
            assert (made.bot_status, made.members[0]) == ("member", ada.user_id)
            await page.get_by_label("Chat menu").click()
            await page.get_by_role("menuitem", name="Throw the bot out").click()
            await eventually(lambda: made.bot_status == "kicked")
            await page.locator(".service", has_text="let Starbooth go").wait_for()


class TestInline:
    @pytest.mark.parametrize("look", LOOKS)
    async def test_results_are_shown_and_one_is_sent(
        self, playground: Served, bot: Bot, ada: Guest, look: str
    ) -> None:
        sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(400, 300), "a.png"))
        assert sent.photo is not None
        file_id = sent.photo[-1].file_id
        url = f"{playground.url}/media/{file_id}"
        group = await make_group(ada)
        async with chat_page(playground, ada, look) as page:
            await open_group(page)
            playground.world.updates.drop_all()
            await page.get_by_label("Message", exact=True).press_sequentially("@starbooth_bot fox")
            await self.answer(playground, bot, file_id, url)
            await page.get_by_role("button", name="Paint another").wait_for()
            assert await page.get_by_role("option").count() == 2
            await check_layout(page)
            await page.get_by_role("option", name="a fox").click()
            await page.locator(".out", has_text="via @starbooth_bot").wait_for()
            await page.locator("#inline-list").wait_for(state="hidden")
            assert await page.get_by_label("Message", exact=True).input_value() == ""
        assert (await group.seat(ada).messages())[-1].photo_id

    async def answer(self, playground: Served, bot: Bot, file_id: str, url: str) -> None:
        """Answer the newest query, when the guest has stopped typing."""
        await eventually(lambda: any('"fox"' in each.text for each in playground.world.updates.pending()))
        playground.clock.now_s += 10
        query = (await bot.get_updates())[-1].inline_query
        assert query is not None
        results: list[InlineQueryResultUnion] = [
            InlineQueryResultCachedPhoto(id="1", photo_file_id=file_id, caption="a fox"),
            InlineQueryResultPhoto(id="2", photo_url=url, thumbnail_url=url, title="another"),
        ]
        button = InlineQueryResultsButton(text="Paint another", start_parameter="more")
        await bot.answer_inline_query(query.id, results, button=button, is_personal=True)
