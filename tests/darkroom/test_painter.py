"""The painter, with the tiny FLUX that ships in the package."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from starbooth.darkroom.judge.eyes import open_eyes
from starbooth.darkroom.judge.prompts import judged_views
from starbooth.darkroom.judge.verdict import drawn, painted, shares_right
from starbooth.darkroom.painter import (
    DEFAULT_FOLDER,
    FluxPainter,
    Lora,
    Manners,
    Painter,
    Peek,
    Scene,
    Stopped,
    fitted,
    open_painter,
    read_manners,
    size_to_paint,
    small_world_caption,
)
from tests.darkroom.weights import lora_file

TINY = Manners(prompts="small-world", sizes_px=[(256, 256), (288, 224), (224, 288)])


def scene(
    prompt: str = "a red fox in the forest",
    *,
    width_px: int = 256,
    height_px: int = 256,
    steps: int = 8,
    seed: int = 1,
    count: int = 1,
) -> Scene:
    return Scene(
        prompt=prompt,
        width_px=width_px,
        height_px=height_px,
        steps=steps,
        guidance=3.5,
        seed=seed,
        count=count,
    )


def go_on(_step: int, _steps: int, _peek: Peek) -> bool:
    return True


def pixels_of(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(picture)


@pytest.fixture(scope="module")
def painter() -> Iterator[Painter]:
    import torch

    usual = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for each other crawl where other tests use the processor too
    yield open_painter(DEFAULT_FOLDER, "cpu")
    torch.set_num_threads(usual)


@pytest.fixture(scope="module")
def free(painter: Painter, tmp_path_factory: pytest.TempPathFactory) -> Painter:
    """The same weights, called as any other FLUX is: free prompts and sizes, half the number of bits."""
    folder = tmp_path_factory.mktemp("free")
    for path in DEFAULT_FOLDER.iterdir():
        if path.name != "starbooth.json":
            (folder / path.name).symlink_to(path)
    (folder / "starbooth.json").write_text('{"max_sequence_length": 16}')
    return open_painter(folder, "cpu")


class TestImport:
    def test_importing_the_painter_does_not_import_torch(self) -> None:
        heavy = "{'torch', 'numpy', 'diffusers'}"
        lines = f"import sys, starbooth.darkroom.painter; assert not {heavy} & set(sys.modules)"
        subprocess.run([sys.executable, "-c", lines], check=True)


class TestSizeToPaint:
    @pytest.mark.parametrize(
        ("wanted", "painted_px"),
        [
            ((256, 256), (256, 256)),
            ((1024, 1024), (256, 256)),
            ((1024, 768), (288, 224)),
            ((1024, 576), (288, 224)),
            ((768, 1024), (224, 288)),
            ((64, 2000), (224, 288)),
        ],
    )
    def test_the_tiny_model_paints_in_its_nearest_shape(
        self, wanted: tuple[int, int], painted_px: tuple[int, int]
    ) -> None:
        assert size_to_paint(TINY, *wanted, 32) == painted_px

    def test_another_flux_paints_the_size_asked_for_rounded_up(self) -> None:
        assert size_to_paint(Manners(), 1024, 765, 16) == (1024, 768)


class TestFitted:
    def test_the_picture_gets_the_size_asked_for(self) -> None:
        assert fitted(Image.new("RGB", (288, 224)), 1024, 768).size == (1024, 768)

    def test_a_picture_that_fits_is_left_alone(self) -> None:
        picture = Image.new("RGB", (256, 256))
        assert fitted(picture, 256, 256) is picture


class TestSmallWorldCaption:
    def test_known_words_remain_and_others_go(self) -> None:
        caption = small_world_caption("A majestic RED fox, in a misty forest; 8k, trending", seed=7)
        assert caption.startswith("a red fox ")
        assert " in the forest " in caption

    def test_a_prompt_without_known_words_gets_a_view_chosen_by_the_seed(self) -> None:
        first, again = (small_world_caption("?!", seed=2**64 - 1) for _ in range(2))
        assert first == again
        assert first.startswith("a ")
        assert len({small_world_caption("", seed=seed) for seed in range(20)}) > 15

    def test_what_is_unwanted_is_not_chosen_by_the_seed_but_may_be_asked_for(self) -> None:
        captions = [small_world_caption("a fox", seed=seed, negative="forest, night") for seed in range(60)]
        assert not any("forest" in caption or "night" in caption for caption in captions)
        assert any("forest" in small_world_caption("a fox", seed=seed) for seed in range(60))
        assert "forest" in small_world_caption("a fox in the forest", seed=1, negative="forest")


class TestReadManners:
    def test_a_folder_without_the_page_is_called_as_flux_is(self, tmp_path: Path) -> None:
        assert read_manners(tmp_path) == Manners()

    def test_the_shipped_folder_says_how_to_call_it(self) -> None:
        manners = read_manners(DEFAULT_FOLDER)
        assert manners.prompts == "small-world"
        assert manners.guidance_by == "true_cfg_scale"
        assert (256, 256) in manners.sizes_px

    def test_an_unknown_manner_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "starbooth.json").write_text('{"volume": 11}')
        with pytest.raises(TypeError, match="volume"):
            read_manners(tmp_path)


class TestOpenPainter:
    def test_a_folder_without_a_model_is_refused_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=str(tmp_path)):
            open_painter(tmp_path)

    def test_the_shipped_files_are_safetensors_and_small(self) -> None:
        files = [path for path in DEFAULT_FOLDER.parent.rglob("*") if path.is_file()]
        assert not {path.suffix for path in files} - {".safetensors", ".json", ".txt"}
        assert sum(path.stat().st_size for path in files) <= 25_000_000


class TestPaint:
    def test_the_same_scene_gives_the_same_picture_and_another_seed_another(self, painter: Painter) -> None:
        first, again, other = (pixels_of(painter.paint(scene(seed=seed), go_on)[0]) for seed in (7, 7, 8))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_the_largest_seed_is_fine_and_wraps_around_in_a_batch(self, painter: Painter) -> None:
        pair = painter.paint(scene(seed=2**64 - 1, count=2), go_on)
        alone = painter.paint(scene(seed=0), go_on)[0]
        assert len(pair) == 2
        assert np.abs(pixels_of(pair[1]).astype(int) - pixels_of(alone)).mean() < 1

    @pytest.mark.parametrize("size", [(1024, 768), (200, 333)])
    def test_the_picture_has_the_size_asked_for(self, painter: Painter, size: tuple[int, int]) -> None:
        picture = painter.paint(scene(width_px=size[0], height_px=size[1]), go_on)[0]
        assert picture.size == size
        assert picture.mode == "RGB"

    def test_every_step_is_told_and_painting_stops_between_steps(self, painter: Painter) -> None:
        told: list[tuple[int, int]] = []

        def until_third(step: int, steps: int, _peek: Peek) -> bool:
            told.append((step, steps))
            return step < 3

        with pytest.raises(Stopped):
            painter.paint(scene(steps=9), until_third)
        assert told == [(1, 9), (2, 9), (3, 9)]

    def test_every_picture_of_a_batch_is_the_one_that_its_seed_gives_alone(self, painter: Painter) -> None:
        batch = painter.paint(scene(seed=40, count=4), go_on)
        assert len(batch) == 4
        for number, picture in enumerate(batch):
            (alone,) = painter.paint(scene(seed=40 + number), go_on)
            assert np.abs(pixels_of(picture).astype(int) - pixels_of(alone)).mean() < 1

    def test_a_negative_prompt_changes_the_picture_and_unknown_words_in_it_do_not(
        self, painter: Painter
    ) -> None:
        plain, negative, unknown = (
            pixels_of(painter.paint(replace(scene(), negative=words), go_on)[0]).astype(int)
            for words in ("", "a forest at night", "blurry, extra fingers")
        )
        assert np.abs(plain - negative).mean() > 3
        assert np.array_equal(plain, unknown)

    def test_a_glimpse_shows_early_what_the_picture_becomes(self, painter: Painter) -> None:
        glimpses: list[Image.Image | None] = []

        def look(_step: int, _steps: int, peek: Peek) -> bool:
            glimpses.append(peek())
            return True

        (picture,) = painter.paint(scene(width_px=1024, height_px=768), look)
        small = picture.resize((256, 192))
        assert glimpses[0] is None
        away = [
            np.abs(pixels_of(each).astype(int) - pixels_of(small)).mean() for each in glimpses[1:] if each
        ]
        assert all(each is not None and each.size == (256, 192) for each in glimpses[1:])
        assert away[-1] < 12 < away[0] < 60

    @pytest.mark.parametrize("prompt", ["", "🦊" * 50, "x" * 4096, "<b>&amp;</b> *_[", "ארנב"])
    def test_any_text_gives_a_picture(self, painter: Painter, prompt: str) -> None:
        assert painter.paint(scene(prompt), go_on)[0].size == (256, 256)


class TestPaintFromAPhoto:
    def distance(self, painter: Painter, photo: Image.Image, strength: float, *, seed: int = 3) -> float:
        """How far the picture left the photo, in levels of brightness per pixel."""
        wish = replace(scene("a blue fox in the forest", seed=seed), photo=photo, strength=strength)
        (picture,) = painter.paint(wish, go_on)
        assert picture.size == photo.size
        return float(np.abs(pixels_of(picture).astype(int) - pixels_of(photo)).mean())

    def test_the_strength_says_how_far_it_leaves_the_photo(self, painter: Painter) -> None:
        (photo,) = painter.paint(scene(), go_on)
        near, middle, far = (self.distance(painter, photo, strength) for strength in (0.1, 0.5, 1.0))
        assert near < 15 < middle < far

    def test_of_the_steps_only_that_share_is_made(self, painter: Painter) -> None:
        told: list[tuple[int, int]] = []

        def note(step: int, steps: int, _peek: Peek) -> bool:
            told.append((step, steps))
            return True

        painter.paint(replace(scene(), photo=Image.new("RGB", (256, 256), "teal"), strength=0.25), note)
        assert told == [(1, 2), (2, 2)]

    def test_every_picture_of_a_batch_can_be_had_alone(self, painter: Painter) -> None:
        wish = replace(scene(seed=5), photo=Image.new("RGB", (256, 256), "teal"), strength=0.9)
        pair = painter.paint(replace(wish, count=2), go_on)
        alone = painter.paint(replace(wish, seed=6), go_on)[0]
        assert np.abs(pixels_of(pair[1]).astype(int) - pixels_of(alone)).mean() < 1


class TestAsTheRealFlux:
    def test_all_that_can_be_asked_for_goes_together(self, free: Painter, tmp_path: Path) -> None:
        glimpses: list[Image.Image | None] = []

        def look(_step: int, _steps: int, peek: Peek) -> bool:
            glimpses.append(peek())
            return True

        wish = replace(
            scene(width_px=300, height_px=200, steps=6, count=2),
            photo=Image.new("RGB", (300, 200), "teal"),
            strength=0.7,
            negative="night",
        )
        plain = free.paint(wish, go_on)
        loras = (Lora(path=lora_file(tmp_path / "l"), scale=0.5),)
        changed = free.paint(replace(wish, loras=loras), look)
        assert [picture.size for picture in changed] == [(300, 200)] * 2
        assert all(
            np.abs(pixels_of(a).astype(int) - pixels_of(b)).mean() > 2
            for a, b in zip(plain, changed, strict=True)
        )
        assert glimpses[-1] is not None
        assert glimpses[-1].size == (256, 171)
        again = free.paint(wish, go_on)
        assert all(np.array_equal(pixels_of(a), pixels_of(b)) for a, b in zip(plain, again, strict=True))

    def test_a_strip_can_be_looked_at_too(self, free: Painter) -> None:
        def look(_step: int, _steps: int, peek: Peek) -> bool:
            peek()
            return True

        assert free.paint(scene(width_px=1600, height_px=16, steps=2), look)[0].size == (1600, 16)


class Recorded:
    """A pipeline of the real FLUX's kind that notes how it is called."""

    vae_scale_factor = 8
    device = "cpu"
    transformer = SimpleNamespace(config=SimpleNamespace(guidance_embeds=True))

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def __call__(self, **asked: Any) -> Any:
        """Note it."""
        self.asked = asked
        return SimpleNamespace(images=[Image.new("RGB", (256, 256))] * len(asked["prompt"]))


