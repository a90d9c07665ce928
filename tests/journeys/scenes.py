"""Photograph what guests see, scene by scene, in three languages, light and dark, at the size of a phone.

    python -m tests.journeys.scenes --into /tmp/scenes [--only waiting gallery] [--languages en] [--tiny-flux]

A house of its own; each scene is a guest of its own. Writes `SCENE-LANGUAGE-COLOURS.png` and, with all of
them, `SCENE.png`. Not a test: somebody has to look at the pictures. Where what is painted is the point, let
the tiny FLUX paint: it takes longer.
"""

import argparse
import asyncio
import io
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from starbooth.domain.users.guests import Language
from starbooth.doors.bot.words import words_for
from tests.doors.bot.panels import now
from tests.doors.bot.training import PEOPLE, THINGS
from tests.journeys.house import House, Plan, opened_house
from tests.journeys.scenes_of_models import MODEL_SCENES, model_scenes
from tests.journeys.scenes_of_packs import PACK_SCENES, pack_scenes
from tests.make.photos import as_bytes, draw_thing
from tests.make.pictures import make_picture
from tests.playground.group import make_group
from tests.playground.guest import Guest, Message
from tests.playground.photograph import FLAGS, SIZE

PROMPTS = {
    "en": "a red fox in the forest at night",
    "es": "un zorro rojo en el bosque de noche",
    "ru": "рыжая лиса в ночном лесу",
}
OTHERS = {
    "en": ["a lighthouse in a storm", "a cat in a hat", "a boat on a lake", "a house on a hill"],
    "es": [
        "un faro en la tormenta",
        "un gato con sombrero",
        "una barca en un lago",
        "una casa en una colina",
    ],
    "ru": ["маяк в бурю", "кот в шляпе", "лодка на озере", "дом на холме"],
}
_BAD = [
    as_bytes(Image.new("RGB", (700, 900), (12, 10, 14))),
    as_bytes(draw_thing(3).resize((16, 13)).resize((640, 512))),
    as_bytes(Image.open(io.BytesIO(PEOPLE[0])), quality=70),
]
_SETTINGS = {"WELCOME_STARS": "90", "ACTIVE_ORDERS_PER_GUEST": "20"}
_PAINT_S = 0.5
_PATIENCE_S = 120.0

Pose = Callable[[Page], Awaitable[None]]
Scene = Callable[[Guest, str], Awaitable[Pose | None]]


def _label(language: str, message: str, **facts: str | int) -> str:
    """A button's text in this language, up to the first fact that is not given."""
    catalogue = words_for(Language(language))
    wanted = {
        name: facts.get(name, "\0") for name in ("n", "name", "price", "number", "shape", "percent", "paid")
    }
    return catalogue.plain(message, **wanted).partition("\0")[0]


async def _press(guest: Guest, message: Message, language: str, *labels: str) -> Message:
    """Press one button after another, by their English texts, and return the message as it is then."""
    for label in labels:
        await guest.press(await now(guest, message), _label(language, label))
    return await now(guest, message)


async def _answered(guest: Guest, text: str) -> Message:
    said = await guest.say(text)
    return await guest.wait_for(lambda message: message.is_from_bot, after=said, timeout_s=30)


async def _result(guest: Guest, language: str, after: Message) -> Message:
    """What an order has become: it bears a button for having it once more."""
    again = _label(language, "Again · {price} ⭐")
    return await guest.wait_for(
        lambda message: any(again in each for each in message.labels), after=after, timeout_s=_PATIENCE_S
    )


async def _painted(guest: Guest, language: str, prompt: str = "") -> Message:
    return await _result(guest, language, await guest.say(prompt or PROMPTS[language]))


async def _choose_count(guest: Guest, language: str, count: int) -> None:
    panel = await _answered(guest, "/settings")
    await _press(guest, panel, language, "Pictures: {n}", str(count))


