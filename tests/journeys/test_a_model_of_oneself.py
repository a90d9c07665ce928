"""From photos to a model to a picture, with real processes and a real training of the tiny FLUX."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageStat

from starbooth.base.database import Database
from starbooth.outside.storage.contract import Storage
from starbooth.outside.storage.store import open_storage
from tests.doors.bot.buying import rows
from tests.doors.bot.chat import balance_of
from tests.doors.bot.panels import choose, now, press
from tests.doors.bot.training import gathered
from tests.journeys.house import Plan, opened_house
from tests.journeys.steps import orders_of, set_choices, welcomed
from tests.make.audits import assert_accounts_are_true
from tests.make.holdings import assert_storage_is_true
from tests.make.photos import as_bytes
from tests.playground.guest import Guest, Message

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
_TRAINING_S = 600.0
_PAINTING_S = 240.0


def in_the_style(number: int) -> bytes:
    """One picture of a style that the tiny FLUX never saw: magenta, with yellow dots."""
    image = Image.new("RGB", (512, 512), "magenta")
    pen = ImageDraw.Draw(image)
    for place in range(12):
        x, y = (place * 131 + number * 71) % 460, (place * 89 + number * 157) % 460
        side = 14 + (place * 17 + number * 29) % 40
        pen.ellipse((x, y, x + side, y + side), fill="yellow")
    return as_bytes(image, quality=95)


def distance_from_style(picture: bytes) -> float:
    """How far a picture's mean colour is from the style's, in steps of 255."""
    means = [
        ImageStat.Stat(Image.open(io.BytesIO(body)).convert("RGB")).mean
        for body in (picture, in_the_style(1))
    ]
    return float(sum(abs(one - other) for one, other in zip(*means, strict=True)) / 3)


@asynccontextmanager
async def opened(
    folder: Path, *, paint_s: float | None = None, first_pictures: int = 0
) -> AsyncIterator[tuple[Database, Storage, Guest]]:
    """A house that trains and paints with the tiny FLUX, or in no more than this time, and a guest with stars
    for it.
    """
    plan = Plan(paint_s=paint_s, settings={"WELCOME_STARS": "200", "FIRST_PICTURES": str(first_pictures)})
    async with opened_house(folder, plan) as house, welcomed(house) as ada:
        database = Database(house.database_url, connections=1)
        yield database, open_storage(f"file://{house.storage}"), ada
        await database.aclose()


async def order_training(ada: Guest, *, steps: int) -> Message:
    """Send six pictures of the style and press through to the order; the message of the set."""
    await ada.say("/train")
    panel = await gathered(ada, [in_the_style(number) for number in range(6)])
    await choose(ada, panel, "A style or thing", "Continue ›", "Advanced", "Other steps")
    await ada.say(str(steps))
    await ada.wait_for(lambda message: f"Steps: {steps} (" in message.text)
    panel = await choose(ada, panel, "‹ Back", "Go on", "I agree")
    await press(ada, panel, "Train it")
    return panel


async def painted_after(ada: Guest, asked: Message) -> Message:
    """The next picture, however busy the machine is with other tests."""
    return await ada.wait_for(
        lambda message: bool(message.photo_id) and any(each.startswith("Again") for each in message.labels),
        after=asked,
        timeout_s=_PAINTING_S,
    )


async def test_pictures_move_towards_the_style_that_was_learned(tmp_path: Path) -> None:
    async with opened(tmp_path) as (database, storage, ada):
        before = await balance_of(database, ada)
        panel = await order_training(ada, steps=100)
        assert await balance_of(database, ada) == before - 24
        ready = await ada.wait_for(
            lambda message: "Make pictures with it" in message.labels, after=panel, timeout_s=_TRAINING_S
        )
        assert "My style is ready." in ready.text
        assert ready.photo_id, "the newest sample stands above it"
        await press(ada, ready, "Make pictures with it")
        draft = await ada.wait_for(
            lambda message: "What shall I paint with My style?" in message.text, after=ready
        )
        await ada.say("a red fox in the forest")
        await ada.wait_for(lambda message: any("Make it" in label for label in message.labels), after=ready)
        await press(ada, draft, "Make it")
        painted = await painted_after(ada, ready)
        styled = await ada.download(painted.photo_id)
        (_, order) = await orders_of(database, ada)
        await set_choices(ada, "Model:", "Flux ·", "Seed:", "Write a number")
        await ada.say(str(order.seeds[0]))
        await ada.wait_for(lambda message: f"Seed: {order.seeds[0]}" in message.text, after=painted)
        said = await ada.say("a red fox in the forest")
        plain = await ada.download((await painted_after(ada, said)).photo_id)
        assert distance_from_style(styled) < distance_from_style(plain) - 10
        ((status, metadata),) = await rows(
            database, 'SELECT "status"::text, "metadata" FROM public."Training"'
        )
        recipe = metadata if isinstance(metadata, dict) else json.loads(metadata)
        assert (status, recipe["steps"], recipe["photos"]) == ("COMPLETED", 100, 6)
        await assert_accounts_are_true(database)
        await assert_storage_is_true(database, storage)


async def test_stopped_early_the_steps_that_ran_are_paid_and_the_model_stays(tmp_path: Path) -> None:
    async with opened(tmp_path, paint_s=20.0, first_pictures=1) as (database, storage, ada):
        before = await balance_of(database, ada)
        panel = await order_training(ada, steps=800)
        running = await ada.wait_for(
            lambda message: (
                any(label.startswith("Stop now: pay ") for label in message.labels)
                and "Step 0 " not in message.text
            ),
            after=panel,
            timeout_s=_TRAINING_S,
        )
        await press(ada, running, "Stop now")
        ready = await ada.wait_for(
            lambda message: "Make pictures with it" in message.labels, after=panel, timeout_s=_PAINTING_S
        )
        ((spent, steps_ran),) = await rows(
            database,
            "SELECT o.spent_stars, (t.\"metadata\" ->> 'steps_ran')::integer FROM starbooth.orders o,"
            " public.\"Training\" t WHERE o.kind = 'training'",
        )
        assert 0 < steps_ran < 800
        assert spent == 192 * steps_ran // 800
        assert f"{steps_ran} of 800 steps" in (await now(ada, ready)).text
        first = await painted_after(ada, ready)  # by itself, and at no price
        assert "0 stars" in first.text
        assert await balance_of(database, ada) == before - spent
        await assert_accounts_are_true(database)
        await assert_storage_is_true(database, storage)


async def test_photos_that_come_while_the_bot_is_killed_are_all_there(tmp_path: Path) -> None:
    async with opened_house(tmp_path, Plan()) as house, welcomed(house) as ada:
        await ada.say("/train")
        await counted_by(ada, "A model of your own")
        await ada.send_album([in_the_style(number) for number in range(4)])
        house.kill("bot")
        await ada.send_document(in_the_style(4), name="five.jpg")
        await ada.send_document(b"Dear diary", name="notes.jpg")
        house.start("bot")
        panel = await counted_by(ada, "5 photos of 30")
        assert "notes.jpg: not a picture" in panel.text
        database = Database(house.database_url, connections=1)
        numbers = await rows(database, "SELECT number FROM starbooth.set_photos ORDER BY number")
        assert numbers == [(number,) for number in range(1, 6)]
        await assert_storage_is_true(database, open_storage(f"file://{house.storage}"))
        await database.aclose()


async def counted_by(ada: Guest, words: str) -> Message:
    """The message of the set, once it says this and nothing more is on its way."""
    return await ada.wait_for(
        lambda message: words in message.text and "more on their way" not in message.text,
        timeout_s=_PAINTING_S,
    )
