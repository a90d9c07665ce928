"""What the buttons of a list of models say: a verb, the list's number, a place or a model; 64 bytes. Pure."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from starbooth.domain.models.makers import Shows
from starbooth.domain.models.reports import Reason
from starbooth.domain.models.shelves import Place, Shelf

PREFIX = "m:"
ALL_MODELS = "m:all"  # opens a list of the public ones
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER = re.compile(r"[0-9a-z]{1,11}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Verb(StrEnum):
    """What is to be done. ON and BACK name the place to go on from; those about a model name it."""

    SHELF = "shelf"
    ON = "on"
    BACK = "back"
    PAGE = "page"
    SEARCH = "find"
    OPEN = "see"
    USE = "use"
    LEAVE = "leave"
    MARK = "mark"
    UNMARK = "unmark"
    SHARE = "share"
    SHOW_AS = "as"
    PUBLISH = "open"
    UNPUBLISH = "close"
    FEES = "fees"
    FEE = "fee"
    RENAME = "name"
    PREVIEWS = "looks"
    PREVIEW = "look"
    EXPORT = "file"
    ASK_DELETE = "drop"
    DELETE = "gone"
    REPORT = "bad"
    REASON = "why"


_TURNS = frozenset({Verb.ON, Verb.BACK})
_OF_LIST = frozenset({Verb.PAGE, Verb.SEARCH})
# Verbs about a model whose button says something more.
_VALUES = {
    Verb.SHOW_AS: "|".join(Shows),
    Verb.FEE: r"[0-9]{1,3}",
    Verb.PREVIEW: r"[0-9]{1,2}",
    Verb.REASON: "|".join(Reason),
}


@dataclass(frozen=True, kw_only=True)
class Move:
    """One press. shelf: to turn to; place: to go on from; lora_id: the model that it is about; value: as its
    verb has it, else empty.
    """

    verb: Verb
    list_id: int
    shelf: Shelf | None = None
    place: Place | None = None
    lora_id: str | None = None
    value: str = ""

    def __str__(self) -> str:
        parts = [PREFIX + self.verb, _in_letters(self.list_id)]
        if self.shelf is not None:
            parts.append(self.shelf.value)
        elif self.place is not None:
            parts += [_in_letters(self.place.rank), self.place.lora_id]
        elif self.lora_id is not None:
            parts += [self.lora_id, *([self.value] if self.value else [])]
        return ":".join(parts)


def parse_move(text: str | None) -> Move | None:
    """Read what came back from a button; None for anything that no button of ours says."""
    verb, _, rest = (text or "").removeprefix(PREFIX).partition(":")
    if not (text or "").startswith(PREFIX) or verb not in set(Verb):
        return None
    number, *named = rest.split(":")
    if not _NUMBER.fullmatch(number):
        return None
    move = Move(verb=Verb(verb), list_id=int(number, 36))
    if move.verb in _OF_LIST:
        return None if named else move
    if move.verb is Verb.SHELF:
        is_shelf = len(named) == 1 and named[0] in set(Shelf)
        return replace(move, shelf=Shelf(named[0])) if is_shelf else None
    if move.verb in _TURNS:
        if len(named) != 2 or not _NUMBER.fullmatch(named[0]) or not _ID.fullmatch(named[1]):
            return None
        return replace(move, place=Place(rank=int(named[0], 36), lora_id=named[1]))
    return _about_model(move, named)


def _about_model(move: Move, named: list[str]) -> Move | None:
    form = _VALUES.get(move.verb)
    if len(named) != (1 if form is None else 2) or not _ID.fullmatch(named[0]):
        return None
    if form is not None and not re.fullmatch(form, named[1]):
        return None
    return replace(move, lora_id=named[0], value=named[1] if form is not None else "")


def _in_letters(number: int) -> str:
    letters = ""
    while True:
        number, digit = divmod(number, 36)
        letters = _DIGITS[digit] + letters
        if not number:
            return letters
