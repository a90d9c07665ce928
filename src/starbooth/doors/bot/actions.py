"""What a button says when it is pressed: a verb and an order, in at most 64 bytes. Knows no wording.

`again` orders the same once more with new seeds; `retry` is `again` under an order that failed. `cancel` ends
an order that waits.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_FORM = re.compile(r"(cancel|again|retry):(c[a-z0-9]{24})(?::([0-9]{1,9}))?")


class Verb(StrEnum):
    """What the press asks for."""

    CANCEL = "cancel"
    AGAIN = "again"
    RETRY = "retry"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One press. `price_stars` is the price that stood on the button, None where none did."""

    verb: Verb
    order_id: str
    price_stars: int | None = None

    def __str__(self) -> str:
        price = "" if self.price_stars is None else f":{self.price_stars}"
        return f"{self.verb}:{self.order_id}{price}"


def parse_action(text: str | None) -> Action | None:
    """Read what came back from a button; None for anything that no button of ours says."""
    found = _FORM.fullmatch(text or "")
    if found is None:
        return None
    verb, order_id, price = found.groups()
    return Action(verb=Verb(verb), order_id=order_id, price_stars=None if price is None else int(price))
