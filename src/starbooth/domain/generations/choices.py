"""What a guest can choose for their pictures, as plain values that can be kept, compared and sent as JSON.

Knows no price and no model: whether a choice can be had is decided by `quote`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

MOST_PICTURES = 4
MOST_IN_SERIES = 40
MOST_LORAS = 3
LEAST_WEIGHT, MOST_WEIGHT = 0.1, 2.0
LEAST_STRENGTH, MOST_STRENGTH = 0.01, 1.0
LONGEST_NEGATIVE = 500


class Shape(StrEnum):
    """The shapes that fal sells, by fal's names."""

    SQUARE_HD = "square_hd"
    SQUARE = "square"
    PORTRAIT_4_3 = "portrait_4_3"
    PORTRAIT_16_9 = "portrait_16_9"
    LANDSCAPE_4_3 = "landscape_4_3"
    LANDSCAPE_16_9 = "landscape_16_9"


SIZES_PX = {
    Shape.SQUARE_HD: (1024, 1024),
    Shape.SQUARE: (512, 512),
    Shape.PORTRAIT_4_3: (768, 1024),
    Shape.PORTRAIT_16_9: (576, 1024),
    Shape.LANDSCAPE_4_3: (1024, 768),
    Shape.LANDSCAPE_16_9: (1024, 576),
}


@dataclass(frozen=True, kw_only=True)
class LoraChoice:
    """A LoRA model and how strongly it counts; 1 is as it was trained."""

    lora_id: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Everything but the words and the photo. None: what the model does where nobody says.

    base_model_id None: the booth's default model. shape None: the model's own size; with a photo the shape is
    the photo's whatever stands here. seed: picture i of `count` has seed + i; None: we choose.
    """

    base_model_id: str | None = None
    shape: Shape | None = None
    count: int = 1
    loras: tuple[LoraChoice, ...] = ()
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    negative: str = ""
    strength: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The choices that differ from the defaults. `read_choices` reads it back."""
        plain = Choices()
        facts = {name: value for name, value in vars(self).items() if value != getattr(plain, name)}
        if self.loras:
            facts["loras"] = [asdict(each) for each in self.loras]
        return facts


def read_choices(facts: Mapping[str, Any]) -> Choices:
    """What `to_json` wrote. Names that a later release wrote are passed over."""
    known = {name: facts[name] for name in vars(Choices()) if name in facts}
    if "shape" in known:
        known["shape"] = Shape(known["shape"])
    if "loras" in known:
        known["loras"] = tuple(LoraChoice(**each) for each in known["loras"])
    return Choices(**known)
