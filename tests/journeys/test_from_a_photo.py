"""From a photo to a picture, with real processes: the price is shown first, the photo goes to the engine."""

import io
from pathlib import Path

from PIL import Image

from starbooth.base.database import Database
from tests.doors.bot.buying import rows
from tests.doors.bot.chat import balance_of
from tests.doors.bot.panels import choose, press
from tests.journeys.house import Plan, opened_house
from tests.make.audits import assert_accounts_are_true
from tests.playground.guest import Guest


async def test_a_guest_sends_a_photo_and_gets_a_picture_of_it(tmp_path: Path) -> None:
    photo = io.BytesIO()
    Image.new("RGB", (640, 480), "tomato").save(photo, "JPEG")
    async with opened_house(tmp_path, Plan()) as house, Guest(house.playground_url, "Ada") as ada:
        await ada.say("/start")
        await ada.send_photo(photo.getvalue(), caption="make me a pirate")
        panel = await ada.wait_for(lambda message: any("Make it · 3" in each for each in message.labels))
        panel = await choose(ada, panel, "Change:", "60 %")
        assert (await press(ada, panel, "Make it"))["text"] == "On its way: 3 stars."
        picture = await ada.wait_for(lambda message: bool(message.photo_id), timeout_s=60)
        assert picture.message_id == panel.message_id
        assert "make me a pirate" in picture.text
        database = Database(house.database_url, connections=1)
        endpoints = await rows(database, "SELECT endpoint FROM starbooth.tickets WHERE state = 'done'")
        assert endpoints == [("fal-ai/flux/dev/image-to-image",)]
        before = await balance_of(database, ada)
        again = await press(ada, picture, "Again · 3")
        assert again["text"] == "On its way: 3 stars."
        await ada.wait_for(lambda message: bool(message.photo_id), timeout_s=60, after=picture)
        assert await balance_of(database, ada) == before - 3
        await assert_accounts_are_true(database)
        await database.aclose()
