"""Turns photos into what a FLUX transformer learns from: latents and embedded words, made once and kept.

Knows the pipeline's parts; knows nothing of gradients. Imported only where a painter is opened.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from starbooth.darkroom.lora_training.archive import Photo
from starbooth.darkroom.lora_training.recipe import Recipe
from starbooth.darkroom.painter import Manners, fitted, small_world_caption

KEPT = "lessons.safetensors"
RESOLUTIONS_PX = (512, 768, 1024)
USUAL_RESOLUTION_PX = 768
SIDE_MULTIPLE_PX = 64
WIDEST = 2.0
VARIANTS = 16
"""The tiny model wants whole sentences; what a caption leaves open is filled in so many ways."""

WORDS_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One photo in one size. tokens: (tokens, channels), packed latents of the grid rows x columns."""

    photo: int
    tokens: Tensor
    rows: int
    columns: int


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One batch. clean, noise: (batch, tokens, channels); share: (batch,), how much of each is noise."""

    clean: Tensor
    noise: Tensor
    share: Tensor
    words: Tensor
    pooled: Tensor
    picture_ids: Tensor
    words_ids: Tensor


class Reader:
    """Reads photos for one pipeline, in the sizes and words that its `manners` want."""

    def __init__(self, pipeline: Any, manners: Manners, recipe: Recipe) -> None:
        self._pipeline = pipeline
        self._manners = manners
        self._recipe = recipe

    def read(self, photos: Iterable[Photo], folder: Path) -> Iterator[str]:
        """Read all photos and keep them in `folder`; a sentence after each. Repeat: harmless."""
        sheets: dict[str, Tensor] = {}
        captions: list[str] = []
        for number, photo in enumerate(photos):
            for size in self._sizes(photo.picture.size):
                sheet = self._sheet(number, photo.picture, size)
                sheets[f"{number}_{sheet.rows}_{sheet.columns}"] = sheet.tokens
            captions.append(self._recipe.caption_for(photo.caption))
            yield f"photo {number + 1}"
        unfinished = folder / f"{KEPT}.new"
        save_file(sheets, unfinished, {"captions": json.dumps(captions)})
        os.replace(unfinished, folder / KEPT)

    def variants(self, caption: str) -> list[str]:
        """The sentences by which a photo with this caption is learned; the first is the one to show off."""
        if self._manners.prompts != "small-world":
            return [caption]
        seeds = range(self._recipe.seed % 2**32, self._recipe.seed % 2**32 + VARIANTS)
        return list(dict.fromkeys(small_world_caption(caption, seed=seed) for seed in seeds))

    def _sizes(self, size_px: tuple[int, int]) -> list[tuple[int, int]]:
        """Those in which a photo of `size_px` is learned, each (width, height)."""
        width_px, height_px = size_px
        shape = min(WIDEST, max(1 / WIDEST, width_px / height_px))
        if self._manners.sizes_px:
            nearest_first = sorted(
                self._manners.sizes_px, key=lambda size: abs(math.log(size[0] / size[1]) - math.log(shape))
            )
            return nearest_first if self._recipe.has_many_sizes else nearest_first[:1]
        fitting = [each for each in RESOLUTIONS_PX if each**2 <= width_px * height_px] or [RESOLUTIONS_PX[0]]
        usual = max(each for each in fitting if each <= USUAL_RESOLUTION_PX)
        return [_rounded(each, shape) for each in (fitting if self._recipe.has_many_sizes else [usual])]

    @torch.no_grad()
    def _sheet(self, photo: int, picture: Image.Image, size_px: tuple[int, int]) -> Sheet:
        vae, processor = self._pipeline.vae, self._pipeline.image_processor
        pixels = processor.preprocess(fitted(picture, *size_px)).to(vae.device, vae.dtype)
        grid = vae.encode(pixels).latent_dist.mode()
        grid = (grid.float() - vae.config.shift_factor) * vae.config.scaling_factor
        _, channels, rows, columns = grid.shape
        tokens = self._pipeline._pack_latents(grid, 1, channels, rows, columns)[0].cpu().contiguous()
        return Sheet(photo=photo, tokens=tokens, rows=rows // 2, columns=columns // 2)


class Lessons:
    """All that a training learns from, in memory. The same number gives the same lesson."""

    def __init__(self, pipeline: Any, manners: Manners, reader: Reader, folder: Path, *, seed: int) -> None:
        self._pipeline = pipeline
        self._manners = manners
        self._seed = seed
        self._device = pipeline.transformer.device  # asked for once: the answer walks through the whole model
        with safe_open(folder / KEPT, framework="pt") as file:
            captions: list[str] = json.loads(file.metadata()["captions"])
            sheets = [_named(name, file.get_tensor(name)) for name in file.keys()]  # noqa: SIM118
        by_size: dict[tuple[int, int], list[Sheet]] = {}
        for sheet in sorted(sheets, key=lambda each: (each.rows, each.columns, each.photo)):
            by_size.setdefault((sheet.rows, sheet.columns), []).append(sheet)
        self._groups = list(by_size.values())
        self._variants = [reader.variants(caption) for caption in captions]
        self._embedded: dict[str, tuple[Tensor, Tensor]] = {}

    @property
    def first_words(self) -> str:
        """The sentence of the first photo."""
        return self._variants[0][0]

    @torch.no_grad()
    def embed(self) -> Iterator[None]:
        """Embed all words, some at a time; call it before `lesson`."""
        wanted = [*dict.fromkeys(each for variants in self._variants for each in variants)]
        wanted += [""] if self._manners.training_dropout else []
        longest = {} if (most := self._manners.max_sequence_length) is None else {"max_sequence_length": most}
        for start in range(0, len(wanted), WORDS_AT_ONCE):
            some = wanted[start : start + WORDS_AT_ONCE]
            words, pooled, _ = self._pipeline.encode_prompt(prompt=some, prompt_2=None, **longest)
            for number, caption in enumerate(some):
                self._embedded[caption] = words[number], pooled[number]
            yield

    def lesson(self, step: int, *, batch: int) -> Lesson:
        """The lesson of this step: photos of one size, a sentence for each, and noise."""
        dice = torch.Generator().manual_seed((self._seed * 1_000_003 + step) % 2**63)
        sizes = torch.tensor([float(len(group)) for group in self._groups])
        group = self._groups[int(torch.multinomial(sizes, 1, generator=dice))]
        chosen = [group[int(at)] for at in torch.randint(len(group), (batch,), generator=dice)]
        embedded = [self._embedded[self._caption(sheet, dice)] for sheet in chosen]
        clean = torch.stack([sheet.tokens for sheet in chosen])
        noise = torch.randn(clean.shape, generator=dice)
        share = self._shifted(torch.sigmoid(torch.randn(batch, generator=dice)), tokens=clean.shape[1])
        place = {"device": self._device, "dtype": torch.float32}
        words = torch.stack([each[0] for each in embedded])
        ids = self._pipeline._prepare_latent_image_ids(
            batch, chosen[0].rows, chosen[0].columns, self._device, torch.float32
        )
        return Lesson(
            clean=clean.to(**place),
            noise=noise.to(**place),
            share=share.to(**place),
            words=words.to(self._device),
            pooled=torch.stack([each[1] for each in embedded]).to(self._device),
            picture_ids=ids,
            words_ids=torch.zeros(words.shape[1], 3, **place),
        )

    def _caption(self, sheet: Sheet, dice: torch.Generator) -> str:
        """One of the photo's sentences; now and then none, where guidance goes against the empty one."""
        variants = self._variants[sheet.photo]
        chosen = variants[int(torch.randint(len(variants), (1,), generator=dice))]
        return "" if float(torch.rand(1, generator=dice)) < self._manners.training_dropout else chosen

    def _shifted(self, share: Tensor, *, tokens: int) -> Tensor:
        """Noise shares as the scheduler shifts them: larger pictures need more noise to be unmade."""
        config = self._pipeline.scheduler.config
        shift = float(config.shift)
        if config.use_dynamic_shifting:
            slope = (config.max_shift - config.base_shift) / (
                config.max_image_seq_len - config.base_image_seq_len
            )
            shift = math.exp(config.base_shift + slope * (tokens - config.base_image_seq_len))
        return shift * share / (1 + (shift - 1) * share)


def _named(name: str, tokens: Tensor) -> Sheet:
    photo, rows, columns = (int(part) for part in name.split("_"))
    return Sheet(photo=photo, tokens=tokens, rows=rows, columns=columns)


def _rounded(resolution_px: int, shape: float) -> tuple[int, int]:
    """A size of about `resolution_px` squared in this shape, width over height."""
    width_px = round(resolution_px * math.sqrt(shape) / SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX
    height_px = round(resolution_px / math.sqrt(shape) / SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX
    return width_px, height_px
