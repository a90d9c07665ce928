"""What the buttons about a guest's own data say. At most 64 bytes. Knows no wording.

What deletes an account names it: pressed once more by who has come back, it deletes nothing of theirs.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "p:"
_FORM = re.compile(r"p:([a-z]+)(?::(c[a-z0-9]{24}))?")


class Verb(StrEnum):
    """What a press asks for."""

    PHOTOS = "photos"
    DELETE_PHOTOS = "nophotos"
    CONSENT = "consent"
    WITHDRAW = "noconsent"
    KEEP = "keep"
    LEAVE = "leave"
    LEAVE_SURELY = "surely"
    LEAVE_NOW = "now"


NAMING = frozenset({Verb.LEAVE_SURELY, Verb.LEAVE_NOW})


@dataclass(frozen=True, kw_only=True)
class Move:
    """One press. user_id: the account that it is about, for those that name one."""

    verb: Verb
    user_id: str = ""

    def __str__(self) -> str:
        return f"{PREFIX}{self.verb}:{self.user_id}" if self.user_id else f"{PREFIX}{self.verb}"


def parse_move(text: str | None) -> Move | None:
    """Read what came back from a button; None for anything that no button of ours says."""
    found = _FORM.fullmatch(text or "")
    if found is None or found[1] not in set(Verb):
        return None
    verb = Verb(found[1])
    if (verb in NAMING) != (found[2] is not None):
        return None
    return Move(verb=verb, user_id=found[2] or "")
