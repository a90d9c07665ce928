"""A photo is cut to its person where that helps, and stays inside itself."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from starbooth.domain.pictures.cropping import crop, crop_box
from starbooth.domain.pictures.faces import Face
from tests.make.photos import as_bytes, draw_thing

SHARE = st.floats(0.02, 0.9)


class TestCropBox:
    def test_a_small_face_gets_a_portrait_around_it(self) -> None:
        box = crop_box(Face(left=0.6, top=0.2, width=0.1, height=0.14), width_px=2048, height_px=1536)
        assert box is not None
        left, top, right, bottom = box
        assert (left < 0.6 * 2048, right > 0.7 * 2048, top < 0.2 * 1536, bottom > 0.34 * 1536) == (True,) * 4
        assert (right - left) / (bottom - top) == pytest.approx(0.8, abs=0.01)

    @pytest.mark.parametrize(
        "face",
        [
            Face(left=0.2, top=0.1, width=0.6, height=0.6),  # a portrait already
            Face(left=0.5, top=0.5, width=0.02, height=0.03),  # too little would be left
        ],
    )
    def test_else_it_stays_whole(self, face: Face) -> None:
        assert crop_box(face, width_px=1024, height_px=1280) is None

    @given(
        left=SHARE,
        top=SHARE,
        width=SHARE,
        height=SHARE,
        wide=st.integers(256, 2048),
        high=st.integers(256, 2048),
    )
    def test_the_cut_lies_in_the_photo_and_holds_the_middle_of_the_face(
        self, left: float, top: float, width: float, height: float, wide: int, high: int
    ) -> None:
        face = Face(left=left, top=top, width=min(width, 1 - left), height=min(height, 1 - top))
        box = crop_box(face, width_px=wide, height_px=high)
        if box is not None:
            assert 0 <= box[0] <= (face.left + face.width / 2) * wide <= box[2] + 1
            assert 0 <= box[1] <= (face.top + face.height / 2) * high <= box[3] + 1
            assert (box[2] <= wide, box[3] <= high) == (True, True)


class TestCrop:
    def test_it_is_that_part_and_tells_nothing(self) -> None:
        exif = Image.Exif()
        exif[0x010F] = "Maker"
        part = crop(as_bytes(draw_thing(1), exif=exif), (100, 50, 300, 250))
        assert Image.open(io.BytesIO(part)).size == (200, 200)
        assert b"Maker" not in part
