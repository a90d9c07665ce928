"""How quickly the darkroom trains a LoRA on the tiny FLUX, beside diffusers' own way; how quickly it swaps.

Diffusers publishes how it trains (its example `train_dreambooth_lora_flux.py`); the loop is written plainly
here, on the same weights, photos, rank, layers and batch. Once as it runs by itself, with the photos encoded
anew for every step, and once with its `--cache_latents`. Words are embedded once, as it does for a single
prompt. What is compared is processor time, as the kernel counts it: neighbours do not change it much.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.figures import Figure, Measurement
from tests.darkroom.albums import album, album_file

PHOTOS = 8
BATCH = 4
WARM_UP = 3
ROUNDS = 12
STEPS_A_ROUND = 5


async def measure(*, rounds: int = ROUNDS) -> Measurement:
    """Ours and both of theirs take turns of a few steps each. About two minutes on two quiet cores."""
    return await asyncio.to_thread(_measure, rounds)


def _measure(rounds: int) -> Measurement:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the darkroom does, before torch is loaded
    with tempfile.TemporaryDirectory(prefix="lora-") as folder:
        photos = album_file(Path(folder), album(PHOTOS))
        ways = {
            "ours": _ours(photos, Path(folder)),
            "diffusers": _theirs(photos, caches_latents=False),
            "diffusers, cached": _theirs(photos, caches_latents=True),
        }
        for steps in ways.values():
            for _ in range(WARM_UP):
                next(steps)
        took_s, busy_s = ({name: list[float]() for name in ways} for _ in "ab")
        for number in range(rounds):
            turn = [*ways.items()][:: 1 if number % 2 else -1]  # nobody is always the first after a pause
            for name, steps in turn:
                began_s, began_busy_s = time.perf_counter(), time.process_time()
                for _ in range(STEPS_A_ROUND):
                    next(steps)
                took_s[name].append((time.perf_counter() - began_s) / STEPS_A_ROUND)
                busy_s[name].append((time.process_time() - began_busy_s) / STEPS_A_ROUND)
        swap_s, load_s = _swaps(Path(folder))
    rate = {name: 1 / statistics.median(each) for name, each in took_s.items()}
    busy = {name: statistics.median(each) for name, each in busy_s.items()}
    return Measurement(
        figures=(
            Figure(name="training, batch 4, 256 pixels", value=rate["ours"], unit="steps/s"),
            Figure(name="diffusers' way", value=rate["diffusers"], unit="steps/s"),
            Figure(name="diffusers' way, latents cached", value=rate["diffusers, cached"], unit="steps/s"),
            Figure(name="ours ÷ diffusers'", value=busy["diffusers"] / busy["ours"], unit="", at_least=1.0),
            Figure(
                name="ours ÷ diffusers', latents cached",
                value=busy["diffusers, cached"] / busy["ours"],
                unit="",
            ),
            Figure(name="swap to a LoRA that is loaded", value=statistics.median(swap_s) * 1000, unit="ms"),
            Figure(name="swap to a LoRA that is not", value=statistics.median(load_s) * 1000, unit="ms"),
        ),
        details={"seconds_per_step": took_s, "busy_per_step": busy_s, "swap_s": swap_s, "load_s": load_s},
    )


def _painter() -> Any:
    from starbooth.darkroom.painter import DEFAULT_FOLDER, open_painter

    return open_painter(DEFAULT_FOLDER, "cpu")


def _ours(photos: Path, folder: Path) -> Iterator[object]:
    """Our trainer, one step after the other, with its checkpoints and without sample pictures."""
    from starbooth.darkroom.lora_training import teacher
    from starbooth.darkroom.lora_training.recipe import Recipe, Wishes

    teacher.SAMPLE_EVERY_S = float("inf")
    recipe = Recipe(archive=photos, trigger="zxq", steps=10_000, learning_rate=1e-4, seed=1)
    for progress in _painter().train(recipe, folder, Wishes()):
        if progress.step:
            yield progress


def _theirs(photos: Path, *, caches_latents: bool) -> Iterator[object]:
    """Diffusers' loop: encode, pack, mix with noise at the scheduler's times, mean square, clip, AdamW."""
    import torch
    from diffusers.training_utils import compute_density_for_timestep_sampling
    from peft import LoraConfig

    from starbooth.darkroom.lora_training.archive import photos_in
    from starbooth.darkroom.painter import small_world_caption

    pipeline = _painter()._pipeline
    transformer, vae, scheduler = pipeline.transformer, pipeline.vae, pipeline.scheduler
    names = ["attn.to_k", "attn.to_q", "attn.to_v", "attn.to_out.0", "attn.add_k_proj", "attn.add_q_proj"]
    names += ["attn.add_v_proj", "attn.to_add_out", "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj"]
    names += [
        "ff_context.net.2",
        "proj_mlp",
        *(f"single_transformer_blocks.{at}.proj_out" for at in range(5)),
    ]
    scale = pipeline.vae_scale_factor
    transformer.requires_grad_(False)
    transformer.add_adapter(
        LoraConfig(r=16, lora_alpha=16, init_lora_weights="gaussian", target_modules=names)
    )
    weights = [each for each in transformer.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=2e-3, betas=(0.9, 0.999), weight_decay=1e-4, eps=1e-8)
    scheduler.set_timesteps(1000)
    sigmas = scheduler.sigmas[:1000]
    pixels = torch.cat([pipeline.image_processor.preprocess(each.picture) for each in photos_in(photos)])
    with torch.no_grad():
        words, pooled, text_ids = pipeline.encode_prompt(
            prompt=[small_world_caption("", seed=1)] * BATCH, prompt_2=None, max_sequence_length=16
        )
        kept = vae.encode(pixels).latent_dist if caches_latents else None
    dice = torch.Generator().manual_seed(1)
    while True:
        chosen = torch.randint(PHOTOS, (BATCH,), generator=dice)
        with torch.no_grad():
            drawn = kept.sample() if kept is not None else vae.encode(pixels[chosen]).latent_dist.sample()
        latents = drawn[chosen] if kept is not None else drawn
        latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
        batch, channels, rows, columns = latents.shape
        ids = pipeline._prepare_latent_image_ids(
            batch, rows // 2, columns // 2, latents.device, latents.dtype
        )
        noise = torch.randn_like(latents)
        u = compute_density_for_timestep_sampling("logit_normal", batch, logit_mean=0.0, logit_std=1.0)
        sigma = sigmas[(u * 1000).long()][:, None, None, None]
        noisy = (1 - sigma) * latents + sigma * noise
        told = transformer(
            hidden_states=pipeline._pack_latents(noisy, batch, channels, rows, columns),
            timestep=sigma.flatten(),
            guidance=None,
            pooled_projections=pooled,
            encoder_hidden_states=words,
            txt_ids=text_ids,
            img_ids=ids,
            return_dict=False,
        )[0]
        told = pipeline._unpack_latents(told, rows * scale, columns * scale, scale)
        loss = ((told.float() - (noise - latents).float()) ** 2).reshape(batch, -1).mean(1).mean()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        yield loss.item()


def _swaps(folder: Path) -> tuple[list[float], list[float]]:
    """Seconds to change to a LoRA of rank 16 that is loaded, and to one that is not."""
    from starbooth.darkroom.adapters import Rack
    from starbooth.darkroom.painter import Lora
    from tests.darkroom.weights import lora_file, lora_tensors

    rack = Rack(_painter()._pipeline.transformer)
    loras = [
        Lora(path=lora_file(folder / f"{seed}.safetensors", tensors=lora_tensors(seed=seed, rank=16)))
        for seed in range(7)
    ]
    load_s = [_seconds(rack, lora) for lora in loras]
    swap_s = [_seconds(rack, replace(lora, scale=0.9)) for _ in range(5) for lora in loras]
    return swap_s, load_s


def _seconds(rack: Any, lora: Any) -> float:
    began_s = time.perf_counter()
    rack.use([lora])
    return time.perf_counter() - began_s
