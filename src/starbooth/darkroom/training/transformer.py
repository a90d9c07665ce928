"""Teaches the tiny FLUX transformer, and both text encoders with it, on the latents of the drawn scenes.

Rectified flow: x_t = (1 - s) x0 + s noise, the target is noise - x0, s is logit-normal and then shifted as
in the scheduler. Cells that the thing covers weigh more. A second, small lesson that is dropped afterwards
asks the middle of the transformer what stands in every cell; it makes words and shapes find each other much
sooner.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from starbooth.darkroom.training.autoencoder import LATENT_CHANNELS, resume, save_whole
from starbooth.darkroom.training.muon import (
    optimisers_for,
    set_mean_gradients,
    set_rate,
    single_thread,
    step_alone,
)
from starbooth.darkroom.training.scenes import NAMES, view_of
from starbooth.darkroom.training.text import CLIP_WIDTH, T5_WIDTH, Language, tokens_of
from starbooth.darkroom.world.words import Colour, Thing, caption_of

SHIFT = 3.0
BATCH = 24
MATRIX_LR = 3e-3
OTHER_LR = 1e-3
GLIMPSE_AFTER = 2
THING_WEIGHT = 4.0
GLIMPSE_WEIGHT = 0.1
KINDS_OF_CELL = len(Thing) + 1
COLOURS_OF_CELL = len(Colour) + 1
EMA_DECAY = 0.9995


@dataclass(frozen=True, kw_only=True)
class Latents:
    """Scenes of one shape as the transformer sees them.

    grid: (count, LATENT_CHANNELS, rows, columns), mean 0 and deviation 1 over all; labels: (count, 6);
    cells: (count, rows/2 * columns/2), the share of each token that the thing covers.
    """

    grid: Tensor
    labels: NDArray[np.int8]
    cells: Tensor


def new_transformer() -> Any:
    """An untaught FluxTransformer2DModel of 4.4 million parameters."""
    import diffusers

    flux: Any = diffusers.FluxTransformer2DModel
    made = flux(
        in_channels=4 * LATENT_CHANNELS,
        num_layers=1,
        num_single_layers=5,
        attention_head_dim=48,
        num_attention_heads=4,
        joint_attention_dim=T5_WIDTH,
        pooled_projection_dim=CLIP_WIDTH,
        guidance_embeds=False,
        axes_dims_rope=(8, 20, 20),
    )
    for name, parameter in made.named_parameters():
        is_modulation = ".norm" in name and ".linear." in name
        if is_modulation or name.startswith(("proj_out", "norm_out.linear")):
            nn.init.zeros_(parameter)
    return made


def packed(grid: Tensor) -> Tensor:
    """(batch, channels, rows, columns) to (batch, rows/2 * columns/2, 4 * channels), as diffusers does."""
    batch, channels, rows, columns = grid.shape
    split = grid.reshape(batch, channels, rows // 2, 2, columns // 2, 2)
    return split.permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * columns // 4, 4 * channels)


def picture_ids(rows: int, columns: int) -> Tensor:
    """Token places (0, row, column) for a grid of rows x columns tokens."""
    ids = torch.zeros(rows, columns, 3)
    ids[..., 1] += torch.arange(rows)[:, None]
    ids[..., 2] += torch.arange(columns)[None, :]
    return ids.reshape(-1, 3)


class Pupil(nn.Module):
    """The transformer, the text encoders, and the head of the second lesson, learning together."""

    def __init__(self, transformer: Any, language: Language) -> None:
        super().__init__()
        self.transformer = transformer
        self.clip = language.clip
        self.t5 = language.t5
        self.glimpse = nn.Linear(transformer.inner_dim, KINDS_OF_CELL + COLOURS_OF_CELL)

    def forward(
        self, noisy: Tensor, noise_share: Tensor, clip_tokens: Tensor, t5_tokens: Tensor, ids: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same sums as FluxTransformer2DModel.forward, and a glimpse from its middle.

        noisy: (batch, tokens, 4 * channels); noise_share: (batch,) in 0..1; ids: (tokens, 3)
        returns: velocity like `noisy`, and (batch, tokens, KINDS_OF_CELL + COLOURS_OF_CELL) logits
        """
        flux = self.transformer
        pooled, words = self.clip(clip_tokens).pooler_output, self.t5(t5_tokens)[0]
        hidden, text = flux.x_embedder(noisy), flux.context_embedder(words)
        mood = flux.time_text_embed(noise_share * 1000, pooled)
        rotary = flux.pos_embed(torch.cat([torch.zeros(text.shape[1], 3), ids]))
        blocks = [*flux.transformer_blocks, *flux.single_transformer_blocks]
        for number, block in enumerate(blocks):
            text, hidden = block(
                hidden_states=hidden, encoder_hidden_states=text, temb=mood, image_rotary_emb=rotary
            )
            if number == GLIMPSE_AFTER:
                seen = self.glimpse(hidden)
        return flux.proj_out(flux.norm_out(hidden, mood)), seen


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One batch, everything about it decided by the number of the step."""

    clean: Tensor
    noise: Tensor
    noise_share: Tensor
    clip_tokens: Tensor
    t5_tokens: Tensor
    ids: Tensor
    cells: Tensor
    kinds: Tensor
    colours: Tensor


def lesson_at(step: int, shapes: list[Latents], language: Language, *, batch: int = BATCH) -> Lesson:
    """The lesson of `step`: one shape of scenes, captions now and then cut short or empty."""
    dice = np.random.default_rng((11, step))
    counts = np.array([len(shape.labels) for shape in shapes], dtype=np.float64)
    latents = shapes[int(dice.choice(len(shapes), p=counts / counts.sum()))]
    chosen = dice.integers(len(latents.labels), size=batch)
    labels = latents.labels[chosen]
    captions = [_caption(row, dice) for row in labels]
    clip_tokens, t5_tokens = tokens_of(language, captions)
    grid = latents.grid[torch.from_numpy(chosen)]
    random = torch.Generator().manual_seed(step)
    share = torch.sigmoid(torch.randn(batch, generator=random))
    cells = latents.cells[torch.from_numpy(chosen)]
    is_thing = cells > 0.3
    label = torch.from_numpy(labels.astype(np.int64))
    clean = packed(grid)
    return Lesson(
        clean=clean,
        noise=torch.randn(clean.shape, generator=random),
        noise_share=SHIFT * share / (1 + (SHIFT - 1) * share),
        clip_tokens=clip_tokens,
        t5_tokens=t5_tokens,
        ids=picture_ids(grid.shape[2] // 2, grid.shape[3] // 2),
        cells=cells,
        kinds=torch.where(is_thing, label[:, :1] + 1, 0),
        colours=torch.where(is_thing, label[:, 1:2] + 1, 0),
    )


def _caption(labels: NDArray[np.int8], dice: np.random.Generator) -> str:
    """The caption of a scene; one in ten is empty, and in three of ten each word but the thing may be left
    out.
    """
    mode = dice.random()
    if mode < 0.1:
        return ""
    kept = labels.copy()
    if mode < 0.4:
        for column, name in enumerate(NAMES):
            if name != "thing" and dice.random() < 0.35:
                kept[column] = -1
    return caption_of(view_of(kept))


def loss_of(pupil: Callable[..., tuple[Tensor, Tensor]], lesson: Lesson) -> tuple[Tensor, Tensor]:
    """The flow-matching loss and the loss of the second lesson."""
    share = lesson.noise_share[:, None, None]
    noisy = (1 - share) * lesson.clean + share * lesson.noise
    with torch.autocast("cpu", torch.bfloat16):
        velocity, seen = pupil(noisy, lesson.noise_share, lesson.clip_tokens, lesson.t5_tokens, lesson.ids)
    weight = 1 + (THING_WEIGHT - 1) * lesson.cells
    error = (velocity.float() - (lesson.noise - lesson.clean)).square().mean(dim=2)
    kinds, colours = seen.float()[..., :KINDS_OF_CELL], seen.float()[..., KINDS_OF_CELL:]
    glimpse = nn.functional.cross_entropy(
        kinds.transpose(1, 2), lesson.kinds, reduction="none"
    ) + nn.functional.cross_entropy(colours.transpose(1, 2), lesson.colours, reduction="none")
    return (error * weight).mean() / weight.mean(), (glimpse * weight).mean() / weight.mean()


def part_of(lesson: Lesson, start: int, end: int) -> Lesson:
    """The scenes `start` to `end` of a lesson."""
    names = ("clean", "noise", "noise_share", "clip_tokens", "t5_tokens", "cells", "kinds", "colours")
    return replace(lesson, **{name: getattr(lesson, name)[start:end] for name in names})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one part of a lesson taught: gradients in the order of the parameters, and the two losses."""

    gradients: tuple[Tensor | None, ...]
    flow: float
    glimpse: float


