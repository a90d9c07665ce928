"""What the buttons under a finished picture say: a verb, an order, which of its pictures, and a value.

At most 64 bytes. Prices stand in them, so that nobody pays more than the button said. Knows no wording.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from starbooth.domain.generations.choices import Shape

PREFIX = "r:"
_FORM = re.compile(r"r:([a-z]):(c[a-z0-9]{24}):([0-9]|[1-3][0-9])(?::([a-z0-9_:]{1,24}))?")
# What the first release put under its pictures. It added to the words then; now it keeps them.
_OLD_LIKE = re.compile(r"like:(c[a-z0-9]{24}):([0-9]{1,6})")


# What "Share" has the guest ask inline: this very picture.
SHARE_QUERY = re.compile(r"#(c[a-z0-9]{24})-([0-9]|[1-3][0-9])")


def share_query(order_id: str, number: int) -> str:
    """What `SHARE_QUERY` reads."""
    return f"#{order_id}-{number}"


class Verb(StrEnum):
    """What a press asks for. VARY has a price for its value, SHAPE a shape and a price, KEEP "1" or "0"."""

    VIEW = "p"
    OVERVIEW = "b"
    VARY = "v"
    WORDS = "w"
    SHAPES = "f"
    SHAPE = "s"
    KEEP = "k"
    ORIGINAL = "o"
    DELETE = "d"
    DELETE_NOW = "x"


_PRICE = "[0-9]{1,6}"
_VALUES = {
    **dict.fromkeys([each.value for each in Verb], ""),
    Verb.VARY.value: _PRICE,
    Verb.SHAPE.value: rf"(?:{'|'.join(Shape)}):{_PRICE}",
    Verb.KEEP.value: "[01]",
}


@dataclass(frozen=True, kw_only=True)
class Move:
    """One press. number: of the picture in its order, from 0."""

    verb: Verb
    order_id: str
    number: int = 0
    value: str = ""

    def __str__(self) -> str:
        value = f":{self.value}" if self.value else ""
        return f"{PREFIX}{self.verb}:{self.order_id}:{self.number}{value}"


def parse_move(text: str | None) -> Move | None:
    """Read what came back from a button; None for anything that no button of ours says."""
    old = _OLD_LIKE.fullmatch(text or "")
    if old is not None:
        return Move(verb=Verb.VARY, order_id=old[1], value=old[2])
    found = _FORM.fullmatch(text or "")
    if found is None or found[1] not in _VALUES or not re.fullmatch(_VALUES[found[1]], found[4] or ""):
        return None
    return Move(verb=Verb(found[1]), order_id=found[2], number=int(found[3]), value=found[4] or "")
