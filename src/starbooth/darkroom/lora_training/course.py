"""Learns lessons, one after the other: the flow-matching loss, its gradients, AdamW.

Imported only where a painter is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from starbooth.darkroom.lora_training.lessons import Lesson
from starbooth.darkroom.lora_training.recipe import Diverged

WARM_UP_STEPS = 10
MOST_GRADIENT = 1.0


class Course:
    """For one transformer, of which only `weights` learn. rate: the learning rate after the warming up."""

    def __init__(self, transformer: Any, weights: Iterable[nn.Parameter], *, rate: float) -> None:
        self._transformer = transformer
        self._weights = list(weights)
        self._rate = rate
        # Asked for once: each of the answers walks through the whole model.
        self._device, self._numbers = transformer.device, transformer.dtype
        is_quick = self._device.type == "cuda" and torch.cuda.is_bf16_supported()
        self._is_short = is_quick or self._numbers is torch.bfloat16  # whether to reckon in bfloat16
        self.optimiser = torch.optim.AdamW(
            self._weights, lr=rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
        )

    def take(self, lesson: Lesson, step: int) -> None:
        """Learn this lesson, after so many steps. Raises: Diverged."""
        self.optimiser.param_groups[0]["lr"] = self._rate * min(1.0, (step + 1) / WARM_UP_STEPS)
        loss = self._loss(lesson)
        if not torch.isfinite(loss):
            raise Diverged
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._weights, MOST_GRADIENT)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def _loss(self, lesson: Lesson) -> Tensor:
        """How far the transformer is from telling the way from the photos to the noise."""
        share = lesson.share[:, None, None]
        noisy = (1 - share) * lesson.clean + share * lesson.noise
        # A model whose guidance is distilled learns at strength 1, where it is the model without guidance.
        has_guidance = self._transformer.config.guidance_embeds
        with (
            torch.enable_grad(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_short),
        ):
            told = self._transformer(
                hidden_states=noisy.to(self._numbers),
                timestep=lesson.share,
                guidance=torch.ones_like(lesson.share) if has_guidance else None,
                pooled_projections=lesson.pooled,
                encoder_hidden_states=lesson.words,
                txt_ids=lesson.words_ids,
                img_ids=lesson.picture_ids,
                return_dict=False,
            )[0]
            return nn.functional.mse_loss(told.float(), lesson.noise - lesson.clean)
