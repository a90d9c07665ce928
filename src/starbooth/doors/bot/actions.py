"""What a button says when it is pressed: a verb and an order, in at most 64 bytes. Knows no wording.

`again` paints the same words with a new seed. `like` paints almost the same picture: the same seed, with
another light or style added to the words. An engine that paints from words alone comes closest to a picture
by keeping its seed, and the same words with the same seed would be the very picture once more, for money.
`retry` is `again` under an order that failed. `cancel` ends an order that waits.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

# In English, which is what engines read. Each fits behind any sentence.
VARIATIONS = ("at sunset", "at night", "in watercolor", "in soft morning light", "in the rain", "in pencil")
_FORM = re.compile(r"(cancel|again|like|retry):(c[a-z0-9]{24})(?::([0-9]{1,9}))?")


class Verb(StrEnum):
    """What the press asks for."""

    CANCEL = "cancel"
    AGAIN = "again"
    LIKE = "like"
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


def vary(prompt: str, *, turn: int) -> str:
    """The prompt with one variation behind it, another one for each `turn`.

    A variation that an earlier press added is replaced; one that the prompt names by itself is passed over.
    """
    words = prompt
    for variation in VARIATIONS:
        words = words.removesuffix(f", {variation}")
    fresh = [each for each in VARIATIONS if each not in prompt.lower()]
    return f"{words}, {fresh[turn % len(fresh)]}" if fresh else words
