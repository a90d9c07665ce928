"""How each place of the small world looks at each time of the day: whole backgrounds, no thing in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from starbooth.darkroom.world.canvas import Pen, Point, Rgb, mix
from starbooth.darkroom.world.words import Place, Time

SKIES: dict[Time, tuple[Rgb, Rgb]] = {
    Time.DAY: ((104, 190, 244), (214, 240, 252)),
    Time.SUNSET: ((124, 88, 168), (255, 178, 104)),
    Time.NIGHT: ((18, 24, 66), (62, 74, 138)),
}
LIGHT: dict[Time, tuple[Rgb, float]] = {
    Time.DAY: ((255, 255, 255), 0.0),
    Time.SUNSET: ((232, 112, 80), 0.26),
    Time.NIGHT: ((20, 28, 84), 0.56),
}
Dice = np.random.Generator


def lit(colour: Rgb, time: Time) -> Rgb:
    """`colour` as it looks at `time`."""
    return mix(colour, *LIGHT[time])


class Ground:
    """A background being drawn: width and height are in units of the height, y grows upwards from 0 to 1."""

    def __init__(self, sheet: Image.Image, *, time: Time, ink: Rgb | None, ink_px: float, dice: Dice) -> None:
        self.time = time
        self.dice = dice
        self.width = sheet.width / sheet.height
        self.pen = Pen(
            layer=sheet, x_px=0, y_px=sheet.height, scale_px=sheet.height, ink=ink, ink_px=ink_px * 0.7
        )

    def shade(self, colour: Rgb) -> Rgb:
        """`colour` in the light of this hour."""
        return lit(colour, self.time)

    def hill(self, base: float, bump: float, colour: Rgb, *, waves: float = 1.5) -> None:
        """Rolling ground up to about `base`, in the light of this hour."""
        phase = float(self.dice.uniform(0, 6.28))
        xs = np.linspace(-0.05, self.width + 0.05, 40)
        tops = base + bump * np.sin(xs * waves * 3.1 + phase)
        line: list[Point] = [(float(x), float(y)) for x, y in zip(xs, tops, strict=True)]
        self.pen.polygon([(-0.1, -0.1), *line, (self.width + 0.1, -0.1)], self.shade(colour))

    def spread(self, count: int, *, jitter: float = 0.35) -> list[float]:
        """About `count` places from left to right, each shifted a little."""
        step = self.width / count
        return [step * (i + 0.5 + float(self.dice.uniform(-jitter, jitter))) for i in range(count)]


def paint_sky(sheet: Image.Image, time: Time) -> None:
    """Fill the sheet with the sky of `time`, from the top colour to the horizon's."""
    top, low = (np.array(colour, dtype=np.float64) for colour in SKIES[time])
    share = np.clip(np.linspace(0, 1.5, sheet.height), 0, 1)[:, None]
    rows = (top * (1 - share) + low * share).round().astype(np.uint8)
    sheet.paste(Image.fromarray(np.repeat(rows[:, None, :], sheet.width, axis=1)))


def paint_heavens(ground: Ground) -> None:
    """Sun and clouds, or moon and stars."""
    pen, dice = ground.pen, ground.dice
    x = ground.width * float(dice.choice([0.14, 0.86]))
    if ground.time is Time.NIGHT:
        for _ in range(10):
            size = float(dice.uniform(0.006, 0.01))
            spot = (float(dice.uniform(0, ground.width)), float(dice.uniform(0.6, 0.98)))
            pen.oval(*spot, size, size, (240, 240, 214), has_ink=False)
        pen.oval(x, 0.86, 0.072, 0.072, (250, 244, 206), has_ink=False)
        pen.oval(x + 0.034, 0.88, 0.06, 0.06, mix(*SKIES[Time.NIGHT], 0.2), has_ink=False)
    elif ground.time is Time.SUNSET:
        pen.oval(x, 0.66, 0.13, 0.13, (255, 190, 110), has_ink=False)
        pen.oval(x, 0.66, 0.1, 0.1, (255, 232, 150), has_ink=False)
    else:
        pen.oval(x, 0.86, 0.085, 0.085, (255, 226, 92), has_ink=False)
        for cloud_x in (ground.width - x, ground.width * 0.5):
            cloud_y = float(dice.uniform(0.8, 0.92))
            for shift, size in ((-0.08, 0.045), (0.0, 0.065), (0.085, 0.05)):
                pen.oval(cloud_x + shift, cloud_y, size * 1.3, size, (255, 255, 255), has_ink=False)