async def welcome(guest: Guest, language: str) -> None:
    """The greeting and the help."""
    await _answered(guest, "/start")
    await _answered(guest, "/help")


async def settings(guest: Guest, language: str) -> None:
    """The settings panel."""
    await _answered(guest, "/settings")


def _settings_page(*labels: str) -> Scene:
    async def scene(guest: Guest, language: str) -> None:
        await _press(guest, await _answered(guest, "/settings"), language, *labels)

    return scene


async def draft(guest: Guest, language: str) -> None:
    """A panel for each picture, since the guest wants to be asked."""
    await _press(guest, await _answered(guest, "/settings"), language, "Ask me first: off")
    await _answered(guest, PROMPTS[language])


async def photo(guest: Guest, language: str) -> None:
    """A photo with words becomes a panel."""
    await guest.send_photo(
        make_picture(width_px=960, height_px=720, kind="JPEG", colour="peru"), caption=PROMPTS[language]
    )
    await guest.wait_for(lambda message: len(message.labels) > 1, timeout_s=30)


async def waiting(guest: Guest, language: str) -> None:
    """One order is painted, others wait."""
    for prompt in OTHERS[language] * 3:
        await guest.say(prompt)
    said = await guest.say(PROMPTS[language])
    await guest.wait_for(lambda message: bool(message.labels), after=said, timeout_s=30)


async def result(guest: Guest, language: str) -> None:
    """One picture with its buttons."""
    await _painted(guest, language)


async def other_shape(guest: Guest, language: str) -> None:
    """The shapes that a picture can have besides its own."""
    await _press(guest, await _painted(guest, language), language, "Other shape")


async def delete(guest: Guest, language: str) -> None:
    """Asked once more before a picture goes for good."""
    await _press(guest, await _painted(guest, language), language, "🗑")


async def tiles(guest: Guest, language: str) -> None:
    """Four pictures in the making, behind other orders."""
    await _choose_count(guest, language, 4)
    for prompt in OTHERS[language][:3]:
        await guest.say(prompt)
    said = await guest.say(PROMPTS[language])
    await guest.wait_for(lambda message: "media_group_id" in message.raw, after=said, timeout_s=_PATIENCE_S)


def _album(count: int) -> Scene:
    async def scene(guest: Guest, language: str) -> None:
        await _choose_count(guest, language, count)
        await _painted(guest, language)

    return scene


async def album_one(guest: Guest, language: str) -> None:
    """What can be done with one picture of an album."""
    await _choose_count(guest, language, 4)
    whole = await _painted(guest, language)
    await guest.press(whole, "🖼 2")


async def gallery(guest: Guest, language: str) -> None:
    """A page of the gallery."""
    await _open_gallery(guest, language)


async def gallery_picture(guest: Guest, language: str) -> None:
    """One picture of the gallery."""
    page = await _open_gallery(guest, language)
    await guest.press(page, "2")
    await guest.wait_for(lambda message: message.message_id == page.message_id and "1" not in message.labels)


async def _open_gallery(guest: Guest, language: str) -> Message:
    first = await _painted(guest, language)
    await _press(guest, first, language, "🤍")
    for prompt in OTHERS[language]:
        await _painted(guest, language, prompt)
    said = await guest.say("/gallery")
    return await guest.wait_for(lambda message: bool(message.photo_id), after=said, timeout_s=_PATIENCE_S)


async def refusals(guest: Guest, language: str) -> None:
    """What is not painted, and why."""
    await _answered(guest, "?!")
    await _answered(guest, "naked child")
    await _answered(guest, "a very long wish " * 200)
    await guest.send("sticker")


async def shortage(guest: Guest, language: str) -> None:
    """Too few stars, and what is sold."""
    await _choose_count(guest, language, 4)
    said = await guest.say(PROMPTS[language])
    remembered = _label(language, "Forget it")
    for prompt in OTHERS[language] * 3:
        await guest.say(prompt)
    await guest.wait_for(lambda message: remembered in message.labels, after=said, timeout_s=30)


