"""Steps of a model's photos that chat tests share."""

from collections.abc import Sequence

from starbooth.base.database import Database
from starbooth.domain.stars.ledger import credit_bonus
from starbooth.domain.trainings.offers import seed_training_offers
from starbooth.domain.users.guests import find_user
from tests.doors.bot.chat import start
from tests.doors.bot.panels import now, press
from tests.make.photos import as_bytes, draw_person, draw_thing
from tests.playground.guest import Guest, Message

THINGS = [as_bytes(draw_thing(number)) for number in range(6)]
PEOPLE = [
    as_bytes(draw_person(width_px=900, height_px=1200, faces=[(x, y, 0.3)], ground=ground))
    for x, y, ground in (
        (0.3, 0.3, "slategray"),
        (0.5, 0.4, "darkseagreen"),
        (0.65, 0.5, "rosybrown"),
        (0.4, 0.6, "steelblue"),
    )
]


async def begin(guest: Guest, database: Database, *, stars: int = 20) -> Message:
    """Sell trainings, greet, give so many stars, and open a set by /train; its message."""
    async with database.transaction() as tx:
        await seed_training_offers(tx)
    await start(guest)
    if stars > 20:
        async with database.transaction() as tx:
            user_id = await find_user(tx, str(guest.user_id))
            await credit_bonus(tx, user_id=user_id, amount=stars - 20, key="made", facts={})
    asked = await guest.say("/train")
    return await guest.wait_for(lambda message: "A model of your own" in message.text, after=asked)


async def gathered(guest: Guest, photos: Sequence[bytes]) -> Message:
    """Send these as albums; the message that counts all of them."""
    before = [each for each in await guest.messages() if each.is_from_bot][-1]
    for at in range(0, len(photos), 10):
        if len(photos) - at == 1:
            await guest.send_photo(photos[at])
        else:
            await guest.send_album(photos[at : at + 10])
    return await counted(guest, len(photos), after=before)


async def counted(guest: Guest, count: int, *, after: Message | None = None) -> Message:
    """The message that shows so many photos, once nothing more is on its way."""
    wanted = f"{count} photo of" if count == 1 else f"{count} photos of"
    return await guest.wait_for(
        lambda message: wanted in message.text and "more on their way" not in message.text,
        after=after,
        timeout_s=30,
    )


async def chosen(
    guest: Guest, database: Database, *, kind: str = "A style or thing", stars: int = 2000
) -> Message:
    """A set with four photos that only has to be agreed to."""
    await begin(guest, database, stars=stars)
    panel = await gathered(guest, THINGS[:4] if kind == "A style or thing" else PEOPLE)
    for label in (kind, "Continue"):
        await press(guest, panel, label)
    return await now(guest, panel)
