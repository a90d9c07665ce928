"""What the server asks of a painter: a scene in, pictures out, step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

OnStep = Callable[[int, int], bool]
"""Called after each step with (step done, steps in all); False means stop."""


class Stopped(Exception):
    """`on_step` asked to stop: there are no pictures."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is to be painted. `seed` is an unsigned 64-bit number; `count` pictures come from it."""

    prompt: str
    width_px: int
    height_px: int
    steps: int
    guidance: float
    seed: int
    count: int = 1


class Painter(Protocol):
    """Turns a scene into pictures. Called from one thread at a time."""

    def paint(self, scene: Scene, on_step: OnStep) -> list[Image.Image]:
        """`scene.count` pictures.

        Raises: Stopped when `on_step` returns False.
        """
        ...


DEFAULT_FOLDER = Path(__file__).parent / "weights"
"""The weights that ship with the package, in diffusers layout."""


def open_painter(folder: Path, device: str | None = None) -> Painter:
    """A painter for the FLUX in `folder`, on `device` or the CPU. torch is imported here, not before.

    Raises: OSError when the folder holds no diffusers pipeline.
    """
    import diffusers

    pipeline = diffusers.FluxPipeline.from_pretrained(folder)
    return FluxPainter(pipeline.to(device or "cpu"), device or "cpu")


class FluxPainter:
    """Paints with a diffusers FluxPipeline."""

    def __init__(self, pipeline: Any, device: str) -> None:
        self.device = device
        self._pipeline = pipeline

    def paint(self, scene: Scene, on_step: OnStep) -> list[Image.Image]:
        """`scene.count` pictures, from one seed. Raises: Stopped."""
        import torch

        def after_step(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if not on_step(step + 1, scene.steps):
                raise Stopped
            return tensors

        answer = self._pipeline(
            prompt=scene.prompt,
            width=scene.width_px,
            height=scene.height_px,
            num_inference_steps=scene.steps,
            guidance_scale=scene.guidance,
            num_images_per_prompt=scene.count,
            generator=torch.Generator().manual_seed(scene.seed),
            callback_on_step_end=after_step,
        )
        pictures: list[Image.Image] = answer.images
        return pictures
