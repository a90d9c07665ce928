"""Money in the chat page, in a real browser: invoices, the sheet that pays them, wallets, the bot's Stars,
faults.

Every effect is looked up behind the page, in the control API or in the playground itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from aiogram import Bot
from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LabeledPrice,
    Message,
)

from starbooth.playground.faults import FaultKind
from tests.playground.browser import CHROMIUM, LOOKS, chat_page, check_layout
from tests.playground.conftest import Served
from tests.playground.guest import Guest

if TYPE_CHECKING:
    from playwright.async_api import Page

pytest.importorskip("playwright.async_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine to open the page in")

MONTH_S = 2_592_000


@pytest.fixture
async def page(request: pytest.FixtureRequest, playground: Served, ada: Guest) -> AsyncIterator["Page"]:
    """Her chat on a phone, unless a test asks for other looks."""
    async with chat_page(playground, ada, getattr(request, "param", "phone, light")) as page:
        yield page


@contextlib.asynccontextmanager
async def cashier(bot: Bot, *refusals: str) -> AsyncIterator[asyncio.Event]:
    """A bot that refuses as many checkouts as there are reasons, then agrees to each; it waits for the event
    before each answer.
    """
    may_answer = asyncio.Event()
    reasons = list(refusals)

    async def run() -> None:
        offset = 0
        while True:
            for update in await bot.get_updates(offset=offset, timeout=30):
                offset = update.update_id + 1
                if query := update.pre_checkout_query:
                    await may_answer.wait()
                    reason = reasons.pop(0) if reasons else None
                    await bot.answer_pre_checkout_query(query.id, ok=reason is None, error_message=reason)

    task = asyncio.create_task(run())
    yield may_answer
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def send_invoice(bot: Bot, ada: Guest, *, amount_xtr: int = 50, label: str = "Pay ⭐ 50") -> Message:
    pay = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=label, pay=True)]])
    return await bot.send_invoice(
        ada.user_id,
        title="100 stars",
        description="About 16 pictures. They never expire.",
        payload="purchase-1",
        currency="XTR",
        prices=[LabeledPrice(label="100 stars", amount=amount_xtr)],
        reply_markup=pay,
    )


async def make_link(
    bot: Bot, *, title: str = "Monthly plan", amount_xtr: int = 250, period_s: int = 0
) -> str:
    return await bot.create_invoice_link(
        title=title,
        description="300 stars every month.",
        payload="plan-1",
        currency="XTR",
        prices=[LabeledPrice(label=title, amount=amount_xtr)],
        subscription_period=period_s or None,
    )


class TestPaying:
    @pytest.mark.parametrize("page", LOOKS, indirect=True)
    async def test_an_invoice_is_paid_and_the_chat_says_so_even_after_a_reload(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        sent = await send_invoice(bot, ada, label="Pay 50 XTR")
        card = page.locator(f"#message-{sent.message_id}")
        await card.get_by_text("About 16 pictures.").wait_for()
        assert await card.locator(".key .star").count() == 1
        await check_layout(page)
        async with cashier(bot) as may_answer:
            await page.get_by_role("button", name="Pay 50").click()
            await page.get_by_text("Your balance: 1,000 Stars").wait_for()
            await check_layout(page)
            await page.get_by_role("button", name="Confirm and Pay").click()
            await page.locator(".pay-go[aria-busy=true]").wait_for()
            assert (await ada.wallet()).xtr == 1000
            may_answer.set()
            await page.get_by_role("heading", name="Paid").wait_for()
            await check_layout(page)
            await page.get_by_role("button", name="Done").click()
        await page.get_by_role("dialog").wait_for(state="detached")
        for _ in ("now", "after a reload"):
            line = page.locator(".service", has_text="You paid")
            await line.wait_for()
            assert await line.inner_text() == "You paid 50 for 100 stars"
            await check_layout(page)
            await page.reload()
        await page.get_by_label("Wallet of Zoe: 950 Stars").wait_for()
        assert (await ada.wallet()).xtr == 950

    async def test_the_bots_refusal_is_shown_and_a_second_try_by_keyboard_pays(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        await send_invoice(bot, ada)
        async with cashier(bot, "This invoice is too old. Write /buy for a new one.") as may_answer:
            may_answer.set()
            await page.get_by_role("button", name="Pay ⭐ 50").focus()
            await page.keyboard.press("Enter")
            await page.get_by_text("Confirm your purchase").wait_for()
            await page.keyboard.press("Enter")
            await page.get_by_text("This invoice is too old. Write /buy for a new one.").wait_for()
            await page.get_by_text("No Stars were taken.").wait_for()
            await check_layout(page)
            assert (await ada.wallet()).xtr == 1000
            await page.keyboard.press("Enter")
            await page.get_by_text("Confirm your purchase").wait_for()
            await page.keyboard.press("Enter")
            await page.get_by_role("heading", name="Paid").wait_for()
        assert (await ada.wallet()).xtr == 950

    async def test_a_bot_that_stays_silent_is_named_as_the_reason(
        self, page: "Page", playground: Served, bot: Bot, ada: Guest
    ) -> None:
        playground.world.checkout_s = 0.3
        await send_invoice(bot, ada)
        await page.get_by_role("button", name="Pay ⭐ 50").click()
        await page.get_by_role("button", name="Confirm and Pay").click()
        await page.get_by_text("The bot did not answer in time.").wait_for()
        await page.get_by_role("button", name="Close").last.click()
        await page.get_by_role("dialog").wait_for(state="detached")
        assert (await ada.wallet()).xtr == 1000

    async def test_who_closes_the_sheet_while_the_bot_is_asked_is_still_told(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        await send_invoice(bot, ada)
        async with cashier(bot) as may_answer:
            await page.get_by_role("button", name="Pay ⭐ 50").click()
            await page.get_by_role("button", name="Confirm and Pay").click()
            await page.locator(".pay-go[aria-busy=true]").wait_for()
            await page.keyboard.press("Escape")
            await page.get_by_role("dialog").wait_for(state="detached")
            may_answer.set()
            await page.locator(".toast", has_text="Paid 50 Stars.").wait_for()
        assert (await ada.wallet()).xtr == 950

    async def test_too_few_stars_are_topped_up_in_the_sheet(self, page: "Page", bot: Bot, ada: Guest) -> None:
        await send_invoice(bot, ada, amount_xtr=1750, label="Pay ⭐ 1750")
        async with cashier(bot) as may_answer:
            may_answer.set()
            await page.get_by_role("button", name="Pay ⭐ 1750").click()
            await page.get_by_text("750 Stars more needed").wait_for()
            await check_layout(page)
            await page.get_by_role("button", name="Add 1,000 play Stars").click()
            await page.get_by_text("Your balance: 2,000 Stars").wait_for()
            await page.get_by_role("button", name="Confirm and Pay").click()
            await page.get_by_role("heading", name="Paid").wait_for()
        assert (await ada.wallet()).xtr == 250

    async def test_links_in_buttons_and_in_texts_open_the_same_sheet(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        link = await make_link(bot, title="Ten stars", amount_xtr=10)
        button = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Open", url=link)]])
        await bot.send_message(ada.user_id, f"Or here: {link}", reply_markup=button)
        async with cashier(bot) as may_answer:
            may_answer.set()
            await page.get_by_role("button", name="Open", exact=True).click()
            await page.locator(".pay-what", has_text="Ten stars").wait_for()
            await page.get_by_role("button", name="Confirm and Pay").click()
            await page.get_by_role("button", name="Done").click()
            await page.get_by_role("link", name="t.me").click()
            await page.get_by_text("This has been paid before.").wait_for()
            await page.get_by_role("button", name="Confirm and Pay").click()
            await page.get_by_role("heading", name="Paid").wait_for()
        assert (await ada.wallet()).xtr == 980

    async def test_a_link_to_no_invoice_says_so(self, page: "Page", bot: Bot, ada: Guest) -> None:
        await bot.send_message(ada.user_id, "Gone: https://t.me/$nothing")
        await page.get_by_role("link", name="nothing").click()
        await page.locator(".toast", has_text="no such invoice").wait_for()
        assert await page.get_by_role("dialog").count() == 0

    async def test_a_link_that_starts_the_bot_is_followed_in_the_chat(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        await bot.send_message(ada.user_id, "Invite: https://t.me/starbooth_bot?start=ref_7")
        await page.get_by_role("link", name="ref_7").click()
        await page.locator(".row.out", has_text="/start ref_7").wait_for()

    async def test_a_forwarded_invoice_is_paid_by_somebody_else(
        self, page: "Page", playground: Served, bot: Bot, ada: Guest
    ) -> None:
        sent = await send_invoice(bot, ada)
        await page.locator(f"#message-{sent.message_id} .bubble").click(button="right")
        await page.get_by_role("menuitem", name="Forward").click()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Forward this invoice").press("Enter")
        await page.get_by_label("Into whose chat").select_option("Boris Petrov")
        await check_layout(page)
        await page.get_by_role("button", name="Forward", exact=True).click()
        await page.get_by_label("Switch guest").click()
        await page.get_by_role("button", name="Boris Petrov").click()
        await page.get_by_text("Forwarded from Starbooth").wait_for()
        await check_layout(page)
        async with cashier(bot) as may_answer:
            may_answer.set()
            await page.get_by_role("button", name="Pay").click()
            await page.get_by_role("button", name="Confirm and Pay").click()
            await page.get_by_role("heading", name="Paid").wait_for()
        assert (await ada.wallet()).xtr == 1000
        assert playground.world.till.xtr(6_100_000_002) == 950


class TestWallet:
    @pytest.mark.parametrize("page", ["phone, light", "small phone, dark"], indirect=True)
    async def test_a_subscription_is_renewed_cancelled_and_turned_on_again(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        link = await make_link(bot, title="W" * 32, amount_xtr=250, period_s=MONTH_S)
        await bot.send_message(ada.user_id, f"Every month: {link}")
        async with cashier(bot) as may_answer:
            may_answer.set()
            await page.get_by_role("link", name="t.me").click()
            await page.get_by_role("heading", name="Confirm your subscription").wait_for()
            await page.get_by_text("then again every month, until you cancel").wait_for()
            await check_layout(page)
            await page.get_by_role("button", name="Confirm and Pay").click()
            await page.get_by_role("button", name="Done").click()
        await page.locator(".service", has_text="the first month").wait_for()
        await page.get_by_label("Wallet of Zoe: 750 Stars").click()
        await page.get_by_text("next payment on").wait_for()
        await check_layout(page)
        first = (await ada.wallet()).subscriptions[0]
        await page.get_by_role("button", name="Next month").click()
        await page.get_by_text("A month has passed: the next one is paid.").wait_for()
        paid = await ada.wallet()
        assert (paid.xtr, paid.subscriptions[0]["expires_at"]) == (500, first["expires_at"] + MONTH_S)
        await page.get_by_role("button", name="Cancel: ").click()
        await page.get_by_text("Cancelled. It stays until its month is over.").wait_for()
        assert (await ada.wallet()).subscriptions[0]["is_canceled"]
        await check_layout(page)
        focused = page.locator(":focus")
        assert await focused.inner_text() == "Turn on again"
        await focused.press("Enter")
        await page.get_by_text("Turned on again.").wait_for()
        assert not (await ada.wallet()).subscriptions[0]["is_canceled"]
        await page.get_by_role("button", name="Cancel: ").click()
        await page.get_by_role("button", name="Turn on again").wait_for()
        await page.get_by_role("button", name="Next month").click()
        await page.get_by_text("has ended").wait_for()
        assert (await ada.wallet()).subscriptions == []

    async def test_stars_are_added_and_a_renewal_without_them_fails(
        self, page: "Page", bot: Bot, ada: Guest
    ) -> None:
        link = await make_link(bot, amount_xtr=900, period_s=MONTH_S)
        async with cashier(bot) as may_answer:
            may_answer.set()
            await ada.pay(link)
        await page.get_by_label("Wallet of Zoe: 100 Stars").wait_for()
        await page.get_by_label("Chat menu").click()
        await page.get_by_role("menuitem", name="Wallet: 100 Stars").click()
        await page.get_by_role("button", name="Next month").click()
        await page.get_by_text("You have too few Stars.").wait_for()
        await page.locator(".state", has_text="Not paid").wait_for()
        assert (await ada.wallet()).subscriptions[0]["is_failed"]
        for xtr in (600, 1100):
            await page.get_by_role("button", name="Add 500").click()
            await page.get_by_label(f"Wallet of Zoe: {xtr:,} Stars").wait_for()
        await page.get_by_role("button", name="Next month").click()
        await page.locator(".state", has_text="Active").wait_for()
        assert (await ada.wallet()).xtr == 200


class TestTheBotsStars:
    @pytest.mark.parametrize("page", ["phone, light", "small phone, dark"], indirect=True)
    async def test_payments_are_refunded_by_the_support_and_charged_back(
        self, page: "Page", playground: Served, bot: Bot, ada: Guest
    ) -> None:
        sent = await send_invoice(bot, ada)
        invoice = next(each for each in await ada.messages() if each.message_id == sent.message_id)
        async with cashier(bot) as may_answer:
            may_answer.set()
            for _ in range(2):
                await ada.pay(invoice)
        await page.get_by_label("Chat menu").click()
        await page.get_by_role("menuitem", name="The bot's Stars").click()
        await page.locator(".purse", has_text="100").wait_for()
        assert await page.locator(".transaction").count() == 2
        await check_layout(page)
        await page.get_by_role("button", name="Refund (support)").first.click()
        await page.get_by_text("Given back by the support; the bot is told.").wait_for()
        await page.locator(".purse", has_text="50").wait_for()
        await page.get_by_role("button", name="Chargeback").click()
        await page.get_by_text("Taken back; the bot is not told.").wait_for()
        await check_layout(page)
        rows = playground.world.till.ledger.rows()
        assert [next(key for key in row if key in ("source", "receiver")) for row in rows] == [
            "source",
            "source",
            "receiver",
            "receiver",
        ]
        assert playground.world.till.ledger.balance_xtr == 0
        assert (await ada.wallet()).xtr == 1000
        await page.keyboard.press("Escape")
        assert await page.locator(".service", has_text="came back").count() == 1


class TestFaults:
    async def test_every_fault_of_the_panel_is_taken_and_can_be_removed(
        self, page: "Page", playground: Served
    ) -> None:
        await page.get_by_label("Chat menu").click()
        await page.get_by_role("menuitem", name="Faults").click()
        names = await page.get_by_label("What goes wrong").locator("option").all_inner_texts()
        for name in names:
            await page.get_by_label("What goes wrong").select_option(name)
            await page.get_by_role("button", name="Switch on").click()
            await page.get_by_text(f"{name} · 0 of 1").wait_for()
        await check_layout(page)
        assert {fault["kind"] for fault in playground.world.faults.as_json()} == set(FaultKind)
        for name in names:
            await page.get_by_role("button", name=f"Remove {name}", exact=True).click()
            await page.get_by_text(f"{name} · 0 of 1").wait_for(state="detached")
        assert playground.world.faults.as_json() == []

    async def test_a_lost_payment_is_in_the_list_though_the_bot_never_hears_of_it(
        self, page: "Page", playground: Served, bot: Bot, ada: Guest
    ) -> None:
        await send_invoice(bot, ada)
        for name in ("Payment never told", "Paid without asking the bot first"):
            await page.get_by_label("Chat menu").click()
            await page.get_by_role("menuitem", name="Faults").click()
            await page.get_by_label("What goes wrong").select_option(name)
            await page.get_by_role("button", name="Switch on").click()
            await page.get_by_text(f"{name} · 0 of 1").wait_for()
            await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Pay ⭐ 50").click()
        await page.get_by_role("button", name="Confirm and Pay").click()
        await page.get_by_role("heading", name="Paid").wait_for()
        assert len(playground.world.updates) == 0
        assert playground.world.till.ledger.balance_xtr == 50
