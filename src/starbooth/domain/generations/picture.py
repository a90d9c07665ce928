"""Looking at what an engine sent before it is kept: is it a whole picture of a kind and size that we take?"""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

LARGEST_PICTURE_BYTES = 30 * 1024 * 1024
LARGEST_PICTURE_PX = 40_000_000
_KINDS = {"PNG": ("png", "image/png"), "JPEG": ("jpg", "image/jpeg"), "WEBP": ("webp", "image/webp")}


class BrokenPicture(Exception):
    """The bytes are no picture that we take. The text says why, for the operator."""


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """What the bytes are."""

    extension: str
    content_type: str
    width_px: int
    height_px: int


def examine(body: bytes) -> PictureFacts:
    """Decode the picture whole and say what it is. Blocks for some milliseconds per megapixel.

    Raises: BrokenPicture for anything but a complete PNG, JPEG or WebP of at most 40 megapixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(body), formats=list(_KINDS)) as whole:
                whole.verify()  # a PNG that was cut behind its last pixel still loads
            with Image.open(io.BytesIO(body), formats=list(_KINDS)) as picture:
                width_px, height_px = picture.size
                if width_px * height_px > LARGEST_PICTURE_PX:
                    raise BrokenPicture(f"{width_px}x{height_px} pixels")
                picture.load()
                extension, content_type = _KINDS[str(picture.format)]
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BrokenPicture(type(error).__name__) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BrokenPicture("too many pixels") from error
    return PictureFacts(
        extension=extension, content_type=content_type, width_px=width_px, height_px=height_px
    )
