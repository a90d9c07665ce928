"""The words of the small world and the one sentence form in which the tiny FLUX was taught.

Knows: objects, colours, places, times, styles, positions, and captions made of them.
Does not know: how anything looks (see `drawing`), nor other languages (see `understanding`).
"""

import random
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Thing(StrEnum):
    """What stands in the picture."""

    CAT = "cat"
    FOX = "fox"
    DUCK = "duck"
    ROBOT = "robot"
    HOUSE = "house"
    CAR = "car"
    BOAT = "boat"
    ROCKET = "rocket"
    BALLOON = "balloon"
    MUSHROOM = "mushroom"
    STAR = "star"
    FLOWER = "flower"


class Colour(StrEnum):
    """The main colour of the thing."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    PURPLE = "purple"
    PINK = "pink"
    WHITE = "white"


class Place(StrEnum):
    """Where it is."""

    FOREST = "forest"
    BEACH = "beach"
    SNOW = "snow"
    CITY = "city"
    DESERT = "desert"


class Time(StrEnum):
    """When it is."""

    DAY = "day"
    SUNSET = "sunset"
    NIGHT = "night"


class Style(StrEnum):
    """How it is drawn."""

    STORYBOOK = "storybook"
    WATERCOLOR = "watercolor"
    PENCIL = "pencil"


class Position(StrEnum):
    """Where in the picture the thing stands."""

    LEFT = "left"
    MIDDLE = "middle"
    RIGHT = "right"


@dataclass(frozen=True, kw_only=True)
class View:
    """What one picture shows. None means that the caption leaves it open."""

    thing: Thing | None = None
    colour: Colour | None = None
    place: Place | None = None
    time: Time | None = None
    style: Style | None = None
    position: Position | None = None

    def is_empty(self) -> bool:
        """True when no word of the world is in it."""
        return all(getattr(self, field.name) is None for field in fields(self))


def caption_of(view: View) -> str:
    """The sentence for `view`: "a red fox on the left in the forest at night in watercolor".

    Parts left open are left out; an empty view gives the empty caption, which the model reads as "anything".
    """
    parts: list[str] = []
    if view.thing or view.colour:
        words = (view.colour, view.thing or "thing")
        parts.append("a " + " ".join(str(word) for word in words if word))
    if view.position:
        parts.append("in the middle" if view.position is Position.MIDDLE else f"on the {view.position}")
    if view.place:
        parts.append(f"in the {view.place}")
    if view.time:
        parts.append(f"at {view.time}")
    if view.style:
        parts.append(f"in {view.style}")
    return " ".join(parts)


def view_by_seed(seed: int) -> View:
    """A whole view chosen by `seed`, for who asks for nothing in particular; the same seed gives the same
    view.
    """
    dice = random.Random(seed)  # noqa: S311  # a choice of pictures, no secret
    return View(
        thing=dice.choice(list(Thing)),
        colour=dice.choice(list(Colour)),
        place=dice.choice(list(Place)),
        time=dice.choice(list(Time)),
        style=dice.choice(list(Style)),
        position=dice.choice(list(Position)),
    )


KINDS: dict[str, type[StrEnum]] = {
    "thing": Thing,
    "colour": Colour,
    "place": Place,
    "time": Time,
    "style": Style,
    "position": Position,
}


def without(view: View, unwanted: View) -> View:
    """`view` with the next word of its kind in place of each that is `unwanted`."""
    parts: dict[str, Any] = {}
    for part in fields(View):
        word, bad = getattr(view, part.name), getattr(unwanted, part.name)
        if word is not None and word is bad:
            kind = [*KINDS[part.name]]
            word = kind[(kind.index(word) + 1) % len(kind)]
        parts[part.name] = word
    return View(**parts)


NOTHING = View()


def filled_in(view: View, *, seed: int, unwanted: View = NOTHING) -> View:
    """`view` with its open parts chosen by `seed`; the same seed chooses the same, but nothing `unwanted`.

    A model that is told nothing about a part paints the mean of all it could be, which is a blur. A view of a
    place or time alone stays without a thing in it: an empty forest is a picture too. Who does not ask for
    night or pencil rarely or never gets it: in these the tiny model is at its faintest.
    """
    chosen = without(view_by_seed(seed), unwanted)
    dice = random.Random(f"light and style of {seed}")  # noqa: S311  # a choice of pictures, no secret
    time = dice.choice([Time.DAY, Time.DAY, Time.SUNSET, Time.SUNSET, Time.NIGHT])
    style = dice.choice([Style.STORYBOOK, Style.STORYBOOK, Style.WATERCOLOR])
    light = without(View(time=time, style=style), unwanted)
    has_thing = view.is_empty() or any((view.thing, view.colour, view.position))
    return View(
        thing=view.thing or (chosen.thing if has_thing else None),
        colour=view.colour or (chosen.colour if has_thing else None),
        place=view.place or chosen.place,
        time=view.time or light.time,
        style=view.style or light.style,
        position=view.position or (chosen.position if has_thing else None),
    )
