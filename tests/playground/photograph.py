"""Photograph a guest's chat in a running playground, at the size of a phone, light and dark.

    python -m tests.playground.photograph http://127.0.0.1:8600 --guest 6100000001 --into docs/pictures

Writes `playground-light.png` and `playground-dark.png`; with `--paying` also `playground-pay-light.png` and
`playground-pay-dark.png`, where the newest invoice of the chat is about to be paid (it is not). Not a test:
somebody has to look at the pictures.
"""

import argparse
import asyncio
import shutil
from pathlib import Path

from playwright.async_api import async_playwright

SIZE = (390, 844)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


async def photograph(url: str, guest_id: int, folder: Path, *, is_paying: bool = False) -> None:
    """Open the chat of `guest_id` in both colours, let pictures load, and write a PNG of each; with
    `is_paying` another one of the sheet that pays the newest invoice.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    async with async_playwright() as player:
        browser = await player.chromium.launch(executable_path=chromium, args=FLAGS)
        for colours in ("light", "dark"):
            context = await browser.new_context(
                viewport={"width": SIZE[0], "height": SIZE[1]},
                device_scale_factor=2,
                color_scheme="dark" if colours == "dark" else "light",
                locale="en-GB",
                bypass_csp=True,  # waiting for a function evaluates it in the page, which the page forbids
            )
            page = await context.new_page()
            await page.goto(f"{url}/?guest={guest_id}")
            await page.locator(".row").last.wait_for()
            await page.wait_for_function("[...document.images].every((image) => image.complete)")
            await page.wait_for_timeout(600)
            await page.screenshot(path=folder / f"playground-{colours}.png")
            if is_paying:
                await page.locator(".invoice-row .key").last.click()
                await page.locator(".pay-go").wait_for()
                await page.wait_for_timeout(600)
                await page.screenshot(path=folder / f"playground-pay-{colours}.png")
            await context.close()
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("--guest", type=int, default=6_100_000_001)
    parser.add_argument("--into", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--paying", action="store_true")
    options = parser.parse_args()
    asyncio.run(photograph(options.url.rstrip("/"), options.guest, options.into, is_paying=options.paying))


if __name__ == "__main__":
    main()
