"""What was asked for, as the order and the cart keep it in JSON, and back.

Knows no price. What is not default is left out, so a plain wish looks as it did in the first release.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from starbooth.domain.generations.choices import Choices, read_choices


@dataclass(frozen=True, kw_only=True)
class PhotoReference:
    """A guest's photo to start from, as it lies in storage."""

    key: str
    width_px: int
    height_px: int


@dataclass(frozen=True, kw_only=True)
class Series:
    """Pictures that each have words of their own, by the name under which they are sold together."""

    name: str
    prompts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The guest's own part of an order for pictures. prompt: of a series, what it is called."""

    prompt: str
    choices: Choices = field(default_factory=Choices)
    photo: PhotoReference | None = None
    series: Series | None = None

    def of_picture(self, number: int) -> "Asked":
        """What to ask for to have one picture of these."""
        if self.series is None:
            return self
        choices = replace(self.choices, count=1)
        return Asked(prompt=self.series.prompts[number], choices=choices, photo=self.photo)

    def to_json(self) -> dict[str, Any]:
        """`read_asked` reads it back."""
        plain = {"prompt": self.prompt, "count": self.choices.count, "seed": self.choices.seed}
        photo = {"photo": asdict(self.photo)} if self.photo else {}
        series = (
            {"series": {"name": self.series.name, "prompts": list(self.series.prompts)}}
            if self.series
            else {}
        )
        return {**self.choices.to_json(), **plain, **photo, **series}


def read_asked(facts: Mapping[str, Any]) -> Asked:
    """What `to_json` wrote, also in the first release."""
    photo, series = facts.get("photo"), facts.get("series")
    return Asked(
        prompt=facts["prompt"],
        choices=read_choices(facts),
        photo=None if photo is None else PhotoReference(**photo),
        series=None if series is None else Series(name=series["name"], prompts=tuple(series["prompts"])),
    )
