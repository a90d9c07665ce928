"""Writes what was taught as a folder in diffusers layout, with the extra page that says how to call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from starbooth.darkroom.training.scenes import SHAPES
from starbooth.darkroom.training.text import MAX_TOKENS, Language
from starbooth.darkroom.training.transformer import SHIFT

HOW_TO_CALL = {
    "prompts": "small-world",
    "sizes_px": [[shape.width_px, shape.height_px] for shape in SHAPES],
    "max_sequence_length": MAX_TOKENS,
    "guidance_by": "true_cfg_scale",
    "guidance_factor": 1.0,
    "least_steps": 8,
    "training_rate_factor": 20.0,
    "training_batch": 4,
    "training_dropout": 0.1,
}


def fix_autoencoder(model: Any, latents: list[torch.Tensor], *, variance: float) -> Any:
    """Set the scale of the latents in the configuration, and a variance that no longer depends on the
    picture.
    """
    everything = torch.cat([grid.float().flatten() for grid in latents])
    shift, deviation = everything.mean().item(), everything.std().item()
    model.register_to_config(scaling_factor=1 / deviation, shift_factor=shift)
    with torch.no_grad():
        last = model.encoder.conv_out
        half = last.weight.shape[0] // 2
        last.weight[half:] = 0
        last.bias[half:] = torch.log(torch.tensor(variance * deviation**2))
    return model


def write_folder(folder: Path, *, transformer: Any, language: Language, autoencoder: Any) -> None:
    """Save a whole FLUX pipeline in bfloat16; `FluxPipeline.from_pretrained(folder)` opens it."""
    import diffusers

    flux: Any = diffusers.FluxPipeline
    euler: Any = diffusers.FlowMatchEulerDiscreteScheduler
    pipeline = flux(
        scheduler=euler(shift=SHIFT, use_dynamic_shifting=False),
        vae=autoencoder,
        text_encoder=language.clip,
        tokenizer=language.clip_tokenizer,
        text_encoder_2=language.t5,
        tokenizer_2=language.t5_tokenizer,
        transformer=transformer,
    ).to(torch.bfloat16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    (folder / "starbooth.json").write_text(json.dumps(HOW_TO_CALL, indent=2) + "\n")
