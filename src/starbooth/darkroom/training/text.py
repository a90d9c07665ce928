"""Makes the two tokenizers and the two small text encoders, and teaches the encoders what the words mean.

Every word of the small world is one token of each tokenizer, so that a caption stays under `MAX_TOKENS`.
Other words fall into letters.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from starbooth.darkroom.training.scenes import KINDS, all_views, labels_of
from starbooth.darkroom.world.words import caption_of

MAX_TOKENS = 16
CLIP_TOKENS = 20
CLIP_WIDTH = 128
T5_WIDTH = 192


@dataclass(frozen=True, kw_only=True)
class Language:
    """Both tokenizers and both encoders of a FLUX pipeline."""

    clip_tokenizer: Any
    t5_tokenizer: Any
    clip: Any
    t5: Any


def world_words() -> list[str]:
    """Every word that can stand in a caption, each once, in a fixed order."""
    seen: dict[str, None] = {}
    for view in all_views():
        seen.update(dict.fromkeys(caption_of(view).split()))
    return [*seen, "thing"]


def _clip_tokenizer(words: list[str]) -> Any:
    """Byte-level BPE whose merges build each world word from its letters, one letter at a time."""
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in words:
        symbols = [*word[:-1], word[-1] + "</w>"]
        while len(symbols) > 1:
            left, right = symbols[-2:]
            if (left, right) not in merges:
                merges.append((left, right))
                pieces.append(left + right)
            symbols[-2:] = [left + right]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    kind: Any = transformers.CLIPTokenizer
    made = kind(vocab=vocabulary, merges=merges)
    made.model_max_length = CLIP_TOKENS
    return made


def _t5_tokenizer(words: list[str]) -> Any:
    """A table of whole words, likely, and of single printable letters, unlikely."""
    from transformers import T5Tokenizer

    table = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    table += [("▁" + word, -1.0) for word in words if len(word) > 1]
    table += [("▁a", -3.0)] + [(letter, -8.0) for letter in string.printable if not letter.isspace()]
    made = T5Tokenizer(vocab=table, extra_ids=0)
    made.model_max_length = MAX_TOKENS
    return made


def new_language() -> Language:
    """Both tokenizers, and both encoders untaught."""
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    words = world_words()
    clip_tokenizer, t5_tokenizer = _clip_tokenizer(words), _t5_tokenizer(words)
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(clip_tokenizer),
            hidden_size=CLIP_WIDTH,
            intermediate_size=2 * CLIP_WIDTH,
            projection_dim=CLIP_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=CLIP_TOKENS,
            bos_token_id=clip_tokenizer.bos_token_id,
            eos_token_id=clip_tokenizer.eos_token_id,
            pad_token_id=clip_tokenizer.pad_token_id,
        )
    )
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(t5_tokenizer),
            d_model=T5_WIDTH,
            d_kv=48,
            d_ff=2 * T5_WIDTH,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
        )
    )
    return Language(clip_tokenizer=clip_tokenizer, t5_tokenizer=t5_tokenizer, clip=clip, t5=t5)


def tokens_of(language: Language, captions: list[str]) -> tuple[Tensor, Tensor]:
    """Token numbers as the pipeline makes them: (count, CLIP_TOKENS) and (count, MAX_TOKENS)."""
    clip = language.clip_tokenizer(
        captions, padding="max_length", max_length=CLIP_TOKENS, truncation=True, return_tensors="pt"
    ).input_ids
    t5 = language.t5_tokenizer(
        captions, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
    ).input_ids
    return clip, t5


def teach_words(language: Language, *, steps: int, batch: int = 96, log: Callable[[str], None]) -> None:
    """Teach both encoders to tell which words a caption holds, so that the transformer starts with a clear
    signal.
    """
    views = all_views()
    sizes = [len(list(kind)) for kind in KINDS]
    heads = nn.ModuleList([nn.Linear(width, sum(sizes)) for width in (CLIP_WIDTH, T5_WIDTH)])
    parameters = [*language.clip.parameters(), *language.t5.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0)
    for step in range(steps):
        chosen = [views[i] for i in np.random.default_rng((7, step)).integers(len(views), size=batch)]
        truth = torch.tensor([labels_of(view) for view in chosen])
        clip_tokens, t5_tokens = tokens_of(language, [caption_of(view) for view in chosen])
        pooled = language.clip(clip_tokens).pooler_output
        spread = language.t5(t5_tokens)[0].mean(dim=1)
        loss = torch.zeros(())
        for head, features in zip(heads, (pooled, spread), strict=True):
            for part, column in zip(head(features).split(sizes, dim=1), truth.T, strict=True):
                loss = loss + nn.functional.cross_entropy(part, column)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        if (step + 1) % 50 == 0:
            log(f"words {step + 1}/{steps} loss {loss.item():.3f}")
