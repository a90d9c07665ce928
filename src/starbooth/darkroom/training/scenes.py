"""Draws the scenes that everything here is taught on, once, into arrays on disk.

A scene is kept as pixels, the view that it shows, and how much of each 32-pixel cell the thing covers.
One combination of words in twenty is never drawn: the judged prompts are made of those.
"""

from __future__ import annotations

import hashlib
import itertools
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from PIL import Image

from starbooth.darkroom.world.drawing import draw
from starbooth.darkroom.world.words import Colour, Place, Position, Style, Thing, Time, View

CELL_PX = 32
EMPTY_ONE_IN = 25
KINDS = (Thing, Colour, Place, Time, Style, Position)
NAMES = ("thing", "colour", "place", "time", "style", "position")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A picture size and how many scenes are drawn in it."""

    width_px: int
    height_px: int
    count: int


SHAPES = (
    Shape(width_px=256, height_px=256, count=4800),
    Shape(width_px=288, height_px=224, count=1600),
    Shape(width_px=224, height_px=288, count=1600),
)


def all_views() -> list[View]:
    """Every combination of the six kinds of words."""
    return [
        View(thing=thing, colour=colour, place=place, time=time, style=style, position=position)
        for thing, colour, place, time, style, position in itertools.product(
            Thing, Colour, Place, Time, Style, Position
        )
    ]


def is_kept_for_judging(view: View) -> bool:
    """True for about one combination in twenty, always the same ones."""
    words = ",".join(str(getattr(view, name)) for name in NAMES)
    return hashlib.sha256(words.encode()).digest()[0] < 13


def labels_of(view: View) -> list[int]:
    """The place of each word within its kind, -1 where the view leaves it open."""
    chosen = [getattr(view, name) for name in NAMES]
    return [-1 if word is None else list(kind).index(word) for kind, word in zip(KINDS, chosen, strict=True)]


def view_of(labels: NDArray[np.int8] | list[int]) -> View:
    """The reverse of `labels_of`."""
    words = {
        name: None if label < 0 else list(kind)[label]
        for name, kind, label in zip(NAMES, KINDS, labels, strict=True)
    }
    return View(**words)


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Drawn scenes of one shape.

    pixels: (count, height_px, width_px, 3) uint8; labels: (count, 6) int8; cells: (count, rows, columns)
    uint8.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int8]
    cells: NDArray[np.uint8]


def folder_of(home: Path, shape: Shape) -> Path:
    """Where the scenes of `shape` lie."""
    return home / "scenes" / f"{shape.width_px}x{shape.height_px}"


def draw_scenes(home: Path, shape: Shape, *, seed: int, workers: int = 2) -> None:
    """Draw the scenes of `shape` unless they are there. The same seed gives the same scenes."""
    folder = folder_of(home, shape)
    if (folder / "labels.npy").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    dice = np.random.default_rng(seed)
    views = [view for view in all_views() if not is_kept_for_judging(view)]
    chosen = [views[i] for i in dice.integers(len(views), size=shape.count)]
    for i in range(0, shape.count, EMPTY_ONE_IN):
        chosen[i] = replace(chosen[i], thing=None, colour=None, position=None)
    seeds = dice.integers(2**31, size=shape.count)
    rows, columns = shape.height_px // CELL_PX, shape.width_px // CELL_PX
    pixels = open_memmap(
        folder / "pixels.npy", "w+", np.uint8, (shape.count, shape.height_px, shape.width_px, 3)
    )
    cells = np.zeros((shape.count, rows, columns), np.uint8)
    jobs = [(view, shape, int(number)) for view, number in zip(chosen, seeds, strict=True)]
    with ProcessPoolExecutor(workers) as pool:
        for i, (picture, cell) in enumerate(pool.map(_draw_one, jobs, chunksize=32)):
            pixels[i], cells[i] = picture, cell
    pixels.flush()
    np.save(folder / "cells.npy", cells)
    np.save(folder / "labels.npy", np.array([labels_of(view) for view in chosen], np.int8))


def _draw_one(job: tuple[View, Shape, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    view, shape, seed = job
    picture, mask = draw(view, width_px=shape.width_px, height_px=shape.height_px, seed=seed)
    small = (shape.width_px // CELL_PX, shape.height_px // CELL_PX)
    return np.asarray(picture), np.asarray(mask.resize(small, Image.Resampling.BOX))


def open_scenes(home: Path, shape: Shape) -> Scenes:
    """The drawn scenes of `shape`, pixels read from disk as they are needed."""
    folder = folder_of(home, shape)
    return Scenes(
        pixels=np.load(folder / "pixels.npy", mmap_mode="r")[: shape.count],
        labels=np.load(folder / "labels.npy")[: shape.count],
        cells=np.load(folder / "cells.npy")[: shape.count],
    )