def learn(pupil: nn.Module, lesson: Lesson) -> Answer:
    """Gradients of one part of a lesson, on one processor thread."""
    torch.set_num_threads(1)
    flow, glimpse = loss_of(pupil, lesson)
    gradients = torch.autograd.grad(
        flow + GLIMPSE_WEIGHT * glimpse, list(pupil.parameters()), allow_unused=True
    )
    return Answer(gradients=gradients, flow=flow.item(), glimpse=glimpse.item())


def learn_together(
    pupil: nn.Module, lesson: Lesson, pool: ThreadPoolExecutor, parts: int
) -> tuple[float, float]:
    """Set the gradients of the whole lesson, each part learned by a thread of its own; returns the losses.

    One thread per part wastes less than two threads per matrix where other programs use the processor too.
    """
    size = len(lesson.clean) // parts
    jobs = [part_of(lesson, number * size, (number + 1) * size) for number in range(parts)]
    answers = list(pool.map(lambda job: learn(pupil, job), jobs))
    set_mean_gradients(list(pupil.parameters()), [answer.gradients for answer in answers])
    return float(np.mean([a.flow for a in answers])), float(np.mean([a.glimpse for a in answers]))


def rate_at(step: int, steps: int) -> float:
    """Learning-rate share: up in 200 steps, level, then down to nothing over the last 30 %."""
    return min(1.0, (step + 1) / 200, max(0.01, (steps - step) / (0.3 * steps)))


