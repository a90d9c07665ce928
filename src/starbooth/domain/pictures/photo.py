"""Taking in a guest's photo: whatever the bytes are, what comes out is a plain JPEG that can be painted from,
or trained from.

It stands upright, its colours are sRGB, and it tells nothing of when, where and with what it was taken.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageCms, ImageOps

from starbooth.domain.pictures.decoding import in_turn
from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable

LARGEST_PHOTO_MB = 20  # what Telegram lets a bot fetch
MOST_MEGAPIXELS = 50  # a phone's 48 pass
# Of what cannot be unpacked at a part of its size, as a JPEG can: each pixel takes up to a dozen bytes then.
MOST_UNPACKED_MEGAPIXELS = 24
SHORTEST_SIDE_PX = 256
_KINDS = ("JPEG", "PNG", "WEBP", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_PAINTED_PX = 1024 * 1024  # one megapixel is what models are trained at, and what engines count by
_GRID_PX = 16  # FLUX paints in squares of this
_STEEPEST = 3  # a longer strip is cut to this ratio, the middle stays
_TRAINED_SIDE_PX = 2048  # room to cut a face out of
_QUALITY = 92
# What Pillow raises over bytes that are no picture, or only the beginning of one.
_BROKEN = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error),
    RuntimeError,  # AVIF, HEIC
)


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A guest's photo as we keep it: JPEG, upright, sRGB, no metadata.

    given_px: its shorter side as it came.
    """

    body: bytes
    width_px: int
    height_px: int
    given_px: int


async def take_photo_in_turn(body: bytes, *, shortest_side_px: int = SHORTEST_SIDE_PX) -> Photo:
    """`take_photo`, in a thread, after those of this process that came before. Raises: PhotoUnreadable."""
    return await in_turn(take_photo, body, shortest_side_px=shortest_side_px)


def take_photo(body: bytes, *, shortest_side_px: int = SHORTEST_SIDE_PX) -> Photo:
    """Make a guest's JPEG, PNG, WebP, AVIF or HEIC a photo to paint from. Blocks for up to a second.

    At most one megapixel is kept, never more than there was; sides are multiples of 16.
    shortest_side_px: less is refused.
    Raises: PhotoUnreadable.
    """
    return _take(body, shortest_side_px, _fit)


def take_training_photo(body: bytes) -> Photo:
    """Make a guest's picture a photo to train from. Blocks as `take_photo` does: use `decoding.in_turn`.

    No side is longer than 2048 pixels, and none is made longer. Raises: PhotoUnreadable.
    """
    return _take(body, SHORTEST_SIDE_PX, _fit_for_training)


def _take(body: bytes, shortest_side_px: int, fit: Callable[[Image.Image], Image.Image]) -> Photo:
    if len(body) > LARGEST_PHOTO_MB * 1024 * 1024:
        raise PhotoUnreadable(PhotoFlaw.TOO_LARGE, limit=LARGEST_PHOTO_MB)
    _refuse_moving(body)
    try:
        with Image.open(io.BytesIO(body), formats=_kinds_of(body)) as opened:
            given_px = min(opened.size)
            _check_size(*opened.size, shortest_side_px)
            _open_small(opened)
            ImageOps.exif_transpose(opened, in_place=True)
            kept = fit(_flatten(opened))
        written = io.BytesIO()
        _in_srgb(kept, opened.info.get("icc_profile")).save(written, "JPEG", quality=_QUALITY)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoUnreadable(PhotoFlaw.TOO_MANY_PIXELS, limit=MOST_MEGAPIXELS) from error
    except _BROKEN as error:
        raise PhotoUnreadable(PhotoFlaw.NOT_A_PICTURE) from error
    return Photo(body=written.getvalue(), width_px=kept.width, height_px=kept.height, given_px=given_px)


def _kinds_of(body: bytes) -> tuple[str, ...]:
    """The kinds that we read; HEIC among them only for what may be one, as reading it takes a library of its
    own.
    """
    if body[4:8] == b"ftyp" and body[8:12] in _HEIF_BRANDS:
        _learn_heif()
        return (*_KINDS, "HEIF")
    return _KINDS


@cache
def _learn_heif() -> None:
    from pillow_heif import register_heif_opener  # loaded by the first HEIC, which most booths never see

    register_heif_opener(thumbnails=False)


def _refuse_moving(body: bytes) -> None:
    """Refuse a GIF by its own name: guests send them, and they are pictures to everybody but us."""
    if body[:6] in (b"GIF87a", b"GIF89a"):
        raise PhotoUnreadable(PhotoFlaw.MOVING)


def _open_small(image: Image.Image) -> None:
    """Have a large JPEG unpacked at half or a quarter of its size. Raises: PhotoUnreadable."""
    whole_px = image.width * image.height
    image.draft(None, (2048, 2048))
    # A progressive JPEG is held whole, whatever the size it is wanted in.
    unpacked_px = whole_px if "progressive" in image.info else image.width * image.height
    if unpacked_px > MOST_UNPACKED_MEGAPIXELS * 1_000_000:
        raise PhotoUnreadable(PhotoFlaw.TOO_MANY_PIXELS, limit=MOST_UNPACKED_MEGAPIXELS)


def _check_size(width_px: int, height_px: int, shortest_side_px: int) -> None:
    if width_px * height_px > MOST_MEGAPIXELS * 1_000_000:
        raise PhotoUnreadable(PhotoFlaw.TOO_MANY_PIXELS, limit=MOST_MEGAPIXELS)
    if min(width_px, height_px) < shortest_side_px:
        raise PhotoUnreadable(PhotoFlaw.TOO_SMALL, limit=shortest_side_px)


def _flatten(image: Image.Image) -> Image.Image:
    """The image in a mode that JPEG has: what is transparent becomes white."""
    if image.mode in ("RGB", "L", "CMYK"):
        return image
    if image.mode.startswith("I"):  # sixteen bits of grey
        return image.convert("I").point(lambda value: value / 256).convert("L")
    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    ground = Image.new("RGB", layer.size, "white")
    ground.paste(layer, mask=layer.getchannel("A"))
    return ground


def _fit(image: Image.Image) -> Image.Image:
    """The image scaled down to a megapixel and cut, around its middle, to sides that can be painted."""
    width, height = image.size
    width, height = min(width, _STEEPEST * height), min(height, _STEEPEST * width)
    scale = min(1.0, (_PAINTED_PX / (width * height)) ** 0.5)
    sides = [max(int(side * scale) // _GRID_PX, 1) * _GRID_PX for side in (width, height)]
    return ImageOps.fit(image, (sides[0], sides[1]), Image.Resampling.LANCZOS)


def _fit_for_training(image: Image.Image) -> Image.Image:
    """The image scaled down, and cut around its middle where it is a strip."""
    width, height = image.size
    width, height = min(width, _STEEPEST * height), min(height, _STEEPEST * width)
    scale = min(1.0, _TRAINED_SIDE_PX / max(width, height))
    return ImageOps.fit(image, (round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in the one colour space that everybody assumes where a file names none."""
    if profile:
        try:
            given, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, given, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            converted = None  # a profile that fits no picture of this kind says nothing
        if converted is not None:
            return _bare(converted)
    return _bare(image.convert("RGB"))


def _bare(image: Image.Image) -> Image.Image:
    """The pixels alone: what Pillow would write along (comments, EXIF, profiles) stays behind."""
    image.info = {}
    image.getexif().clear()
    return image
