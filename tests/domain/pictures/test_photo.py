"""A guest's photo becomes a plain JPEG that can be painted from, or is refused with a reason to act on."""

import asyncio
import contextlib
import io
import zlib

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable
from starbooth.domain.pictures.photo import (
    LARGEST_PHOTO_MB,
    Photo,
    take_photo,
    take_photo_in_turn,
    take_training_photo,
)

KINDS = ("JPEG", "PNG", "WEBP", "AVIF")


def written(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    body = io.BytesIO()
    image.save(body, kind, **options)
    return body.getvalue()


def opened(photo: Photo) -> Image.Image:
    image = Image.open(io.BytesIO(photo.body))
    image.load()
    return image


def pixel(image: Image.Image, x: float, y: float) -> tuple[int, int, int]:
    """The colour at these shares of width and height."""
    found = image.convert("RGB").getpixel((int(x * (image.width - 1)), int(y * (image.height - 1))))
    assert isinstance(found, tuple)
    red, green, blue = found
    return int(red), int(green), int(blue)


def is_near(found: tuple[int, int, int], wanted: tuple[int, int, int], *, by: int = 12) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))


def flaw(body: bytes) -> tuple[PhotoFlaw, int]:
    with pytest.raises(PhotoUnreadable) as refusal:
        take_photo(body)
    return refusal.value.reason, refusal.value.limit


NOISE = {kind: written(Image.effect_noise((272, 256), 90).convert("RGB"), kind) for kind in KINDS}


class TestWhatComesOut:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_becomes_a_jpeg(self, kind: str) -> None:
        photo = take_photo(written(Image.new("RGB", (512, 384), (200, 30, 30)), kind))
        image = opened(photo)
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (512, 384))
        assert (photo.width_px, photo.height_px) == image.size
        assert is_near(pixel(image, 0.5, 0.5), (200, 30, 30))

    @pytest.mark.parametrize(
        ("size", "kept"),
        [
            ((4000, 3000), (1168, 880)),
            ((3000, 4000), (880, 1168)),
            ((300, 257), (288, 256)),
            ((256, 256), (256, 256)),
            ((6000, 400), (1200, 400)),
        ],
    )
    def test_it_has_a_megapixel_at_most_and_sides_that_can_be_painted(
        self, size: tuple[int, int], kept: tuple[int, int]
    ) -> None:
        photo = take_photo(written(Image.new("RGB", size)))
        assert (photo.width_px, photo.height_px) == kept

    def test_what_was_held_sideways_stands_upright(self) -> None:
        image = Image.new("RGB", (800, 400), "blue")
        image.paste((255, 0, 0), (0, 0, 400, 400))  # red left, blue right
        exif = Image.Exif()
        exif[0x0112] = 6  # turn a quarter to the right to see it upright: red comes to the top
        photo = take_photo(written(image, exif=exif, quality=95))
        assert (photo.width_px, photo.height_px) == (400, 800)
        assert is_near(pixel(opened(photo), 0.5, 0.1), (255, 0, 0))
        assert is_near(pixel(opened(photo), 0.5, 0.9), (0, 0, 255))

    def test_it_tells_nothing_of_when_where_and_with_what(self) -> None:
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Maker", "Model"
        exif.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)
        body = written(Image.new("RGB", (300, 300)), exif=exif, comment=b"at home", xmp=b"<x>secret</x>")
        photo = take_photo(body)
        assert b"Maker" in body
        assert b"secret" in body
        assert not any(word in photo.body for word in (b"Maker", b"Exif", b"at home", b"secret", b"ICC"))
        assert set(opened(photo).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}

    def test_what_is_transparent_becomes_white(self) -> None:
        for mode in ("RGBA", "LA", "P"):
            layer = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
            body = written(layer.convert(mode), "PNG", **({"transparency": 0} if mode == "P" else {}))
            assert is_near(pixel(opened(take_photo(body)), 0.5, 0.5), (255, 255, 255))

    @pytest.mark.parametrize("mode", ["L", "I;16", "CMYK", "1"])
    def test_every_way_to_write_a_colour_is_understood(self, mode: str) -> None:
        white = (0, 0, 0, 0) if mode == "CMYK" else {"L": 255, "I;16": 65535, "1": 1}[mode]
        kind = "JPEG" if mode == "CMYK" else "PNG"
        image = opened(take_photo(written(Image.new(mode, (300, 300), white), kind)))
        assert is_near(pixel(image, 0.5, 0.5), (255, 255, 255))

    def test_colours_of_another_space_are_turned_into_srgb(self) -> None:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        swapped = srgb.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")
        red = Image.new("RGB", (300, 300), (255, 0, 0))
        for profile, seen in ((srgb, (255, 0, 0)), (swapped, (0, 0, 255)), (b"nonsense", (255, 0, 0))):
            photo = take_photo(written(red, icc_profile=profile, quality=95))
            assert is_near(pixel(opened(photo), 0.5, 0.5), seen)


class TestOneAtATime:
    async def test_a_small_photo_waits_for_the_large_one_before_it(self) -> None:
        done: list[int] = []

        async def take(side_px: int) -> None:
            photo = await take_photo_in_turn(written(Image.new("RGB", (side_px, side_px)), "PNG"))
            done.append(photo.width_px)

        await asyncio.gather(*(take(side_px) for side_px in (2000, 320, 1000, 256)))
        assert done == [1024, 320, 992, 256]

    async def test_its_no_comes_through(self) -> None:
        with pytest.raises(PhotoUnreadable):
            await take_photo_in_turn(b"no picture")


