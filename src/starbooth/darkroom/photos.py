"""Photos to paint from: where they may come from, and how strange bytes become a picture without harm.

A photo is a file that was uploaded here, or a data URL. Nothing is ever fetched: who could make this server
call an address could look into its network.
"""

import base64
import binascii
import io
import math
import struct
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from starbooth.darkroom.files import FileStore
from starbooth.darkroom.schemas import LARGEST_AREA_PX, InvalidInput, refusal

FIELD = "image_url"
FORMATS = ("JPEG", "PNG", "WEBP")
LARGEST_PHOTO_BYTES = 15 * 1024 * 1024
LARGEST_PHOTO_PX = 50_000_000
SMALLEST_SIDE_PX = 8
PHOTO_LIFETIME_S = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Photos:
    """The photos among the files of this server. `files_url` is what their addresses begin with, "…/files/".

    Everything here reads files or decodes pictures, hence blocks: call it in a thread.
    """

    files: FileStore
    files_url: str

    def take_in(self, address: str) -> str:
        """Check a photo before its request is accepted; returns the address under which it stays.

        A data URL becomes a file, so that the journal holds no pictures. Repeat: another file.
        Raises: InvalidInput.
        """
        if not address.startswith("data:"):
            self.open(address)
            return address
        content = _inline(address)
        picture = decoded(content)
        name = self.files.new_name(f"image/{(picture.format or 'png').lower()}", lifetime_s=PHOTO_LIFETIME_S)
        self.files.keep(name, content)
        return self.files_url + name

    def open(self, address: str) -> Image.Image:
        """The photo at an address of this server, upright, in RGB, of at most `LARGEST_AREA_PX` pixels.

        Raises: InvalidInput, also where the file has expired.
        """
        if not address.startswith(self.files_url):
            message = "Only a data URL, or a file that was uploaded to this engine, can be used"
            raise refusal(FIELD, message, "file_download_error")
        path = self.files.find(address.removeprefix(self.files_url))
        if path is None:
            raise refusal(FIELD, "The file is not there, or has expired", "file_download_error")
        if path.stat().st_size > LARGEST_PHOTO_BYTES:
            raise _too_many_bytes()
        return decoded(path.read_bytes())


def decoded(content: bytes) -> Image.Image:
    """The picture in these bytes, turned as its EXIF says, on white where it is transparent.

    The kind and the size are read before anything is decoded.
    Raises: InvalidInput for what is no picture, another kind, broken, too small or too large.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            _check_size(opened.size)
            opened.draft("RGB", _shrunk(opened.size))  # a large JPEG is decoded at half its size or less
            upright = ImageOps.exif_transpose(opened)
            picture = _on_white(upright)
            kind = opened.format
    except UnidentifiedImageError as error:
        context = {"supported_formats": [name.lower() for name in FORMATS]}
        raise refusal(
            FIELD, "Not a JPEG, PNG or WebP picture", "unsupported_image_format", context
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:  # what Pillow raises on bad bytes
        raise refusal(FIELD, "The picture is broken", "image_load_error") from error
    picture = picture.resize(_shrunk(picture.size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    picture.format = kind
    return picture


def _check_size(size: tuple[int, int]) -> None:
    if min(size) < SMALLEST_SIDE_PX:
        context = {"min_width": SMALLEST_SIDE_PX, "min_height": SMALLEST_SIDE_PX}
        raise refusal(FIELD, "The picture is too small", "image_too_small", context)
    if math.prod(size) > LARGEST_PHOTO_PX:
        raise _too_many_pixels()


def _shrunk(size: tuple[int, int]) -> tuple[int, int]:
    """The size in the same shape that is the largest to be painted."""
    shrink = min(1.0, math.sqrt(LARGEST_AREA_PX / math.prod(size)))
    return max(1, math.floor(size[0] * shrink)), max(1, math.floor(size[1] * shrink))


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _inline(url: str) -> bytes:
    header, comma, text = url.partition(",")
    if not comma or not header.endswith(";base64"):
        raise refusal(FIELD, "A data URL must hold base64", "image_load_error")
    if len(text) > math.ceil(LARGEST_PHOTO_BYTES / 3) * 4:
        raise _too_many_bytes()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(FIELD, "A data URL with broken base64", "image_load_error") from error


def _too_many_bytes() -> InvalidInput:
    context = {"max_size": LARGEST_PHOTO_BYTES}
    return refusal(FIELD, f"A photo may have at most {LARGEST_PHOTO_BYTES} bytes", "file_too_large", context)


def _too_many_pixels() -> InvalidInput:
    context = {"max_pixels": LARGEST_PHOTO_PX}
    return refusal(FIELD, f"A photo may have at most {LARGEST_PHOTO_PX} pixels", "image_too_large", context)
