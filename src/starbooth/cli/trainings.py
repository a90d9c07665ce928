"""Training offers from the command line: what a model of oneself costs, and what may be asked."""

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import IntegrityError

from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.trainings.offers import (
    TrainingOffer,
    change_training_offer,
    list_training_offers,
    price_of,
)


async def print_trainings(settings: Settings) -> int:
    """Print every training offer. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        found = await list_training_offers(tx)
    names = ("kind", "stars", "per 100 steps", "sold", "engines", "steps", "learning rate", "photos", "by")
    table = Table(*names)
    for each in found:
        table.add_row(
            each.lora_type.value,
            str(price_of(each, each.steps)),
            f"{each.stars_per_100_steps}, at least {each.least_stars}",
            "yes" if each.is_on else "no",
            ", ".join(each.engines) or "all",
            f"{each.steps} ({each.least_steps}-{each.most_steps})",
            _rate(each),
            f"{each.least_photos}-{each.most_photos}, better {each.warn_photos}",
            each.endpoint,
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


def _rate(offer: TrainingOffer) -> str:
    if offer.least_learning_rate == offer.most_learning_rate:
        return "the endpoint's"
    return f"{offer.learning_rate:g} ({offer.least_learning_rate:g}-{offer.most_learning_rate:g})"


async def set_training(settings: Settings, *, kind: str, changes: Mapping[str, Any]) -> int:
    """Change one training offer and say what it costs now. Returns the exit status."""
    if not changes:
        return _say_no("Nothing to change: name at least one option, such as --stars 30.")
    async with open_booth(settings, connections=1) as booth:
        try:
            async with booth.database.transaction() as tx:
                offer = next(
                    (each for each in await list_training_offers(tx) if each.lora_type == kind.upper()), None
                )
                if offer is None:
                    return _say_no(f"There is no training {kind}: `starbooth trainings list` shows them.")
                await change_training_offer(tx, offer, changes)
        except IntegrityError:
            return _say_no(
                "Refused: steps and learning rate must lie in their ranges, and stars be 0 to 1000000."
                " Nothing was changed."
            )
    became = TrainingOffer(**{**vars(offer), **changes})
    price = price_of(became, became.steps)
    print(
        f"{offer.lora_type.value}: changed. {became.steps} steps cost {price} stars from the next order on."
    )
    return 0


def _say_no(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
