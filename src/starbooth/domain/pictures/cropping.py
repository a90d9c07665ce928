"""Cutting a photo to its subject: the face in the upper middle, with hair and shoulders."""

import io

from PIL import Image

from starbooth.domain.pictures.faces import Face

Box = tuple[int, int, int, int]
_FACES_HIGH = 3.2  # how many times the face's height the cut is high
_ABOVE = 0.33  # where in the cut the face's middle stands, from the top
_RATIO = 0.8  # width to height
_LEAST_GAIN = 0.75  # of the photo's area; a cut that takes away less is not worth it
_SHORTEST_PX = 512
_QUALITY = 94


def crop_box(face: Face, *, width_px: int, height_px: int) -> Box | None:
    """Where to cut for this face: left, top, right, bottom in pixels.

    None where it would change next to nothing, or leave too little to learn from.
    """
    high = min(face.height * height_px * _FACES_HIGH, height_px)
    wide = min(max(high * _RATIO, face.width * width_px * 1.8), width_px)
    if wide * high > _LEAST_GAIN * width_px * height_px or min(wide, high) < _SHORTEST_PX:
        return None
    left = (face.left + face.width / 2) * width_px - wide / 2
    top = (face.top + face.height / 2) * height_px - high * _ABOVE
    left, top = min(max(left, 0), width_px - wide), min(max(top, 0), height_px - high)
    return int(left), int(top), int(left + wide), int(top + high)


def crop(body: bytes, box: Box) -> bytes:
    """This part of a JPEG, as a JPEG without metadata. Blocks for some tens of milliseconds."""
    with Image.open(io.BytesIO(body)) as opened:
        part = opened.convert("RGB").crop(box)
    part.info = {}
    written = io.BytesIO()
    part.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
