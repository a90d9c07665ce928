"""Counts how often the eyes see what was asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from PIL import Image

from starbooth.darkroom.judge.eyes import Eyes, words_seen
from starbooth.darkroom.painter import Painter, Scene
from starbooth.darkroom.training.scenes import NAMES, labels_of
from starbooth.darkroom.world.drawing import draw
from starbooth.darkroom.world.words import View, caption_of


def drawn(views: Sequence[View], *, width_px: int, height_px: int, seed: int) -> list[Image.Image]:
    """The true pictures of `views`, to see how good the eyes are."""
    return [
        draw(view, width_px=width_px, height_px=height_px, seed=seed + number)[0]
        for number, view in enumerate(views)
    ]


def painted(
    painter: Painter,
    views: Sequence[View],
    *,
    width_px: int,
    height_px: int,
    steps: int,
    guidance: float,
    seed: int,
) -> tuple[list[Image.Image], list[float]]:
    """The model's pictures of `views`, and the seconds that each took."""
    pictures, seconds = [], []
    for number, view in enumerate(views):
        scene = Scene(
            prompt=caption_of(view),
            width_px=width_px,
            height_px=height_px,
            steps=steps,
            guidance=guidance,
            seed=seed + number,
        )
        started = time.perf_counter()
        pictures += painter.paint(scene, lambda _step, _steps, _peek: True)
        seconds.append(time.perf_counter() - started)
    return pictures, seconds


def shares_right(eyes: Eyes, views: Sequence[View], pictures: Sequence[Image.Image]) -> dict[str, float]:
    """For each kind of word the share (0 to 1) of pictures in which the eyes see the word of the view."""
    truth = np.array([labels_of(view) for view in views])
    seen = words_seen(eyes, pictures)
    asked = truth >= 0
    return {
        name: float((seen[:, column] == truth[:, column])[asked[:, column]].mean())
        for column, name in enumerate(NAMES)
        if asked[:, column].any()
    }
