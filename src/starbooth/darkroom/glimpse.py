"""A small picture of what is being painted, before it is done: cheap enough to be made between two steps.

Knows latents and the decoder of a FLUX pipeline; knows nothing of who looks.
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from starbooth.darkroom.painter import LONGEST_GLIMPSE_PX


class Glimpse:
    """Follows one run of a pipeline, in the size that the model paints in."""

    def __init__(self, pipeline: Any, *, width_px: int, height_px: int) -> None:
        self._pipeline = pipeline
        self._size_px = (width_px, height_px)
        self._latents: torch.Tensor | None = None
        self._before: torch.Tensor | None = None

    def follow(self, latents: torch.Tensor) -> None:
        """Take note of the packed latents after a step: (count, tokens, channels)."""
        self._before, self._latents = self._latents, latents[:1]

    def picture(self) -> Image.Image | None:
        """The first picture of the batch as the model expects it to become; None before the second step.

        The model moves the latents along a straight line from noise to picture. Two points on it tell where
        it ends, so even an early glimpse shows a picture and no noise.
        """
        if self._before is None or self._latents is None:
            return None
        scheduler = self._pipeline.scheduler
        now, before = (float(scheduler.sigmas[scheduler.step_index - back]) for back in (0, 1))
        speed = (self._latents - self._before) / (now - before)
        return self._decoded(self._latents - now * speed)

    def _decoded(self, packed: torch.Tensor) -> Image.Image:
        """Decode a reduced grid, (1, tokens, channels), to about `LONGEST_GLIMPSE_PX` on the longer side.

        Cells are joined in whole numbers: a grid that is reduced by a fraction decodes to a blur.
        """
        pipeline, (width_px, height_px) = self._pipeline, self._size_px
        grid = pipeline._unpack_latents(packed, height_px, width_px, pipeline.vae_scale_factor)
        joined = max(1, round(max(width_px, height_px) / LONGEST_GLIMPSE_PX))
        grid = torch.nn.functional.avg_pool2d(grid.float(), [min(joined, side) for side in grid.shape[2:]])
        vae = pipeline.vae
        latents = grid.to(vae.dtype) / vae.config.scaling_factor + vae.config.shift_factor
        decoded = vae.decode(latents, return_dict=False)[0]
        picture: Image.Image = pipeline.image_processor.postprocess(decoded, output_type="pil")[0]
        return picture
