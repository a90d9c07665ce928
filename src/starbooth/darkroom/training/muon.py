"""Muon: momentum whose matrices are orthogonalised before they are applied, and AdamW for everything else.

Source: Keller Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024), with the step size of
Liu et al. 2025 (arXiv 2502.16982), which lets one learning rate serve matrices of every shape.
torch.optim.Muon takes matrices only; this one also takes the kernels of convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix with singular values near 1, by five Newton-Schulz steps."""
    a, b, c = 3.4445, -4.7750, 2.0315
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if is_tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    straight: Tensor = x.T if is_tall else x
    return straight.to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum with orthogonalised updates, for parameters of two or more dimensions."""

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step for every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                average = state["momentum"]
                average.lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(average, group["momentum"]).flatten(1)
                size = 0.2 * max(ahead.shape) ** 0.5
                update = orthogonalised(ahead).reshape(parameter.shape)
                parameter.add_(update, alpha=-group["lr"] * size)


def optimisers_for(
    parameters: Iterable[tuple[str, nn.Parameter]], *, matrix_lr: float, other_lr: float, parts: int = 1
) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices; AdamW for vectors, embeddings, and the first and last layers.

    Muon comes in `parts` of about the same work, the AdamW last; all may step at the same time.
    """
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        is_inner = parameter.ndim >= 2 and not any(part in name for part in OUTER_LAYERS)
        (matrices if is_inner else others).append(parameter)
    matrices.sort(key=lambda matrix: -matrix.numel() * min(matrix.flatten(1).shape))
    return [
        *(Muon(matrices[part::parts], lr=matrix_lr) for part in range(parts)),
        torch.optim.AdamW(others, lr=other_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


OUTER_LAYERS = (
    "conv_in", "conv_out", "embed_tokens", "shared", "token_embedding", "position_embedding",
    "relative_attention_bias", "proj_out", "x_embedder",
)  # fmt: skip


def set_rate(optimisers: list[torch.optim.Optimizer], base_lrs: list[float], share: float) -> None:
    """Give every optimiser `share` of its base learning rate."""
    for optimiser, base in zip(optimisers, base_lrs, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = base * share


def set_mean_gradients(
    parameters: Sequence[nn.Parameter], gradients: Sequence[tuple[Tensor | None, ...]]
) -> None:
    """Give each parameter the mean of its gradients, one row of `gradients` per part of the batch."""
    for number, parameter in enumerate(parameters):
        known = [row[number] for row in gradients]
        total = known[0]
        for more in known[1:]:
            if total is not None and more is not None:
                total.add_(more)
        parameter.grad = None if total is None else total.div_(len(gradients))


def step_alone(optimiser: torch.optim.Optimizer) -> None:
    """One step on one processor thread, for use beside others."""
    torch.set_num_threads(1)
    optimiser.step()


@contextmanager
def single_thread() -> Iterator[None]:
    """One processor thread per operation while it lasts, in the thread that asks for it."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
