"""Paints pictures with any FLUX model that lies in a folder in diffusers layout.

A page `starbooth.json` in the folder may say how that model wants to be called (see `Manners`); without one
it is called as FLUX is. Knows nothing of queues, servers or guests. Importing this module does not import
torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image, ImageOps

from starbooth.darkroom.jobs import Json
from starbooth.darkroom.lora_training.base import fingerprint
from starbooth.darkroom.lora_training.recipe import Progress, Recipe, Trainer, Wishes
from starbooth.darkroom.world.understanding import understood
from starbooth.darkroom.world.words import caption_of, filled_in

DEFAULT_FOLDER: Path = Path(__file__).parent / "weights" / "tiny-flux"
MOST_SEEDS = 2**64
LONGEST_GLIMPSE_PX = 256
Peek = Callable[[], Image.Image | None]
OnStep = Callable[[int, int, Peek], bool]

LEAST_NEGATIVE_SCALE = 2.0
"""How strongly a negative prompt counts beside the guidance that is distilled into FLUX."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """A safetensors file of LoRA weights, and how strongly they count."""

    path: Path
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What to paint. `guidance` is what fal calls guidance_scale; 0 <= seed < 2**64; `count` pictures at
    once.

    Picture number i is painted from seed + i, so the second of a batch can be had alone.
    negative: what should not be seen, "" for nothing.
    photo: an RGB picture to begin with, and `strength`, how far to leave it (0.01 to 1); of the steps only
    this share is made then.
    """

    prompt: str
    width_px: int
    height_px: int
    steps: int
    guidance: float
    seed: int
    count: int = 1
    negative: str = ""
    photo: Image.Image | None = None
    strength: float = 1.0
    loras: tuple[Lora, ...] = ()


class Stopped(Exception):
    """Painting ended early because `on_step` asked for it."""