async def inline(guest: Guest, language: str) -> Pose:
    """What is offered for `@bot words` in any chat."""
    for prompt in OTHERS[language]:
        await _painted(guest, language, prompt)

    async def pose(page: Page) -> None:
        name = (await guest.ask("GET", "/state"))["bot"]["username"]
        await page.locator("#text").fill(f"@{name} ")
        await page.locator(".inline-grid button").first.wait_for()

    return pose


async def group(guest: Guest, language: str) -> Pose:
    """A group where a member orders a picture."""
    made = await make_group(guest)
    seat = made.seat(guest)
    await _answered(seat, "/paint")
    said = await seat.say(f"/paint {PROMPTS[language]}")
    await seat.wait_for(lambda message: bool(message.photo_id), after=said, timeout_s=_PATIENCE_S)

    async def pose(page: Page) -> None:
        await page.get_by_label("Switch guest").click()
        await page.locator(".person", has_text="Painters").click()
        await page.locator(".row img").last.wait_for()

    return pose


async def _gathered(guest: Guest, language: str, photos: Sequence[bytes]) -> Message:
    """A set with these photos, as it is once nothing more is on its way."""
    await _answered(guest, "/train")
    await guest.send_album(photos)
    busy = words_for(Language(language)).plain("… more on their way")
    return await guest.wait_for(
        lambda message: (
            bool(message.photo_id) and f"{len(photos)} " in message.text and busy not in message.text
        ),
        timeout_s=_PATIENCE_S,
    )


async def train(guest: Guest, language: str) -> None:
    """What a model needs, before the first photo."""
    await _answered(guest, "/train")


async def train_photos(guest: Guest, language: str) -> None:
    """Photos of a person, some of them bad, and files that are none."""
    await guest.say("/train")
    await guest.send_document(b"Dear diary", name="notes.txt")
    panel = await _gathered(guest, language, [*PEOPLE, *_BAD])
    await _press(guest, panel, language, "A person")


async def train_cuts(guest: Guest, language: str) -> None:
    """The photos as they would be cut."""
    panel = await _gathered(guest, language, PEOPLE)
    await _press(guest, panel, language, "A person")
    cuts = words_for(Language(language)).plain("Crops: {n}", n=len(PEOPLE))
    await guest.press(await now(guest, panel), cuts)


def _train_page(*labels: str) -> Scene:
    async def scene(guest: Guest, language: str) -> None:
        panel = await _gathered(guest, language, THINGS)
        await _press(guest, panel, language, "A style or thing", "Continue ›", *labels)

    return scene


async def _ordered(guest: Guest, language: str) -> Message:
    panel = await _gathered(guest, language, THINGS)
    await _press(guest, panel, language, "A style or thing", "Continue ›", "Advanced", "Other steps")
    await guest.say("100")
    await guest.wait_for(lambda message: "100" in message.text and "24" in message.text, timeout_s=30)
    await _press(guest, panel, language, "‹ Back", "Go on · {price} ⭐", "I agree", "Train it · {price} ⭐")
    return panel


async def training(guest: Guest, language: str) -> None:
    """A training under way, with its newest sample."""
    stop = _label(language, "Stop now: pay {paid} of {price} ⭐")
    after = await _ordered(guest, language)
    await guest.wait_for(
        lambda message: bool(message.photo_id) and any(stop in each for each in message.labels),
        after=after,
        timeout_s=_PATIENCE_S,
    )


async def trained(guest: Guest, language: str) -> None:
    """What a training has made."""
    paint = _label(language, "Make pictures with it")
    after = await _ordered(guest, language)
    await guest.wait_for(lambda message: paint in message.labels, after=after, timeout_s=_PATIENCE_S)


async def privacy(guest: Guest, language: str) -> None:
    """What is kept, and the buttons below it."""
    await _answered(guest, "/privacy")