def _pine(ground: Ground, x: float, foot: float, size: float, colour: Rgb, *, snow: bool = False) -> None:
    pen = ground.pen
    pen.box(
        x - 0.1 * size, foot, x + 0.1 * size, foot + 0.35 * size, ground.shade((120, 84, 60)), has_ink=False
    )
    for low, high, half in ((0.2, 0.9, 0.42), (0.55, 1.2, 0.34), (0.9, 1.5, 0.25)):
        tip = (x, foot + high * size)
        pen.polygon([(x - half * size, foot + low * size), tip, (x + half * size, foot + low * size)], colour)
        if snow:
            drop = 0.45 * (high - low) * size
            side = 0.45 * half * size
            cap = [(x - side, tip[1] - drop), tip, (x + side, tip[1] - drop)]
            pen.polygon(cap, ground.shade((246, 250, 255)), has_ink=False)


def _forest(ground: Ground) -> None:
    ground.hill(0.5, 0.03, (120, 176, 120))
    for x in ground.spread(6):
        _pine(ground, x, 0.42, 0.24, ground.shade((72, 140, 96)))
    ground.hill(0.4, 0.015, (104, 178, 84))
    for x in (0.06, ground.width - 0.06, ground.width * 0.3, ground.width * 0.7):
        _pine(ground, x + float(ground.dice.uniform(-0.04, 0.04)), 0.34, 0.34, ground.shade((44, 118, 74)))
    ground.hill(0.27, 0.012, (126, 196, 88))
    for x in ground.spread(5):
        ground.pen.oval(x, 0.05, 0.035, 0.02, ground.shade((92, 166, 70)), has_ink=False)


def _beach(ground: Ground) -> None:
    pen = ground.pen
    pen.box(-0.1, -0.1, ground.width + 0.1, 0.5, ground.shade((44, 148, 206)))
    for y in (0.46, 0.4):
        for x in ground.spread(4):
            pen.stroke([(x - 0.06, y), (x, y + 0.012), (x + 0.06, y)], ground.shade((176, 226, 244)), 0.01)
    ground.hill(0.325, 0.012, (240, 250, 252))
    ground.hill(0.3, 0.012, (248, 222, 158))
    for x in ground.spread(3):
        pen.oval(x, 0.06, 0.03, 0.016, ground.shade((228, 190, 124)), has_ink=False)
    foot = float(ground.dice.choice([0.05, ground.width - 0.05]))
    lean = 0.08 if foot < 0.5 else -0.08
    pen.stroke(
        [(foot, 0.2), (foot + lean * 0.4, 0.45), (foot + lean, 0.68)], ground.shade((150, 104, 64)), 0.03
    )
    for dx, dy in ((-0.17, 0.0), (-0.12, 0.09), (0.12, 0.09), (0.17, 0.0), (0.0, -0.1)):
        tip = (foot + lean + dx, 0.68 + dy)
        middle = (foot + lean + dx * 0.5, 0.68 + dy * 0.5 + 0.06)
        under = (foot + lean + dx * 0.45, 0.68 + dy * 0.5 - 0.005)
        pen.polygon([(foot + lean, 0.68), middle, tip, under], ground.shade((54, 150, 84)))


