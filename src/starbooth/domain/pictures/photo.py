"""Taking in a guest's photo: whatever the bytes are, what comes out is a plain JPEG that can be painted from.

It stands upright, its colours are sRGB, and it tells nothing of when, where and with what it was taken.
"""

import io
import struct
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageOps

from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable

LARGEST_PHOTO_MB = 20  # what Telegram lets a bot fetch
MOST_MEGAPIXELS = 50  # a phone's 48 pass
SHORTEST_SIDE_PX = 256
_KINDS = ("JPEG", "PNG", "WEBP", "AVIF")
_PAINTED_PX = 1024 * 1024  # one megapixel is what models are trained at, and what engines count by
_GRID_PX = 16  # FLUX paints in squares of this
_STEEPEST = 3  # a longer strip is cut to this ratio, the middle stays
_QUALITY = 92
# What Pillow raises over bytes that are no picture, or only the beginning of one.
_BROKEN = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error),
    RuntimeError,  # AVIF
)


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A guest's photo as we keep it: JPEG, upright, sRGB, sides that FLUX can paint, no metadata."""

    body: bytes
    width_px: int
    height_px: int


def take_photo(body: bytes, *, shortest_side_px: int = SHORTEST_SIDE_PX) -> Photo:
    """Make a guest's JPEG, PNG, WebP or AVIF a photo to paint from. Blocks for up to a second: use a thread.

    At most one megapixel is kept, never more than there was; sides are multiples of 16.
    shortest_side_px: less is refused.
    Raises: PhotoUnreadable.
    """
    if len(body) > LARGEST_PHOTO_MB * 1024 * 1024:
        raise PhotoUnreadable(PhotoFlaw.TOO_LARGE, limit=LARGEST_PHOTO_MB)
    try:
        with Image.open(io.BytesIO(body), formats=_KINDS) as opened:
            _check_size(*opened.size, shortest_side_px)
            opened.draft(None, (2048, 2048))  # a large JPEG is decoded at half or a quarter of its size
            upright = ImageOps.exif_transpose(opened)
        kept = _fit(_flatten(upright))
        written = io.BytesIO()
        _in_srgb(kept, opened.info.get("icc_profile")).save(written, "JPEG", quality=_QUALITY)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoUnreadable(PhotoFlaw.TOO_MANY_PIXELS, limit=MOST_MEGAPIXELS) from error
    except _BROKEN as error:
        raise PhotoUnreadable(PhotoFlaw.NOT_A_PICTURE) from error
    return Photo(body=written.getvalue(), width_px=kept.width, height_px=kept.height)


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
    layer = image.convert("RGBA")
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
