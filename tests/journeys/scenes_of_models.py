"""Scenes for which a house has to have models: own ones of the guest, and public ones of somebody else."""

from collections.abc import Awaitable, Callable

from starbooth.base.database import Database
from starbooth.domain.models.makers import take_pen_name
from starbooth.domain.models.previews import Candidate, set_preview
from starbooth.domain.users.guests import Language, find_user
from starbooth.doors.bot.words import words_for
from starbooth.outside.storage.store import open_storage
from tests.doors.bot.panels import now
from tests.journeys.house import House
from tests.make.guests import make_guest
from tests.make.loras import make_lora
from tests.make.pictures import make_picture
from tests.playground.guest import Guest, Message

MODEL_SCENES = ("own-models", "catalogue", "own-model", "public-model", "share-model", "report-model")
_OWN = 3
_MODELS = (
    ("Ada", "tomato"),
    ("Grandma's kitchen", "peru"),
    ("Paper boats", "steelblue"),
    ("Storybook", "seagreen"),
    ("Night city", "midnightblue"),
    ("Watercolour", "orchid"),
    ("Old film", "dimgray"),
)


def model_scenes(house: House) -> dict[str, Callable[[Guest, str], Awaitable[None]]]:
    """The scenes, by their names."""

    async def own(guest: Guest, _language: str) -> None:
        await _open_list(house, guest)

    async def catalogue(guest: Guest, language: str) -> None:
        page = await _open_list(house, guest)
        await _press(guest, page, language, "🌍 Public models")

    async def own_model(guest: Guest, _language: str) -> None:
        page = await _open_list(house, guest)
        await guest.press(page, "1")

    async def public_model(guest: Guest, language: str) -> None:
        page = await _open_list(house, guest)
        await _press(guest, page, language, "🌍 Public models", "1")

    async def share(guest: Guest, language: str) -> None:
        page = await _open_list(house, guest)
        await _press(guest, page, language, "1", "🌍 Share")

    async def report(guest: Guest, language: str) -> None:
        page = await _open_list(house, guest)
        await _press(guest, page, language, "🌍 Public models", "1", "⚠️ Report")

    scenes = (own, catalogue, own_model, public_model, share, report)
    return dict(zip(MODEL_SCENES, scenes, strict=True))


async def _press(guest: Guest, page: Message, language: str, *labels: str) -> None:
    """Press one button after another, by their English texts, each once the message has it."""
    words = words_for(Language(language))
    for label in labels:
        wanted = label if label.isdigit() else words.plain(label)
        shown = await guest.wait_for(
            lambda found, wanted=wanted: (  # type: ignore[misc]
                found.message_id == page.message_id and any(wanted in each for each in found.labels)
            ),
            timeout_s=30,
        )
        await guest.press(shown, wanted)
    await now(guest, page)


async def _open_list(house: House, guest: Guest) -> Message:
    await _furnish(house, guest)
    said = await guest.say("/models")
    return await guest.wait_for(lambda message: bool(message.photo_id), after=said, timeout_s=30)


async def _furnish(house: House, guest: Guest) -> None:
    """Three models of this guest, one of them public, and four public ones of somebody else."""
    said = await guest.say("/start")
    await guest.wait_for(lambda message: message.is_from_bot, after=said, timeout_s=30)
    database, storage = Database(house.database_url, connections=1), open_storage(f"file://{house.storage}")
    async with database.transaction() as tx:
        me = await find_user(tx, str(guest.user_id))
    maker = await make_guest(database, telegram_id=guest.user_id + 10**10)
    async with database.transaction() as tx:
        await take_pen_name(tx, f"Painter {guest.user_id % 1000}", user_id=maker)
    for place, (name, colour) in enumerate(_MODELS):
        owner = me if place < _OWN else maker
        lora = await make_lora(
            database, owner, name=name, is_public=place >= _OWN - 1, fee_stars=place, trigger_word="sks"
        )
        picture = Candidate(picture_id="", file_key=f"pictures/scene/{place}.png")
        await storage.put(
            picture.file_key, make_picture(width_px=512, height_px=512, colour=colour), "image/png"
        )
        await set_preview(database, storage, lora, picture, public_url=house.web_url, user_id=owner)
    await database.aclose()
