"""What the buttons of a set of photos say: whose set, a verb and what it sets, in at most 64 bytes.

Every button names what it is about ("take out 7", "800 steps"), so pressed ten times or from an old message
it does the same as once; only another proposed word is another one each time. Knows no wording.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "t:"
_FORM = re.compile(r"t:(c[a-z0-9]{24}):([a-z])(?::(.{1,32}))?")
_NUMBER = "[0-9]{1,3}"


class Page(StrEnum):
    """What the message can show."""

    PHOTOS = "p"
    REMOVE = "x"
    CUTS = "f"
    CHOICES = "s"
    ADVANCED = "a"
    CAPTIONS = "c"
    CONSENT = "g"


class Verb(StrEnum):
    """What a press asks for."""

    VIEW = "v"
    KIND = "k"
    REMOVE = "x"
    CUT = "u"
    WHOLE = "w"
    STEPS = "t"
    RATE = "r"
    OWN_RECIPE = "z"
    CAPTION = "c"
    OWN_CAPTION = "d"
    TYPE = "q"
    NEW_WORD = "n"
    AGREE = "g"
    WITHDRAW = "b"
    ASK_DELETE = "y"
    DELETE = "e"
    ORDER = "o"
    AGAIN = "a"


class Question(StrEnum):
    """What a guest can be asked to write."""

    NAME = "name"
    WORD = "word"
    STEPS = "steps"
    RATE = "rate"


_VALUES = {
    Verb.VIEW: "|".join(Page),
    Verb.KIND: "STYLE|PORTRAIT",
    Verb.REMOVE: _NUMBER,
    Verb.CUT: _NUMBER,
    Verb.WHOLE: _NUMBER,
    Verb.STEPS: "[0-9]{1,5}",
    Verb.RATE: "[0-9]{1,7}",
    Verb.CAPTION: _NUMBER,
    Verb.OWN_CAPTION: _NUMBER,
    Verb.TYPE: "|".join(Question),
    Verb.ORDER: "[0-9]{1,9}",
}


@dataclass(frozen=True, kw_only=True)
class Move:
    """One press. value: as its verb has it, else empty; a learning rate in millionths."""

    set_id: str
    verb: Verb
    value: str = ""

    def __str__(self) -> str:
        return f"{PREFIX}{self.set_id}:{self.verb}{f':{self.value}' if self.value else ''}"


def parse_move(text: str | None) -> Move | None:
    """Read what came back from a button; None for anything that no button of a set says."""
    found = _FORM.fullmatch(text or "")
    if found is None or found[2] not in set(Verb):
        return None
    verb, value = Verb(found[2]), found[3] or ""
    if not re.fullmatch(_VALUES.get(verb, ""), value):
        return None
    return Move(set_id=found[1], verb=verb, value=value)
