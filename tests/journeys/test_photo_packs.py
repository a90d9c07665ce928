"""A photo pack through a whole house, with a worker that dies in the middle."""

import shutil
import tempfile
from pathlib import Path

import pytest

from starbooth.base.database import Database
from tests.doors.bot.chat import answer_to, balance_of
from tests.doors.bot.panels import choose, press
from tests.journeys.house import Plan, opened_house
from tests.journeys.steps import PATIENCE_S, give_lora, orders_of, told_since, welcomed
from tests.make.audits import assert_accounts_are_true

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


async def test_twenty_pictures_arrive_once_each_though_the_worker_is_killed() -> None:
    folder = Path(tempfile.mkdtemp(prefix="packs-"))
    try:
        async with (
            opened_house(folder, Plan(paint_s=0.15, settings={"WELCOME_STARS": "60"})) as house,
            welcomed(house) as ada,
        ):
            database = Database(house.database_url, connections=1)
            await give_lora(house, database, ada, name="Woodcut")
            asked = await ada.say("/packs")
            packs = await choose(ada, await answer_to(ada, asked, "Of which one?"), "🎨 Woodcut")
            sale = await choose(ada, packs, "🏞 Places in your style")
            assert (await press(ada, sale, "20 pictures"))["text"] == "On its way: 48 stars."
            await ada.wait_for(lambda message: "of 20 are there." in message.text, timeout_s=PATIENCE_S)
            house.kill("worker-1")
            house.start("worker-1")
            words = await ada.wait_for(
                lambda message: "📸 Photo pack" in message.labels, after=sale, timeout_s=PATIENCE_S
            )
            *pictures, last = await told_since(ada, sale)
            assert last.message_id == words.message_id
            captions = [each.text for each in pictures if " of 20 · seed " in each.text]
            assert len(captions) == len({each.split(" · ")[0] for each in captions}) == 20
            assert await balance_of(database, ada) == 12
            [order] = await orders_of(database, ada)
            assert (order.state, len(order.file_keys), len(set(order.prompts))) == ("done", 20, 20)
            assert len(house.asked_of_engine()) == 20
            await assert_accounts_are_true(database)
            await database.aclose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
