"""All that guests do with pictures, with real processes: choose, order several, vary, keep, share, delete."""

import io
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from starbooth.base.database import Database
from starbooth.domain.models.earnings import pay_out
from starbooth.domain.pictures.marking import read_mark
from starbooth.domain.prompts.expand import parse
from tests.doors.bot.chat import answer_to, balance_of
from tests.doors.bot.panels import choose, press
from tests.journeys.house import House, Plan, opened_house
from tests.journeys.steps import (
    PATIENCE_S,
    give_lora,
    lora_weights,
    orders_of,
    paint,
    result_of,
    set_choices,
    told_since,
    until_gone,
    welcomed,
)
from tests.make.audits import assert_accounts_are_true
from tests.playground.group import make_group
from tests.playground.guest import Guest, Message

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]

WELCOME_STARS = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    """A house whose painter needs no time, and whose guests have stars for many pictures."""
    folder = Path(tempfile.mkdtemp(prefix="pictures-"))
    plan = Plan(settings={"WELCOME_STARS": str(WELCOME_STARS)})
    try:
        async with opened_house(folder, plan) as house:
            yield house
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(house: House) -> AsyncIterator[Database]:
    """The house's own; every test of this file leaves what it did in it."""
    database = Database(house.database_url, connections=1)
    yield database
    await database.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def ada(house: House) -> AsyncIterator[Guest]:
    """A new guest of that house."""
    async with welcomed(house) as ada:
        yield ada


async def size_px(guest: Guest, message: Message) -> tuple[int, int]:
    with Image.open(io.BytesIO(await guest.download(message.photo_id))) as picture:
        return picture.size


class TestThreeAtOnce:
    async def test_they_come_as_an_album_of_the_chosen_shape_and_again_is_three_more(
        self, house: House, database: Database, ada: Guest
    ) -> None:
        panel = await set_choices(ada, "Pictures:", "3", "Shape:", "16:9")
        assert "Shape: ▭ 16:9\nPictures: 3" in panel.text
        assert "An order costs 9 stars" in panel.text
        asked = await ada.say("a red boat")
        below = await result_of(ada, asked)
        [order] = await orders_of(database, ada)
        told = await told_since(ada, asked)
        album = told[:-1]
        assert [each.text for each in album] == [
            f"{number} of 3 · seed {seed}" for number, seed in enumerate(order.seeds, start=1)
        ]
        assert len({each.raw["media_group_id"] for each in album}) == 1
        assert {await size_px(ada, each) for each in album} == {(128, 72)}
        assert len({await ada.download(each.photo_id) for each in album}) == len({*order.seeds}) == 3
        assert below.message_id == told[-1].message_id
        assert below.text == "a red boat\n9 stars · Flux"
        assert await balance_of(database, ada) == WELCOME_STARS - 9

        assert (await press(ada, below, "Again · 9"))["text"] == "On its way: 9 stars."
        await result_of(ada, below)
        first, second = await orders_of(database, ada)
        assert not {*first.seeds} & {*second.seeds}
        assert len([each for each in await told_since(ada, asked) if each.photo_id]) == 6
        assert await balance_of(database, ada) == WELCOME_STARS - 18
        one = await choose(ada, below, "🖼 2")
        assert (await press(ada, one, "Vary · 3"))["text"] == "On its way: 3 stars."
        varied = await ada.wait_for(
            lambda message: bool(message.photo_id) and "Again · 3 ⭐" in message.labels, timeout_s=PATIENCE_S
        )
        assert await size_px(ada, varied) == (128, 64)  # an engine paints in steps of 32 pixels
        assert house.asked_of_engine()[-1]["strength"] == 0.7
        await assert_accounts_are_true(database)


