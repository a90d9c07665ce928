"""What stands in an album for a picture that is still in the making: paper in a darkroom's red light."""

import io
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageOps

_LONG_SIDE_PX = 640  # a tile is looked at for seconds and weighs some twenty kilobytes
_FINE = 3  # drawn so many times larger and scaled down, for smooth edges
_SHADOW, _LIGHT = (16, 4, 8), (176, 48, 34)
_INK = (255, 226, 214)


@lru_cache(maxsize=64)
def developing_tile(width_px: int, height_px: int, *, number: int = 0) -> bytes:
    """A JPEG in the shape of a picture of this size. Equal arguments give equal bytes.

    number: the tile's place in its album, from 0; the light wanders with it, so that tiles differ.
    """
    scale = _LONG_SIDE_PX / max(width_px, height_px)
    size = (max(int(width_px * scale), 16), max(int(height_px * scale), 16))
    tile = _glow(size, number)
    tile.paste(Image.new("RGB", size, _INK), mask=_frame(size))
    written = io.BytesIO()
    tile.save(written, "JPEG", quality=85)
    return written.getvalue()


def _glow(size: tuple[int, int], number: int) -> Image.Image:
    """A lamp's red light on the wall, brighter towards one side."""
    width, height = size
    lamp = ImageOps.invert(Image.radial_gradient("L")).resize(
        (width * 2, height * 2), Image.Resampling.BICUBIC
    )
    across, down = (number * 2 + 1) % 5 / 5, (number * 3 + 1) % 4 / 6
    left, top = int(width * (1 - across)), int(height * (1 - down))
    light = lamp.crop((left, top, left + width, top + height))
    return ImageOps.colorize(light, _SHADOW, _LIGHT)


def _frame(size: tuple[int, int]) -> Image.Image:
    """A sheet of paper in its tray, with three ripples; as a mask."""
    width, height = (side * _FINE for side in size)
    mask = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(mask)
    unit = min(width, height)
    middle, paper = (width / 2, height / 2), unit * 0.17
    box = (middle[0] - paper * 0.8, middle[1] - paper, middle[0] + paper * 0.8, middle[1] + paper)
    pen.rounded_rectangle(box, radius=unit // 40, outline=235, width=max(unit // 90, 2))
    ripples = Image.new("L", (width, height), 0)
    wave = ImageDraw.Draw(ripples)
    for place, tone in enumerate((200, 120, 60)):
        reach = paper * (1.5 + place * 0.55)
        ring = (middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach)
        wave.arc(ring, 205, 335, fill=tone, width=max(unit // 110, 2))
        wave.arc(ring, 25, 155, fill=tone, width=max(unit // 110, 2))
    return ImageChops.lighter(mask, ripples).resize(size, Image.Resampling.LANCZOS)
