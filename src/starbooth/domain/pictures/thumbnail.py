"""Smaller pictures of pictures: for a gallery, for a grid of them, and for what a chat takes.

What comes in was looked at before (`generations.picture`, `photo`): broken bytes are a bug here.
"""

import io
from collections.abc import Collection, Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

THUMBNAIL_PX = 320
PREVIEW_PX = 1024
_GAP_PX = 8
_PAPER = (24, 24, 27)
_EMPTY = (63, 63, 70)
_BADGE = (0, 0, 0, 176)
_MARKED_BADGE = (217, 119, 6, 235)
# What Telegram takes as a photo: more is refused, or would have to go out as a document.
_CHAT_BYTES = 10 * 1024 * 1024
_CHAT_SIDES_PX = 10_000
_CHAT_STEEPEST = 20
_CHAT_QUALITIES = (92, 80, 60)


def thumbnail(body: bytes) -> bytes:
    """A JPEG of the picture with no side above 320 pixels. Blocks for some milliseconds per megapixel."""
    with Image.open(io.BytesIO(body)) as picture:
        small = _plain(picture, (THUMBNAIL_PX, THUMBNAIL_PX))
    return _as_jpeg(small, quality=82)


def preview(body: bytes) -> bytes:
    """A JPEG of the picture with no side above 1,024 pixels, and nothing in it but the picture."""
    with Image.open(io.BytesIO(body)) as picture:
        smaller = _plain(picture, (PREVIEW_PX, PREVIEW_PX))
    return _as_jpeg(smaller, quality=88)


def contact_sheet(
    thumbs: Sequence[bytes | None], *, columns: int, numbers: Sequence[str], marked: Collection[str] = ()
) -> bytes:
    """A JPEG of square tiles in rows, each with its number in the corner; None leaves a tile empty.

    marked: numbers that stand out, as there is something to be said of them. Numbers are drawn in a font with
    Latin letters only. Raises: ValueError where there is no tile, or not as many numbers as tiles.
    """
    tiles = list(zip(thumbs, numbers, strict=True))
    if not tiles or columns < 1:
        raise ValueError("a sheet has a tile")
    columns = min(columns, len(tiles))
    step = THUMBNAIL_PX + _GAP_PX
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * step + _GAP_PX, rows * step + _GAP_PX), _PAPER)
    for place, (thumb, number) in enumerate(tiles):
        row, column = divmod(place, columns)
        badge = _MARKED_BADGE if number in marked else _BADGE
        sheet.paste(_tile(thumb, number, badge), (_GAP_PX + column * step, _GAP_PX + row * step))
    return _as_jpeg(sheet, quality=85)


def blank_sheet() -> bytes:
    """A JPEG of the ground of a sheet, where there is nothing to show."""
    side = THUMBNAIL_PX + 2 * _GAP_PX
    return _as_jpeg(Image.new("RGB", (side * 2, side), _PAPER), quality=85)


def _tile(thumb: bytes | None, number: str, badge: tuple[int, int, int, int]) -> Image.Image:
    side = (THUMBNAIL_PX, THUMBNAIL_PX)
    if thumb is None:
        tile = Image.new("RGB", side, _EMPTY)
    else:
        with Image.open(io.BytesIO(thumb)) as picture:
            tile = ImageOps.fit(picture.convert("RGB"), side, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(tile, "RGBA")
    font = ImageFont.load_default(36)
    width, height = max(pen.textlength(number, font=font) + 28, 52), 52
    corner = (10, THUMBNAIL_PX - 10 - height)
    pen.rounded_rectangle((*corner, corner[0] + width, corner[1] + height), radius=16, fill=badge)
    pen.text((corner[0] + width / 2, corner[1] + height / 2), number, font=font, fill="white", anchor="mm")
    return tile


def fit_for_chat(body: bytes) -> bytes | None:
    """The picture as Telegram takes it for a photo: as it is where it may be, else a JPEG that may.

    None where no photo can be made of it (longer than twenty times its width): send it as a document. Blocks
    for some milliseconds where nothing is to be done, else for some tens per megapixel.
    """
    with Image.open(io.BytesIO(body)) as picture:
        width, height = picture.size
        if max(width, height) > _CHAT_STEEPEST * min(width, height):
            return None
        has_size = width + height <= _CHAT_SIDES_PX
        if has_size and len(body) <= _CHAT_BYTES and picture.format in ("JPEG", "PNG"):
            return body
        scale = min(1.0, _CHAT_SIDES_PX / (width + height))
        fitting = _plain(picture, (int(width * scale), int(height * scale)))
    jpegs = (_as_jpeg(fitting, quality=quality) for quality in _CHAT_QUALITIES)
    return next((jpeg for jpeg in jpegs if len(jpeg) <= _CHAT_BYTES), None)


def _plain(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """The picture on white and without metadata, scaled down into the box."""
    picture.draft("RGB", box)
    if picture.mode not in ("RGB", "L"):
        layer = picture.convert("RGBA")
        ground = Image.new("RGB", layer.size, "white")
        ground.paste(layer, mask=layer.getchannel("A"))
    else:
        ground = picture.convert("RGB")
    ground.thumbnail(box, Image.Resampling.LANCZOS)
    ground.info = {}
    return ground


def _as_jpeg(image: Image.Image, *, quality: int) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality)
    return written.getvalue()
