"""`starbooth trainings`, as an operator runs it while the booth is open."""

from pathlib import Path

import pytest

from starbooth.base.database import Database
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.trainings.offers import TrainingOffer, read_training_offer, seed_training_offers
from tests.cli.commands import starbooth


@pytest.fixture(autouse=True)
async def seeded(database: Database) -> None:
    async with database.transaction() as tx:
        await seed_training_offers(tx)


async def style(database: Database) -> TrainingOffer:
    async with database.transaction() as tx:
        offer = await read_training_offer(tx, LoraType.STYLE)
    assert offer is not None
    return offer


async def test_the_list_tells_prices_and_ranges(database_url: str, tmp_path: Path) -> None:
    said = starbooth("trainings", "list", home=tmp_path, DATABASE_URL=database_url)
    assert (said.returncode, said.stderr) == (0, "")
    for words in ("STYLE", "PORTRAIT", "240", "725", "24, at least 24", "1000 (100-4000)", "the endpoint's"):
        assert words in said.stdout


async def test_a_change_holds_from_the_next_order_on(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    said = starbooth(
        *("trainings", "set", "style", "--stars", "30", "--steps", "500", "--engines", "darkroom"),
        home=tmp_path,
        DATABASE_URL=database_url,
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert "500 steps cost 150 stars" in said.stdout
    offer = await style(database)
    assert (offer.stars_per_100_steps, offer.steps, offer.engines) == (30, 500, ("darkroom",))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("STYLE",), 1, "Nothing to change"),
        (("HAMSTER", "--off"), 1, "There is no training HAMSTER"),
        (("STYLE", "--steps", "99"), 1, "Nothing was changed"),
        (("STYLE", "--stars", "much"), 2, "--stars"),
    ],
)
async def test_what_makes_no_offer_is_said(
    database: Database,
    database_url: str,
    tmp_path: Path,
    arguments: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    before = await style(database)
    said = starbooth("trainings", "set", *arguments, home=tmp_path, DATABASE_URL=database_url)
    assert said.returncode == status
    assert words in said.stderr
    assert await style(database) == before
