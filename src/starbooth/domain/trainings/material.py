"""What an engine learns from: one zip of pictures, each with its caption in a text beside it."""

import io
import zipfile
from collections.abc import Sequence

# Engines read nothing of the time; the same photos make the same zip.
_NEVER = (1980, 1, 1, 0, 0, 0)


def zip_photos(photos: Sequence[tuple[bytes, str]]) -> bytes:
    """JPEGs and their captions as `01.jpg`, `01.txt` and so on. Not squeezed: JPEGs are already."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as material:
        for number, (body, caption) in enumerate(photos, start=1):
            material.writestr(zipfile.ZipInfo(f"{number:02}.jpg", _NEVER), body)
            material.writestr(zipfile.ZipInfo(f"{number:02}.txt", _NEVER), caption.encode())
    return written.getvalue()
