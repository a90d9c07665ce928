"""What the buttons about a guest's own data say. At most 64 bytes. Knows no wording.

What deletes an account names it: pressed once more by who has come back, it deletes nothing of theirs. What
opens an export names that.
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
    EXPORT = "export"
    LINK = "link"
    LEAVE = "leave"
    LEAVE_SURELY = "surely"
    LEAVE_NOW = "now"


OF_ACCOUNT = frozenset({Verb.LEAVE_SURELY, Verb.LEAVE_NOW})
_NAMING = OF_ACCOUNT | {Verb.LINK}


@dataclass(frozen=True, kw_only=True)
class Move:
    """One press. subject: the account or export that it is about, for those that name one."""

    verb: Verb
    subject: str = ""

    def __str__(self) -> str:
        return f"{PREFIX}{self.verb}:{self.subject}" if self.subject else f"{PREFIX}{self.verb}"


def parse_move(text: str | None) -> Move | None:
    """Read what came back from a button; None for anything that no button of ours says."""
    found = _FORM.fullmatch(text or "")
    if found is None or found[1] not in set(Verb):
        return None
    verb = Verb(found[1])
    if (verb in _NAMING) != (found[2] is not None):
        return None
    return Move(verb=verb, subject=found[2] or "")
