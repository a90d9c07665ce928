"""What the buttons under a training say: a verb and the order, in at most 64 bytes. Knows no wording."""

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "j:"
_FORM = re.compile(r"j:([a-z]):(c[a-z0-9]{24})")


class TrainingVerb(StrEnum):
    """What a press asks for: end the training with what there is, or paint with the model that it made."""

    STOP = "s"
    PAINT = "p"


@dataclass(frozen=True, kw_only=True)
class TrainingMove:
    """One press."""

    verb: TrainingVerb
    order_id: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.verb}:{self.order_id}"


def parse_training_move(text: str | None) -> TrainingMove | None:
    """Read what came back from a button; None for anything that no button under a training says."""
    found = _FORM.fullmatch(text or "")
    if found is None or found[1] not in set(TrainingVerb):
        return None
    return TrainingMove(verb=TrainingVerb(found[1]), order_id=found[2])
