"""What a training leaves on the disk: checkpoints to go on from, and at the end the weights for others.

Both are safetensors files that appear whole or not at all. Imported only where a painter is opened.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from starbooth.darkroom.adapters import BASE_KEY
from starbooth.darkroom.lora_training.recipe import WEIGHTS_FILE

CHECKPOINT = "checkpoint.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW remembers of each weight, beside the number of steps."""


class Checkpoints:
    """The checkpoint of one training. weights: the parameters that learn, by name."""

    def __init__(self, folder: Path, weights: dict[str, nn.Parameter]) -> None:
        self._folder = folder
        self.weights = weights
        # An adapter's name counts up within a process, so it is no part of what is written.
        self._names = {name: str(number) for number, name in enumerate(sorted(weights))}

    def keep(self, step: int, optimiser: torch.optim.Optimizer) -> None:
        """Write everything that the next step depends on; replaces the former checkpoint."""
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.weights.items():
            tensors[f"{self._names[name]}.weight"] = parameter.detach().cpu().contiguous()
            for moment in MOMENTS:
                tensors[f"{self._names[name]}.{moment}"] = (
                    optimiser.state[parameter][moment].cpu().contiguous()
                )
        _write(tensors, self._folder / CHECKPOINT, {"step": str(step)})

    def restore(self, optimiser: torch.optim.Optimizer) -> int:
        """Take up the last checkpoint; returns the steps that ran before it, 0 where there is none."""
        path = self._folder / CHECKPOINT
        if not path.is_file():
            return 0
        with safe_open(path, framework="pt") as file, torch.no_grad():
            step = int(file.metadata()["step"])
            for name, parameter in self.weights.items():
                parameter.copy_(file.get_tensor(f"{self._names[name]}.weight"))
                moments = {
                    moment: file.get_tensor(f"{self._names[name]}.{moment}").to(parameter.device)
                    for moment in MOMENTS
                }
                optimiser.state[parameter] = {
                    "step": torch.tensor(float(step), device=parameter.device),
                    **moments,
                }
        return step


def write_weights(folder: Path, transformer: Any, adapter: str, *, base: str) -> None:
    """Write an adapter as `FluxPipeline.save_lora_weights` does, with the base's fingerprint beside it.

    No alpha is written: the adapter's is its rank, as readers take it where none is told.
    """
    from peft import get_peft_model_state_dict

    layers = get_peft_model_state_dict(transformer, adapter_name=adapter)
    layers = {name: weights.detach().to("cpu", transformer.dtype) for name, weights in layers.items()}
    flux: Any = diffusers.FluxPipeline
    flux.save_lora_weights(
        folder,
        transformer_lora_layers=layers,
        weight_name=WEIGHTS_FILE,
        save_function=lambda weights, name: _write(weights, Path(name), {"format": "pt", BASE_KEY: base}),
    )


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished, metadata)
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, path)
