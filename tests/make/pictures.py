"""Pictures as bytes."""

import io

from PIL import Image


def make_picture(*, width_px: int = 16, height_px: int = 16, kind: str = "PNG", colour: str = "red") -> bytes:
    """A whole picture of one colour."""
    body = io.BytesIO()
    Image.new("RGB", (width_px, height_px), colour).save(body, kind)
    return body.getvalue()
