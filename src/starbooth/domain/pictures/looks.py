"""What can be measured of a photo: how sharp and how light it is, what it resembles, whose faces it shows.

Numbers only; what is good enough is decided by `trainings.assistant`.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFilter, ImageOps, ImageStat

from starbooth.domain.pictures.faces import Face, find_faces, read_face

_LOOKED_AT_PX = 512
_TILES = 4
_HASH_SIDE = 8
_COLOUR_SIDE = 3
_HALF_PX = 16
_LAPLACIAN = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=2, offset=128)


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What was seen of one photo.

    sharpness: variance of the Laplacian in the sharpest sixteenth of the photo, scaled to 512 pixels, so
    that a face before a soft background counts as sharp. light: 0 (black) to 255. shape, colours: what it
    resembles by (`differences`). faces: None where nobody could look. sided: how unlike its mirror image the
    largest face is, 0 to 1; None where there is none.
    """

    sharpness: float
    light: float
    shape: int
    colours: tuple[int, ...]
    faces: tuple[Face, ...] | None = None
    sided: float | None = None

    def to_json(self) -> dict[str, Any]:
        """`read_looks` reads it back."""
        return {
            "sharpness": round(self.sharpness, 1),
            "light": round(self.light, 1),
            "shape": f"{self.shape:016x}",  # 64 bits are more than a JSON number holds
            "colours": list(self.colours),
            "faces": None if self.faces is None else [face.to_json() for face in self.faces],
            "sided": self.sided,
        }


def read_looks(facts: Mapping[str, Any]) -> Looks:
    """What `to_json` wrote."""
    faces = facts["faces"]
    return Looks(
        sharpness=facts["sharpness"],
        light=facts["light"],
        shape=int(facts["shape"], 16),
        colours=tuple(facts["colours"]),
        faces=None if faces is None else tuple(read_face(each) for each in faces),
        sided=facts["sided"],
    )


def look_at(body: bytes) -> Looks:
    """Measure a photo that `photo` made. Blocks for some 100 ms: use `decoding.in_turn`."""
    with Image.open(io.BytesIO(body)) as opened:
        opened.draft("RGB", (2 * _LOOKED_AT_PX, 2 * _LOOKED_AT_PX))
        image = opened.convert("RGB")
    image.thumbnail((_LOOKED_AT_PX, _LOOKED_AT_PX), Image.Resampling.BOX)
    grey = image.convert("L")
    faces = find_faces(image)
    return Looks(
        sharpness=_sharpness(grey),
        light=ImageStat.Stat(grey).mean[0],
        shape=_shape(grey),
        colours=tuple(image.resize((_COLOUR_SIDE, _COLOUR_SIDE), Image.Resampling.BOX).tobytes()),
        faces=faces,
        sided=_sidedness(grey, faces[0]) if faces else None,
    )


def differences(one: Looks, other: Looks) -> tuple[int, float]:
    """How unlike two photos are: in bits of 64, and in mean steps of 255 of their colours."""
    steps = [abs(a - b) for a, b in zip(one.colours, other.colours, strict=True)]
    return (one.shape ^ other.shape).bit_count(), sum(steps) / len(steps)


def _sharpness(grey: Image.Image) -> float:
    # Pillow leaves the outermost pixels as they were.
    edges = ImageOps.crop(grey.filter(_LAPLACIAN), 1)
    width, height = edges.width / _TILES, edges.height / _TILES
    boxes = [
        (int(column * width), int(row * height), int((column + 1) * width), int((row + 1) * height))
        for column in range(_TILES)
        for row in range(_TILES)
    ]
    return max(ImageStat.Stat(edges.crop(box)).var[0] for box in boxes)


def _shape(grey: Image.Image) -> int:
    """A difference hash: of each of 64 places, whether it is lighter than its neighbour on the right."""
    small = grey.resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX).tobytes()
    bits = 0
    for row in range(_HASH_SIDE):
        for column in range(_HASH_SIDE):
            place = row * (_HASH_SIDE + 1) + column
            bits = bits << 1 | (small[place] > small[place + 1])
    return bits


def _sidedness(grey: Image.Image, face: Face) -> float:
    """0 for a face that is its own mirror image, as one that looks at us nearly is."""
    box = (
        int(face.left * grey.width),
        int(face.top * grey.height),
        int((face.left + face.width) * grey.width),
        int((face.top + face.height) * grey.height),
    )
    small = ImageOps.autocontrast(grey.crop(box).resize((_HALF_PX, _HALF_PX), Image.Resampling.BOX))
    pairs = zip(small.tobytes(), ImageOps.mirror(small).tobytes(), strict=True)
    return round(sum(abs(a - b) for a, b in pairs) / (255 * _HALF_PX * _HALF_PX), 3)
