"""What a gallery's buttons say: a verb, the gallery's number, a place or a picture, in 64 bytes. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from starbooth.domain.gallery.pages import Place

PREFIX = "g:"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER = re.compile(r"[0-9a-z]{1,9}")
_TIME = re.compile(r"-?[0-9a-z]{1,9}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Verb(StrEnum):
    """What is to be done. Those about a picture name it; OLDER and NEWER name the place to go on from."""

    OLDER = "o"
    NEWER = "n"
    PAGE = "b"
    ALL = "a"
    FAVOURITES = "f"
    SEARCH = "q"
    OPEN = "v"
    MARK = "h"
    UNMARK = "u"
    ORIGINAL = "d"
    ASK_DELETE = "x"
    DELETE = "y"


_TURNS = frozenset({Verb.OLDER, Verb.NEWER})
_OF_PICTURE = frozenset({Verb.OPEN, Verb.MARK, Verb.UNMARK, Verb.ORIGINAL, Verb.ASK_DELETE, Verb.DELETE})


@dataclass(frozen=True, kw_only=True)
class Move:
    """One press. `place` for turning pages, `picture_id` for what is about a picture."""

    verb: Verb
    gallery_id: int
    place: Place | None = None
    picture_id: str | None = None

    def __str__(self) -> str:
        parts = [PREFIX + self.verb, _in_letters(self.gallery_id)]
        if self.place is not None:
            since = self.place.at.replace(tzinfo=UTC) - _EPOCH
            parts += [_in_letters(since // timedelta(milliseconds=1)), self.place.picture_id]
        elif self.picture_id is not None:
            parts.append(self.picture_id)
        return ":".join(parts)


def parse_move(text: str | None) -> Move | None:
    """Read what came back from a button; None for anything that no button of ours says."""
    verb, _, rest = (text or "").removeprefix(PREFIX).partition(":")
    if not (text or "").startswith(PREFIX) or verb not in set(Verb):
        return None
    number, *named = rest.split(":")
    if not _NUMBER.fullmatch(number) or not all(_ID.fullmatch(each) for each in named):
        return None
    move = Move(verb=Verb(verb), gallery_id=int(number, 36))
    if move.verb in _TURNS:
        return _at_place(move, named)
    if move.verb in _OF_PICTURE:
        return replace(move, picture_id=named[0]) if len(named) == 1 else None
    return move if not named else None


def _at_place(move: Move, named: Sequence[str]) -> Move | None:
    if len(named) != 2 or not _TIME.fullmatch(named[0]):
        return None
    try:
        at = _EPOCH + timedelta(milliseconds=int(named[0], 36))
    except OverflowError:  # no calendar has such a year
        return None
    return replace(move, place=Place(at=at.replace(tzinfo=None), picture_id=named[1]))


def _in_letters(number: int) -> str:
    """The number to base 36, as `int` reads it; times before 1970 are negative."""
    sign, number, letters = "-" if number < 0 else "", abs(number), ""
    while True:
        number, digit = divmod(number, 36)
        letters = _DIGITS[digit] + letters
        if not number:
            return sign + letters
