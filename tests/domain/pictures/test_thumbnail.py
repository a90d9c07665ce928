"""Smaller pictures keep their shape, a sheet numbers them, and what a chat would refuse is made to fit."""

import io

import pytest
from PIL import Image, ImageChops

from starbooth.domain.pictures.developing import developing_tile
from starbooth.domain.pictures.thumbnail import contact_sheet, fit_for_chat, thumbnail
from tests.make.pictures import make_picture

MB = 1024 * 1024


def opened(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def colour_at(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    found = image.getpixel((x, y))
    assert isinstance(found, tuple)
    return tuple(int(each) for each in found)


class TestThumbnail:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_no_side_is_above_320_and_the_shape_stays(self, kind: str) -> None:
        small = opened(thumbnail(make_picture(width_px=1024, height_px=768, kind=kind)))
        assert (small.format, small.size) == ("JPEG", (320, 240))

    def test_a_small_picture_is_not_blown_up(self) -> None:
        assert opened(thumbnail(make_picture(width_px=64, height_px=48))).size == (64, 48)

    def test_it_is_light_and_tells_nothing(self) -> None:
        written = io.BytesIO()
        noise = Image.effect_noise((1024, 1024), 60).convert("RGB")
        noise.save(written, "JPEG", comment=b"secret", xmp=b"<x>secret</x>")
        small = thumbnail(written.getvalue())
        assert len(small) < 100_000
        assert b"secret" not in small


class TestContactSheet:
    def test_tiles_stand_in_rows_and_are_numbered(self) -> None:
        red, blue = (thumbnail(make_picture(width_px=400, height_px=300, colour=c)) for c in ("red", "blue"))
        sheet = opened(contact_sheet([red, blue, red, None], columns=3, numbers=["1", "2", "3", "12"]))
        assert sheet.size == (3 * 328 + 8, 2 * 328 + 8)
        for x, y, wanted in ((168, 100, (255, 0, 0)), (496, 100, (0, 0, 255)), (824, 100, (255, 0, 0))):
            assert all(abs(a - b) < 12 for a, b in zip(colour_at(sheet, x, y), wanted, strict=True))
        badge = sheet.crop((8, 200, 328, 328))
        assert ImageChops.difference(badge, sheet.crop((664, 200, 984, 328))).getbbox()  # 1 is not 3
        assert sum(colour_at(sheet, 168, 500)) < 250  # the empty tile

    def test_a_row_is_no_wider_than_its_tiles(self) -> None:
        one = thumbnail(make_picture())
        assert opened(contact_sheet([one], columns=4, numbers=["1"])).size == (336, 336)

    def test_what_makes_no_sheet_is_a_bug(self) -> None:
        for thumbs, columns, numbers in (([], 3, []), ([None], 0, ["1"]), ([None, None], 2, ["1"])):
            with pytest.raises(ValueError):
                contact_sheet(thumbs, columns=columns, numbers=numbers)


class TestFitForChat:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_what_fits_is_left_alone(self, kind: str) -> None:
        body = make_picture(width_px=9000, height_px=1000, kind=kind)
        assert fit_for_chat(body) is body

    def test_webp_becomes_a_jpeg(self) -> None:
        fitting = fit_for_chat(make_picture(width_px=40, height_px=30, kind="WEBP"))
        assert fitting is not None
        assert (opened(fitting).format, opened(fitting).size) == ("JPEG", (40, 30))

    def test_too_many_bytes_become_fewer(self) -> None:
        noise = io.BytesIO()
        Image.merge("RGB", [Image.effect_noise((2200, 2000), 120)] * 3).save(noise, "PNG", compress_level=0)
        assert len(noise.getvalue()) > 10 * MB
        fitting = fit_for_chat(noise.getvalue())
        assert fitting is not None
        assert len(fitting) <= 10 * MB
        assert opened(fitting).size == (2200, 2000)

    def test_sides_that_are_too_long_become_shorter(self) -> None:
        fitting = fit_for_chat(make_picture(width_px=10_000, height_px=1000))
        assert fitting is not None
        assert sum(opened(fitting).size) <= 10_000
        assert abs(opened(fitting).width / opened(fitting).height - 10) < 0.05

    @pytest.mark.parametrize(
        ("width", "height", "fits"), [(400, 20, True), (401, 20, False), (20, 401, False)]
    )
    def test_a_strip_longer_than_twenty_times_its_width_is_none(
        self, width: int, height: int, fits: bool
    ) -> None:
        assert (fit_for_chat(make_picture(width_px=width, height_px=height)) is not None) is fits


class TestDevelopingTile:
    @pytest.mark.parametrize(
        ("size", "tile"), [((1024, 768), (640, 480)), ((576, 1024), (360, 640)), ((16, 16), (640, 640))]
    )
    def test_it_has_the_shape_of_the_picture_and_weighs_little(
        self, size: tuple[int, int], tile: tuple[int, int]
    ) -> None:
        body = developing_tile(*size)
        assert opened(body).size == tile
        assert len(body) < 60_000
        assert fit_for_chat(body) is body

    def test_a_strip_of_any_kind_has_a_tile(self) -> None:
        assert opened(developing_tile(14142, 100)).size == (640, 16)

    def test_tiles_of_an_album_differ_and_each_is_always_the_same(self) -> None:
        tiles = [developing_tile(512, 512, number=number) for number in range(4)]
        assert len(set(tiles)) == 4
        developing_tile.cache_clear()
        assert developing_tile(512, 512, number=2) == tiles[2]
