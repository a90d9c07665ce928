"""Teaches the autoencoder: 256-pixel scenes to 16x16 cells of 16 numbers and back.

A diffusers `AutoencoderKL` with five levels. Two lessons, because the outermost level costs as much as all
others: first the four inner levels learn on pictures whose pixels are folded two by two into channels; then
the encoder is frozen, and the whole decoder learns real pixels. The encoder's outermost level is not learned
at all: it is set to do the same folding. The variance is fixed instead of learned, and the decoder hears
latents with that noise added, so it forgives what the transformer gets a little wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from starbooth.darkroom.training.muon import optimisers_for, set_mean_gradients, set_rate, step_alone
from starbooth.darkroom.training.scenes import Scenes

LATENT_CHANNELS = 16
LATENT_NOISE = 0.1
WIDTHS = (16, 32, 64, 128, 192)
FOLDED = 12
THING_WEIGHT = 3.0
MATRIX_LR = 3e-3
OTHER_LR = 1e-3
Log = Callable[[str], None]


def new_autoencoder() -> Any:
    """An untaught AutoencoderKL with one latent cell for 16x16 pixels."""
    import diffusers

    kind: Any = diffusers.AutoencoderKL
    made = kind(
        block_out_channels=WIDTHS,
        down_block_types=("DownEncoderBlock2D",) * len(WIDTHS),
        up_block_types=("UpDecoderBlock2D",) * len(WIDTHS),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        sample_size=256,
        force_upcast=False,
    )
    _set_folding(made.encoder)
    return made


def _set_folding(encoder: Any) -> None:
    """Make the encoder's outermost level equal `fold` exactly: three channels through, then each of four
    phases.
    """
    outer = encoder.down_blocks[0]
    with torch.no_grad():
        for layer in (encoder.conv_in, outer.resnets[0].conv2, outer.downsamplers[0].conv):
            layer.weight.zero_()
            layer.bias.zero_()
        for colour in range(3):
            encoder.conv_in.weight[colour, colour, 1, 1] = 1
            for down in range(2):
                for right in range(2):
                    outer.downsamplers[0].conv.weight[colour * 4 + down * 2 + right, colour, down, right] = 1


def fold(pixels: Tensor) -> Tensor:
    """(batch, 3, height, width) to (batch, WIDTHS[0], height/2, width/2): 12 channels of pixels, the rest
    zero.
    """
    folded = nn.functional.pixel_unshuffle(pixels, 2)
    return nn.functional.pad(folded, (0, 0, 0, 0, 0, WIDTHS[0] - FOLDED))


def encode_folded(model: Any, folded: Tensor) -> Tensor:
    """Latents of folded pixels: what `model.encoder` gives for the pixels themselves, without its outermost
    level.
    """
    hidden = folded
    for block in model.encoder.down_blocks[1:]:
        hidden = block(hidden)
    encoder = model.encoder
    hidden = encoder.conv_act(encoder.conv_norm_out(encoder.mid_block(hidden)))
    latents: Tensor = encoder.conv_out(hidden)[:, :LATENT_CHANNELS]
    return latents


def decode_folded(model: Any, head: nn.Module, latents: Tensor) -> Tensor:
    """Pixels from the decoder's four inner levels and a `head` that makes folded pixels."""
    hidden = model.decoder.mid_block(model.decoder.conv_in(latents))
    for block in model.decoder.up_blocks[:-2]:
        hidden = block(hidden)
    for layer in model.decoder.up_blocks[-2].resnets:
        hidden = layer(hidden, temb=None)
    return nn.functional.pixel_shuffle(head(hidden), 2)


def new_head() -> nn.Module:
    """The last layer of the first lesson, dropped after it."""
    return nn.Sequential(nn.GroupNorm(8, WIDTHS[1]), nn.SiLU(), nn.Conv2d(WIDTHS[1], FOLDED, 3, padding=1))


