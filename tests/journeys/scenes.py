"""Photograph what guests see, scene by scene, in three languages, light and dark, at the size of a phone.

    python -m tests.journeys.scenes --into /tmp/scenes [--only waiting album] [--languages en ru]

A house of its own with the tiny FLUX; each scene is a guest of its own. Writes `SCENE-LANGUAGE-COLOURS.png`
and, with all of them, `SCENE.png`. Not a test: somebody has to look at the pictures.
"""

import argparse
import asyncio
import io
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, async_playwright

from tests.journeys.house import House, Plan, opened_house
from tests.playground.guest import Guest, Message
from tests.playground.photograph import FLAGS, SIZE

PROMPTS = {
    "en": "a red fox in the forest at night",
    "es": "un zorro rojo en el bosque de noche",
    "ru": "рыжая лиса в ночном лесу",
}
_PICTURES = {"en": "Pictures:", "es": "Imágenes:", "ru": "Картинок:"}
_SETTINGS = {"WELCOME_STARS": "60", "ACTIVE_ORDERS_PER_GUEST": "20"}
_PATIENCE_S = 120.0

Scene = Callable[[Guest, str], Awaitable[None]]


async def _picture(guest: Guest, prompt: str) -> Message:
    said = await guest.say(prompt)
    return await guest.wait_for(lambda message: bool(message.photo_id), after=said, timeout_s=_PATIENCE_S)


async def welcome(guest: Guest, language: str) -> None:
    """The greeting and the help."""
    await _answered(guest, "/start")
    await _answered(guest, "/help")


async def result(guest: Guest, language: str) -> None:
    """One picture."""
    await _picture(guest, PROMPTS[language])


async def waiting(guest: Guest, language: str) -> None:
    """One order is painted, another waits."""
    for _ in range(6):
        await guest.say(PROMPTS[language])
    await asyncio.sleep(1.5)


async def tiles(guest: Guest, language: str) -> None:
    """Four pictures in the making, behind other orders."""
    await _choose_four(guest, language)
    for _ in range(3):
        await guest.say(PROMPTS[language])
    said = await guest.say(PROMPTS[language])
    await guest.wait_for(lambda message: "media_group_id" in message.raw, after=said, timeout_s=_PATIENCE_S)


async def album(guest: Guest, language: str) -> None:
    """Four pictures of one order."""
    await _choose_four(guest, language)
    said = await guest.say(PROMPTS[language])
    await guest.wait_for(lambda message: "Flux" in message.text, after=said, timeout_s=_PATIENCE_S)


async def _choose_four(guest: Guest, language: str) -> None:
    panel = await _answered(guest, "/settings")
    await guest.press(panel, _PICTURES[language])
    panel = next(each for each in await guest.messages() if each.message_id == panel.message_id)
    await guest.press(panel, "4")


async def settings(guest: Guest, language: str) -> None:
    """The settings panel."""
    await _answered(guest, "/settings")


async def gallery(guest: Guest, language: str) -> None:
    """Some pictures, then the gallery."""
    for _ in range(3):
        await _picture(guest, PROMPTS[language])
    said = await guest.say("/gallery")
    await guest.wait_for(lambda message: bool(message.photo_id), after=said, timeout_s=_PATIENCE_S)


async def refusals(guest: Guest, language: str) -> None:
    """What is not painted, and why."""
    await _answered(guest, "?!")
    await _answered(guest, "naked child")
    await _answered(guest, "a very long wish " * 200)
    await guest.send("sticker")


async def _answered(guest: Guest, text: str) -> Message:
    said = await guest.say(text)
    return await guest.wait_for(lambda message: message.is_from_bot, after=said, timeout_s=30)


SCENES: dict[str, Scene] = {
    each.__name__: each for each in (welcome, result, waiting, tiles, album, settings, gallery, refusals)
}


async def shoot(browser: Browser, url: str, guest_id: int, path: Path) -> None:
    """Write the guest's chat, light and dark, below this name."""
    for colours in ("light", "dark"):
        context = await browser.new_context(
            viewport={"width": SIZE[0], "height": SIZE[1]},
            device_scale_factor=1.5,
            color_scheme="dark" if colours == "dark" else "light",
            bypass_csp=True,  # waiting for a function evaluates it in the page, which the page forbids
        )
        page = await context.new_page()
        await page.goto(f"{url}/?guest={guest_id}")
        await page.locator(".row").last.wait_for()
        await page.wait_for_function("[...document.images].every((image) => image.complete)")
        await page.wait_for_timeout(500)
        await page.screenshot(path=path.with_name(f"{path.name}-{colours}.png"))
        await context.close()


async def play(house: House, names: Sequence[str], languages: Sequence[str], into: Path) -> None:
    """Play the scenes one after the other and photograph each."""
    async with async_playwright() as player:
        browser = await player.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name in names:
            for language in languages:
                async with Guest(house.playground_url, "Ada", language_code=language) as guest:
                    await SCENES[name](guest, language)
                    await shoot(browser, house.playground_url, guest.user_id, into / f"{name}-{language}")
                    print(name, language)
        await browser.close()


def sheet(into: Path, name: str, languages: Sequence[str]) -> None:
    """One picture of all pictures of a scene, side by side."""
    paths = [
        into / f"{name}-{language}-{colours}.png" for colours in ("light", "dark") for language in languages
    ]
    shots = [Image.open(io.BytesIO(path.read_bytes())) for path in paths if path.exists()]
    width, height = shots[0].size
    whole = Image.new("RGB", (width * len(shots), height))
    for place, shot in enumerate(shots):
        whole.paste(shot, (place * width, 0))
    whole.save(into / f"{name}.png")


async def run(names: Sequence[str], languages: Sequence[str], into: Path, folder: Path) -> None:
    """Open a house, play, photograph, close."""
    async with opened_house(folder, Plan(paint_s=None, settings=_SETTINGS)) as house:
        await play(house, names, languages, into)


def main(names: Sequence[str], languages: Sequence[str], into: Path) -> None:
    """Play in a folder that is gone afterwards, and put the pictures side by side."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scenes-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        asyncio.run(run(names, languages, into, Path(name)))
    for name in names:
        sheet(into, name, languages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(SCENES), default=list(SCENES))
    parser.add_argument("--languages", nargs="*", choices=list(PROMPTS), default=list(PROMPTS))
    given = parser.parse_args()
    main(given.only, given.languages, given.into)