class TestRefusals:
    def test_too_many_bytes(self) -> None:
        assert flaw(b"\0" * (LARGEST_PHOTO_MB * 1024 * 1024 + 1)) == (PhotoFlaw.TOO_LARGE, 20)

    @pytest.mark.parametrize("size", [(10000, 5001), (30000, 30000), (60000, 60000)])
    def test_too_many_pixels_are_refused_before_they_are_unpacked(self, size: tuple[int, int]) -> None:
        assert flaw(_bomb(*size)) == (PhotoFlaw.TOO_MANY_PIXELS, 50)

    def test_fewer_are_too_many_where_all_of_them_would_be_unpacked(self) -> None:
        assert flaw(_bomb(6000, 4001)) == (PhotoFlaw.TOO_MANY_PIXELS, 24)
        assert flaw(_bomb(6000, 4000)) == (PhotoFlaw.NOT_A_PICTURE, 0)  # few enough, and then it is none
        grey = Image.new("L", (6000, 4500))
        assert flaw(written(grey, progressive=True)) == (PhotoFlaw.TOO_MANY_PIXELS, 24)
        assert flaw(written(Image.new("L", (24000, 2000)))) == (PhotoFlaw.TOO_MANY_PIXELS, 24)
        assert take_photo(written(grey)).width_px == 1168

    @pytest.mark.parametrize("size", [(255, 4000), (4000, 255), (1, 1)])
    def test_too_small(self, size: tuple[int, int]) -> None:
        assert flaw(written(Image.new("RGB", size))) == (PhotoFlaw.TOO_SMALL, 256)

    def test_a_gif_by_its_name(self) -> None:
        assert flaw(written(Image.new("RGB", (300, 300)), "GIF")) == (PhotoFlaw.MOVING, 0)

    @pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO"])
    def test_other_kinds(self, kind: str) -> None:
        assert flaw(written(Image.new("RGB", (300, 300)), kind)) == (PhotoFlaw.NOT_A_PICTURE, 0)

    @pytest.mark.parametrize(
        "body", [b"", b"a text", b"<svg/>", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"%PDF-1.7"]
    )
    def test_bytes_that_are_no_picture(self, body: bytes) -> None:
        assert flaw(body) == (PhotoFlaw.NOT_A_PICTURE, 0)

    @pytest.mark.parametrize("kind", KINDS)
    def test_half_a_photo(self, kind: str) -> None:
        assert flaw(NOISE[kind][: len(NOISE[kind]) // 2])[0] is PhotoFlaw.NOT_A_PICTURE

    @settings(max_examples=150, deadline=None)
    @given(kind=st.sampled_from(KINDS), place=st.floats(0, 1), change=st.binary(min_size=1, max_size=8))
    def test_whatever_is_changed_it_is_taken_or_refused_and_nothing_else(
        self, kind: str, place: float, change: bytes
    ) -> None:
        body = bytearray(NOISE[kind])
        at = int(place**4 * (len(body) - len(change)))  # mostly at the head, where the structure is
        body[at : at + len(change)] = change
        with contextlib.suppress(PhotoUnreadable):
            assert take_photo(bytes(body)).width_px > 0


class TestHeic:
    """What iPhones send as a file."""

    @pytest.fixture(autouse=True)
    def heif(self) -> None:
        pillow_heif.register_heif_opener()

    def test_it_becomes_a_jpeg_that_tells_nothing(self) -> None:
        image = Image.new("RGB", (800, 400), "blue")
        image.paste((255, 0, 0), (0, 0, 400, 400))
        exif = Image.Exif()
        exif[0x010F] = "Maker"
        body = written(image, "HEIF", exif=exif, quality=90)
        photo = take_photo(body)
        assert (photo.width_px, photo.height_px) == (800, 400)
        assert is_near(pixel(opened(photo), 0.1, 0.5), (255, 0, 0))
        assert (b"Maker" in body, b"Maker" in photo.body) == (True, False)

    @pytest.mark.parametrize("end", [12, 40, 200, 400])
    def test_half_of_it_is_refused(self, end: int) -> None:
        body = written(Image.effect_noise((300, 300), 80).convert("RGB"), "HEIF", quality=50)
        assert flaw(body[:end]) == (PhotoFlaw.NOT_A_PICTURE, 0)


class TestTrainingPhotos:
    @pytest.mark.parametrize(
        ("size", "kept"),
        [((4096, 2048), (2048, 1024)), ((500, 700), (500, 700)), ((6000, 400), (1200, 400))],
    )
    def test_it_keeps_its_shape_and_up_to_2048_pixels(
        self, size: tuple[int, int], kept: tuple[int, int]
    ) -> None:
        photo = take_training_photo(written(Image.new("RGB", size)))
        assert (photo.width_px, photo.height_px) == kept
        assert photo.given_px == min(size)

    def test_a_large_png_is_shrunk_before_it_is_copied(self) -> None:
        body = written(Image.new("RGBA", (4900, 4800), (200, 30, 30, 255)), "PNG", compress_level=1)
        photo = take_training_photo(body)
        assert max(photo.width_px, photo.height_px) == 2048
        assert is_near(pixel(opened(photo), 0.5, 0.5), (200, 30, 30))


def _bomb(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes that says it has this many pixels."""
    head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\x00\x00\x00"
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    packed = (len(b).to_bytes(4) + t + b + zlib.crc32(t + b).to_bytes(4) for t, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