def as_tensor(pixels: Any) -> Tensor:
    """(batch, height, width, 3) uint8 to (batch, 3, height, width) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float().contiguous() / 127.5 - 1


@dataclass(frozen=True, kw_only=True)
class Part:
    """A few scenes of one batch. weights: (count, 1, height, width), larger where the thing is, mean 1."""

    pixels: Tensor
    weights: Tensor
    chosen: NDArray[np.int64]
    step: int
    number: int


def parts_at(step: int, scenes: Scenes, *, seed: int, batch: int, parts: int) -> list[Part]:
    """The batch of `step`, always the same one, in equal parts."""
    made = []
    for number, chosen in enumerate(np.split(chosen_at(scenes, seed=seed, batch=batch, step=step), parts)):
        pixels = as_tensor(scenes.pixels[chosen])
        cells = torch.from_numpy(scenes.cells[chosen]).float()[:, None] / 255
        weights = 1 + (THING_WEIGHT - 1) * nn.functional.interpolate(cells, size=pixels.shape[2:])
        made.append(
            Part(pixels=pixels, weights=weights / weights.mean(), chosen=chosen, step=step, number=number)
        )
    return made


def chosen_at(scenes: Scenes, *, seed: int, batch: int, step: int) -> NDArray[np.int64]:
    """The numbers of the scenes of one batch, in rising order."""
    return np.sort(np.random.default_rng((seed, step)).integers(len(scenes.pixels), size=batch))


def picture_loss(made: Tensor, true: Tensor, weights: Tensor) -> Tensor:
    """Weighted error of the pixels and of their differences to the neighbours, so that edges stay sharp."""
    error = made - true
    loss = ((error.abs() + 0.5 * error.square()) * weights).mean()
    across, down = error.diff(dim=3).abs(), error.diff(dim=2).abs()
    return loss + 0.5 * (across * weights[..., 1:]).mean() + 0.5 * (down * weights[:, :, 1:]).mean()


def rate_at(step: int, steps: int) -> float:
    """Learning-rate share: up in 40 steps, level, then down to nothing over the last half."""
    return min(1.0, (step + 1) / 40, max(0.02, 2 * (steps - step) / steps))


def with_noise(latents: Tensor, part: Part, *, share: float) -> Tensor:
    """Latents with noise of `share` of their size."""
    dice = torch.Generator().manual_seed(part.step * 100 + part.number)
    size = share * latents.detach().float().square().mean().sqrt()
    return latents + size * torch.randn(latents.shape, generator=dice)


def teach(
    scenes: Scenes,
    checkpoint: Path,
    *,
    parts: nn.ModuleDict,
    pass_through: Callable[[Part], Tensor],
    steps: int,
    batch: int,
    log: Log,
) -> None:
    """Teach `parts` to give back the pixels that `pass_through` gets.

    Goes on from `checkpoint` if it is there. Every processor thread learns from its own part of the batch.
    """
    threads = torch.get_num_threads()
    optimisers = optimisers_for(
        parts.named_parameters(), matrix_lr=MATRIX_LR, other_lr=OTHER_LR, parts=threads
    )
    rates = [*[MATRIX_LR] * threads, OTHER_LR]
    first = resume(checkpoint, parts, optimisers)
    learners = [parameter for parameter in parts.parameters() if parameter.requires_grad]
    started = time.monotonic()

    def learn(part: Part) -> tuple[tuple[Tensor | None, ...], float]:
        torch.set_num_threads(1)
        made = pass_through(part).float()
        loss = picture_loss(made, part.pixels, part.weights)
        error = (made.detach() - part.pixels).square().mean().item()
        return torch.autograd.grad(loss, learners, allow_unused=True), error

    with ThreadPoolExecutor(threads) as pool:
        for step in range(first, steps):
            set_rate(optimisers, rates, rate_at(step, steps))
            jobs = parts_at(step, scenes, seed=1, batch=batch, parts=threads)
            answers = list(pool.map(learn, jobs))
            set_mean_gradients(learners, [gradients for gradients, _ in answers])
            list(pool.map(step_alone, optimisers))
            if (step + 1) % 25 == 0 or step + 1 == steps:
                error = np.mean([error for _, error in answers])
                speed = (step + 1 - first) * batch / (time.monotonic() - started)
                log(
                    f"{checkpoint.stem} {step + 1}/{steps} "
                    f"psnr {10 * np.log10(4 / error):.1f} dB {speed:.1f} scenes/s"
                )
            if (step + 1) % 100 == 0 or step + 1 == steps:
                save_whole(parts, optimisers, step + 1, checkpoint)


def resume(checkpoint: Path, parts: nn.Module, optimisers: list[torch.optim.Optimizer]) -> int:
    """Load a checkpoint if it is there; returns the number of steps that are done."""
    if not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, weights_only=True)
    parts.load_state_dict(saved["model"])
    for optimiser, state in zip(optimisers, saved["optimisers"], strict=True):
        optimiser.load_state_dict(state)
    return int(saved["step"])


def save_whole(
    parts: nn.Module, optimisers: list[torch.optim.Optimizer], step: int, checkpoint: Path, **more: Any
) -> None:
    """Write a checkpoint that is there whole or not at all."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    states = [optimiser.state_dict() for optimiser in optimisers]
    part = checkpoint.with_suffix(".part")
    torch.save({"model": parts.state_dict(), "optimisers": states, "step": step, **more}, part)
    part.replace(checkpoint)


