"""LoRA files for tests, made to fit the tiny FLUX unless a test wants otherwise. Loads torch."""

from pathlib import Path

import torch
from safetensors.torch import save_file

LAYERS = {
    f"transformer.single_transformer_blocks.{number}.attn.{name}": (192, 192)
    for number in range(5)
    for name in ("to_q", "to_k", "to_v")
}


def lora_tensors(*, seed: int = 0, rank: int = 4, strength: float = 0.3) -> dict[str, torch.Tensor]:
    """Pairs of matrices in the names of fal and diffusers; larger `strength`, larger effect."""
    dice = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, (features_in, features_out) in LAYERS.items():
        tensors[f"{name}.lora_A.weight"] = torch.randn(rank, features_in, generator=dice) * strength
        tensors[f"{name}.lora_B.weight"] = torch.randn(features_out, rank, generator=dice) * strength
    return tensors


def lora_file(
    path: Path,
    *,
    tensors: dict[str, torch.Tensor] | None = None,
    metadata: dict[str, str] | None = None,
    seed: int = 0,
) -> Path:
    """Write a LoRA; the same seed gives the same bytes."""
    save_file(lora_tensors(seed=seed) if tensors is None else tensors, path, metadata)
    return path
