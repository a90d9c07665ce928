"""Photos to train from: drawn pictures of one style that the tiny FLUX never saw, and zips of them."""

import base64
import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

BACKGROUND, LINE = (214, 20, 150), (20, 230, 220)
"""The style: cyan lines and rings on magenta. Nothing in the small world has these colours together."""


def styled(number: int, *, size_px: tuple[int, int] = (256, 256)) -> Image.Image:
    """Picture `number` of the style."""
    width_px, height_px = size_px
    picture = Image.new("RGB", size_px, BACKGROUND)
    pen = ImageDraw.Draw(picture)
    dice = np.random.default_rng(number)
    for _ in range(4):
        x, y = (int(dice.integers(side)) for side in size_px)
        radius = int(dice.integers(20, 70))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=LINE, width=9)
    pen.line((0, int(dice.integers(height_px)), width_px, int(dice.integers(height_px))), fill=LINE, width=12)
    return picture


def jpeg(picture: Image.Image) -> bytes:
    """The picture as a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def zipped(files: dict[str, bytes], *, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def album(
    count: int = 6, *, captions: dict[str, str] | None = None, size_px: tuple[int, int] = (256, 256)
) -> bytes:
    """A zip of `count` pictures of the style, `0.jpg` and so on. captions: texts by stem."""
    files = {f"{number}.jpg": jpeg(styled(number, size_px=size_px)) for number in range(count)}
    files |= {f"{stem}.txt": text.encode() for stem, text in (captions or {}).items()}
    return zipped(files)


def album_file(folder: Path, content: bytes) -> Path:
    """The zip as a file."""
    path = folder / "album.zip"
    path.write_bytes(content)
    return path


def inline(content: bytes) -> str:
    """The zip as a data URL."""
    return f"data:application/zip;base64,{base64.b64encode(content).decode()}"


def likeness(picture: Image.Image) -> float:
    """How much of a picture has the style's background or lines, 0 to 1: colour statistics, no more."""
    pixels = np.asarray(picture.convert("RGB")).astype(float)
    near = [np.abs(pixels - np.array(colour)).max(axis=2) < 70 for colour in (BACKGROUND, LINE)]
    return float((near[0] | near[1]).mean())
