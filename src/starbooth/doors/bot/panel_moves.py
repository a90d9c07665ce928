"""What the buttons of a panel say: whose panel, a verb and what it sets, in at most 64 bytes.

Every button sets a value ("3 pictures", never "one more"), so pressed ten times or from an old message it
does the same as once. Knows no wording.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from starbooth.domain.generations.choices import LEAST_WEIGHT, MOST_WEIGHT, Choices, LoraChoice, Shape
from starbooth.domain.studio.awaited import What
from starbooth.domain.studio.panel import Panel

PREFIX = "s:"
OWN = "-"  # what the model does where nobody says
_ID = "c[a-z0-9]{24}"
_REMEMBERED = "me"
_FORM = re.compile(rf"s:({_REMEMBERED}|{_ID}):([a-z])(?::(.{{1,32}}))?")


class Page(StrEnum):
    """What a panel can show."""

    HOME = "h"
    MODEL = "m"
    SHAPE = "f"
    COUNT = "n"
    LORAS = "l"
    SEED = "e"
    ADVANCED = "a"
    STRENGTH = "d"
    PRESETS = "p"


class Verb(StrEnum):
    """What a press asks for."""

    MODEL = "m"
    SHAPE = "f"
    COUNT = "n"
    LORA = "l"
    SEED = "e"
    STEPS = "t"
    GUIDANCE = "g"
    STRENGTH = "d"
    CLEAR_NEGATIVE = "x"
    RESET = "r"
    PRESET = "c"
    DELETE_PRESET = "k"
    ASKS_FIRST = "a"
    VIEW = "v"
    VIEW_LORAS = "u"
    TYPE = "w"
    ORDER = "o"
    PUT_AWAY = "z"
    TAKE_BACK = "b"


_VALUES = {
    Verb.MODEL: _ID,
    Verb.SHAPE: "|".join([OWN, *Shape]),
    Verb.COUNT: "[1-9]",
    Verb.LORA: rf"{_ID}:[0-9]{{1,2}}",
    Verb.SEED: rf"{OWN}|[0-9]{{1,19}}",
    Verb.STEPS: rf"{OWN}|[0-9]{{1,3}}",
    Verb.GUIDANCE: rf"{OWN}|[0-9]{{1,3}}",
    Verb.STRENGTH: rf"{OWN}|[0-9]{{1,3}}",
    Verb.PRESET: _ID,
    Verb.DELETE_PRESET: _ID,
    Verb.ASKS_FIRST: "[01]",
    Verb.VIEW: "|".join(Page),
    Verb.VIEW_LORAS: "[0-9]{1,3}",
    Verb.TYPE: "|".join(What),
    Verb.ORDER: "[0-9]{1,9}",
}
_OF_DRAFTS = {Verb.ORDER, Verb.PUT_AWAY, Verb.TAKE_BACK}


@dataclass(frozen=True, kw_only=True)
class Move:
    """One press. draft_id None: in the panel of what is remembered. value: as its verb has it, else empty."""

    draft_id: str | None
    verb: Verb
    value: str = ""

    def __str__(self) -> str:
        value = f":{self.value}" if self.value else ""
        return f"{PREFIX}{self.draft_id or _REMEMBERED}:{self.verb}{value}"


def parse_move(text: str | None) -> Move | None:
    """Read what came back from a button; None for anything that no button of a panel says."""
    found = _FORM.fullmatch(text or "")
    if found is None or found[2] not in set(Verb):
        return None
    verb, value = Verb(found[2]), found[3] or ""
    draft_id = None if found[1] == _REMEMBERED else found[1]
    if not re.fullmatch(_VALUES.get(verb, ""), value) or (draft_id is None and verb in _OF_DRAFTS):
        return None
    return Move(draft_id=draft_id, verb=verb, value=value)


def choose(move: Move, panel: Panel) -> Choices | None:
    """The choices after this press; None where it is no choice of one value."""
    choices, value = panel.choices, move.value
    is_own = value == OWN
    match move.verb:
        case Verb.MODEL:
            return replace(choices, base_model_id=value)
        case Verb.SHAPE:
            return replace(choices, shape=None if is_own else Shape(value))
        case Verb.COUNT:
            return replace(choices, count=int(value))
        case Verb.LORA:
            return replace(choices, loras=_weigh(choices.loras, *value.split(":")))
        case Verb.SEED:
            return replace(choices, seed=None if is_own else int(value))
        case Verb.STEPS:
            return replace(choices, steps=None if is_own else int(value))
        case Verb.GUIDANCE:
            return replace(choices, guidance=None if is_own else int(value) / 10)
        case Verb.STRENGTH:
            return replace(choices, strength=None if is_own else int(value) / 100)
        case Verb.CLEAR_NEGATIVE:
            return replace(choices, negative="")
        case Verb.RESET:
            return Choices()
        case _:
            return None


def weight_value(lora_id: str, weight: float) -> str:
    """What a button says that sets a LoRA's weight, as near to it as there are weights."""
    return f"{lora_id}:{round(min(max(weight, LEAST_WEIGHT), MOST_WEIGHT) * 10)}"


def removal_value(lora_id: str) -> str:
    """What a button says that takes a LoRA out: no weight at all."""
    return f"{lora_id}:0"


def _weigh(loras: tuple[LoraChoice, ...], lora_id: str, tenths: str) -> tuple[LoraChoice, ...]:
    weighed = LoraChoice(lora_id=lora_id, weight=int(tenths) / 10)
    if weighed.weight == 0:
        return tuple(each for each in loras if each.lora_id != lora_id)
    if all(each.lora_id != lora_id for each in loras):
        return (*loras, weighed)
    return tuple(weighed if each.lora_id == lora_id else each for each in loras)
