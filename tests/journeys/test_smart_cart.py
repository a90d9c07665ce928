"""Running out of stars and paying, with real processes: what was wanted is painted without another word."""

from pathlib import Path

from starbooth.base.database import Database
from tests.doors.bot.buying import take_invoice, thanks
from tests.doors.bot.chat import answer_to, balance_of
from tests.journeys.house import Plan, opened_house
from tests.make.audits import assert_accounts_are_true
from tests.playground.guest import Guest


async def test_a_guest_runs_out_pays_and_gets_the_picture_that_was_wanted(tmp_path: Path) -> None:
    plan = Plan(workers=2, settings={"WELCOME_STARS": "4"})
    async with opened_house(tmp_path, plan) as house, Guest(house.playground_url, "Ada") as ada:
        await ada.say("a red boat")
        first = await ada.wait_for(lambda message: bool(message.photo_id), timeout_s=60)
        asked = await ada.say("a green boat")
        no = await answer_to(ada, asked, "I remember what you wanted")
        invoice = await take_invoice(ada, no)
        assert (await ada.pay(invoice)).status == "paid"
        await thanks(ada, invoice, "What you wanted starts by itself now.")
        second = await ada.wait_for(lambda message: bool(message.photo_id), timeout_s=60, after=first)
        assert "a green boat" in second.text
        database = Database(house.database_url, connections=1)
        assert await balance_of(database, ada) == 48
        await assert_accounts_are_true(database)
        await database.aclose()
