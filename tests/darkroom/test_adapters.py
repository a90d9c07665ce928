"""LoRA weights on the tiny FLUX: what each does to a picture, and which files are none for it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from starbooth.darkroom.adapters import MOST_LOADED
from starbooth.darkroom.painter import DEFAULT_FOLDER, FluxPainter, Lora, LoraUnfit, Scene, open_painter
from tests.darkroom.weights import LAYERS, lora_file, lora_tensors

SCENE = Scene(prompt="a red fox in the forest", width_px=256, height_px=256, steps=8, guidance=3.5, seed=1)
FIRST = next(iter(LAYERS))


@pytest.fixture(scope="module")
def painter() -> Iterator[FluxPainter]:
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    opened = open_painter(DEFAULT_FOLDER, "cpu")
    assert isinstance(opened, FluxPainter)
    yield opened
    torch.set_num_threads(usual)


def painted(painter: FluxPainter, *loras: Lora) -> NDArray[Any]:
    """The picture of one scene with these."""
    (picture,) = painter.paint(replace(SCENE, loras=loras), lambda _step, _steps, _peek: True)
    return np.asarray(picture).astype(int)


def distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    """The mean difference in levels of brightness."""
    return float(np.abs(first - second).mean())


class TestUse:
    def test_each_request_is_painted_with_its_own_and_no_others(
        self, painter: FluxPainter, tmp_path: Path
    ) -> None:
        first, second = (Lora(path=lora_file(tmp_path / str(seed), seed=seed)) for seed in (1, 2))
        bare, with_first, with_second = painted(painter), painted(painter, first), painted(painter, second)
        assert min(distance(bare, with_first), distance(with_first, with_second)) > 5
        both = painted(painter, first, second)
        assert min(distance(both, with_first), distance(both, with_second)) > 5
        assert distance(painted(painter, second, first), both) < 1
        assert distance(painted(painter, first), with_first) == 0
        assert distance(painted(painter), bare) == 0

    def test_the_scale_says_how_strongly(self, painter: FluxPainter, tmp_path: Path) -> None:
        path = lora_file(tmp_path / "l")
        bare = painted(painter)
        none, half, whole = (
            distance(painted(painter, Lora(path=path, scale=scale)), bare) for scale in (0.0, 0.4, 1.0)
        )
        assert none == 0 < half < whole

    def test_the_same_twice_adds_up(self, painter: FluxPainter, tmp_path: Path) -> None:
        path = lora_file(tmp_path / "l")
        half = Lora(path=path, scale=0.5)
        assert distance(painted(painter, half, half), painted(painter, Lora(path=path))) < 1

    def test_an_alpha_counts_whether_a_tensor_or_the_metadata_tells_it(
        self, painter: FluxPainter, tmp_path: Path
    ) -> None:
        wanted = painted(painter, Lora(path=lora_file(tmp_path / "plain"), scale=0.5))
        told = {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 2})}
        by_metadata = lora_file(tmp_path / "metadata", metadata=told)
        alphas = {f"{name}.alpha": torch.tensor(2.0) for name in LAYERS}
        by_tensors = lora_file(tmp_path / "alphas", tensors={**lora_tensors(), **alphas})
        for path in (by_metadata, by_tensors):
            assert distance(painted(painter, Lora(path=path)), wanted) < 1

    def test_many_are_kept_loaded_but_not_all(self, painter: FluxPainter, tmp_path: Path) -> None:
        paths = [lora_file(tmp_path / str(seed), seed=seed) for seed in range(MOST_LOADED + 2)]
        first = painted(painter, Lora(path=paths[0]))
        for path in paths:
            painter._rack.use([Lora(path=path)])
        assert painter._rack.loaded == MOST_LOADED
        assert distance(painted(painter, Lora(path=paths[0])), first) == 0

    def test_a_file_that_changed_under_its_name_is_read_anew(
        self, painter: FluxPainter, tmp_path: Path
    ) -> None:
        path = lora_file(tmp_path / "l", seed=1)
        before = painted(painter, Lora(path=path))
        lora_file(path, seed=2)
        assert distance(painted(painter, Lora(path=path)), before) > 5


def without(name: str) -> dict[str, torch.Tensor]:
    """All tensors but this."""
    tensors = lora_tensors()
    del tensors[name]
    return tensors


def changed(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """All tensors, one of them another."""
    return {**lora_tensors(), name: tensor}


class TestUnfit:
    @pytest.mark.parametrize(
        ("tensors", "reason"),
        [
            (without(f"{FIRST}.lora_B.weight"), "half"),
            (changed(f"{FIRST}.lora_A.weight", torch.zeros(4, 3072)), "another size"),
            (changed(f"{FIRST}.lora_B.weight", torch.zeros(192, 5)), "another size"),
            (changed(f"{FIRST}.lora_A.weight", torch.zeros(4)), "half"),
            (changed(f"{FIRST}.lora_A.weight", torch.full((4, 192), float("nan"))), "numbers"),
            (changed("transformer.moon.lora_A.weight", torch.zeros(4, 192)), "layer"),
            (changed("text_encoder.q.lora_A.weight", torch.zeros(4, 192)), "layer"),
            (changed(f"{FIRST}.alpha", torch.tensor(float("inf"))), "alphas"),
            (changed(f"{FIRST}.alpha", torch.ones(3)), "alphas"),
            ({"lora_unet_moon.lora_down.weight": torch.zeros(4, 192)}, "."),
            ({f"{FIRST}.alpha": torch.tensor(1.0)}, "no weights"),
        ],
    )
    def test_it_is_refused_with_its_number_and_the_rack_stays_usable(
        self, painter: FluxPainter, tmp_path: Path, tensors: dict[str, torch.Tensor], reason: str
    ) -> None:
        good, bad = lora_file(tmp_path / "good"), lora_file(tmp_path / "bad", tensors=tensors)
        with pytest.raises(LoraUnfit, match=reason) as refused:
            painter._rack.use([Lora(path=good), Lora(path=bad)])
        assert refused.value.number == 1
        painter._rack.use([Lora(path=good)])
        painter._rack.use([])

    def test_a_file_that_is_no_safetensors_is_refused(self, painter: FluxPainter, tmp_path: Path) -> None:
        path = tmp_path / "pickle"
        torch.save({"a": torch.zeros(2)}, path)
        with pytest.raises(LoraUnfit, match="safetensors"):
            painter._rack.use([Lora(path=path)])
