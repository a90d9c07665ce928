"""Real trainings on the tiny FLUX: what is learned, the files, going on after a kill, painting in between."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import peft
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from starbooth.darkroom.adapters import BASE_KEY
from starbooth.darkroom.lora_training import teacher
from starbooth.darkroom.lora_training.base import fingerprint
from starbooth.darkroom.lora_training.lessons import VARIANTS, Lessons, Reader
from starbooth.darkroom.lora_training.recipe import (
    RANK,
    WEIGHTS_FILE,
    Diverged,
    Progress,
    Recipe,
    UnfitStart,
    Wishes,
)
from starbooth.darkroom.painter import (
    DEFAULT_FOLDER,
    FluxPainter,
    Lora,
    LoraUnfit,
    Manners,
    Scene,
    open_painter,
    read_manners,
)
from starbooth.darkroom.schemas import InvalidInput
from tests.darkroom.albums import album, album_file, likeness
from tests.darkroom.weights import lora_file

SCENES = [
    Scene(prompt=prompt, width_px=256, height_px=256, steps=8, guidance=3.5, seed=seed)
    for seed, prompt in enumerate(("a red fox in the forest", "a blue house on the beach", "a star at night"))
]
SHORT, LONG = 6, 60


def go_on(_step: int, _steps: int, _peek: Any) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A LoRA of the style, and the pictures of `SCENES` before it was made."""

    weights: Path
    told: list[Progress]
    before: list[Image.Image]


@pytest.fixture(scope="module")
def painter() -> Iterator[FluxPainter]:
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    opened = open_painter(DEFAULT_FOLDER, "cpu")
    assert isinstance(opened, FluxPainter)
    yield opened
    torch.set_num_threads(usual)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of six pictures of one style."""
    return album_file(tmp_path_factory.mktemp("photos"), album(6))


def recipe(photos: Path | None, **changes: Any) -> Recipe:
    """A recipe with fal's usual learning rate."""
    usual = Recipe(archive=photos, trigger="zxq", steps=SHORT, learning_rate=1e-4, seed=5)
    return replace(usual, **changes)