def _snow(ground: Ground) -> None:
    pen = ground.pen
    for x, top, half in ((0.2, 0.74, 0.36), (0.75, 0.8, 0.42), (0.5, 0.64, 0.3)):
        middle = x * ground.width + float(ground.dice.uniform(-0.04, 0.04))
        pen.polygon(
            [(middle - half, 0.3), (middle, top), (middle + half, 0.3)], ground.shade((150, 172, 204))
        )
        cap = [(-0.27, 0.3), (0, 0), (0.27, 0.3), (0.1, 0.24), (0.0, 0.31), (-0.1, 0.24)]
        slope = (top - 0.3) / half
        snow = [(middle + a * half, top - b * half * slope / 0.9) for a, b in cap]
        pen.polygon(snow, ground.shade((248, 251, 255)), has_ink=False)
    ground.hill(0.4, 0.02, (222, 234, 246))
    for x in ground.spread(5):
        _pine(ground, x, 0.33, 0.17, ground.shade((64, 122, 112)), snow=True)
    ground.hill(0.29, 0.015, (243, 247, 253))
    for x in ground.spread(4):
        pen.oval(x, 0.07, 0.05, 0.014, ground.shade((216, 228, 242)), has_ink=False)


def _city(ground: Ground) -> None:
    pen, dice = ground.pen, ground.dice
    window = (255, 224, 120) if ground.time is not Time.DAY else (206, 232, 246)
    walls: tuple[Rgb, ...] = ((176, 168, 190), (206, 170, 156), (150, 166, 192), (196, 188, 168))
    count = round(6 * ground.width)
    for i, x in enumerate(ground.spread(count, jitter=0.12)):
        top = 0.5 + 0.3 * float(dice.random())
        half = 0.42 * ground.width / count
        pen.box(x - half, 0.2, x + half, top, ground.shade(walls[i % len(walls)]))
        for y in np.arange(0.36, top - 0.06, 0.085):
            for side in (-0.5, 0.5):
                middle = x + side * half
                pen.box(middle - 0.022, float(y), middle + 0.022, float(y) + 0.045, window, has_ink=False)
    pen.box(-0.1, 0.22, ground.width + 0.1, 0.3, ground.shade((206, 204, 206)))
    pen.box(-0.1, -0.1, ground.width + 0.1, 0.22, ground.shade((112, 114, 128)))
    for x in ground.spread(4, jitter=0.0):
        pen.box(x - 0.06, 0.085, x + 0.06, 0.11, ground.shade((244, 238, 214)), has_ink=False)


def _desert(ground: Ground) -> None:
    pen, dice = ground.pen, ground.dice
    for x, top, half in ((0.22, 0.64, 0.24), (0.72, 0.7, 0.3)):
        middle = x * ground.width + float(dice.uniform(-0.06, 0.06))
        pen.polygon(
            [(middle - half, 0.38), (middle, top), (middle + half, 0.38)], ground.shade((232, 184, 108))
        )
        shadow = [(middle, top), (middle + half, 0.38), (middle + half * 0.25, 0.38)]
        pen.polygon(shadow, ground.shade((196, 142, 82)), has_ink=False)
    ground.hill(0.41, 0.025, (242, 196, 118))
    green = ground.shade((72, 146, 86))
    for x in (0.07, ground.width - 0.07):
        foot = 0.3 + float(dice.uniform(-0.02, 0.02))
        pen.stroke([(x, foot), (x, foot + 0.3)], green, 0.05)
        for side in (-1, 1):
            arm = [(x, foot + 0.12), (x + side * 0.065, foot + 0.12), (x + side * 0.065, foot + 0.22)]
            pen.stroke(arm, green, 0.032)
    ground.hill(0.3, 0.02, (250, 212, 138))
    ground.hill(0.12, 0.015, (240, 196, 120))


BACKGROUNDS: dict[Place, Callable[[Ground], None]] = {
    Place.FOREST: _forest,
    Place.BEACH: _beach,
    Place.SNOW: _snow,
    Place.CITY: _city,
    Place.DESERT: _desert,
}
