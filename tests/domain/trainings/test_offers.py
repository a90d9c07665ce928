"""Training offers: seeded once, changed by their operator, and one formula for the price."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from starbooth.base.database import Database
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.trainings.finish import price_of_steps
from starbooth.domain.trainings.offers import (
    TrainingOffer,
    change_training_offer,
    list_training_offers,
    price_of,
    read_training_offer,
    seed_training_offers,
)
from starbooth.outside.engine.prices import list_training_cost_usd


@pytest.fixture
async def style(database: Database) -> TrainingOffer:
    async with database.transaction() as tx:
        await seed_training_offers(tx)
        offer = await read_training_offer(tx, LoraType.STYLE)
    assert offer is not None
    return offer


class TestOffers:
    async def test_both_kinds_are_sold_from_the_start(self, database: Database, style: TrainingOffer) -> None:
        async with database.transaction() as tx:
            first = await list_training_offers(tx)
            await seed_training_offers(tx)
            assert await list_training_offers(tx) == first
        assert [each.lora_type for each in first] == [LoraType.STYLE, LoraType.PORTRAIT]
        assert first[0] == style
        assert [(each.least_photos, each.warn_photos, each.most_photos) for each in first] == [
            (4, 4, 30),
            (4, 10, 30),
        ]

    async def test_a_seeded_price_covers_what_fal_asks(
        self, database: Database, style: TrainingOffer
    ) -> None:
        """A star is worth about 1.3 US cents to the operator."""
        async with database.transaction() as tx:
            found = await list_training_offers(tx)
        for offer in found:
            for steps in (offer.least_steps, offer.steps, offer.most_steps):
                cost = list_training_cost_usd(offer.endpoint, steps=steps)
                assert cost is not None
                assert price_of(offer, steps) * 0.013 > float(cost)

    async def test_what_an_operator_changes_stays(self, database: Database, style: TrainingOffer) -> None:
        async with database.transaction() as tx:
            await change_training_offer(tx, style, {"steps": 500, "engines": ["darkroom"], "is_on": False})
        async with database.transaction() as tx:
            await seed_training_offers(tx)
            assert await read_training_offer(tx, LoraType.STYLE) == replace(
                style, steps=500, engines=("darkroom",), is_on=False
            )

    @pytest.mark.parametrize(
        "changes", [{"steps": 4001}, {"most_steps": 10_001}, {"stars_per_100_steps": -1}, {"warn_photos": 3}]
    )
    async def test_what_makes_no_offer_is_refused(
        self, database: Database, style: TrainingOffer, changes: dict[str, int]
    ) -> None:
        with pytest.raises(IntegrityError):
            async with database.transaction() as tx:
                await change_training_offer(tx, style, changes)
        async with database.transaction() as tx:
            assert await read_training_offer(tx, LoraType.STYLE) == style


class TestPrices:
    async def test_a_part_of_a_star_is_a_whole_one(self, style: TrainingOffer) -> None:
        offer = replace(style, stars_per_100_steps=24, least_stars=0)
        assert [price_of(offer, steps) for steps in (1, 100, 101, 1000)] == [1, 24, 25, 240]
        assert price_of(replace(offer, least_stars=50), 100) == 50

    @given(
        price=st.integers(0, 1_000_000),
        steps=st.integers(1, 10_000),
        data=st.data(),
    )
    def test_who_stops_early_pays_for_the_steps_that_ran_and_never_more(
        self, price: int, steps: int, data: st.DataObject
    ) -> None:
        ran = data.draw(st.integers(-5, steps + 5))
        paid = price_of_steps(price, ran=ran, of=steps)
        share = price * min(max(ran, 0), steps) / steps
        assert 0 <= paid <= price
        assert share - 1 < paid <= share + 1e-6
        assert price_of_steps(price, ran=0, of=steps) == 0
        assert price_of_steps(price, ran=steps, of=steps) == price
        if ran < steps:
            assert paid <= price_of_steps(price, ran=ran + 1, of=steps)
