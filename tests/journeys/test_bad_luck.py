"""Engines that go wrong in every way, with real processes: the right pictures come, the rest is paid back."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from starbooth.base.database import Database
from tests.doors.bot.buying import rows
from tests.doors.bot.chat import balance_of
from tests.doors.bot.panels import press
from tests.journeys.house import House, Plan, opened_house
from tests.journeys.steps import orders_of, paint, result_of, set_choices, told_since, welcomed
from tests.playground.guest import Guest

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]

WELCOME_STARS = 20
NO_PICTURE = "The painter handed over something that is no picture."
RULES = "The painter's rules do not allow it. Other words may work."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    """A house whose first engine goes wrong on command; the others are off until a test needs them."""
    folder = Path(tempfile.mkdtemp(prefix="luck-"))
    try:
        async with opened_house(folder, Plan(has_engine_faults=True, has_more_engines=True)) as house:
            async with welcomed(house) as guest:
                await paint(guest, "a boat")  # the worker has written down by now which engines there are
            await switch(house, "--off")
            yield house
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def switch(house: House, option: str) -> None:
    """Switch all engines but the first. The worker starts anew, to know at once."""
    said = await asyncio.gather(
        *(house.command("engines", "set", name, option) for name in ("second", "fal"))
    )
    assert [code for code, _ in said] == [0, 0], said
    house.kill("worker-1")
    house.start("worker-1")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(house: House) -> AsyncIterator[Database]:
    """The house's own; every test of this file leaves what it did in it."""
    database = Database(house.database_url, connections=1)
    yield database
    await database.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def ada(house: House) -> AsyncIterator[Guest]:
    """A new guest of that house, whose engine goes well until the test says otherwise."""
    await house.set_engine_faults()
    async with welcomed(house) as ada:
        yield ada


async def engine_of(database: Database, order_id: str) -> str:
    [(name,)] = await rows(database, "SELECT engine FROM starbooth.tickets WHERE order_id = :id", id=order_id)
    return str(name)


class TestOneOfSeveral:
    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ("short", NO_PICTURE),
            ("empty", NO_PICTURE),
            ("broken", NO_PICTURE),
            ("wrong", NO_PICTURE),
            ("huge", NO_PICTURE),
            ("nsfw", RULES),
        ],
    )
    async def test_the_others_come_and_the_missing_one_is_paid_back(
        self, house: House, database: Database, ada: Guest, fault: str, reason: str
    ) -> None:
        await set_choices(ada, "Pictures:", "3")
        await house.set_engine_faults({"place": "painting", "painting": fault, "after": 1, "times": 1})
        asked = await ada.say("a red boat")
        below = await result_of(ada, asked)
        [order] = await orders_of(database, ada)
        assert (order.state, order.price_stars, order.spent_stars) == ("done", 9, 6)
        assert len(order.prompts) == len(order.file_keys) == 2
        told = await told_since(ada, asked)
        assert [bool(each.photo_id) for each in told] == [True, True, False]
        assert len({await ada.download(each.photo_id) for each in told[:-1]}) == 2
        assert f"1 picture did not come out; 3 stars came back to you. {reason}" in below.text
        assert len([label for label in below.labels if label.startswith("🖼 ")]) == 2
        assert await balance_of(database, ada) == WELCOME_STARS - 6


class TestNone:
    async def test_all_stars_come_back_and_trying_again_brings_the_pictures(
        self, house: House, database: Database, ada: Guest
    ) -> None:
        await set_choices(ada, "Pictures:", "2")
        await house.set_engine_faults({"place": "painting", "painting": "empty"})
        asked = await ada.say("a red boat")
        no = await result_of(ada, asked)
        assert no.text == (
            f"These pictures did not come out. {NO_PICTURE} All 6 stars are back with you.\na red boat"
        )
        assert [each.photo_id for each in await told_since(ada, asked)] == [""]
        assert await balance_of(database, ada) == WELCOME_STARS
        await house.set_engine_faults()
        assert (await press(ada, no, "Try again · 6"))["text"] == "On its way: 6 stars."
        below = await result_of(ada, no)
        assert below.labels == ["Again · 6 ⭐", "🖼 1", "🖼 2"]
        assert await balance_of(database, ada) == WELCOME_STARS - 6