class TestNegativeOfADistilledModel:
    def words(self, **changes: Any) -> dict[str, Any]:
        """How a model with distilled guidance is called."""
        pipeline = Recorded()
        rack = SimpleNamespace(use=lambda _loras: None)
        FluxPainter(pipeline, pipeline, rack, Manners()).paint(replace(scene(count=2), **changes), go_on)
        return pipeline.asked

    def test_without_one_only_the_distilled_guidance_is_used(self) -> None:
        asked = self.words()
        assert asked["guidance_scale"] == 3.5
        assert "negative_prompt" not in asked

    def test_with_one_it_is_painted_by_true_guidance_too(self) -> None:
        asked = self.words(negative="ugly")
        assert asked["negative_prompt"] == ["ugly", "ugly"]
        assert (asked["guidance_scale"], asked["true_cfg_scale"]) == (3.5, 2.0)


class TestJudged:
    def test_the_judge_is_right_about_drawn_pictures(self) -> None:
        views = judged_views(60, seed=9)
        shares = shares_right(open_eyes(), views, drawn(views, width_px=256, height_px=256, seed=77))
        assert shares["thing"] >= 0.9
        assert shares["place"] >= 0.95

    def test_painted_pictures_show_what_was_asked_for(self, painter: Painter) -> None:
        views = judged_views(20, seed=1)
        pictures, _ = painted(painter, views, width_px=256, height_px=256, steps=10, guidance=3.5, seed=100)
        shares = shares_right(open_eyes(), views, pictures)
        assert shares["thing"] >= 0.5
        assert shares["colour"] >= 0.7
        assert shares["place"] >= 0.8
        assert shares["position"] >= 0.8

    def test_more_prompts_than_there_are_is_refused(self) -> None:
        with pytest.raises(ValueError, match="combinations"):
            judged_views(10_000, seed=0)
