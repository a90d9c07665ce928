"""A painter for load tests: one flat colour made of all that was asked, at once. No model, no torch, little
memory.

The picture has the proportions of the asked size and at most `LONGEST_SIDE_PX` on its longer side. What it
trains is a LoRA by its form alone, of two matrices that the photos decide.
"""

import hashlib
import json
import struct
import time
from collections.abc import Generator
from functools import lru_cache
from pathlib import Path

from PIL import Image

from starbooth.darkroom.jobs import Json
from starbooth.darkroom.lora_training.archive import FIELD, photos_in
from starbooth.darkroom.lora_training.recipe import RANK, WEIGHTS_FILE, Progress, Recipe, Wishes
from starbooth.darkroom.painter import MOST_SEEDS, OnStep, Scene, Stopped
from starbooth.darkroom.schemas import refusal

PHOTOS_FILE, STEPS_FILE = "photos", "steps"
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

    def train(self, recipe: Recipe, folder: Path, wishes: Wishes) -> Generator[Progress]:
        """As `Trainer.train`, as quickly as it paints: `seconds` for all steps together."""
        digest, step = _photos_told(recipe, folder), _steps_kept(folder)
        first = 1 if self._seconds else recipe.steps
        while step < recipe.steps and not (step and wishes.is_enough):
            step = max(step + 1, first)
            time.sleep(self._seconds / recipe.steps)
            is_kept = wishes.is_leaving or bool(self._seconds)
            if is_kept:
                (folder / STEPS_FILE).write_text(str(step))
            sample = Image.new("RGB", (64, 64), (digest[0], digest[1], digest[2])) if step > 1 else None
            yield Progress(step=step, steps=recipe.steps, sample=sample, is_kept=is_kept)
            if wishes.is_leaving:
                return
        (folder / WEIGHTS_FILE).write_bytes(_flat_weights(digest))
        yield Progress(step=step, steps=recipe.steps, is_over=True)

    def about_training(self) -> Json:
        """As `Trainer.about_training`."""
        return {"batch_size": 1, "learning_rate_factor": 1.0, "base_fingerprint": ""}


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


def _photos_told(recipe: Recipe, folder: Path) -> bytes:
    """What decides the weights: the photos and the trigger. Read once, as a real trainer reads them."""
    kept = folder / PHOTOS_FILE
    if not kept.is_file():
        if recipe.archive is None:
            raise refusal(FIELD, "The file is not there any more, or has expired", "file_download_error")
        digest = hashlib.sha256(recipe.trigger.encode())
        for photo in photos_in(recipe.archive):
            digest.update(photo.picture.tobytes())
        kept.write_bytes(digest.digest())
    return kept.read_bytes()


def _steps_kept(folder: Path) -> int:
    kept = folder / STEPS_FILE
    return int(kept.read_text()) if kept.is_file() else 0


def _flat_weights(digest: bytes) -> bytes:
    """A safetensors file of one pair of matrices that fits the tiny FLUX, all numbers of each the same."""
    name, side = "transformer.single_transformer_blocks.0.attn.to_q", 192
    size = 4 * RANK * side
    header = {
        f"{name}.lora_A.weight": {"dtype": "F32", "shape": [RANK, side], "data_offsets": [0, size]},
        f"{name}.lora_B.weight": {"dtype": "F32", "shape": [side, RANK], "data_offsets": [size, 2 * size]},
    }
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    matrices = b"".join(
        struct.pack("<f", number / 2**32) * (size // 4) for number in struct.unpack("<2I", digest[:8])
    )
    return len(told).to_bytes(8, "little") + told + matrices
