"""`starbooth offers`, as an operator runs it while the booth is open."""

from pathlib import Path

import pytest

from starbooth.base.database import Database
from starbooth.domain.catalog.offers import Offer, default_offer, list_offers, read_changes
from starbooth.domain.catalog.tables import BaseModelType
from tests.cli.commands import starbooth


async def offer_of(database: Database, kind: BaseModelType = BaseModelType.FLUX) -> Offer:
    async with database.transaction() as tx:
        return next(each for each in await list_offers(tx) if each.kind is kind)


class TestList:
    async def test_a_clean_install_sells_all_three_and_says_what_each_can_do(
        self, database_url: str, tmp_path: Path
    ) -> None:
        said = starbooth("offers", "list", home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == 0
        for words in ("FLUX_FAST", "FLUX_PORTRAIT", "photo: fal-ai/flux/dev/image-to-image", "4 (1-12)"):
            assert words in said.stdout


class TestSet:
    async def test_a_new_price_holds_at_once_and_its_history_is_dated(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        said = starbooth(
            *("offers", "set", "flux", "--price", "5", "--engines", "fal, darkroom"),
            home=tmp_path,
            DATABASE_URL=database_url,
        )
        assert (said.returncode, said.stderr) == (0, "")
        offer = await offer_of(database)
        assert (offer.price_stars, offer.engines) == (5, ("fal", "darkroom"))
        async with database.transaction() as tx:
            first, change = await read_changes(tx, offer)
        assert first.became["price_stars"] == 3
        assert change.became == {"price_stars": 5, "engines": ["fal", "darkroom"]}
        told = starbooth("offers", "history", "FLUX", home=tmp_path, DATABASE_URL=database_url)
        assert 'engines ["fal", "darkroom"], price_stars 5' in told.stdout.splitlines()[-1]

    async def test_the_same_again_is_no_change_in_the_history(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        starbooth("offers", "set", "FLUX", "--price", "3", home=tmp_path, DATABASE_URL=database_url)
        async with database.transaction() as tx:
            assert len(await read_changes(tx, await offer_of(database))) == 1

    async def test_a_model_that_is_switched_off_is_nobodys_default(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        starbooth("offers", "set", "FLUX", "--off", home=tmp_path, DATABASE_URL=database_url)
        async with database.transaction() as tx:
            assert (await default_offer(tx)).kind is BaseModelType.FLUX_FAST

    @pytest.mark.parametrize(
        ("arguments", "status", "words"),
        [
            (("FLUX",), 1, "Nothing to change"),
            (("FLUX", "--price", "-1"), 1, "costs 0 to"),
            (("FLUX", "--price", "ten"), 2, "not a valid integer"),
            (("FLUX", "--steps", "51"), 1, "steps are 1 to 50"),
            (("FLUX_FAST", "--steps", "13"), 1, "steps are 1 to 12"),
            (("FLUX", "--guidance", "0.5"), 1, "guidance is 1 to 20"),
            (("FLUX", "--strength", "2"), 1, "strength is 0.01 to 1"),
            (("SDXL", "--price", "1"), 1, "no offer SDXL"),
        ],
    )
    async def test_what_makes_no_sensible_offer_is_refused_in_words(
        self,
        database: Database,
        database_url: str,
        tmp_path: Path,
        arguments: tuple[str, ...],
        status: int,
        words: str,
    ) -> None:
        said = starbooth("offers", "set", *arguments, home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == status
        assert words in said.stderr
        async with database.transaction() as tx:
            assert len(await read_changes(tx, await offer_of(database))) == 1
