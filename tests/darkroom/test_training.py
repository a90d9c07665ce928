"""Training, in the small: real classes, random weights, a handful of steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from starbooth.darkroom.training.autoencoder import (
    LATENT_CHANNELS,
    encode_folded,
    fold,
    new_autoencoder,
    picture_loss,
)
from starbooth.darkroom.training.muon import orthogonalised
from starbooth.darkroom.training.scenes import Shape, all_views, draw_scenes, open_scenes, view_of
from starbooth.darkroom.training.text import MAX_TOKENS, Language, new_language, tokens_of
from starbooth.darkroom.training.transformer import (
    Latents,
    Pupil,
    lesson_at,
    loss_of,
    new_transformer,
    packed,
    picture_ids,
    rate_at,
    teach_transformer,
)
from starbooth.darkroom.world.words import caption_of

# Autocast keeps the weights of RMSNorm in float32 on purpose; torch then says that a faster way is closed.
pytestmark = pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")


@pytest.fixture(scope="module")
def language() -> Language:
    torch.manual_seed(0)
    return new_language()


@pytest.fixture(scope="module")
def shapes() -> list[Latents]:
    dice = np.random.default_rng(0)
    labels = np.stack([dice.integers(0, size, 8) for size in (12, 8, 5, 3, 3, 3)], axis=1).astype(np.int8)
    random = torch.Generator().manual_seed(0)
    return [
        Latents(
            grid=torch.randn((8, LATENT_CHANNELS, 4, 4), generator=random),
            labels=labels,
            cells=torch.rand((8, 4), generator=random),
        )
    ]


def pupil_of(language: Language) -> Pupil:
    torch.manual_seed(1)
    return Pupil(new_transformer(), language)


def taught(language: Language, shapes: list[Latents], checkpoint: Path, *, steps: int) -> Pupil:
    torch.manual_seed(4)
    fresh = new_language()
    return teach_transformer(
        pupil_of(fresh),
        fresh,
        shapes,
        checkpoint,
        steps=steps,
        threads=2,
        is_compiled=False,
        log=print,
        batch=2,
        save_every=2,
    )


class TestTokens:
    def test_every_caption_fits_without_a_broken_word(self, language: Language) -> None:
        captions = [caption_of(view) for view in all_views()[::37]]
        _, tokens = tokens_of(language, captions)
        words = [len(caption.split()) for caption in captions]
        kept = (tokens != language.t5_tokenizer.pad_token_id).sum(dim=1).tolist()
        assert kept == [count + 1 for count in words]
        assert max(kept) <= MAX_TOKENS

    def test_the_end_of_a_text_is_not_token_two(self, language: Language) -> None:
        assert language.clip.config.eos_token_id != 2

    def test_saved_tokenizers_read_as_before(self, language: Language, tmp_path: Path) -> None:
        from transformers import CLIPTokenizer, T5Tokenizer

        text = "a red fox on the left — ñandú 42"
        for kind, tokenizer in (
            (CLIPTokenizer, language.clip_tokenizer),
            (T5Tokenizer, language.t5_tokenizer),
        ):
            tokenizer.save_pretrained(tmp_path / kind.__name__)
            again: Any = kind.from_pretrained(tmp_path / kind.__name__)
            assert again(text).input_ids == tokenizer(text).input_ids


class TestAutoencoder:
    def test_the_encoder_folds_exactly_in_its_outermost_level(self) -> None:
        model, pixels = new_autoencoder(), torch.rand(1, 3, 64, 96) * 2 - 1
        with torch.no_grad():
            whole = model.encoder(pixels)[:, :LATENT_CHANNELS]
            torch.testing.assert_close(encode_folded(model, fold(pixels)), whole)
        assert whole.shape == (1, LATENT_CHANNELS, 4, 6)

    def test_a_true_picture_has_no_loss_and_another_has(self) -> None:
        pixels = torch.rand(1, 3, 8, 8)
        weights = torch.ones(1, 1, 8, 8)
        assert picture_loss(pixels, pixels, weights) == 0
        assert picture_loss(pixels, 1 - pixels, weights) > 0


class TestOrthogonalised:
    @pytest.mark.parametrize("shape", [(8, 20), (20, 8), (12, 12)])
    def test_singular_values_come_near_one(self, shape: tuple[int, int]) -> None:
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        values = torch.linalg.svdvals(orthogonalised(matrix))
        assert 0.3 < values.min() < values.max() < 1.6


class TestPupil:
    def test_it_computes_what_the_pipelines_transformer_computes(
        self, language: Language, shapes: list[Latents]
    ) -> None:
        pupil, lesson = pupil_of(language), lesson_at(0, shapes, language, batch=2)
        for parameter in pupil.transformer.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.05)
        with torch.no_grad():
            ours, _ = pupil(
                lesson.clean, lesson.noise_share, lesson.clip_tokens, lesson.t5_tokens, lesson.ids
            )
            theirs = pupil.transformer(
                hidden_states=lesson.clean,
                encoder_hidden_states=language.t5(lesson.t5_tokens)[0],
                pooled_projections=language.clip(lesson.clip_tokens).pooler_output,
                timestep=lesson.noise_share,
                img_ids=lesson.ids,
                txt_ids=torch.zeros(MAX_TOKENS, 3),
            ).sample
        assert ours.std() > 0
        torch.testing.assert_close(ours, theirs)

    def test_packing_and_places_are_the_pipelines(self) -> None:
        from diffusers import FluxPipeline

        pipeline: Any = FluxPipeline
        grid = torch.arange(2 * 16 * 4 * 6, dtype=torch.float32).reshape(2, 16, 4, 6)
        torch.testing.assert_close(packed(grid), pipeline._pack_latents(grid, 2, 16, 4, 6))
        theirs = pipeline._prepare_latent_image_ids(2, 2, 3, "cpu", torch.float32)
        torch.testing.assert_close(picture_ids(2, 3), theirs)


class TestLessonAt:
    def test_a_step_always_gives_the_same_lesson(self, language: Language, shapes: list[Latents]) -> None:
        first, again = (lesson_at(5, shapes, language, batch=4) for _ in range(2))
        assert torch.equal(first.noise, again.noise)
        assert torch.equal(first.clip_tokens, again.clip_tokens)
        assert not torch.equal(first.noise, lesson_at(6, shapes, language, batch=4).noise)

    def test_the_share_of_noise_stays_within_nothing_and_all(
        self, language: Language, shapes: list[Latents]
    ) -> None:
        share = lesson_at(1, shapes, language, batch=64).noise_share
        assert 0 < share.min() < share.max() < 1
        assert share.median() > 0.5

    def test_an_untaught_pupil_is_wrong_by_the_size_of_noise_and_picture(
        self, language: Language, shapes: list[Latents]
    ) -> None:
        with torch.no_grad():
            flow, _ = loss_of(pupil_of(language), lesson_at(0, shapes, language, batch=16))
        assert 1.7 < flow < 2.3


class TestTeachTransformer:
    def test_a_resumed_training_ends_as_one_that_was_never_stopped(
        self, language: Language, shapes: list[Latents], tmp_path: Path
    ) -> None:
        whole = taught(language, shapes, tmp_path / "whole.pt", steps=4)
        saved = torch.load(tmp_path / "whole.pt", weights_only=True)
        (tmp_path / "parts").mkdir()
        halfway = tmp_path / "parts" / "halfway.pt"
        _stop_after_two(language, shapes, halfway)
        resumed = taught(language, shapes, halfway, steps=4)
        assert saved["step"] == 4
        for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
            assert torch.equal(one, other)

    def test_teaching_moves_the_weights_and_keeps_them_finite(
        self, language: Language, shapes: list[Latents], tmp_path: Path
    ) -> None:
        taught(language, shapes, tmp_path / "two.pt", steps=2)
        saved = torch.load(tmp_path / "two.pt", weights_only=True)["model"]
        assert all(value.isfinite().all() for value in saved.values())
        assert saved["pupil.transformer.proj_out.weight"].any()

    def test_the_rate_rises_stays_and_falls(self) -> None:
        rates = [rate_at(step, 1000) for step in (0, 199, 600, 850, 999)]
        assert rates[0] < rates[1] == rates[2] == 1.0 > rates[3] > rates[4] > 0


def _stop_after_two(language: Language, shapes: list[Latents], checkpoint: Path) -> None:
    """Interrupt a training of four steps after its first checkpoint."""

    class Interrupted(Exception):
        pass

    class Impatient(list[Latents]):
        asked = 0

        def __getitem__(self, index: Any) -> Any:
            self.asked += 1
            if self.asked > 2:
                raise Interrupted
            return super().__getitem__(index)

    with pytest.raises(Interrupted):
        taught(language, Impatient(shapes), checkpoint, steps=4)


class TestDrawScenes:
    def test_drawn_scenes_carry_their_views_and_are_drawn_once(self, tmp_path: Path) -> None:
        shape = Shape(width_px=64, height_px=32, count=4)
        draw_scenes(tmp_path, shape, seed=0, workers=1)
        scenes = open_scenes(tmp_path, shape)
        assert scenes.pixels.shape == (4, 32, 64, 3)
        assert scenes.cells.shape == (4, 1, 2)
        assert view_of(scenes.labels[0]).thing is None
        assert view_of(scenes.labels[1]).thing is not None
        written = (tmp_path / "scenes" / "64x32" / "pixels.npy").stat().st_mtime_ns
        draw_scenes(tmp_path, shape, seed=0, workers=1)
        assert (tmp_path / "scenes" / "64x32" / "pixels.npy").stat().st_mtime_ns == written
