"""What a picture costs by fal's price list: whole units, fal's own count first, or unknown."""

from decimal import Decimal

import pytest

from starbooth.outside.engine.client import FalEngine
from starbooth.outside.engine.contract import EngineResult
from starbooth.outside.engine.prices import LIST_PRICES, list_cost_usd


@pytest.mark.parametrize(
    ("endpoint", "size", "units", "cost"),
    [
        ("fal-ai/flux/dev", (1024, 1024), None, "0.025"),
        ("fal-ai/flux/dev", (512, 512), None, "0.025"),  # a begun megapixel is a whole one
        ("fal-ai/flux/dev", (1024, 1025), None, "0.050"),
        ("fal-ai/flux/dev", (1024, 1024), 1.5, "0.0375"),
        ("fal-ai/flux/schnell", (2048, 2048), None, "0.012"),
        ("fal-ai/flux-pro/v1.1-ultra", (4096, 4096), None, "0.06"),
        ("fal-ai/flux-2-pro", (1024, 1024), None, "0.03"),
        ("fal-ai/flux-2-pro", (2048, 2048), None, "0.075"),
        ("fal-ai/flux-2-pro", (2048, 2048), 0.5, "0.03"),
    ],
)
def test_a_picture_costs_its_units(
    endpoint: str, size: tuple[int, int], units: float | None, cost: str
) -> None:
    found = list_cost_usd(endpoint, width_px=size[0], height_px=size[1], billable_units=units)
    assert found == Decimal(cost)


def test_a_price_that_nobody_tells_is_unknown_and_not_zero() -> None:
    assert list_cost_usd("fal-ai/flux/unheard-of", width_px=1024, height_px=1024, billable_units=1) is None


@pytest.mark.parametrize(
    ("is_own", "seconds", "cost"), [(True, 9.0, "0.005"), (True, None, "0"), (False, 9.0, "0.025")]
)
async def test_an_engine_of_ones_own_costs_its_hours(is_own: bool, seconds: float | None, cost: str) -> None:
    engine = FalEngine(
        name="one",
        key="key",
        base_url="http://engine.invalid",
        is_deduplicating=is_own,
        account=None,
        usd_per_hour=Decimal(2),
    )
    result = EngineResult(pictures=(), seed=None, billable_units=None, inference_s=seconds)
    found = engine.cost_usd("fal-ai/flux/dev", result, width_px=1024, height_px=1024)
    await engine.aclose()
    assert found == Decimal(cost)


def test_prices_are_exact_and_above_zero() -> None:
    assert all(price.first_usd >= price.next_usd > 0 for price in LIST_PRICES.values())
