"""Draws the picture that belongs to a view: background, thing, light and style.

The same view, size and seed give the same pixels. Parts that the view leaves open are chosen by the seed,
but for the thing: a view without one is an empty place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from starbooth.darkroom.world.canvas import OVERSIZE, Pen, Rgb, mix
from starbooth.darkroom.world.places import BACKGROUNDS, Dice, Ground, paint_heavens, paint_sky
from starbooth.darkroom.world.things import DRAWINGS, FLYING, PAINTS, tones_of
from starbooth.darkroom.world.words import Colour, Place, Position, Style, Thing, Time, View

SHARE_OF_WIDTH = {Position.LEFT: 0.27, Position.MIDDLE: 0.5, Position.RIGHT: 0.73}
INKS: dict[Style, Rgb | None] = {
    Style.STORYBOOK: (52, 40, 60),
    Style.WATERCOLOR: None,
    Style.PENCIL: (70, 66, 74),
}
PAPER = np.array((252, 247, 236), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A view with nothing left open but, perhaps, the thing."""

    thing: Thing | None
    colour: Colour
    place: Place
    time: Time
    style: Style
    position: Position


def complete(view: View, dice: Dice) -> Whole:
    """Choose by dice whatever `view` leaves open, the thing excepted."""
    return Whole(
        thing=view.thing,
        colour=view.colour or list(Colour)[dice.integers(len(Colour))],
        place=view.place or list(Place)[dice.integers(len(Place))],
        time=view.time or list(Time)[dice.integers(len(Time))],
        style=view.style or list(Style)[dice.integers(len(Style))],
        position=view.position or list(Position)[dice.integers(len(Position))],
    )


def draw(view: View, *, width_px: int, height_px: int, seed: int) -> tuple[Image.Image, Image.Image]:
    """Draw `view`.

    returns: the picture in RGB, and a mask in L of the same size that is 255 where the thing is.
    """
    dice = np.random.default_rng(seed)
    whole = complete(view, dice)
    size = (width_px * OVERSIZE, height_px * OVERSIZE)
    sheet = Image.new("RGB", size)
    paint_sky(sheet, whole.time)
    ink, ink_px = INKS[whole.style], 1.4 * OVERSIZE
    pencil_ink = ink if whole.style is Style.PENCIL else None
    ground = Ground(sheet, time=whole.time, ink=pencil_ink, ink_px=ink_px, dice=dice)
    paint_heavens(ground)
    BACKGROUNDS[whole.place](ground)
    mask = Image.new("L", size)
    if whole.style is Style.PENCIL:
        sheet = _pale(sheet, grey=0.75, paper=0.42)
    if whole.thing is not None:
        sheet, mask = _set_thing(sheet, whole, ink=ink, ink_px=ink_px, dice=dice)
    small = (width_px, height_px)
    sheet, mask = sheet.resize(small, Image.Resampling.BOX), mask.resize(small, Image.Resampling.BOX)
    return (_wash(sheet, dice) if whole.style is Style.WATERCOLOR else sheet), mask


def _set_thing(
    sheet: Image.Image, whole: Whole, *, ink: Rgb | None, ink_px: float, dice: Dice
) -> tuple[Image.Image, Image.Image]:
    assert whole.thing is not None
    width, height = sheet.size
    half = min(width, height) * 0.245 * float(dice.uniform(0.94, 1.06))
    share = SHARE_OF_WIDTH[whole.position] + float(dice.uniform(-0.025, 0.025))
    is_flying = whole.thing in FLYING
    foot = (0.7 if is_flying else 0.84) + float(dice.uniform(-0.02, 0.02))
    pen = Pen(
        layer=Image.new("RGB", sheet.size, (255, 0, 255)),
        x_px=width * share,
        y_px=height * foot - half,
        scale_px=half,
        ink=ink,
        ink_px=ink_px,
    )
    backdrop = np.asarray(pen.layer).copy()
    DRAWINGS[whole.thing](pen, tones_of(_mood(PAINTS[whole.colour], whole)))
    pixels = np.asarray(pen.layer)
    solid = (pixels != backdrop).any(axis=2)
    mask = Image.fromarray((solid * 255).astype(np.uint8))
    shaded = _shade(pixels, pen)
    if not is_flying:
        shadow = replace(pen, layer=sheet, ink=None)
        shadow.oval(0, -1.0, 0.85, 0.1, mix((60, 60, 70), _pixel(sheet, pen), 0.6), has_ink=False)
    sheet.paste(shaded, mask=mask)
    return sheet, mask


def _mood(paint: Rgb, whole: Whole) -> Rgb:
    if whole.style is Style.PENCIL:
        return mix(paint, (252, 247, 236), 0.18)
    return mix(paint, (40, 40, 120), 0.1) if whole.time is Time.NIGHT else paint


def _pixel(sheet: Image.Image, pen: Pen) -> Rgb:
    spot = sheet.getpixel((int(pen.x_px), min(sheet.height - 1, int(pen.y_px + pen.scale_px))))
    assert isinstance(spot, tuple)
    return (int(spot[0]), int(spot[1]), int(spot[2]))


def _shade(pixels: NDArray[np.uint8], pen: Pen) -> Image.Image:
    """Light from above, soft shade below: up to 10 % lighter and 16 % darker."""
    rows = (np.arange(pixels.shape[0], dtype=np.float32) - pen.y_px) / pen.scale_px
    light = np.clip(1.0 - 0.13 * rows, 0.82, 1.12)[:, None, None]
    return Image.fromarray(np.clip(pixels * light, 0, 255).astype(np.uint8))


def _pale(sheet: Image.Image, *, grey: float, paper: float) -> Image.Image:
    pixels = np.asarray(sheet, dtype=np.float32)
    luma = pixels @ np.array((0.299, 0.587, 0.114), dtype=np.float32)
    greyed = pixels * (1 - grey) + luma[..., None] * grey
    return Image.fromarray((greyed * (1 - paper) + PAPER * paper).astype(np.uint8))


def _wash(sheet: Image.Image, dice: Dice) -> Image.Image:
    """Watercolour: soft edges, pigment that gathers in blots, and paper showing at the border."""
    soft = np.asarray(sheet.filter(ImageFilter.GaussianBlur(0.9)), dtype=np.float32)
    height, width = soft.shape[:2]
    blots = Image.fromarray(dice.uniform(0, 255, (5, 5)).astype(np.uint8))
    cloud = np.asarray(blots.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    pigment = 0.95 - 0.28 * cloud
    across = np.minimum(np.arange(width), np.arange(width)[::-1]) / height
    down = np.minimum(np.arange(height), np.arange(height)[::-1]) / height
    edge = np.minimum.outer(down, across) + 0.03 * (cloud - 0.5)
    pigment = pigment * np.clip((edge - 0.012) / 0.04, 0, 1)
    return Image.fromarray((PAPER + (soft - PAPER) * pigment[..., None]).astype(np.uint8))
