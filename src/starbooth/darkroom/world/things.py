"""How each thing of the small world looks. Every drawing fills about -1..1 in both directions, feet at -1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starbooth.darkroom.world.canvas import Pen, Rgb, mix
from starbooth.darkroom.world.words import Colour, Thing

CREAM: Rgb = (255, 246, 226)
DARK: Rgb = (58, 52, 66)
GREY: Rgb = (146, 150, 164)
CHEEK: Rgb = (255, 150, 150)
LAMP: Rgb = (255, 226, 130)
WOOD: Rgb = (150, 98, 62)

PAINTS: dict[Colour, Rgb] = {
    Colour.RED: (222, 44, 46),
    Colour.ORANGE: (247, 134, 24),
    Colour.YELLOW: (252, 212, 30),
    Colour.GREEN: (52, 172, 70),
    Colour.BLUE: (40, 108, 226),
    Colour.PURPLE: (134, 62, 190),
    Colour.PINK: (255, 128, 188),
    Colour.WHITE: (250, 250, 252),
}


@dataclass(frozen=True, kw_only=True)
class Tones:
    """One paint and its neighbours."""

    main: Rgb
    dark: Rgb
    light: Rgb


def tones_of(main: Rgb) -> Tones:
    """A darker and a lighter neighbour of `main`."""
    return Tones(main=main, dark=mix(main, (50, 34, 70), 0.3), light=mix(main, (255, 255, 255), 0.5))


def _cat(pen: Pen, tone: Tones) -> None:
    pen.blob(
        [(0.45, -0.95), (0.95, -0.75), (1.0, -0.2), (0.85, 0.15), (0.7, 0.05), (0.78, -0.3), (0.6, -0.6)],
        tone.dark,
    )
    pen.blob([(-0.5, -1), (-0.52, -0.5), (-0.3, 0.1), (0.3, 0.1), (0.52, -0.5), (0.5, -1)], tone.main)
    pen.oval(0, -0.55, 0.24, 0.36, tone.light, has_ink=False)
    for side in (-1, 1):
        pen.oval(side * 0.24, -0.93, 0.2, 0.1, tone.light)
        pen.polygon([(side * 0.6, 0.45), (side * 0.6, 1.02), (side * 0.1, 0.75)], tone.main)
        pen.polygon([(side * 0.5, 0.55), (side * 0.52, 0.86), (side * 0.26, 0.7)], CHEEK, has_ink=False)
    pen.oval(0, 0.36, 0.64, 0.48, tone.main)
    pen.oval(0, 0.2, 0.3, 0.2, tone.light, has_ink=False)
    for side in (-1, 1):
        pen.eye(side * 0.27, 0.42, 0.1)
        pen.oval(side * 0.42, 0.2, 0.1, 0.07, CHEEK, has_ink=False)
        pen.stroke([(side * 0.4, 0.26), (side * 0.82, 0.32)], DARK, 0.03)
        pen.stroke([(side * 0.4, 0.18), (side * 0.82, 0.12)], DARK, 0.03)
    pen.polygon([(-0.08, 0.3), (0.08, 0.3), (0, 0.2)], DARK, has_ink=False)


def _fox(pen: Pen, tone: Tones) -> None:
    pen.blob([(0.4, -0.45), (0.85, -0.35), (1.15, 0.15), (1.1, 0.7), (0.85, 0.55), (0.6, 0.1)], tone.main)
    pen.blob([(1.16, 0.3), (1.1, 0.75), (0.84, 0.52), (0.95, 0.36)], CREAM, has_ink=False)
    for x in (-0.45, -0.2, 0.3, 0.52):
        pen.box(x, -1, x + 0.17, -0.3, tone.dark)
    pen.blob([(-0.6, -0.3), (-0.4, 0.1), (0.3, 0.05), (0.7, -0.2), (0.6, -0.6), (-0.4, -0.6)], tone.main)
    for x in (-0.82, -0.34):
        pen.polygon([(x - 0.17, 0.4), (x, 1.0), (x + 0.17, 0.4)], tone.dark)
    pen.polygon(
        [(-1.0, 0.5), (-0.58, 0.62), (-0.14, 0.5), (-0.24, 0.1), (-0.62, -0.24), (-0.98, 0.1)], tone.main
    )
    pen.polygon([(-0.96, 0.14), (-0.66, 0.16), (-0.6, -0.2)], CREAM, has_ink=False)
    pen.polygon([(-0.26, 0.14), (-0.54, 0.16), (-0.6, -0.2)], CREAM, has_ink=False)
    pen.oval(-0.61, -0.18, 0.1, 0.08, DARK, has_ink=False)
    pen.eye(-0.8, 0.3, 0.075)
    pen.eye(-0.4, 0.3, 0.075)


def _duck(pen: Pen, tone: Tones) -> None:
    for x in (-0.2, 0.2):
        pen.stroke([(x, -0.6), (x, -0.95)], (240, 140, 40), 0.09)
        pen.oval(x - 0.08, -0.95, 0.16, 0.06, (240, 140, 40))
    pen.blob(
        [(0.5, -0.1), (1.1, 0.3), (0.95, -0.3), (0.5, -0.7), (-0.4, -0.75), (-0.75, -0.35), (-0.4, 0)],
        tone.main,
    )
    pen.oval(-0.42, 0.38, 0.44, 0.44, tone.main)
    pen.blob([(-0.1, -0.15), (0.6, -0.1), (0.62, -0.4), (0.2, -0.55), (-0.1, -0.4)], tone.dark)
    pen.blob([(-0.8, 0.42), (-1.15, 0.36), (-1.15, 0.2), (-0.8, 0.18)], (246, 150, 40))
    pen.eye(-0.55, 0.5, 0.09)
    pen.oval(-0.36, 0.25, 0.1, 0.07, CHEEK, has_ink=False)


def _robot(pen: Pen, tone: Tones) -> None:
    pen.stroke([(0, 0.7), (0, 0.95)], GREY, 0.07)
    pen.oval(0, 0.98, 0.1, 0.1, LAMP)
    for side in (-1, 1):
        pen.box(side * 0.3 - 0.13, -0.92, side * 0.3 + 0.13, -0.5, GREY)
        pen.box(side * 0.32 - 0.2, -1.0, side * 0.32 + 0.2, -0.84, tone.dark)
        pen.stroke([(side * 0.5, -0.05), (side * 0.85, -0.1), (side * 0.88, 0.2)], GREY, 0.13)
        pen.oval(side * 0.88, 0.26, 0.14, 0.14, tone.dark)
        pen.box(side * 0.62 - 0.1, 0.3, side * 0.62 + 0.1, 0.56, GREY)
    pen.box(-0.55, -0.62, 0.55, 0.1, tone.main)
    pen.box(-0.58, 0.14, 0.58, 0.74, tone.main)
    pen.box(-0.44, 0.28, 0.44, 0.62, (44, 54, 78), has_ink=False)
    for side in (-1, 1):
        pen.oval(side * 0.2, 0.46, 0.11, 0.11, (120, 240, 240), has_ink=False)
    pen.box(-0.32, -0.48, 0.32, -0.08, tone.light)
    for x, dot in ((-0.18, (230, 70, 70)), (0.0, (250, 200, 60)), (0.18, (90, 190, 90))):
        pen.oval(x, -0.28, 0.075, 0.075, dot, has_ink=False)


def _house(pen: Pen, tone: Tones) -> None:
    pen.box(0.34, 0.4, 0.58, 0.98, (150, 110, 100))
    pen.box(-0.72, -1, 0.72, 0.16, CREAM)
    pen.polygon([(-0.98, 0.1), (0, 1.0), (0.98, 0.1)], tone.main)
    pen.polygon([(-0.98, 0.1), (-0.86, 0.22), (0.86, 0.22), (0.98, 0.1)], tone.dark, has_ink=False)
    pen.oval(0, 0.46, 0.15, 0.15, LAMP)
    pen.box(-0.2, -1, 0.2, -0.3, tone.main)
    pen.oval(0.11, -0.66, 0.045, 0.045, CREAM, has_ink=False)
    for side in (-1, 1):
        pen.box(side * 0.46 - 0.15, -0.42, side * 0.46 + 0.15, -0.06, LAMP)
        pen.stroke([(side * 0.46, -0.42), (side * 0.46, -0.06)], WOOD, 0.04)
        pen.stroke([(side * 0.46 - 0.15, -0.24), (side * 0.46 + 0.15, -0.24)], WOOD, 0.04)


def _car(pen: Pen, tone: Tones) -> None:
    pen.blob([(-0.62, -0.25), (-0.5, 0.3), (-0.3, 0.42), (0.25, 0.42), (0.45, 0.28), (0.7, -0.25)], tone.main)
    pen.polygon([(-0.46, -0.1), (-0.38, 0.28), (-0.05, 0.3), (-0.05, -0.1)], (190, 230, 248))
    pen.polygon([(0.06, -0.1), (0.06, 0.3), (0.28, 0.28), (0.5, -0.1)], (190, 230, 248))
    body = [
        (-1.1, -0.3),
        (-1.05, -0.12),
        (-0.6, -0.08),
        (0.65, -0.08),
        (1.1, -0.2),
        (1.14, -0.6),
        (1.0, -0.72),
    ]
    pen.polygon([*body, (-1.0, -0.72), (-1.12, -0.6)], tone.main)
    pen.box(-1.1, -0.66, 1.12, -0.54, tone.dark, has_ink=False)
    pen.oval(1.04, -0.34, 0.09, 0.1, LAMP)
    pen.box(-1.1, -0.42, -1.0, -0.26, (240, 80, 70), has_ink=False)
    pen.stroke([(-0.02, -0.22), (0.12, -0.22)], DARK, 0.05)
    for x in (-0.6, 0.6):
        pen.oval(x, -0.72, 0.28, 0.28, DARK)
        pen.oval(x, -0.72, 0.13, 0.13, (214, 216, 226), has_ink=False)


def _boat(pen: Pen, tone: Tones) -> None:
    pen.stroke([(0, -0.5), (0, 1.0)], WOOD, 0.09)
    pen.polygon([(0.08, -0.3), (0.08, 0.92), (0.9, -0.3)], CREAM)
    pen.polygon([(-0.08, -0.3), (-0.08, 0.7), (-0.7, -0.3)], tone.light)
    pen.polygon([(0, 1.02), (0, 0.86), (-0.3, 0.94)], tone.main)
    pen.polygon([(-1.05, -0.42), (1.05, -0.42), (0.7, -1.0), (-0.7, -1.0)], tone.main)
    pen.polygon([(-1.0, -0.48), (1.0, -0.48), (0.94, -0.6), (-0.94, -0.6)], CREAM, has_ink=False)
    for x in (-0.4, 0.0, 0.4):
        pen.oval(x, -0.76, 0.09, 0.09, (150, 215, 240))


def _rocket(pen: Pen, tone: Tones) -> None:
    pen.blob(
        [(-0.2, -0.66), (0.2, -0.66), (0.14, -0.92), (0, -1.12), (-0.14, -0.92)],
        (255, 170, 40),
        has_ink=False,
    )
    pen.blob([(-0.1, -0.66), (0.1, -0.66), (0.05, -0.82), (0, -0.94), (-0.05, -0.82)], LAMP, has_ink=False)
    for side in (-1, 1):
        pen.polygon(
            [(side * 0.3, -0.1), (side * 0.72, -0.5), (side * 0.72, -0.86), (side * 0.24, -0.6)], tone.main
        )
    hull = [
        (-0.26, -0.66),
        (-0.38, -0.2),
        (-0.36, 0.35),
        (0, 1.08),
        (0.36, 0.35),
        (0.38, -0.2),
        (0.26, -0.66),
    ]
    pen.blob(hull, (240, 242, 248))
    pen.blob([(-0.31, 0.48), (-0.18, 0.8), (0, 1.07), (0.18, 0.8), (0.31, 0.48), (0, 0.44)], tone.main)
    pen.box(-0.36, -0.42, 0.36, -0.26, tone.main, has_ink=False)
    pen.oval(0, 0.1, 0.2, 0.2, tone.main)
    pen.oval(0, 0.1, 0.12, 0.12, (160, 220, 246), has_ink=False)


def _balloon(pen: Pen, tone: Tones) -> None:
    for x in (-0.2, 0.2):
        pen.stroke([(x * 1.3, -0.3), (x, -0.72)], WOOD, 0.04)
    pen.box(-0.24, -1, 0.24, -0.68, WOOD)
    pen.box(-0.27, -0.74, 0.27, -0.64, mix(WOOD, CREAM, 0.4))
    envelope = [(0, 1), (0.56, 0.82), (0.78, 0.3), (0.55, -0.18), (0.22, -0.5), (-0.22, -0.5), (-0.55, -0.18)]
    pen.blob([*envelope, (-0.78, 0.3), (-0.56, 0.82)], tone.main)
    pen.blob(
        [(0, 0.99), (0.3, 0.7), (0.36, 0.2), (0.14, -0.5), (-0.14, -0.5), (-0.36, 0.2), (-0.3, 0.7)], CREAM
    )
    pen.blob(
        [(0, 0.97), (0.1, 0.7), (0.13, 0.2), (0.05, -0.5), (-0.05, -0.5), (-0.13, 0.2), (-0.1, 0.7)],
        tone.main,
    )


def _mushroom(pen: Pen, tone: Tones) -> None:
    pen.blob(
        [(-0.28, 0.1), (-0.3, -0.5), (-0.42, -0.95), (0, -1.0), (0.42, -0.95), (0.3, -0.5), (0.28, 0.1)],
        CREAM,
    )
    cap = [
        (-1.0, -0.02),
        (-0.92, 0.4),
        (-0.5, 0.86),
        (0, 1.0),
        (0.5, 0.86),
        (0.92, 0.4),
        (1.0, -0.02),
        (0.5, -0.12),
    ]
    pen.blob([*cap, (-0.5, -0.12)], tone.main)
    spots = mix(CREAM, (255, 255, 255), 0.5) if min(tone.main) < 200 else (228, 190, 190)
    for x, y, size in ((-0.52, 0.28, 0.15), (0.05, 0.58, 0.18), (0.56, 0.26, 0.14), (0.0, 0.1, 0.1)):
        pen.oval(x, y, size, size * 0.9, spots, has_ink=False)
    for side in (-1, 1):
        pen.eye(side * 0.13, -0.42, 0.06)
        pen.oval(side * 0.2, -0.58, 0.07, 0.045, CHEEK, has_ink=False)


def _star(pen: Pen, tone: Tones) -> None:
    points = [
        (0, 1.0), (0.27, 0.36), (0.97, 0.3), (0.43, -0.15), (0.6, -0.83),
        (0, -0.46), (-0.6, -0.83), (-0.43, -0.15), (-0.97, 0.3), (-0.27, 0.36),
    ]  # fmt: skip
    pen.polygon(points, tone.main)
    pen.polygon([(x * 0.62, y * 0.62 + 0.02) for x, y in points], tone.light, has_ink=False)
    for side in (-1, 1):
        pen.eye(side * 0.16, 0.12, 0.075)
        pen.oval(side * 0.3, -0.04, 0.08, 0.05, CHEEK, has_ink=False)
    pen.stroke([(-0.1, -0.06), (0, -0.13), (0.1, -0.06)], DARK, 0.05)


def _flower(pen: Pen, tone: Tones) -> None:
    leaf = (70, 150, 70)
    pen.stroke([(0, 0.2), (0.05, -0.4), (0, -1)], leaf, 0.11)
    for side in (-1, 1):
        pen.blob([(0.03, -0.75), (side * 0.35, -0.45), (side * 0.62, -0.42), (side * 0.4, -0.72)], leaf)
    for x, y in ((0, 0.47), (0.44, 0.15), (0.28, -0.34), (-0.28, -0.34), (-0.44, 0.15)):
        pen.oval(x, y + 0.4, 0.31, 0.31, tone.main)
    core = (255, 206, 60) if tone.main != PAINTS[Colour.YELLOW] else (170, 96, 40)
    pen.oval(0, 0.4, 0.25, 0.25, core)


DRAWINGS: dict[Thing, Callable[[Pen, Tones], None]] = {
    Thing.CAT: _cat,
    Thing.FOX: _fox,
    Thing.DUCK: _duck,
    Thing.ROBOT: _robot,
    Thing.HOUSE: _house,
    Thing.CAR: _car,
    Thing.BOAT: _boat,
    Thing.ROCKET: _rocket,
    Thing.BALLOON: _balloon,
    Thing.MUSHROOM: _mushroom,
    Thing.STAR: _star,
    Thing.FLOWER: _flower,
}
FLYING = frozenset({Thing.BALLOON, Thing.STAR, Thing.ROCKET})
