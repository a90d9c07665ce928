"""Offers from the command line: what is sold, at what price, and when that changed."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import IntegrityError

from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.catalog.offers import Offer, change_offer, list_offers, read_changes

_MOST_STARS = 1_000_000


async def print_offers(settings: Settings) -> int:
    """Print every offer. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        found = await list_offers(tx)
    table = Table("model", "stars", "sold", "engines", "steps", "guidance", "paints")
    for each in found:
        table.add_row(
            each.kind.value,
            str(each.price_stars),
            "yes" if each.is_on else "no",
            ", ".join(each.engines) or "all",
            f"{each.steps} ({each.least_steps}-{each.most_steps})",
            f"{each.guidance:g} ({each.least_guidance:g}-{each.most_guidance:g})",
            "\n".join(_ways(each)),
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0


def _ways(offer: Offer) -> list[str]:
    ways = {
        "words": offer.endpoint,
        "photo": offer.photo_endpoint,
        "LoRAs": offer.loras_endpoint,
        "LoRAs and photo": offer.loras_photo_endpoint,
    }
    negative = [f"negative prompt: on {', '.join(offer.negative_engines)}"] if offer.negative_engines else []
    return [f"{way}: {endpoint}" for way, endpoint in ways.items() if endpoint] + negative


async def set_offer(settings: Settings, *, kind: str, changes: Mapping[str, Any]) -> int:
    """Change one offer and say what it became. Returns the exit status."""
    if not changes:
        return _say_no("Nothing to change: name at least one option, such as --price 4.")
    async with open_booth(settings, connections=1) as booth:
        try:
            async with booth.database.transaction() as tx:
                offer = _named(await list_offers(tx), kind)
                if offer is None:
                    return _say_no(_unknown(kind))
                if no := _refuse(offer, changes):
                    return _say_no(no)
                await change_offer(tx, offer, changes)
        except IntegrityError:
            return _say_no("Refused: a value is outside of what an offer can hold. Nothing was changed.")
    print(f"{offer.kind.value}: changed from the next order on. `starbooth offers history` tells since when.")
    return 0


def _refuse(offer: Offer, changes: Mapping[str, Any]) -> str | None:
    """Why these changes make no sensible offer; None where they do."""
    new = {**vars(offer), **changes}
    if not 0 <= new["price_stars"] <= _MOST_STARS:
        return f"Refused: a picture costs 0 to {_MOST_STARS} stars."
    if not new["least_steps"] <= new["steps"] <= new["most_steps"]:
        return f"Refused: steps are {new['least_steps']} to {new['most_steps']}."
    if not new["least_guidance"] <= new["guidance"] <= new["most_guidance"]:
        return f"Refused: guidance is {new['least_guidance']:g} to {new['most_guidance']:g}."
    if not 0.01 <= new["strength"] <= 1:
        return "Refused: strength is 0.01 to 1."
    return None


async def print_history(settings: Settings, *, kind: str) -> int:
    """Print when an offer changed, and to what. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        offer = _named(await list_offers(tx), kind)
        if offer is None:
            return _say_no(_unknown(kind))
        changes = await read_changes(tx, offer)
    for each in changes:
        became = ", ".join(f"{name} {json.dumps(value)}" for name, value in each.became.items())
        print(f"{each.changed_at:%Y-%m-%d %H:%M:%S} UTC  {became}")
    return 0


def _named(found: list[Offer], kind: str) -> Offer | None:
    return next((each for each in found if each.kind.value == kind.upper()), None)


def _unknown(kind: str) -> str:
    return f"There is no offer {kind}: `starbooth offers list` shows them."


def _say_no(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
