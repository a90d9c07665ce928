"""Teaches a LoRA to the transformer of a FLUX pipeline, a step at a time, so that it can paint in between.

Flow matching: the transformer is shown a mixture of a photo's latents and noise, and is to tell the way from
the one to the other. Only the LoRA learns. Every step is decided by its number: a training that was killed
goes on from its last checkpoint as if nothing had been. Imported only where a painter is opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from starbooth.darkroom.adapters import Rack
from starbooth.darkroom.lora_training.archive import FIELD, photos_in
from starbooth.darkroom.lora_training.checkpoints import Checkpoints, write_weights
from starbooth.darkroom.lora_training.course import Course
from starbooth.darkroom.lora_training.lessons import KEPT, Lessons, Reader
from starbooth.darkroom.lora_training.recipe import RANK, Progress, Recipe, UnfitStart, Wishes
from starbooth.darkroom.painter import LoraUnfit, Manners, Scene
from starbooth.darkroom.schemas import refusal

SAMPLE_SIZE_PX = 512
SAMPLE_STEPS = 12
SAMPLE_GUIDANCE = 3.5
KEEP_EVERY_S = 3.0
SAMPLE_EVERY_S = 4.0


class Pace:
    """When something that costs time is due: not too often, and never for more than a share of all time.

    What is done in its context is what was due.
    """

    def __init__(self, *, least_s: float, share: float) -> None:
        self._least_s = least_s
        self._share = share
        self._cost_s = 0.0
        self._last_s = self._began_s = time.monotonic()

    def is_due(self) -> bool:
        """Whether it is time again."""
        return time.monotonic() - self._last_s >= max(self._least_s, self._cost_s / self._share)

    def __enter__(self) -> None:
        self._began_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._last_s = time.monotonic()
        self._cost_s = self._last_s - self._began_s


class Teacher:
    """One training on one pipeline. `paint` paints a scene with what is on the rack at that moment."""

    def __init__(
        self,
        pipeline: Any,
        rack: Rack,
        manners: Manners,
        recipe: Recipe,
        *,
        base: str,
        paint: Callable[[Scene], Image.Image],
    ) -> None:
        self._pipeline = pipeline
        self._transformer = pipeline.transformer
        self._rack = rack
        self._manners = manners
        self._recipe = recipe
        self._base = base
        self._paint = paint
        self._reader = Reader(pipeline, manners, recipe)

    def train(self, folder: Path, wishes: Wishes) -> Generator[Progress]:
        """See `Trainer.train`."""
        now = Progress(step=0, steps=self._recipe.steps)
        for note in self._read(folder):
            yield replace(now, note=note)
            if wishes.is_leaving:
                return
        lessons = Lessons(self._pipeline, self._manners, self._reader, folder, seed=self._recipe.seed)
        for _ in lessons.embed():
            yield now
            if wishes.is_leaving:
                return
        try:
            adapter = self._put_on_adapter()
            weights = self._weights(adapter)
            rate = self._recipe.learning_rate * self._manners.training_rate_factor
            course = Course(self._transformer, weights.values(), rate=rate)
            ran = yield from self._learn(lessons, course, Checkpoints(folder, weights), wishes)
            if not wishes.is_leaving:
                write_weights(folder, self._transformer, adapter, base=self._base)
                yield replace(now, step=ran, is_over=True)
        finally:
            self._rack.end_learning()

    def _read(self, folder: Path) -> Iterator[str]:
        """Read the photos, unless an earlier process did."""
        if (folder / KEPT).is_file():
            return
        if self._recipe.archive is None:
            raise refusal(FIELD, "The file is not there any more, or has expired", "file_download_error")
        yield from self._reader.read(photos_in(self._recipe.archive), folder)

    def _put_on_adapter(self) -> str:
        """A new adapter on all layers of the blocks but their modulation, or the one to go on from."""
        from peft import LoraConfig, set_peft_model_state_dict

        first: dict[str, Tensor] = {}
        layers, rank = self._layers(), RANK
        if self._recipe.first_weights is not None:
            try:
                first = self._rack.opened(self._recipe.first_weights)
            except LoraUnfit as error:
                raise UnfitStart(error.reason) from error
            layers = sorted({name.rpartition(".lora_")[0] for name in first})
            ranks = {weights.shape[0] for name, weights in first.items() if ".lora_A." in name}
            if len(ranks) > 1:
                raise UnfitStart("its layers have several ranks")
            (rank,) = ranks
        config = LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=layers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._recipe.seed % 2**63)
            adapter = self._rack.begin_learning(config)
        for weights in self._weights(adapter).values():
            weights.data = weights.data.float()
        if first:
            set_peft_model_state_dict(self._transformer, first, adapter_name=adapter)
        return adapter

    def _layers(self) -> list[str]:
        return [
            name.replace(".base_layer", "")
            for name, module in self._transformer.named_modules()
            if isinstance(module, nn.Linear)
            and name.startswith(("transformer_blocks.", "single_transformer_blocks."))
            and ".norm" not in name
            and ".lora_" not in name
        ]

    def _weights(self, adapter: str) -> dict[str, nn.Parameter]:
        """The parameters that learn, by their names in the transformer."""
        return {
            name: parameter
            for name, parameter in self._transformer.named_parameters()
            if f".{adapter}." in name
        }

    def _learn(
        self, lessons: Lessons, course: Course, kept: Checkpoints, wishes: Wishes
    ) -> Generator[Progress, None, int]:
        """Step after step, to the last one, or until it is enough or the process leaves. Returns how many."""
        steps, step = self._recipe.steps, kept.restore(course.optimiser)
        note = f"going on after step {step}" if step else ""
        keeping = Pace(least_s=KEEP_EVERY_S, share=0.05)
        sampling = Pace(least_s=SAMPLE_EVERY_S, share=0.1)
        while step < steps and not (step and wishes.is_enough):
            self._rack.learn()
            course.take(lessons.lesson(step, batch=self._manners.training_batch), step)
            step += 1
            progress = Progress(step=step, steps=steps, note=note)
            note = ""
            if wishes.is_leaving or keeping.is_due():
                with keeping:
                    kept.keep(step, course.optimiser)
                progress = replace(progress, is_kept=True)
            if sampling.is_due() and not wishes.is_leaving and step < steps:
                with sampling:
                    progress = replace(progress, sample=self._sample(lessons.first_words))
            yield progress
            if progress.is_kept and wishes.is_leaving:
                break
        return step

    def _sample(self, words: str) -> Image.Image:
        """The same picture every time, but for what was learned."""
        side_px = SAMPLE_SIZE_PX
        if self._manners.sizes_px:
            side_px = min(self._manners.sizes_px[0])
        scene = Scene(
            prompt=words or "a picture",
            width_px=side_px,
            height_px=side_px,
            steps=SAMPLE_STEPS,
            guidance=SAMPLE_GUIDANCE,
            seed=self._recipe.seed % 2**32,
        )
        self._rack.learn()
        return self._paint(scene)