class LoraUnfit(Exception):
    """The scene's LoRA of this number is none for this model; `reason` completes a sentence."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.reason = reason


class Painter(Trainer, Protocol):
    """Paints one scene at a time, also between two pieces of a training; not to be called by two threads at
    once.
    """

    def paint(self, scene: Scene, on_step: OnStep) -> list[Image.Image]:
        """Paint `scene.count` RGB pictures of exactly the size asked for; the same scene gives the same
        pictures.

        on_step(step done, steps in all, peek) is called after every step; False ends the painting. `peek`,
        called there and then, makes a small picture of how the first one is coming on, None where there is
        nothing to see yet.
        Raises: Stopped, LoraUnfit.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How a model wants to be called: the contents of `starbooth.json`.

    prompts: "free" gives the prompt as it is, "small-world" only the words that the tiny model was taught.
    sizes_px: (width, height) it paints in; empty for any multiple of 16 pixels that the architecture allows.
    guidance_by: "guidance_scale" (distilled into the model) or "true_cfg_scale" (two passes per step).
    guidance_factor: strength 1 + (guidance - 1) * factor, for true_cfg_scale.
    least_steps: fewer steps are raised to this many.
    training_rate_factor: the learning rates that fal's callers know are meant for FLUX; a small model needs
    larger ones, so many times as large. training_batch: photos per step of a training. training_dropout: the
    share of steps that learn without words, for a model whose guidance goes against the empty prompt.
    """

    prompts: str = "free"
    sizes_px: list[tuple[int, int]] = field(default_factory=list)
    max_sequence_length: int | None = None
    guidance_by: str = "guidance_scale"
    guidance_factor: float = 1.0
    least_steps: int = 1
    training_rate_factor: float = 1.0
    training_batch: int = 1
    training_dropout: float = 0.0


def read_manners(folder: Path) -> Manners:
    """The manners written in `folder`, or the usual ones of FLUX."""
    page = folder / "starbooth.json"
    if not page.exists():
        return Manners()
    written = json.loads(page.read_text())
    written["sizes_px"] = [(int(width), int(height)) for width, height in written.get("sizes_px", [])]
    return Manners(**written)


def small_world_caption(prompt: str, *, seed: int, negative: str = "") -> str:
    """The sentence that the tiny model was taught for what `prompt` asks.

    What the prompt leaves open the seed chooses, down to a prompt without any known word; it never chooses
    what `negative` names.
    """
    return caption_of(filled_in(understood(prompt), seed=seed, unwanted=understood(negative)))


def size_to_paint(manners: Manners, width_px: int, height_px: int, multiple_px: int) -> tuple[int, int]:
    """The size in which the model paints a request: its own size of the nearest shape, or the request
    rounded up.
    """
    if not manners.sizes_px:
        return math.ceil(width_px / multiple_px) * multiple_px, math.ceil(
            height_px / multiple_px
        ) * multiple_px
    wanted = math.log(width_px / height_px)
    return min(manners.sizes_px, key=lambda size: abs(math.log(size[0] / size[1]) - wanted))


def fitted(picture: Image.Image, width_px: int, height_px: int) -> Image.Image:
    """The middle of `picture` in the shape asked for, resampled to the size asked for."""
    if picture.size == (width_px, height_px):
        return picture
    return ImageOps.fit(picture, (width_px, height_px), method=Image.Resampling.LANCZOS)


class FluxPainter:
    """Paints with diffusers' FluxPipeline, from photos with its FluxImg2ImgPipeline of the same parts.

    `rack` (see `adapters.Rack`) puts LoRAs on the transformer that both share; `base` is its fingerprint.
    """

    def __init__(
        self, pipeline: Any, photo_pipeline: Any, rack: Any, manners: Manners, base: str = ""
    ) -> None:
        self._pipeline = pipeline
        self._base = base
        self._photo_pipeline = photo_pipeline
        self._rack = rack
        self._manners = manners
        self._multiple_px = pipeline.vae_scale_factor * 2
        self.device = str(pipeline.device)

    def paint(self, scene: Scene, on_step: OnStep) -> list[Image.Image]:
        """See `Painter.paint`."""
        self._rack.use(scene.loras)
        return self._painted(scene, on_step)

    def train(self, recipe: Recipe, folder: Path, wishes: Wishes) -> Generator[Progress]:
        """See `Trainer.train`."""
        from starbooth.darkroom.lora_training.teacher import Teacher

        teacher = Teacher(
            self._pipeline,
            self._rack,
            self._manners,
            recipe,
            base=self._base,
            paint=lambda scene: self._painted(scene, lambda _step, _steps, _peek: True)[0],
        )
        return teacher.train(folder, wishes)

    def about_training(self) -> Json:
        """See `Trainer.about_training`."""
        return {
            "batch_size": self._manners.training_batch,
            "learning_rate_factor": self._manners.training_rate_factor,
            "base_fingerprint": self._base,
        }

    def _painted(self, scene: Scene, on_step: OnStep) -> list[Image.Image]:
        """Paint with the LoRAs that are on the rack. Raises: Stopped."""
        import torch

        from starbooth.darkroom.glimpse import Glimpse

        width_px, height_px = size_to_paint(self._manners, scene.width_px, scene.height_px, self._multiple_px)
        seeds = [(scene.seed + number) % MOST_SEEDS for number in range(scene.count)]

        pipeline = self._pipeline if scene.photo is None else self._photo_pipeline
        glimpse = Glimpse(pipeline, width_px=width_px, height_px=height_px)

        def after_step(_pipeline: Any, step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            glimpse.follow(tensors["latents"])
            if not on_step(step + 1, pipeline.num_timesteps, lambda: _small(glimpse.picture(), scene)):
                raise Stopped
            return {}

        asked = {
            **self._words_and_guidance(scene, seeds),
            "width": width_px,
            "height": height_px,
            "num_inference_steps": max(scene.steps, self._manners.least_steps),
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            "callback_on_step_end": after_step,
        }
        if scene.photo is not None:
            # A copy for every seed: each generator then gives the same numbers as it gives a picture alone.
            asked["image"] = [fitted(scene.photo, width_px, height_px)] * scene.count
            asked["strength"] = scene.strength
        painted = pipeline(**asked).images
        return [fitted(picture, scene.width_px, scene.height_px) for picture in painted]

    def _words_and_guidance(self, scene: Scene, seeds: list[int]) -> dict[str, Any]:
        manners = self._manners
        words: dict[str, Any] = {"prompt": [_prompt(manners, scene, seed) for seed in seeds]}
        if manners.max_sequence_length is not None:
            words["max_sequence_length"] = manners.max_sequence_length
        elif not self._pipeline.transformer.config.guidance_embeds:
            words["max_sequence_length"] = 256  # the longest that FLUX schnell was taught with
        is_true_cfg = manners.guidance_by == "true_cfg_scale"
        if not is_true_cfg:
            words["guidance_scale"] = scene.guidance
        if is_true_cfg or scene.negative:
            strength = 1 + (scene.guidance - 1) * manners.guidance_factor if is_true_cfg else 1.0
            words["negative_prompt"] = [_negative(manners, scene)] * len(seeds)
            words["true_cfg_scale"] = max(LEAST_NEGATIVE_SCALE if scene.negative else 1.0, strength)
        return words


def _prompt(manners: Manners, scene: Scene, seed: int) -> str:
    if manners.prompts == "small-world":
        return small_world_caption(scene.prompt, seed=seed, negative=scene.negative)
    return scene.prompt


def _negative(manners: Manners, scene: Scene) -> str:
    return caption_of(understood(scene.negative)) if manners.prompts == "small-world" else scene.negative


def _small(picture: Image.Image | None, scene: Scene) -> Image.Image | None:
    """A glimpse in the shape that was asked for."""
    if picture is None:
        return None
    shrink = min(1.0, LONGEST_GLIMPSE_PX / max(scene.width_px, scene.height_px))
    return fitted(picture, max(1, round(scene.width_px * shrink)), max(1, round(scene.height_px * shrink)))


def open_painter(folder: Path, device: str | None = None, *, saves_memory: bool = False) -> Painter:
    """Load the model in `folder`; `device` is a torch device, by default the first CUDA device or else the
    processor. saves_memory: trainings keep fewer numbers and reckon them twice (gradient checkpointing).

    Takes some seconds (torch and diffusers are imported here). Reads nothing but the folder.
    Raises: FileNotFoundError if the folder holds no pipeline.
    """
    if not (folder / "model_index.json").is_file():
        raise FileNotFoundError(f"{folder} holds no model in diffusers layout (model_index.json is missing)")
    import diffusers
    import torch

    from starbooth.darkroom.adapters import Rack

    manners = read_manners(folder)
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    # The tiny model is small enough for the exact arithmetic, and processors are quick at it.
    number_type = torch.float32 if manners.prompts == "small-world" else torch.bfloat16
    flux: Any = diffusers.FluxPipeline
    flux_from_photos: Any = diffusers.FluxImg2ImgPipeline
    pipeline = flux.from_pretrained(folder, dtype=number_type, local_files_only=True).to(place)
    photo_pipeline = flux_from_photos(**pipeline.components)
    for each in (pipeline, photo_pipeline):
        each.set_progress_bar_config(disable=True)
    pipeline.transformer.requires_grad_(False)
    if saves_memory:
        pipeline.transformer.enable_gradient_checkpointing()
    base = fingerprint(folder)
    return FluxPainter(pipeline, photo_pipeline, Rack(pipeline.transformer, base), manners, base)