@pytest.fixture(scope="module")
def trained(painter: FluxPainter, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One LoRA for the whole module."""
    before = [painter.paint(scene, go_on)[0] for scene in SCENES]
    folder = tmp_path_factory.mktemp("trained")
    told = list(painter.train(recipe(photos, steps=LONG), folder, Wishes()))
    return Trained(weights=folder / WEIGHTS_FILE, told=told, before=before)


def learned(painter: FluxPainter, folder: Path, cooked: Recipe) -> dict[str, torch.Tensor]:
    """The weights of a short training."""
    folder.mkdir(exist_ok=True)
    *_, last = painter.train(cooked, folder, Wishes())
    assert last.is_over
    return load_file(folder / WEIGHTS_FILE)


def are_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether the same numbers have the same names."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
class TestStyle:
    def test_pictures_move_towards_it_and_without_the_lora_they_do_not(
        self, painter: FluxPainter, trained: Trained
    ) -> None:
        lora = Lora(path=trained.weights)
        after = [painter.paint(replace(scene, loras=(lora,)), go_on)[0] for scene in SCENES]
        bare = [painter.paint(scene, go_on)[0] for scene in SCENES]
        for old, new, without in zip(trained.before, after, bare, strict=True):
            assert likeness(new) > likeness(old) + 0.15
            assert without.tobytes() == old.tobytes()

    def test_fals_usual_rate_of_a_portrait_works_too(
        self, painter: FluxPainter, photos: Path, tmp_path: Path
    ) -> None:
        cooked = recipe(photos, steps=30, learning_rate=9e-5, has_many_sizes=True)
        learned(painter, tmp_path, cooked)
        lora = Lora(path=tmp_path / WEIGHTS_FILE)
        old, new = (painter.paint(replace(SCENES[0], loras=loras), go_on)[0] for loras in ((), (lora,)))
        assert likeness(new) > likeness(old) + 0.1

    def test_every_step_is_told_and_some_are_kept(self, trained: Trained) -> None:
        steps = [progress.step for progress in trained.told if progress.step and not progress.is_over]
        assert steps == [*range(1, LONG + 1)]
        assert trained.told[-1].is_over
        assert [progress.note for progress in trained.told[:6]] == [
            f"photo {number}" for number in range(1, 7)
        ]


def names_wanted() -> set[str]:
    """The layers that fal's sample trainer teaches, in the tiny model: its blocks, but not their norms."""
    attention = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
    double = [f"attn.{name}" for name in attention]
    double += [f"{side}.net.{layer}" for side in ("ff", "ff_context") for layer in ("0.proj", "2")]
    single = ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp", "proj_out"]
    layers = [f"transformer_blocks.0.{name}" for name in double]
    layers += [f"single_transformer_blocks.{number}.{name}" for number in range(5) for name in single]
    return {f"transformer.{layer}.lora_{half}.weight" for layer in layers for half in "AB"}


class TestFile:
    def test_it_has_the_names_and_shapes_of_diffusers_and_no_alphas(self, trained: Trained) -> None:
        weights = load_file(trained.weights)
        assert set(weights) == names_wanted()
        for name, tensor in weights.items():
            assert tensor.shape[0 if ".lora_A." in name else 1] == RANK
            assert torch.isfinite(tensor).all()

    def test_it_names_its_base(self, trained: Trained) -> None:
        with safe_open(trained.weights, framework="pt") as file:
            assert file.metadata() == {"format": "pt", BASE_KEY: fingerprint(DEFAULT_FOLDER)}

    def test_it_is_refused_by_another_base(
        self, painter: FluxPainter, trained: Trained, tmp_path: Path
    ) -> None:
        path = tmp_path / "other.safetensors"
        save_file(load_file(trained.weights), path, {"format": "pt", BASE_KEY: "0" * 32})
        with pytest.raises(LoraUnfit, match="another base model"):
            painter.paint(replace(SCENES[0], loras=(Lora(path=path),)), go_on)

    def test_another_transformer_has_another_fingerprint(self, tmp_path: Path) -> None:
        (tmp_path / "transformer").mkdir()
        for path in (DEFAULT_FOLDER / "transformer").iterdir():
            (tmp_path / "transformer" / path.name).write_bytes(path.read_bytes())
        assert fingerprint(tmp_path) == fingerprint(DEFAULT_FOLDER)
        page = tmp_path / "transformer" / "config.json"
        page.write_text(page.read_text().replace("192", "193"))
        assert fingerprint(tmp_path) != fingerprint(DEFAULT_FOLDER)


@pytest.fixture(scope="module")
def plain() -> Any:
    """The pipeline as anybody opens it with diffusers, without anything of ours."""
    flux: Any = diffusers.FluxPipeline
    return flux.from_pretrained(DEFAULT_FOLDER, dtype=torch.float32, local_files_only=True)


@torch.no_grad()
def told(transformer: Any) -> torch.Tensor:
    """What a transformer makes of a fixed input."""
    dice = torch.Generator().manual_seed(1)
    ids = torch.zeros(64, 3)
    ids[:, 1], ids[:, 2] = torch.arange(64) // 8, torch.arange(64) % 8
    answer: torch.Tensor = transformer(
        hidden_states=torch.randn(1, 64, 64, generator=dice),
        encoder_hidden_states=torch.randn(1, 16, 192, generator=dice),
        pooled_projections=torch.randn(1, 128, generator=dice),
        timestep=torch.tensor([0.6]),
        img_ids=ids,
        txt_ids=torch.zeros(16, 3),
        return_dict=False,
    )[0]
    return answer


class TestPlainDiffusers:
    def test_it_loads_what_was_made_here_and_reckons_the_same(
        self, plain: Any, painter: FluxPainter, trained: Trained
    ) -> None:
        bare = told(plain.transformer)
        plain.load_lora_weights(trained.weights.parent, weight_name=WEIGHTS_FILE, adapter_name="ours")
        theirs = told(plain.transformer)
        plain.unload_lora_weights()
        painter._rack.use([Lora(path=trained.weights)])
        assert (theirs - bare).abs().max() > 0.1
        torch.testing.assert_close(told(painter._pipeline.transformer), theirs, atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize("alpha", [4, 8])
    def test_what_it_saves_loads_here(
        self, plain: Any, painter: FluxPainter, tmp_path: Path, alpha: int
    ) -> None:
        config = peft.LoraConfig(
            r=4, lora_alpha=alpha, target_modules=["to_q", "to_k"], init_lora_weights=False
        )
        plain.transformer.add_adapter(config, "theirs")
        wanted = told(plain.transformer)
        layers = peft.get_peft_model_state_dict(plain.transformer, adapter_name="theirs")
        metadata = {"transformer_lora_adapter_metadata": {"r": 4, "lora_alpha": alpha}} if alpha != 4 else {}
        type(plain).save_lora_weights(tmp_path, transformer_lora_layers=layers, **metadata)
        plain.unload_lora_weights()
        painter._rack.use([Lora(path=tmp_path / WEIGHTS_FILE)])
        torch.testing.assert_close(told(painter._pipeline.transformer), wanted, atol=1e-4, rtol=1e-4)


class TestGoingOn:
    def test_a_training_that_was_left_goes_on_as_if_nothing_had_been(
        self, painter: FluxPainter, photos: Path, tmp_path: Path
    ) -> None:
        whole = learned(painter, tmp_path / "whole", recipe(photos))
        wishes, folder = Wishes(), tmp_path / "left"
        folder.mkdir()
        steps = []
        for progress in painter.train(recipe(photos), folder, wishes):
            steps.append(progress.step)
            wishes.is_leaving = progress.step >= 2
        assert max(steps) == 3
        assert not (folder / WEIGHTS_FILE).exists()
        # The photos are read already: the zip is not missed.
        again = list(painter.train(recipe(None), folder, Wishes()))
        assert [progress.step for progress in again if progress.step] == [4, 5, 6, 6]
        assert next(progress.note for progress in again if progress.note) == "going on after step 3"
        assert are_equal(load_file(folder / WEIGHTS_FILE), whole)

    def test_one_whose_photos_went_before_they_were_read_is_refused(
        self, painter: FluxPainter, tmp_path: Path
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            list(painter.train(recipe(None), tmp_path, Wishes()))
        assert refused.value.details[0]["type"] == "file_download_error"

    def test_enough_is_enough_after_one_step_at_least(
        self, painter: FluxPainter, photos: Path, tmp_path: Path
    ) -> None:
        *_, last = painter.train(recipe(photos, steps=500), tmp_path, Wishes(is_enough=True))
        assert (last.step, last.is_over) == (1, True)
        assert set(load_file(tmp_path / WEIGHTS_FILE)) == names_wanted()

    def test_one_that_is_broken_off_leaves_the_model_as_it_was(
        self, painter: FluxPainter, photos: Path, trained: Trained, tmp_path: Path
    ) -> None:
        work = painter.train(recipe(photos), tmp_path, Wishes())
        while next(work).step < 2:
            pass
        work.close()
        assert painter.paint(SCENES[0], go_on)[0].tobytes() == trained.before[0].tobytes()
        assert not [name for name in painter._pipeline.transformer.peft_config if "learning" in name]


class TestPaintingInBetween:
    def test_neither_is_changed_by_the_other(
        self, painter: FluxPainter, photos: Path, trained: Trained, tmp_path: Path
    ) -> None:
        alone = learned(painter, tmp_path / "alone", recipe(photos))
        folder = tmp_path / "between"
        folder.mkdir()
        lora = (Lora(path=trained.weights),)
        with_lora = painter.paint(replace(SCENES[1], loras=lora), go_on)[0].tobytes()
        for progress in painter.train(recipe(photos), folder, Wishes()):
            if progress.step in {1, 4}:
                assert painter.paint(SCENES[0], go_on)[0].tobytes() == trained.before[0].tobytes()
                painted = painter.paint(replace(SCENES[1], loras=lora), go_on)[0]
                assert painted.tobytes() == with_lora
        assert are_equal(load_file(folder / WEIGHTS_FILE), alone)

    def test_samples_on_the_way_change_nothing_but_show_what_was_learned(
        self, painter: FluxPainter, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alone = learned(painter, tmp_path / "alone", recipe(photos))
        monkeypatch.setattr(teacher, "SAMPLE_EVERY_S", 0.0)
        monkeypatch.setattr(teacher.Pace, "__exit__", lambda *_: None)
        folder = tmp_path / "shown"
        folder.mkdir()
        samples = [
            progress.sample
            for progress in painter.train(recipe(photos), folder, Wishes())
            if progress.sample is not None
        ]
        assert len(samples) == SHORT - 1
        assert {sample.size for sample in samples} == {(256, 256)}
        assert np.abs(np.asarray(samples[0]).astype(int) - np.asarray(samples[-1]).astype(int)).mean() > 0.1
        assert are_equal(load_file(folder / WEIGHTS_FILE), alone)


class TestStart:
    def test_it_goes_on_from_weights_that_are_given(
        self, painter: FluxPainter, photos: Path, trained: Trained, tmp_path: Path
    ) -> None:
        cooked = recipe(photos, steps=1, learning_rate=1e-12, first_weights=trained.weights)
        after = learned(painter, tmp_path, cooked)
        before = load_file(trained.weights)
        assert after.keys() == before.keys()
        for name, tensor in after.items():
            torch.testing.assert_close(tensor, before[name], atol=1e-4, rtol=0)

    def test_an_alpha_of_theirs_is_reckoned_in(
        self, painter: FluxPainter, photos: Path, tmp_path: Path
    ) -> None:
        told_alpha = {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 2})}
        first = lora_file(tmp_path / "first", metadata=told_alpha)  # of rank 4
        cooked = recipe(photos, steps=1, learning_rate=1e-12, first_weights=first)
        after = learned(painter, tmp_path, cooked)
        for name, tensor in load_file(first).items():
            torch.testing.assert_close(
                after[name], tensor * (0.5 if ".lora_B." in name else 1), atol=1e-4, rtol=0
            )

    @pytest.mark.parametrize("kind", ["ranks", "base", "nothing"])
    def test_weights_that_do_not_fit_are_refused(
        self, painter: FluxPainter, photos: Path, trained: Trained, tmp_path: Path, kind: str
    ) -> None:
        path, weights = tmp_path / "first", load_file(trained.weights)
        if kind == "ranks":
            name = "transformer.transformer_blocks.0.attn.to_q"
            weights[f"{name}.lora_A.weight"] = weights[f"{name}.lora_A.weight"][:3].contiguous()
            weights[f"{name}.lora_B.weight"] = weights[f"{name}.lora_B.weight"][:, :3].contiguous()
        save_file(weights, path, {BASE_KEY: "x"} if kind == "base" else None)
        if kind == "nothing":
            path.write_bytes(b"x" * 99)
        with pytest.raises(UnfitStart):
            list(painter.train(recipe(photos, first_weights=path), tmp_path, Wishes()))
        painter.paint(SCENES[0], go_on)

    def test_a_rate_that_makes_the_numbers_run_away_ends_it(
        self, painter: FluxPainter, photos: Path, trained: Trained, tmp_path: Path
    ) -> None:
        with pytest.raises(Diverged):
            list(painter.train(recipe(photos, steps=40, learning_rate=1e30), tmp_path, Wishes()))
        assert painter.paint(SCENES[0], go_on)[0].tobytes() == trained.before[0].tobytes()


def reader(manners: Manners, **changes: Any) -> Reader:
    """A reader without a pipeline: of sizes and words alone."""
    return Reader(None, manners, recipe(None, **changes))


class TestSavingMemory:
    def test_it_changes_no_number(self, painter: FluxPainter, photos: Path, tmp_path: Path) -> None:
        usual = learned(painter, tmp_path / "usual", recipe(photos, steps=2))
        painter._pipeline.transformer.enable_gradient_checkpointing()
        try:
            saving = learned(painter, tmp_path / "saving", recipe(photos, steps=2))
        finally:
            painter._pipeline.transformer.disable_gradient_checkpointing()
        for name, tensor in saving.items():
            torch.testing.assert_close(tensor, usual[name], atol=1e-5, rtol=0)


class TestReader:
    @pytest.mark.parametrize(
        ("size", "has_many", "expected"),
        [
            ((3000, 3000), False, [(768, 768)]),
            ((3000, 3000), True, [(512, 512), (768, 768), (1024, 1024)]),
            ((800, 800), True, [(512, 512), (768, 768)]),
            ((300, 300), True, [(512, 512)]),
            ((3000, 2000), False, [(960, 640)]),
            ((2000, 3000), True, [(448, 640), (640, 960), (832, 1280)]),
            ((9000, 1000), False, [(1088, 512)]),
        ],
    )
    def test_a_large_model_learns_each_photo_in_sizes_of_its_shape(
        self, size: tuple[int, int], has_many: bool, expected: list[tuple[int, int]]
    ) -> None:
        assert reader(Manners(), has_many_sizes=has_many)._sizes(size) == expected

    def test_the_tiny_model_learns_in_its_own(self) -> None:
        tiny = read_manners(DEFAULT_FOLDER)
        assert reader(tiny)._sizes((1000, 700)) == [(288, 224)]
        assert reader(tiny, has_many_sizes=True)._sizes((1000, 700)) == [(288, 224), (256, 256), (224, 288)]

    def test_words_are_free_where_the_model_is(self) -> None:
        assert reader(Manners()).variants("a photo of zxq") == ["a photo of zxq"]

    def test_the_tiny_model_gets_whole_sentences_that_keep_the_known_words(self) -> None:
        variants = reader(read_manners(DEFAULT_FOLDER)).variants("zxq as a red fox")
        assert 1 < len(variants) <= VARIANTS
        assert all(variant.startswith("a red fox") for variant in variants)


class TestCaption:
    @pytest.mark.parametrize(
        ("written", "trigger", "expected"),
        [
            ("", "zxq", "zxq"),
            ("a photo of [trigger]", "zxq", "a photo of zxq"),
            ("a photo of a cat", "zxq", "a photo of a cat"),
            ("", "", ""),
            ("a [trigger] day", "", "a  day"),
        ],
    )
    def test_the_trigger_stands_in_its_place_or_for_all(
        self, written: str, trigger: str, expected: str
    ) -> None:
        assert recipe(None, trigger=trigger).caption_for(written) == expected


class TestLesson:
    @pytest.fixture
    def lessons(self, painter: FluxPainter, photos: Path, tmp_path: Path) -> Lessons:
        """Those of one step of a training."""
        list(painter.train(recipe(photos, steps=1), tmp_path, Wishes()))
        read = Reader(painter._pipeline, painter._manners, recipe(None))
        lessons = Lessons(painter._pipeline, painter._manners, read, tmp_path, seed=5)
        list(lessons.embed())
        return lessons

    def test_it_follows_from_its_number_alone(self, lessons: Lessons) -> None:
        first, again, other = (lessons.lesson(step, batch=4) for step in (7, 7, 8))
        assert torch.equal(first.noise, again.noise)
        assert torch.equal(first.clean, again.clean)
        assert torch.equal(first.words, again.words)
        assert not torch.equal(first.noise, other.noise)
        assert first.clean.shape == (4, 64, 64)

    def test_noise_is_shifted_as_the_scheduler_does(self, lessons: Lessons) -> None:
        even = torch.tensor([0.0, 0.5, 1.0])
        torch.testing.assert_close(lessons._shifted(even, tokens=64), torch.tensor([0.0, 0.75, 1.0]))
        dynamic = SimpleNamespace(
            use_dynamic_shifting=True,
            shift=3.0,
            base_shift=0.5,
            max_shift=1.15,
            base_image_seq_len=256,
            max_image_seq_len=4096,
        )
        lessons._pipeline = SimpleNamespace(scheduler=SimpleNamespace(config=dynamic))
        shifted = lessons._shifted(even, tokens=4096)
        assert float(shifted[1]) == pytest.approx(math.exp(1.15) / (math.exp(1.15) + 1))
