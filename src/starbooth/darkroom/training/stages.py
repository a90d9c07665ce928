"""The stages of training, in order. Each reads what the one before it left in the home folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from starbooth.darkroom.training import autoencoder, folder, judge, scenes, text, transformer


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where to work and how."""

    home: Path
    folder: Path
    threads: int
    is_compiled: bool
    log: Callable[[str], None]


def draw(bench: Bench, _steps: int | None) -> None:
    """Draw all scenes; takes about four minutes on two cores and 2.8 GB of disk."""
    for number, shape in enumerate(scenes.SHAPES):
        scenes.draw_scenes(bench.home, shape, seed=number)
        bench.log(f"scenes {shape.width_px}x{shape.height_px}: {shape.count}")


def teach_judge(bench: Bench, steps: int | None) -> None:
    """Teach the judge's eyes."""
    judge.teach_judge(bench.home, bench.home / "eyes.safetensors", steps=steps or 1500, log=bench.log)


def teach_inner(bench: Bench, steps: int | None) -> None:
    """First lesson of the autoencoder; leaves its encoder finished and the latents of all scenes."""
    squares = scenes.open_scenes(bench.home, scenes.SHAPES[0])
    model = autoencoder.teach_inner_levels(squares, bench.home, steps=steps or 800, log=bench.log)
    for shape in scenes.SHAPES:
        made = autoencoder.latents_of(model, scenes.open_scenes(bench.home, shape))
        torch.save(made, scenes.folder_of(bench.home, shape) / "latents.pt")
        bench.log(f"latents {tuple(made.shape)} rms {made.float().square().mean().sqrt():.3f}")


def teach_decoder(bench: Bench, steps: int | None) -> None:
    """Second lesson of the autoencoder: its decoder. May run beside the transformer's."""
    model = _inner_autoencoder(bench.home)
    squares = scenes.open_scenes(bench.home, scenes.SHAPES[0])
    grid = _grids(bench.home)[0]
    autoencoder.teach_decoder(model, squares, grid, bench.home, steps=steps or 1350, log=bench.log)


def teach_transformer(bench: Bench, steps: int | None) -> None:
    """Teach transformer and text encoders."""
    torch.manual_seed(2)
    language = text.new_language()
    checkpoint = bench.home / "transformer.pt"
    if not checkpoint.exists():
        text.teach_words(language, steps=120, log=bench.log)
    transformer.teach_transformer(
        transformer.Pupil(transformer.new_transformer(), language),
        language,
        _scaled_latents(bench.home),
        checkpoint,
        steps=steps or 4200,
        threads=bench.threads,
        is_compiled=bench.is_compiled,
        log=bench.log,
    )


def write(bench: Bench, _steps: int | None) -> None:
    """Write the folder of what is taught so far: the running average of the transformer, and the decoder."""
    language = text.new_language()
    pupil = transformer.Pupil(transformer.new_transformer(), language)
    saved = torch.load(bench.home / "transformer.pt", weights_only=True)
    average = {
        name.removeprefix("average."): value
        for name, value in saved["model"].items()
        if name.startswith("average.")
    }
    pupil.load_state_dict(average)
    model = _inner_autoencoder(bench.home)
    decoder = torch.load(bench.home / "decoder.pt", weights_only=True)["model"]
    model.decoder.load_state_dict({name.removeprefix("decoder."): value for name, value in decoder.items()})
    grids = _grids(bench.home)
    folder.fix_autoencoder(model, grids, variance=autoencoder.LATENT_NOISE**2)
    folder.write_folder(bench.folder, transformer=pupil.transformer, language=language, autoencoder=model)
    bench.log(f"wrote {bench.folder} after {saved['step']} steps")


def _inner_autoencoder(home: Path) -> Any:
    model = autoencoder.new_autoencoder()
    saved = torch.load(home / "inner.pt", weights_only=True)["model"]
    inner = {
        name.removeprefix("autoencoder."): value
        for name, value in saved.items()
        if name.startswith("autoencoder.")
    }
    model.load_state_dict(inner)
    return model


def _grids(home: Path) -> list[torch.Tensor]:
    paths = [scenes.folder_of(home, shape) / "latents.pt" for shape in scenes.SHAPES]
    return [torch.load(path, weights_only=True) for path in paths]


def _scaled_latents(home: Path) -> list[transformer.Latents]:
    grids = _grids(home)
    everything = torch.cat([grid.float().flatten() for grid in grids])
    shift, deviation = everything.mean(), everything.std()
    made = []
    for shape, grid in zip(scenes.SHAPES, grids, strict=True):
        drawn = scenes.open_scenes(home, shape)
        cells = torch.from_numpy(drawn.cells).float().flatten(1) / 255
        scaled = (grid.float() - shift) / deviation
        made.append(transformer.Latents(grid=scaled, labels=drawn.labels, cells=cells))
    return made


STAGES: dict[str, Callable[[Bench, int | None], None]] = {
    "draw": draw,
    "judge": teach_judge,
    "inner": teach_inner,
    "decoder": teach_decoder,
    "transformer": teach_transformer,
    "write": write,
}
