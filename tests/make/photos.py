"""Photos as guests send them: drawn people that a detector takes for people, drawn things, and zips."""

import io
import zipfile
from collections.abc import Iterable
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from starbooth.domain.pictures.looks import Looks
from starbooth.domain.trainings.photo_sets import SetPhoto


def as_bytes(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    body = io.BytesIO()
    image.save(body, kind, **options)
    return body.getvalue()


def draw_person(
    *,
    width_px: int = 640,
    height_px: int = 800,
    faces: Iterable[tuple[float, float, float]] = ((0.5, 0.4, 0.45),),
    ground: str = "slategray",
    skin: str = "burlywood",
    blur_px: float = 0,
) -> Image.Image:
    """A portrait. faces: where the middle of each head is, in shares, and how much of the width it takes."""
    image = Image.new("RGB", (width_px, height_px), ground)
    pen = ImageDraw.Draw(image)
    for offset in range(0, width_px, 40):  # a wall with a pattern, so that there is something sharp
        pen.line((offset, 0, offset - 80, height_px), fill="dimgray", width=2)
    for x, y, share in faces:
        _draw_head(pen, (x * width_px, y * height_px), share * width_px, skin)
    return image.filter(ImageFilter.GaussianBlur(blur_px)) if blur_px else image


def _draw_head(pen: ImageDraw.ImageDraw, middle: tuple[float, float], size: float, skin: str) -> None:
    def at(x: float, y: float) -> tuple[float, float]:
        return middle[0] + x * size, middle[1] + y * size

    pen.ellipse((*at(-0.5, -0.6), *at(0.5, 0.65)), fill="saddlebrown")
    pen.ellipse((*at(-0.38, -0.42), *at(0.38, 0.74)), fill=skin)
    for side in (-1, 1):
        left, right = sorted((side * 0.07, side * 0.28))
        pen.ellipse((*at(left, -0.04), *at(right, 0.08)), fill="white")
        left, right = sorted((side * 0.13, side * 0.22))
        pen.ellipse((*at(left, -0.04), *at(right, 0.08)), fill="black")
        left, right = sorted((side * 0.05, side * 0.3))
        pen.arc((*at(left, -0.15), *at(right, 0.02)), 200, 340, fill="black", width=max(2, int(size / 40)))
    pen.polygon([at(0, 0.03), at(-0.07, 0.28), at(0.07, 0.28)], fill="peru")
    pen.ellipse((*at(-0.16, 0.4), *at(0.16, 0.52)), fill="firebrick")


def draw_thing(number: int, *, width_px: int = 640, height_px: int = 512) -> Image.Image:
    """One of many pictures of a style: none is like the other."""
    image = Image.new("RGB", (width_px, height_px), _hue(number))
    pen = ImageDraw.Draw(image)
    for place in range(12):
        x = (place * 97 + number * 211) % width_px
        y = (place * 61 + number * 137) % height_px
        side = 20 + (place * 37 + number * 53) % 120
        pen.rectangle((x, y, x + side, y + side), fill=_hue(number + place + 1), outline="black", width=3)
    return image


def _hue(number: int) -> str:
    return f"hsl({number * 67 % 360}, 80%, {40 + number * 13 % 40}%)"


def zip_of(files: Iterable[tuple[str, bytes]], *, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with these files, names as they are given."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", packing) as packed:
        for name, content in files:
            packed.writestr(name, content)
    return body.getvalue()


def make_looks(**facts: object) -> Looks:
    """Looks of a good photo of nobody."""
    plain: dict[str, object] = {"sharpness": 300.0, "light": 120.0, "shape": 0, "colours": (100,) * 27}
    return Looks(**{**plain, **facts})  # type: ignore[arg-type]  # a test's own facts


def make_set_photo(number: int, **facts: object) -> SetPhoto:
    """A photo of a set that resembles no other one."""
    plain: dict[str, object] = {
        "number": number,
        "key": f"training/set/{number}.jpg",
        "caption": "",
        "own_caption": "",
        "width_px": 1024,
        "height_px": 1280,
        "given_px": 1024,
        "looks": make_looks(shape=Random(number).getrandbits(64)),
    }
    return SetPhoto(**{**plain, **facts})  # type: ignore[arg-type]  # a test's own facts