class TestUnderAPicture:
    async def test_every_button_does_what_it_says(self, house: House, database: Database, ada: Guest) -> None:
        picture = await paint(ada, "a green boat")
        [order] = await orders_of(database, ada)

        await choose(ada, picture, "Other shape", "▯ 9:16 · 3")
        tall = await result_of(ada, picture)
        assert await size_px(ada, tall) == (72, 128)
        await choose(ada, picture, "Other words")  # the list of shapes has folded back
        panel = await answer_to(ada, tall, "The same seed. Which words")
        await ada.say("a blue boat")
        ready = await ada.wait_for(
            lambda message: (
                message.message_id == panel.message_id and any("Make it" in label for label in message.labels)
            )
        )
        await press(ada, ready, "Make it")
        blue = await result_of(ada, tall)
        assert blue.message_id == panel.message_id
        ordered = await orders_of(database, ada)
        assert [(each.prompts, each.seeds) for each in ordered] == [
            (["a green boat"], order.seeds),
            (["a green boat"], order.seeds),
            (["a blue boat"], order.seeds),
        ]

        assert "❤️" in (await choose(ada, blue, "🤍")).labels
        await press(ada, blue, "⬇️")
        sent = await ada.wait_for(lambda message: bool(message.document_id), timeout_s=PATIENCE_S)
        original = await ada.download(sent.document_id)
        assert original == (house.storage / ordered[2].file_keys[0]).read_bytes()
        recipe = read_mark(original)
        assert recipe is not None
        assert (recipe.prompt, recipe.seed, recipe.model) == ("a blue boat", order.seeds[0], "Flux")

        asked = await choose(ada, picture, "🗑")
        assert (await press(ada, asked, "Delete it for good"))["text"] == "Deleted for good."
        assert picture.message_id not in {each.message_id for each in await ada.messages()}
        await until_gone(house, order.file_keys[0])
        assert len([each for each in await orders_of(database, ada) if each.prompts]) == 2
        assert await balance_of(database, ada) == WELCOME_STARS - 9
        await assert_accounts_are_true(database)


class TestGallery:
    async def test_pages_a_picture_a_search_and_a_delete(
        self, house: House, database: Database, ada: Guest
    ) -> None:
        await set_choices(ada, "Pictures:", "4")
        for prompt in ("a cat in a hat", "a boat", "a tall tower"):
            await paint(ada, prompt)
        asked = await ada.say("/gallery")
        sheet = await ada.wait_for(lambda message: bool(message.photo_id), after=asked, timeout_s=PATIENCE_S)
        assert sheet.labels == [*"123456789", "Older ›", "❤️ Favourites", "🔎 Search"]
        assert await size_px(ada, sheet) == (992, 992)
        assert "1. a tall tower" in sheet.text
        await press(ada, sheet, "Older ›")
        page = await shown(ada, sheet, "3. a cat in a hat")
        await press(ada, page, "3")
        oldest = await shown(ada, sheet, "Model: Flux")
        [first, *_] = await orders_of(database, ada)
        assert any(f"Seed: {seed}" in oldest.text for seed in first.seeds)
        await press(ada, oldest, "‹ Back")
        await press(ada, await shown(ada, sheet, "3. a cat in a hat"), "🔎 Search")
        await shown(ada, sheet, "Which picture are you looking for?")
        await ada.say("Hat cat")
        found = await shown(ada, sheet, "🔎 hat cat")
        assert found.labels[:5] == [*"1234", "🖼 All pictures"]
        await press(ada, found, "1")
        await press(ada, await shown(ada, sheet, "Model: Flux"), "🗑")
        answer = await press(ada, await shown(ada, sheet, "for good?"), "Yes, delete it")
        assert answer["text"] == "Deleted."
        left = await ada.wait_for(
            lambda message: (
                message.message_id == sheet.message_id and message.labels[:4] == [*"123", "🖼 All pictures"]
            )
        )
        assert "3. a cat in a hat" in left.text
        kept = await orders_of(database, ada)
        assert [len(each.prompts) for each in kept] == [3, 4, 4]
        assert await balance_of(database, ada) == WELCOME_STARS - 36


async def shown(guest: Guest, message: Message, wanted: str) -> Message:
    """This message once it shows these words."""
    return await guest.wait_for(
        lambda found: found.message_id == message.message_id and wanted in found.text, timeout_s=PATIENCE_S
    )