async def privacy_photos(guest: Guest, language: str) -> None:
    """Asked before photos go."""
    await photo(guest, language)
    paper = await _answered(guest, "/privacy")
    await guest.press(paper, _label(language, "🖼 Delete my photos"))
    await guest.wait_for(lambda message: bool(message.labels), after=paper)


async def export(guest: Guest, language: str) -> None:
    """All that is kept, as a file."""
    await _painted(guest, language)
    asked = await _answered(guest, "/export")
    await guest.wait_for(lambda message: bool(message.document_id), after=asked, timeout_s=_PATIENCE_S)


def _leaving(*labels: str) -> Scene:
    async def scene(guest: Guest, language: str) -> None:
        await _painted(guest, language)
        await _press(guest, await _answered(guest, "/deletemyaccount"), language, *labels)
        if len(labels) > 1:
            last = (await guest.messages())[-1]
            await guest.wait_for(lambda message: "/start" in message.text, after=last, timeout_s=_PATIENCE_S)

    return scene


SCENES: dict[str, Scene] = {
    "welcome": welcome,
    "settings": settings,
    "models": _settings_page("Model: {name}"),
    "shapes": _settings_page("Shape: {shape}"),
    "loras": _settings_page("LoRAs: {n}"),
    "seeds": _settings_page("Seed: random"),
    "advanced": _settings_page("Advanced"),
    "presets": _settings_page("Presets"),
    "draft": draft,
    "photo": photo,
    "waiting": waiting,
    "result": result,
    "other-shape": other_shape,
    "delete": delete,
    "tiles": tiles,
    **{f"album-{count}": _album(count) for count in (2, 3, 4)},
    "album-one": album_one,
    "gallery": gallery,
    "gallery-picture": gallery_picture,
    "refusals": refusals,
    "shortage": shortage,
    "train": train,
    "train-photos": train_photos,
    "train-cuts": train_cuts,
    "train-choices": _train_page(),
    "train-captions": _train_page("Captions"),
    "train-advanced": _train_page("Advanced"),
    "train-consent": _train_page("Go on · {price} ⭐"),
    "train-agreed": _train_page("Go on · {price} ⭐", "I agree"),
    "training": training,
    "trained": trained,
    "inline": inline,
    "group": group,
    "privacy": privacy,
    "privacy-photos": privacy_photos,
    "export": export,
    "leaving": _leaving(),
    "leaving-surely": _leaving("Go on…"),
    "left": _leaving("Go on…", "🗑 Yes, delete everything"),
}


async def shoot(browser: Browser, url: str, guest_id: int, path: Path, pose: Pose | None) -> None:
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
        if pose is not None:
            await pose(page)
        else:
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
                    pose = await (SCENES | model_scenes(house) | pack_scenes(house))[name](guest, language)
                    path = into / f"{name}-{language}"
                    await shoot(browser, house.playground_url, guest.user_id, path, pose)
                    print(name, language, flush=True)
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


async def run(
    names: Sequence[str], languages: Sequence[str], into: Path, folder: Path, *, paint_s: float | None
) -> None:
    """Open a house, play, photograph, close."""
    async with opened_house(folder, Plan(paint_s=paint_s, settings=_SETTINGS)) as house:
        await play(house, names, languages, into)


def main(names: Sequence[str], languages: Sequence[str], into: Path, *, paint_s: float | None) -> None:
    """Play in a folder that is gone afterwards, and put the pictures side by side."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scenes-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        asyncio.run(run(names, languages, into, Path(name), paint_s=paint_s))
    for name in names:
        sheet(into, name, languages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, required=True)
    every = [*SCENES, *MODEL_SCENES, *PACK_SCENES]
    parser.add_argument("--only", nargs="*", choices=every, default=every)
    parser.add_argument("--languages", nargs="*", choices=list(PROMPTS), default=list(PROMPTS))
    parser.add_argument("--tiny-flux", action="store_true")
    given = parser.parse_args()
    main(given.only, given.languages, given.into, paint_s=None if given.tiny_flux else _PAINT_S)
