"""LoRA weights on a FLUX transformer: read, checked against the model, loaded, kept, switched per picture.

Knows diffusers and peft; imported only where a painter is opened. Knows no address: a LoRA is a file.
"""

from __future__ import annotations

import json
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import SafetensorError, safe_open

from starbooth.darkroom.painter import Lora, LoraUnfit

MOST_LOADED = 8
"""So many stay loaded; for FLUX.1 each takes about 90 MB beside the model."""

PREFIX = "transformer."
BASE_KEY = "starbooth_base"
"""Under it a file's metadata names the fingerprint of the model that it was made for."""

LARGEST_RANK = 512

Key = tuple[str, int, int]
Weights = dict[str, torch.Tensor]

_ODD = (KeyError, ValueError, RuntimeError, TypeError, IndexError, AttributeError)
"""What the converters of diffusers raise on names and shapes that they do not expect."""


class Rack:
    """The adapters of one transformer. Belongs to the painter's thread. base: the transformer's fingerprint;
    a LoRA that says to be made for another one is refused, and one that says nothing is tried by its sizes.
    """

    def __init__(self, transformer: Any, base: str = "") -> None:
        self._transformer = transformer
        self._base = base
        self._loaded: OrderedDict[Key, str] = OrderedDict()
        self._learning: str | None = None
        self._is_learning = False
        self._count = 0
        self._sizes = {
            name: (module.in_features, module.out_features)
            for name, module in transformer.named_modules()
            if isinstance(module, torch.nn.Linear)
        }

    def use(self, loras: Sequence[Lora]) -> None:
        """Paint with exactly these from now on; none means the bare model. The same twice adds up.

        Raises: LoraUnfit; the rack stays usable.
        """
        self._is_learning = False
        keys = [_key(lora.path) for lora in loras]
        for number, (lora, key) in enumerate(zip(loras, keys, strict=True)):
            if key not in self._loaded:
                self._make_room(keep=keys)
                self._load(number, lora.path, key)
            self._loaded.move_to_end(key)
        if not loras:
            if self._loaded or self._learning:
                self._transformer.disable_lora()
            return
        scales: dict[str, float] = {}
        for lora, key in zip(loras, keys, strict=True):
            scales[self._loaded[key]] = scales.get(self._loaded[key], 0.0) + lora.scale
        self._transformer.enable_lora()
        self._transformer.set_adapters(list(scales), list(scales.values()))

    @property
    def loaded(self) -> int:
        """How many are kept at this moment."""
        return len(self._loaded)

    def opened(self, path: Path) -> Weights:
        """A file's weights, without the prefix of the transformer, scaled so that their alpha is their rank.

        Raises: LoraUnfit, of the number 0.
        """
        weights, alphas = self._read(0, path)
        for name, alpha in alphas.items():
            down, up = (f"{name.removesuffix('.alpha')}.lora_{half}.weight" for half in "AB")
            if up in weights:
                weights[up] = weights[up] * (float(alpha) / weights[down].shape[0])
        return {name.removeprefix(PREFIX): tensor for name, tensor in weights.items()}

    def begin_learning(self, config: Any) -> str:
        """Put a new adapter of peft's `config` on the transformer, to be taught; one at a time.

        Returns its name. It counts for no picture until it is `learn`ed with.
        """
        self.end_learning()
        self._count += 1
        self._learning = f"learning_{self._count}"
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")
            self._transformer.add_adapter(config, self._learning)
        return self._learning

    def learn(self) -> None:
        """Have the adapter that is being taught count, and no other, until `use` is called again."""
        if not self._is_learning:
            self._transformer.enable_lora()
            self._transformer.set_adapters([self._learning], [1.0])
            self._is_learning = True

    def end_learning(self) -> None:
        """Take the taught adapter off. Safe to repeat."""
        if self._learning is not None:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Adapter .* was active")  # `use` or `learn` set the next
                self._transformer.delete_adapters(self._learning)
        self._learning, self._is_learning = None, False

    def _make_room(self, *, keep: Sequence[Key]) -> None:
        """Unload the one that was not used for longest, if there are many."""
        if len(self._loaded) < MOST_LOADED:
            return
        oldest = next(key for key in self._loaded if key not in keep)
        self._transformer.delete_adapters(self._loaded.pop(oldest))

    def _read(self, number: int, path: Path) -> tuple[Weights, Weights]:
        """The weights and alphas of a file that fits this transformer. Raises: LoraUnfit."""
        weights, alphas, base = _read(number, path)
        if base not in {None, self._base}:
            raise LoraUnfit(number, "it was made for another base model")
        _check(number, weights, self._sizes)
        if not all(alpha.numel() == 1 and torch.isfinite(alpha).all() for alpha in alphas.values()):
            raise LoraUnfit(number, "its alphas are no numbers")
        return weights, alphas

    def _load(self, number: int, path: Path, key: Key) -> None:
        weights, alphas = self._read(number, path)
        self._count += 1
        name = f"lora_{self._count}"
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several are what we want
            self._transformer.load_lora_adapter(
                weights, network_alphas=alphas, adapter_name=name, prefix=PREFIX.rstrip(".")
            )
        self._loaded[key] = name


def _key(path: Path) -> Key:
    """A file that was fetched anew under its old name is another one."""
    stat = path.stat()
    return str(path), stat.st_mtime_ns, stat.st_size


def _read(number: int, path: Path) -> tuple[Weights, Weights, str | None]:
    """The weights in diffusers' names, whatever trainer's names the file has, their alphas, and the base."""
    flux: Any = diffusers.FluxPipeline
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            written = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it has no iterator
        weights, alphas = flux.lora_state_dict(written, return_alphas=True)
    except SafetensorError as error:
        raise LoraUnfit(number, "not a safetensors file") from error
    except _ODD as error:
        raise LoraUnfit(number, "its names are those of no trainer known here") from error
    return weights, alphas or _alphas_told(metadata, weights), metadata.get(BASE_KEY)


def _alphas_told(metadata: dict[str, str], weights: Weights) -> Weights:
    """diffusers writes one alpha for all into the file's metadata; without it alpha is the rank."""
    try:
        told = json.loads(metadata["lora_adapter_metadata"])
        alpha = float(told[f"{PREFIX}lora_alpha"])
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    ending = ".lora_A.weight"
    names = [name.removesuffix(ending) for name in weights if name.endswith(ending)]
    return {f"{name}.alpha": torch.tensor(alpha) for name in names}


def _check(number: int, weights: Weights, sizes: dict[str, tuple[int, int]]) -> None:
    """Raises: LoraUnfit unless every tensor is half of a pair that fits a layer of the model."""
    names = {name.rpartition(".lora_")[0] for name in weights}
    if not names:
        raise LoraUnfit(number, "it holds no weights")
    for name in names:
        down, up = (weights.get(f"{name}.lora_{half}.weight") for half in "AB")
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) not in sizes:
            raise LoraUnfit(number, "it names a layer that this model has not")
        if down is None or up is None or down.ndim != 2 or up.ndim != 2:
            raise LoraUnfit(number, "half of a pair of matrices is missing")
        wanted = sizes[name.removeprefix(PREFIX)]
        if (down.shape[1], up.shape[0]) != wanted or not 1 <= down.shape[0] == up.shape[1] <= LARGEST_RANK:
            raise LoraUnfit(number, "its matrices have another size than this model's layers")
        if not (torch.isfinite(down).all() and torch.isfinite(up).all()):
            raise LoraUnfit(number, "it holds numbers that are none")
    if len(weights) != 2 * len(names):
        raise LoraUnfit(number, "it holds other tensors than pairs of matrices")