def teach_inner_levels(scenes: Scenes, home: Path, *, steps: int, log: Log) -> Any:
    """The first lesson. Returns the autoencoder, its decoder's outermost level still untaught."""
    torch.manual_seed(0)
    model, head = new_autoencoder(), new_head()
    model.encoder.conv_in.requires_grad_(False)
    model.encoder.down_blocks[0].requires_grad_(False)
    _start_quiet(model)

    def pass_through(part: Part) -> Tensor:
        share = LATENT_NOISE * min(1.0, part.step / 400)
        with torch.autocast("cpu", torch.bfloat16):
            latents = encode_folded(model, fold(part.pixels))
            return decode_folded(model, head, with_noise(latents, part, share=share))

    parts = nn.ModuleDict({"autoencoder": model, "head": head})
    teach(scenes, home / "inner.pt", parts=parts, pass_through=pass_through, steps=steps, batch=8, log=log)
    return model


def teach_decoder(model: Any, scenes: Scenes, grid: Tensor, home: Path, *, steps: int, log: Log) -> Any:
    """The second lesson: the whole decoder learns to make pixels of the frozen encoder's latents.

    grid: (count, LATENT_CHANNELS, rows, columns), the latents of `scenes` as the encoder gives them.
    """
    torch.manual_seed(1)
    parts = nn.ModuleDict({"decoder": model.decoder})

    def pass_through(part: Part) -> Tensor:
        latents = grid[torch.from_numpy(part.chosen)].float()
        with torch.autocast("cpu", torch.bfloat16):
            made: Tensor = model.decoder(with_noise(latents, part, share=LATENT_NOISE))
        return made

    teach(scenes, home / "decoder.pt", parts=parts, pass_through=pass_through, steps=steps, batch=4, log=log)
    return model


def latents_of(model: Any, scenes: Scenes, *, batch: int = 32) -> Tensor:
    """(count, LATENT_CHANNELS, rows, columns) in float16, as the encoder gives them."""
    made = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(scenes.pixels), batch):
            pixels = as_tensor(scenes.pixels[start : start + batch])
            made.append(encode_folded(model, fold(pixels)).half())
    return torch.cat(made)


def _start_quiet(model: Any) -> None:
    """Begin with every residual branch silent: the signal passes straight through and learning starts at
    once.
    """
    for name, parameter in model.named_parameters():
        if "resnets" in name and name.endswith("conv2.weight"):
            nn.init.zeros_(parameter)
