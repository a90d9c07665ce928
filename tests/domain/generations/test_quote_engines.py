"""What no engine of this booth can paint is refused before the hold, not at the deadline."""

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.errors import Refusal
from starbooth.domain.catalog.engines import change_engine, seed_engines
from starbooth.domain.generations.choices import Choices
from starbooth.domain.generations.errors import ModelRefused, NegativeRefused
from starbooth.domain.generations.quote import quote, require_engine
from tests.make.guests import make_guest, read_stars
from tests.make.orders import place_pictures

NEGATIVE = Choices(negative="fog")


@pytest.fixture
async def guest(database: Database) -> str:
    return await make_guest(database, stars=50)


async def set_offer(database: Database, *, engines: list[str], negative_engines: list[str]) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            text("UPDATE starbooth.offers SET engines = :engines, negative_engines = :negative_engines"),
            {"engines": engines, "negative_engines": negative_engines},
        )


async def have(database: Database, *names: str, off: str | None = None) -> None:
    async with database.transaction() as tx:
        await seed_engines(tx, names, slots=4)
        if off is not None:
            await change_engine(tx, off, is_on=False, slots=None, position=None)


async def engines_of(database: Database, guest: str, choices: Choices) -> tuple[str, ...]:
    async with database.transaction() as tx:
        quoted = await quote(tx, choices, user_id=guest)
        await require_engine(tx, quoted)
        return quoted.engines


@pytest.mark.parametrize(
    ("named", "negative", "here", "off", "choices", "expected"),
    [
        ([], ["darkroom"], [], None, NEGATIVE, ("darkroom",)),
        ([], ["darkroom"], ["fal", "darkroom"], None, NEGATIVE, ("darkroom",)),
        ([], ["darkroom"], ["fal"], None, NEGATIVE, NegativeRefused),
        ([], ["darkroom"], ["fal", "darkroom"], "darkroom", NEGATIVE, NegativeRefused),
        ([], ["darkroom", "second"], ["second"], None, NEGATIVE, ("darkroom", "second")),
        (["fal"], ["darkroom"], ["fal", "darkroom"], None, NEGATIVE, NegativeRefused),
        (["fal"], [], ["fal"], None, Choices(), ("fal",)),
        (["fal"], [], [], None, Choices(), ("fal",)),
        (["fal"], [], ["darkroom"], None, Choices(), ModelRefused),
        (["fal"], ["fal"], ["darkroom"], None, NEGATIVE, NegativeRefused),
        (["fal", "darkroom"], [], ["darkroom"], None, Choices(), ("fal", "darkroom")),
        (["fal"], [], ["fal", "darkroom"], "fal", Choices(), ModelRefused),
        ([], [], ["fal"], "fal", Choices(), ()),
    ],
)
async def test_only_engines_that_are_here_and_on_count(
    database: Database,
    guest: str,
    named: list[str],
    negative: list[str],
    here: list[str],
    off: str | None,
    choices: Choices,
    expected: tuple[str, ...] | type[Refusal],
) -> None:
    await set_offer(database, engines=named, negative_engines=negative)
    await have(database, *here, off=off)
    if isinstance(expected, tuple):
        assert await engines_of(database, guest, choices) == expected
    else:
        with pytest.raises(expected):
            await engines_of(database, guest, choices)


async def test_nothing_is_held_for_what_nobody_can_paint(database: Database, guest: str) -> None:
    await set_offer(database, engines=["fal"], negative_engines=[])
    await have(database, "darkroom")
    with pytest.raises(ModelRefused):
        await place_pictures(database, guest)
    assert await read_stars(database, guest) == (50, 0, 0)
    async with database.transaction() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM starbooth.orders")) == 0
