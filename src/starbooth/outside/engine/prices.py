"""What fal.ai asks for a picture by its price list. An estimate: the bill is fal's, and prices change.

The list holds what was known in November 2026 without an account: from fal's own model pages where
`is_own_page`, else from others who tell fal's prices. An endpoint with no known price has none here, and its
cost is unknown, not zero. Before you set prices by this, ask fal's pricing API.
"""

import math
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

AS_OF = date(2026, 11, 28)
_MEGAPIXEL = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ListPrice:
    """US dollars for the first unit and for each next one; a unit is a begun megapixel or a picture."""

    first_usd: Decimal
    next_usd: Decimal
    is_per_megapixel: bool
    is_own_page: bool


def _per_megapixel(usd: str, *, then: str | None = None, is_own_page: bool = False) -> ListPrice:
    return ListPrice(
        first_usd=Decimal(usd), next_usd=Decimal(then or usd), is_per_megapixel=True, is_own_page=is_own_page
    )


def _per_picture(usd: str, *, is_own_page: bool = False) -> ListPrice:
    price = Decimal(usd)
    return ListPrice(first_usd=price, next_usd=price, is_per_megapixel=False, is_own_page=is_own_page)


LIST_PRICES: dict[str, ListPrice] = {
    "fal-ai/flux/dev": _per_megapixel("0.025"),
    "fal-ai/flux/schnell": _per_megapixel("0.003", is_own_page=True),
    "fal-ai/flux-lora": _per_megapixel("0.035", is_own_page=True),
    "fal-ai/flux-pulid": _per_megapixel("0.0333"),
    "fal-ai/flux-pro/v1.1": _per_megapixel(
        "0.055"
    ),  # 0.04 to 0.055 are told: rather too much than too little
    "fal-ai/flux-pro/v1.1-ultra": _per_picture("0.06"),
    "fal-ai/flux-pro/kontext": _per_picture("0.04", is_own_page=True),
    "fal-ai/flux-kontext-lora": _per_megapixel("0.035"),
    "fal-ai/flux-2/lora": _per_megapixel("0.021", is_own_page=True),
    "fal-ai/flux-2-pro": _per_megapixel("0.03", then="0.015"),
    "fal-ai/flux-2/klein/9b": _per_megapixel("0.006", is_own_page=True),
    "fal-ai/flux-2/klein/9b/base/lora": _per_megapixel("0.02", is_own_page=True),
}


def list_cost_usd(
    endpoint: str, *, width_px: int, height_px: int, billable_units: float | None = None
) -> Decimal | None:
    """What one picture of this size costs at fal.ai; None where no price is known.

    billable_units: as fal counted them for this request, which goes before our own count.
    """
    price = LIST_PRICES.get(endpoint)
    if price is None:
        return None
    counted = math.ceil(width_px * height_px / _MEGAPIXEL) if price.is_per_megapixel else 1
    units = Decimal(counted if billable_units is None else str(billable_units))
    if price.first_usd == price.next_usd:
        return units * price.first_usd
    return price.first_usd + max(units - 1, Decimal(0)) * price.next_usd


@dataclass(frozen=True, kw_only=True)
class TrainingPrice:
    """US dollars for a step, and how many are charged at least."""

    step_usd: Decimal
    least_steps: int


TRAINING_PRICES: dict[str, TrainingPrice] = {
    "fal-ai/flux-lora-fast-training": TrainingPrice(step_usd=Decimal("0.002"), least_steps=0),
    "fal-ai/flux-lora-portrait-trainer": TrainingPrice(step_usd=Decimal("0.0024"), least_steps=1000),
}


def list_training_cost_usd(endpoint: str, *, steps: int) -> Decimal | None:
    """What a training of so many steps costs at fal.ai; None where no price is known."""
    price = TRAINING_PRICES.get(endpoint)
    return None if price is None else max(steps, price.least_steps) * price.step_usd
