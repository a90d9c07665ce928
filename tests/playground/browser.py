"""A chat of the playground in a real browser, for the tests of the page."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from tests.playground.conftest import Served
from tests.playground.guest import Guest

if TYPE_CHECKING:
    from playwright.async_api import ConsoleMessage, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
LOOKS: dict[str, dict[str, Any]] = {
    "phone, light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
    "small phone, dark": {"viewport": {"width": 360, "height": 640}, "color_scheme": "dark"},
    "desktop, light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
}
SPILLED = """() => [...document.querySelectorAll(".sheet *, .chat-head *, .messages *")].filter((element) => {
  const { left, right, width } = element.getBoundingClientRect();
  const around = element.closest(".share") ? ".chat" : ".sheet, .bubble, .key, .service, .chat";
  const frame = element.closest(around).getBoundingClientRect();
  return width && !element.closest(".tail") && (right > frame.right + 1 || left < frame.left - 1);
}).map((element) => element.outerHTML.slice(0, 120))"""
NAMELESS = """() => [...document.querySelectorAll(":is(dialog, .chat-head, .messages) button")].filter(
  (button) => !button.ariaLabel && !button.innerText.trim()
).map((button) => button.outerHTML.slice(0, 120))"""


@contextlib.asynccontextmanager
async def chat_page(playground: Served, guest: Guest, look: str = "phone, light") -> AsyncIterator["Page"]:
    """A guest's chat in one of the looks; fails when the page complained about anything."""
    from playwright.async_api import async_playwright  # not everywhere installed; the tests look first

    complaints: list[str] = []
    async with async_playwright() as player:
        browser = await player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(**LOOKS[look], reduced_motion="reduce", locale="en-GB")
        page.set_default_timeout(10_000)
        page.on("console", lambda told: complaints.append(told.text) if _is_complaint(told) else None)
        page.on("pageerror", lambda problem: complaints.append(str(problem)))
        await page.goto(f"{playground.url}/?guest={guest.user_id}")
        await page.get_by_text("/start", exact=True).wait_for()
        yield page
        await browser.close()
    assert complaints == []


def _is_complaint(told: "ConsoleMessage") -> bool:
    """Chromium itself reports every 404; one for a link to no invoice is what the page asked to know."""
    return told.type == "error" and "/control/invoices/" not in told.location.get("url", "")


async def check_layout(page: "Page") -> None:
    """Nothing reaches over the edge of what it lies in, and every button has a name."""
    assert await page.evaluate(SPILLED) == []
    assert await page.evaluate(NAMELESS) == []