class TestNobodyNotices:
    @pytest.mark.parametrize(
        "rule",
        [
            pytest.param({"place": "submit", "status": 500, "body": {}, "times": 2}, id="500"),
            pytest.param({"place": "submit", "error": "nginx_502", "times": 1}, id="502"),
            pytest.param(
                {"place": "submit", "status": 429, "body": {}, "headers": {"Retry-After": "1"}, "times": 2},
                id="429",
            ),
            pytest.param({"place": "submit", "drop": "after", "times": 1}, id="yes that is lost"),
            pytest.param({"place": "submit", "error": "wrong_page", "times": 1}, id="page for an answer"),
            pytest.param(
                {"place": "file", "status": 503, "body": "<p>later</p>", "times": 1}, id="file later"
            ),
            pytest.param({"place": "webhook", "webhook": "lost"}, id="webhook lost"),
            pytest.param({"place": "webhook", "webhook": "forged"}, id="webhook forged"),
            pytest.param({"place": "webhook", "webhook": "twice"}, id="webhook twice"),
        ],
    )
    async def test_the_picture_comes_once_and_is_bought_once(
        self, house: House, database: Database, ada: Guest, rule: Mapping[str, object]
    ) -> None:
        before = (await house.engine_figures())["accepted"]
        await house.set_engine_faults(rule)
        asked = await ada.say("a red boat")
        await result_of(ada, asked)
        [order] = await orders_of(database, ada)
        assert (order.state, order.spent_stars, order.prompts) == ("done", 3, ["a red boat"])
        assert [bool(each.photo_id) for each in await told_since(ada, asked)] == [True]
        assert await balance_of(database, ada) == WELCOME_STARS - 3
        assert (await house.engine_figures())["accepted"] == before + 1


class TestBoughtAgain:
    @pytest.mark.parametrize(
        "rule",
        [
            pytest.param({"painting": "expired"}, id="the file is gone"),
            pytest.param(
                {"painting": "error", "error": "internal_error"}, id="the engine broke down over it"
            ),
        ],
    )
    async def test_what_is_lost_at_the_engine_is_painted_once_more_and_paid_once(
        self, house: House, database: Database, ada: Guest, rule: Mapping[str, object]
    ) -> None:
        before = (await house.engine_figures())["accepted"]
        await house.set_engine_faults({"place": "painting", "times": 1, **rule})
        asked = await ada.say("a red boat")
        await result_of(ada, asked)
        assert [bool(each.photo_id) for each in await told_since(ada, asked)] == [True]
        assert (await house.engine_figures())["accepted"] == before + 2
        assert await balance_of(database, ada) == WELCOME_STARS - 3


class TestAnotherEngine:
    async def test_it_takes_over_what_came_out_broken_and_what_is_not_paid_for(
        self, house: House, database: Database, ada: Guest
    ) -> None:
        await switch(house, "--on")
        for rule in (
            {"place": "painting", "painting": "broken", "times": 1},
            {"place": "submit", "error": "exhausted_balance"},
        ):
            await house.set_engine_faults(rule)
            asked = await ada.say("a red boat")
            await result_of(ada, asked)
            assert [bool(each.photo_id) for each in await told_since(ada, asked)] == [True]
        first, second = await orders_of(database, ada)
        assert [await engine_of(database, each.order_id) for each in (first, second)] == ["second"] * 2
        assert (await house.engine_figures("second"))["accepted"] == 2
        assert await balance_of(database, ada) == WELCOME_STARS - 6
        code, said = await house.command("engines", "list")
        assert code == 0
        assert "exhausted_balance" in said


class TestBooks:
    async def test_nobody_fell_over_and_every_star_is_accounted_for(self, house: House) -> None:
        assert not house.fallen(), house.last_words()
        code, said = await house.command("audit")
        assert code == 0, said
