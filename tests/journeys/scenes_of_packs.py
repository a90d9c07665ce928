"""Scenes of photo packs, for which a guest has to have a model that the darkroom can load."""

from collections.abc import Awaitable, Callable

from starbooth.base.database import Database
from starbooth.domain.packs.photo_packs import photo_packs
from starbooth.domain.users.guests import Language
from tests.doors.bot.panels import now
from tests.journeys.house import House
from tests.journeys.steps import give_lora
from tests.playground.guest import Guest, Message

PACK_SCENES = ("packs", "pack", "pack-coming", "pack-done")


def pack_scenes(house: House) -> dict[str, Callable[[Guest, str], Awaitable[None]]]:
    """The scenes, by their names."""

    async def packs(guest: Guest, _language: str) -> None:
        await _open_packs(house, guest)

    async def pack(guest: Guest, language: str) -> None:
        await _open_pack(house, guest, language)

    async def coming(guest: Guest, language: str) -> None:
        await _order(house, guest, language, size="20")
        await guest.wait_for(lambda message: bool(message.photo_id), timeout_s=60)

    async def done(guest: Guest, language: str) -> None:
        sale = await _order(house, guest, language, size="8 ")
        await guest.wait_for(
            lambda message: any("🖼" in each for each in message.labels), after=sale, timeout_s=120
        )

    return dict(zip(PACK_SCENES, (packs, pack, coming, done), strict=True))


async def _open_packs(house: House, guest: Guest) -> Message:
    said = await guest.say("/start")
    await guest.wait_for(lambda message: message.is_from_bot, after=said, timeout_s=30)
    database = Database(house.database_url, connections=1)
    await give_lora(house, database, guest, name="Woodcut")
    await database.aclose()
    said = await guest.say("/packs")
    models = await guest.wait_for(lambda message: bool(message.labels), after=said, timeout_s=30)
    await guest.press(models, "Woodcut")
    return await now(guest, models)


async def _open_pack(house: House, guest: Guest, language: str) -> Message:
    packs = await _open_packs(house, guest)
    places = next(each for each in photo_packs() if each.name == "places")
    await guest.press(packs, places.title[Language(language)])
    return await now(guest, packs)


async def _order(house: House, guest: Guest, language: str, *, size: str) -> Message:
    sale = await _open_pack(house, guest, language)
    await guest.press(sale, size)
    return sale
