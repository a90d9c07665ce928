"""A small convolutional network that tells which words of the world a picture shows.

It is taught on drawn scenes only and never sees a painted picture before it judges it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from starbooth.darkroom.training.scenes import KINDS, NAMES

SIDE_PX = 96
WIDTHS = (24, 48, 96, 128)
DEFAULT_EYES = Path(__file__).parent / "eyes.safetensors"


class Eyes(nn.Module):
    """(batch, 3, SIDE_PX, SIDE_PX) in -1..1 to one row of logits per kind of word."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers)
        cells = (SIDE_PX // 2 ** len(WIDTHS)) ** 2
        self.squeeze = nn.Conv2d(before, 32, 1)
        self.read = nn.Sequential(nn.Linear(32 * cells, 192), nn.ReLU(), nn.Dropout(0.2))
        self.heads = nn.ModuleList([nn.Linear(192, len(list(kind))) for kind in KINDS])

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Logits, one tensor (batch, words of the kind) per kind, in the order of KINDS."""
        seen = self.read(self.squeeze(self.layers(pictures)).flatten(1))
        return [head(seen) for head in self.heads]


def seen_by_eyes(picture: Image.Image) -> NDArray[np.uint8]:
    """(SIDE_PX, SIDE_PX, 3): the picture squeezed to the eyes' size, whatever its shape."""
    small = picture.convert("RGB").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    return np.asarray(small)


def as_input(squares: NDArray[np.uint8]) -> Tensor:
    """(batch, SIDE_PX, SIDE_PX, 3) uint8 to what `Eyes` reads."""
    return torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 127.5 - 1


def open_eyes(path: Path = DEFAULT_EYES) -> Eyes:
    """Taught eyes from a safetensors file."""
    from safetensors.torch import load_file

    eyes = Eyes()
    eyes.load_state_dict({name: value.float() for name, value in load_file(path).items()}, strict=False)
    return eyes.eval()


def words_seen(eyes: Eyes, pictures: Sequence[Image.Image], *, batch: int = 64) -> NDArray[np.int64]:
    """(count, 6): the number of the likeliest word of each kind, in the order of NAMES."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            squares = np.stack([seen_by_eyes(picture) for picture in pictures[start : start + batch]])
            found.append(torch.stack([logits.argmax(dim=1) for logits in eyes(as_input(squares))], dim=1))
    return torch.cat(found).numpy() if found else np.zeros((0, len(NAMES)), np.int64)
