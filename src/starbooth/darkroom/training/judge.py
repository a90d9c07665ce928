"""Teaches the judge's eyes on the drawn scenes, roughened so that they look at shapes and not at single
pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from starbooth.darkroom.judge.eyes import SIDE_PX, Eyes, as_input
from starbooth.darkroom.training.scenes import SHAPES, open_scenes

BATCH = 32


def squares_of(home: Path) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """All drawn scenes at the size of the eyes, and their labels; kept in `home` after the first time."""
    path = home / "squares.npz"
    if not path.exists():
        made, labels = [], []
        for shape in SHAPES:
            scenes = open_scenes(home, shape)
            labels.append(scenes.labels)
            made += [
                np.asarray(Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
                for pixels in scenes.pixels
            ]
        np.savez(path, squares=np.stack(made), labels=np.concatenate(labels))
    saved = np.load(path)
    return saved["squares"], saved["labels"]


def roughened(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Shifted by up to 4 pixels, one half blurred, with noise and another brightness."""
    down, right = torch.randint(-4, 5, (2,), generator=random).tolist()
    pictures = torch.roll(pictures, (down, right), dims=(2, 3))
    if torch.rand((), generator=random) < 0.5:
        factor = int(torch.randint(2, 4, (), generator=random))
        small = nn.functional.avg_pool2d(pictures, factor)
        pictures = nn.functional.interpolate(small, size=(SIDE_PX, SIDE_PX), mode="bilinear")
    scale = 1 + 0.1 * torch.randn((len(pictures), 1, 1, 1), generator=random)
    return pictures * scale + 0.05 * torch.randn(pictures.shape, generator=random)


def teach_judge(home: Path, into: Path, *, steps: int, log: Callable[[str], None]) -> Eyes:
    """Teach new eyes and write them to the safetensors file `into`. Takes some minutes; the seed is fixed."""
    from safetensors.torch import save_file

    torch.manual_seed(3)
    squares, labels = squares_of(home)
    eyes = Eyes()
    optimiser = torch.optim.AdamW(eyes.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for step in range(steps):
        chosen = np.random.default_rng((5, step)).integers(len(labels), size=BATCH)
        truth = torch.from_numpy(labels[chosen].astype(np.int64))
        pictures = roughened(as_input(squares[chosen]), torch.Generator().manual_seed(step))
        with torch.autocast("cpu", torch.bfloat16):
            logits = eyes(pictures)
        loss = torch.stack(
            [
                nn.functional.cross_entropy(part.float(), column, ignore_index=-1)
                for part, column in zip(logits, truth.T, strict=True)
            ]
        ).sum()
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            log(f"judge {step + 1}/{steps} loss {loss.item():.3f}")
    into.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.half() for name, value in eyes.state_dict().items() if value.is_floating_point()}, into
    )
    return eyes.eval()