def teach_transformer(
    pupil: Pupil,
    language: Language,
    shapes: list[Latents],
    checkpoint: Path,
    *,
    steps: int,
    threads: int,
    is_compiled: bool,
    log: Callable[[str], None],
    batch: int = BATCH,
    save_every: int = 500,
) -> Pupil:
    """Teach until `steps` steps are done in all; returns the running average of the pupil.

    Goes on from `checkpoint` if it is there, with the very lesson at which it stopped. `threads` must be as
    they were then.
    """
    optimisers = optimisers_for(
        pupil.named_parameters(), matrix_lr=MATRIX_LR, other_lr=OTHER_LR, parts=threads
    )
    rates = [*[MATRIX_LR] * threads, OTHER_LR]
    average = copy.deepcopy(pupil).requires_grad_(False)
    both = nn.ModuleDict({"pupil": pupil, "average": average})
    first = resume(checkpoint, both, optimisers)
    if is_compiled:
        pupil.transformer.compile_repeated_blocks(dynamic=False)
    started, losses = time.monotonic(), list[tuple[float, float]]()
    with ThreadPoolExecutor(threads) as pool, single_thread():
        for step in range(first, steps):
            set_rate(optimisers, rates, rate_at(step, steps))
            lesson = lesson_at(step, shapes, language, batch=batch)
            losses.append(learn_together(pupil, lesson, pool, threads))
            nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
            list(pool.map(step_alone, optimisers))
            _follow(average, pupil, min(EMA_DECAY, (step + 1) / (step + 10)))
            if (step + 1) % 100 == 0:
                mean = np.mean(losses[-100:], axis=0)
                speed = (step + 1 - first) * batch / (time.monotonic() - started)
                log(f"transformer {step + 1}/{steps} flow {mean[0]:.4f} glimpse {mean[1]:.3f} {speed:.1f}/s")
            if (step + 1) % save_every == 0 or step + 1 == steps:
                save_whole(both, optimisers, step + 1, checkpoint)
    return average


@torch.no_grad()
def _follow(average: nn.Module, pupil: nn.Module, decay: float) -> None:
    ours: list[Tensor] = list(average.parameters())
    theirs: list[Tensor] = list(pupil.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - decay)