class TestLora:
    async def test_it_is_fetched_by_a_signed_link_and_changes_the_picture(
        self, house: House, database: Database, ada: Guest
    ) -> None:
        _, weights_url = await give_lora(house, database, ada)
        panel = await set_choices(ada, "LoRAs:", "+ Me (yours)", "+", "‹ Back", "Seed:", "Write a number")
        await ada.say("7")
        await shown(ada, panel, "LoRAs: Me 1.1")
        await paint(ada, "a red boat")
        asked = house.asked_of_engine()[-1]
        [lora] = asked["loras"]
        assert lora["path"].startswith(f"{weights_url}?expires=")
        assert lora["scale"] == pytest.approx(1.1)
        assert asked["prompt"] == "sks, a red boat"
        fetched = [path.read_bytes() for path in (house.folder / "darkroom" / "loras").iterdir()]
        assert fetched == [lora_weights()]
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(weights_url)).status_code == httpx.codes.NOT_FOUND

        await set_choices(ada, "LoRAs:", "Me 1.1 ✕")
        await paint(ada, "sks, a red boat")
        again = house.asked_of_engine()[-1]
        assert (again["prompt"], again["seed"], "loras" in again) == (asked["prompt"], asked["seed"], False)
        with_lora, without = [house.storage / each.file_keys[0] for each in await orders_of(database, ada)]
        assert colour(with_lora) != colour(without)
        recipe = read_mark(with_lora.read_bytes())
        assert recipe is not None
        assert [(name, round(weight, 1)) for name, weight in recipe.loras] == [("Me", 1.1)]

    async def test_somebody_elses_costs_its_fee_which_its_maker_earns_and_a_lost_one_costs_nothing(
        self, house: House, database: Database, ada: Guest
    ) -> None:
        async with welcomed(house, "Bo") as bo:
            await give_lora(house, database, bo, name="Storybook", fee_stars=4)
        lost_id, _ = await give_lora(house, database, bo, name="Lost", fee_stars=4)
        (house.storage / "loras" / f"{lost_id}.safetensors").unlink()  # as it is once its maker deleted it

        await set_choices(ada, "LoRAs:", "+ Storybook", "‹ Back", "Pictures:", "4")
        result = await paint(ada, "a red boat")
        assert any(label.replace("\u00a0", " ") == "Again · 28 ⭐" for label in result.labels)
        assert await balance_of(database, ada) == WELCOME_STARS - (4 * 3 + 4)
        await pay_out(database, interval=timedelta(0))
        assert await balance_of(database, bo) == WELCOME_STARS + 2

        await set_choices(ada, "LoRAs:", "Storybook 1.0 ✕", "+ Lost", "‹ Back", "Pictures:", "1")
        await paint(ada, "a red boat")
        *_, failed = await orders_of(database, ada)
        assert (failed.state, failed.spent_stars) == ("failed", 0)
        assert await balance_of(database, ada) == WELCOME_STARS - (4 * 3 + 4)


def colour(path: Path) -> object:
    with Image.open(path) as picture:
        return picture.getpixel((0, 0))


class TestWords:
    async def test_what_to_leave_out_and_what_is_drawn_reach_the_engine_for_each_picture(
        self, house: House, ada: Guest
    ) -> None:
        panel = await set_choices(ada, "Advanced", "Leave something out")
        await ada.say("people, text")
        await shown(ada, panel, "Left out: people, text")
        await choose(ada, panel, "‹ Back", "Pictures:", "4", "Seed:", "Write a number")
        await ada.say("7")
        await shown(ada, panel, "Seed: 7")
        prompt = "a <random:red|blue> boat"
        asked = await ada.say(prompt)
        await result_of(ada, asked)
        drawn = [parse(prompt).draw(seed) for seed in range(7, 11)]
        assert {*drawn} == {"a red boat", "a blue boat"}
        engine = sorted(house.asked_of_engine()[-4:], key=lambda each: int(each["seed"]))
        assert [(each["seed"], each["prompt"]) for each in engine] == [*enumerate(drawn, start=7)]
        assert {each["negative_prompt"] for each in engine} == {"people, text"}
        captions = [each.text for each in await told_since(ada, asked) if each.photo_id]
        assert captions == [
            f"{words}\n{place} of 4 · seed {place + 6}" for place, words in enumerate(drawn, 1)
        ]


class TestOthers:
    async def test_in_a_group_the_member_who_asks_pays_and_their_picture_is_theirs_to_share(
        self, house: House, database: Database, ada: Guest
    ) -> None:
        async with welcomed(house, "Bo") as bo:
            group = await make_group(ada, bo)
            theirs = await group.seat(bo).say("/paint a yellow boat")
            await result_of(group.seat(ada), theirs)
            assert await balance_of(database, bo) == WELCOME_STARS - 3
            assert await balance_of(database, ada) == WELCOME_STARS
            assert [each.prompts for each in await orders_of(database, bo)] == [["a yellow boat"]]
            assert await orders_of(database, ada) == []
            assert await captions_of(group.seat(bo), "boat") == ["a yellow boat"]
            assert await captions_of(group.seat(ada), "boat") == []
            offered = await group.seat(bo).ask_inline("yellow")
            assert offered is not None
            assert (await group.seat(bo).pick(offered, offered.ids[0])).photo_id


async def captions_of(guest: Guest, words: str) -> Sequence[str]:
    """What is offered for `@bot words`."""
    offered = await guest.ask_inline(words)
    assert offered is not None
    return [each["caption_fields"]["caption"] for each in offered.raw["results"]]


class TestBooks:
    async def test_nobody_fell_over_and_every_star_is_accounted_for(self, house: House) -> None:
        assert not house.fallen(), house.last_words()
        code, said = await house.command("audit")
        assert code == 0, said
