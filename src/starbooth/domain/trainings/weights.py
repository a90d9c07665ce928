"""Looking at what an engine sent as a LoRA: are the weights safetensors, and what may be kept of the config?

Nothing here loads a tensor, and nothing could run a pickle: of the file, the length, a JSON header and the
sums are looked at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LARGEST_WEIGHTS_BYTES = 256 * 1024 * 1024  # rank 16 of the real FLUX is 90 MB, or 180 in full precision
LARGEST_CONFIG_BYTES = 1024 * 1024
_LARGEST_HEADER_BYTES = 8 * 1024 * 1024
_MOST_TENSORS = 20_000
_BYTES_OF = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
}


class BrokenWeights(Exception):
    """The bytes are no LoRA that we take. The text says why, for the operator."""


@dataclass(frozen=True, kw_only=True)
class WeightsFacts:
    """What the file holds. rank: of the first matrix that has one; None in a form that we do not know."""

    tensors: int
    rank: int | None


def examine_weights(body: bytes) -> WeightsFacts:
    """Say what is in a safetensors file of a LoRA. Raises: BrokenWeights for anything else.

    Every tensor must be of a known kind and lie where its shape says; together they must fill the file, so
    that one that was cut, or has something hidden behind its end, is refused.
    """
    header, start = _read_header(body)
    tensors = {name: facts for name, facts in header.items() if name != "__metadata__"}
    if not 1 <= len(tensors) <= _MOST_TENSORS:
        raise BrokenWeights(f"{len(tensors)} tensors")
    spans = sorted(_span(name, facts) for name, facts in tensors.items())
    end = 0
    for begin, stop in spans:
        if begin != end:
            raise BrokenWeights("tensors overlap, or leave holes")
        end = stop
    if start + end != len(body):
        raise BrokenWeights("the file is cut, or longer than its tensors")
    if not any("lora" in name.lower() for name in tensors):
        raise BrokenWeights("no tensor of a LoRA")
    return WeightsFacts(tensors=len(tensors), rank=_rank(tensors))


def _read_header(body: bytes) -> tuple[dict[str, Any], int]:
    if len(body) < 8:
        raise BrokenWeights("too short")
    length = int.from_bytes(body[:8], "little")
    if not 2 <= length <= min(_LARGEST_HEADER_BYTES, len(body) - 8):
        raise BrokenWeights("no safetensors header")
    try:
        header = json.loads(body[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise BrokenWeights("no safetensors header") from error
    if not isinstance(header, dict):
        raise BrokenWeights("no safetensors header")
    return header, 8 + length


def _span(name: str, facts: object) -> tuple[int, int]:
    """Where a tensor begins and ends, behind the header."""
    if not isinstance(facts, Mapping):
        raise BrokenWeights(f"{name:.80}: not described")
    shape, offsets = _sizes(facts.get("shape")), _sizes(facts.get("data_offsets"))
    width = _BYTES_OF.get(str(facts.get("dtype")))
    if width is None or shape is None or offsets is None or len(offsets) != 2:
        raise BrokenWeights(f"{name:.80}: not described")
    size = width
    for side in shape:
        size *= side
    begin, end = offsets
    if end - begin != size:
        raise BrokenWeights(f"{name:.80}: not as long as its shape")
    return begin, end


def _sizes(value: object) -> list[int] | None:
    """The whole numbers of a list that holds nothing else."""
    if not isinstance(value, list):
        return None
    are_sizes = all(type(each) is int and 0 <= each < 2**48 for each in value)
    return value if are_sizes else None


def _rank(tensors: Mapping[str, Any]) -> int | None:
    for name in sorted(tensors):
        shape = tensors[name]["shape"]
        if name.endswith((".lora_A.weight", ".lora_down.weight")) and shape:
            return int(shape[0])
    return None


def strip_config(body: bytes) -> dict[str, Any] | None:
    """An engine's config without what leads to the guest's photos: links, whole files in text, long prose.

    None where the bytes are no JSON object.
    """
    try:
        config = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return _stripped(config) if isinstance(config, dict) else None


_LONGEST_TEXT = 500
_MOST_ENTRIES = 200


def _stripped(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in list(config.items())[:_MOST_ENTRIES]:
        is_plain = _is_plain(value) if isinstance(value, str) else isinstance(value, bool | int | float)
        if is_plain or value is None:
            kept[name] = value
        elif isinstance(value, Mapping):
            kept[name] = _stripped(value)
    return kept


def _is_plain(text: str) -> bool:
    return len(text) <= _LONGEST_TEXT and "://" not in text and not text.startswith("data:")
