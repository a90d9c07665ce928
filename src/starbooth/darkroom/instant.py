"""A painter for load tests: one flat colour made of all that was asked, at once. No model, no torch, little
memory.

The picture has the proportions of the asked size and at most `LONGEST_SIDE_PX` on its longer side.
"""

import hashlib
import json
import time
from functools import lru_cache
from pathlib import Path

from PIL import Image

from starbooth.darkroom.painter import MOST_SEEDS, OnStep, Scene, Stopped

LONGEST_SIDE_PX = 128  # even the narrowest shape that is sold is then large enough to start from


class InstantPainter:
    """Takes `seconds` of real time, spread evenly over the steps; with 0 it reports the last step only."""

    device = "none"

    def __init__(self, *, seconds: float = 0.0) -> None:
        self._seconds = seconds

    def paint(self, scene: Scene, on_step: OnStep) -> list[Image.Image]:
        """`scene.count` flat pictures; the same scene gives the same bytes.

        Raises: Stopped when `on_step` says so.
        """
        first = 1 if self._seconds else scene.steps
        for step in range(first, scene.steps + 1):
            time.sleep(self._seconds / scene.steps)
            if not on_step(step, scene.steps, lambda: _flat_picture(scene, scene.seed)):
                raise Stopped
        return [_flat_picture(scene, (scene.seed + number) % MOST_SEEDS) for number in range(scene.count)]


def _flat_picture(scene: Scene, seed: int) -> Image.Image:
    told = [scene.prompt, scene.negative, seed, *_photo_told(scene), *_loras_told(scene)]
    digest = hashlib.sha256(json.dumps(told).encode()).digest()
    shrink = min(1.0, LONGEST_SIDE_PX / max(scene.width_px, scene.height_px))
    size = (max(1, round(scene.width_px * shrink)), max(1, round(scene.height_px * shrink)))
    return Image.new("RGB", size, (digest[0], digest[1], digest[2]))


def _photo_told(scene: Scene) -> list[str | float]:
    """What of the photo decides the colour: every pixel, and the strength."""
    if scene.photo is None:
        return []
    return [hashlib.sha256(scene.photo.tobytes()).hexdigest(), scene.strength]


def _loras_told(scene: Scene) -> list[str | float]:
    """Every byte of the files, and the scales."""
    return [
        told
        for lora in scene.loras
        for told in (_digest(lora.path, lora.path.stat().st_mtime_ns), lora.scale)
    ]


@lru_cache(maxsize=64)
def _digest(path: Path, _changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
