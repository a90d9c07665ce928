"""Only whole pictures of known kinds pass, and no bytes at all can make the examination fail otherwise."""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from starbooth.domain.generations.picture import BrokenPicture, PictureFacts, examine
from tests.make.pictures import make_picture

KINDS = ("PNG", "JPEG", "WEBP")


def make_noise(kind: str) -> bytes:
    """A picture in which every byte counts."""
    body = io.BytesIO()
    Image.effect_noise((24, 16), 90).convert("RGB").save(body, kind)
    return body.getvalue()


NOISE = {kind: make_noise(kind) for kind in KINDS}


class TestExamine:
    def test_it_says_what_the_bytes_are(self) -> None:
        assert examine(make_picture(kind="JPEG", width_px=20, height_px=10)) == PictureFacts(
            extension="jpg", content_type="image/jpeg", width_px=20, height_px=10
        )

    def test_forty_megapixels_are_taken_and_one_row_more_is_not(self) -> None:
        examine(make_picture(width_px=8000, height_px=5000, kind="PNG"))
        with pytest.raises(BrokenPicture):
            examine(make_picture(width_px=8000, height_px=5001, kind="PNG"))

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO"])
    def test_other_kinds_are_refused(self, kind: str) -> None:
        with pytest.raises(BrokenPicture):
            examine(make_picture(kind=kind))

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_a_picture_that_was_cut_is_refused(self, kind: str, share: float) -> None:
        with pytest.raises(BrokenPicture):
            examine(NOISE[kind][: int(len(NOISE[kind]) * share)])

    def test_a_png_cut_behind_its_last_pixel_is_refused(self) -> None:
        with pytest.raises(BrokenPicture):
            examine(make_picture(kind="PNG")[:-12])

    @settings(max_examples=300, deadline=None)
    @given(kind=st.sampled_from(KINDS), place=st.floats(0, 1), change=st.binary(min_size=1, max_size=8))
    def test_whatever_is_changed_it_passes_or_is_broken_and_nothing_else(
        self, kind: str, place: float, change: bytes
    ) -> None:
        body = bytearray(NOISE[kind])
        at = int(place * (len(body) - len(change)))
        body[at : at + len(change)] = change
        with contextlib.suppress(BrokenPicture):
            assert examine(bytes(body)).width_px > 0

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=400))
    def test_any_bytes_at_all_pass_or_are_broken(self, body: bytes) -> None:
        with contextlib.suppress(BrokenPicture):
            examine(body)
