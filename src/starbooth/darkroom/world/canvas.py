"""A sheet to draw on in smooth shapes, larger than the picture so that edges come out soft.

Knows: points, curves, ink. Does not know what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]
Point = tuple[float, float]
OVERSIZE = 3


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """`share` of `second` (0 to 1), the rest of `first`."""
    r, g, b = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return (r, g, b)


def smooth(points: Sequence[Point], *, pieces: int = 8) -> list[Point]:
    """A closed Catmull-Rom curve through `points`."""
    ring = np.asarray(points, dtype=np.float64)
    before, after, later = (np.roll(ring, -shift, axis=0) for shift in (-1, 1, 2))
    curve = []
    for t in np.linspace(0.0, 1.0, pieces, endpoint=False):
        curve.append(
            0.5
            * (
                2 * ring
                + (after - before) * t
                + (2 * before - 5 * ring + 4 * after - later) * t**2
                + (3 * ring - before - 3 * after + later) * t**3
            )
        )
    stacked = np.stack(curve, axis=1).reshape(-1, 2)
    return [(float(x), float(y)) for x, y in stacked]


@dataclass(frozen=True, kw_only=True)
class Pen:
    """Draws in its own units: (0, 0) is the middle of the thing, y grows upwards, 1 is half its height."""

    layer: Image.Image
    x_px: float
    y_px: float
    scale_px: float
    ink: Rgb | None
    ink_px: float

    def _place(self, points: Sequence[Point]) -> list[Point]:
        return [(self.x_px + x * self.scale_px, self.y_px - y * self.scale_px) for x, y in points]

    def polygon(self, points: Sequence[Point], fill: Rgb, *, has_ink: bool = True) -> None:
        """A filled shape with straight sides."""
        placed = self._place(points)
        draw = ImageDraw.Draw(self.layer)
        draw.polygon(placed, fill=fill)
        if has_ink and self.ink is not None:
            draw.line([*placed, placed[0], placed[1]], fill=self.ink, width=round(self.ink_px), joint="curve")

    def blob(self, points: Sequence[Point], fill: Rgb, *, has_ink: bool = True) -> None:
        """A filled shape with a smooth outline through `points`."""
        self.polygon(smooth(points), fill, has_ink=has_ink)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Rgb, *, has_ink: bool = True) -> None:
        """A filled ellipse around (x, y)."""
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        ring = [(float(x + rx * np.cos(a)), float(y + ry * np.sin(a))) for a in angles]
        self.polygon(ring, fill, has_ink=has_ink)

    def box(
        self, left: float, bottom: float, right: float, top: float, fill: Rgb, *, has_ink: bool = True
    ) -> None:
        """A filled upright rectangle."""
        corners = [(left, bottom), (left, top), (right, top), (right, bottom)]
        self.polygon(corners, fill, has_ink=has_ink)

    def stroke(self, points: Sequence[Point], colour: Rgb, width: float) -> None:
        """An open line, `width` in the pen's units."""
        line_px = max(1, round(width * self.scale_px))
        ImageDraw.Draw(self.layer).line(self._place(points), fill=colour, width=line_px, joint="curve")

    def eye(self, x: float, y: float, size: float) -> None:
        """A shiny black eye."""
        self.oval(x, y, size, size * 1.15, (36, 32, 44), has_ink=False)
        self.oval(x + size * 0.3, y + size * 0.4, size * 0.36, size * 0.36, (255, 255, 255), has_ink=False)
