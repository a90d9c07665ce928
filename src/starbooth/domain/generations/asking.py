"""What was asked for, as the order and the cart keep it in JSON, and back.

Knows no price. What is not default is left out, so a plain wish looks as it did in the first release.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from starbooth.domain.generations.choices import Choices, read_choices


@dataclass(frozen=True, kw_only=True)
class PhotoReference:
    """A guest's photo to start from, as it lies in storage."""

    key: str
    width_px: int
    height_px: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The guest's own part of an order for pictures."""

    prompt: str
    choices: Choices = field(default_factory=Choices)
    photo: PhotoReference | None = None

    def to_json(self) -> dict[str, Any]:
        """`read_asked` reads it back."""
        plain = {"prompt": self.prompt, "count": self.choices.count, "seed": self.choices.seed}
        photo = {"photo": asdict(self.photo)} if self.photo else {}
        return {**self.choices.to_json(), **plain, **photo}


def read_asked(facts: Mapping[str, Any]) -> Asked:
    """What `to_json` wrote, also in the first release."""
    photo = facts.get("photo")
    return Asked(
        prompt=facts["prompt"],
        choices=read_choices(facts),
        photo=None if photo is None else PhotoReference(**photo),
    )
