"""Files of the chats: what was uploaded, and the sizes in which a photo can be had.

A photo's header is checked when it comes in; its sizes are drawn only when somebody asks for one. Files lie
in a folder, the oldest are deleted above a limit. Knows nothing of chats and messages.
"""

import io
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from starbooth.playground.errors import Json, bad_request
from starbooth.playground.params import Upload

MAX_PHOTO_BYTES = 10 * 1024 * 1024
MAX_DOCUMENT_BYTES = 50 * 1024 * 1024
MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024
MAX_PHOTO_SIDES_PX = 10_000
MAX_PHOTO_RATIO = 20

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_BOXES_PX = {"s": 90, "m": 320, "x": 800, "y": 1280}
_PREFIXES = {
    "photo": "AgACAgIAAxk",
    "document": "BQACAgIAAxk",
    "sticker": "CAACAgIAAxk",
    "voice": "AwACAgIAAxk",
}
_KEY_LENGTH = 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One upload. width_px and height_px are 0 unless it is a picture, as it is to be shown (after EXIF
    rotation).
    """

    key: str
    number: int
    kind: str
    name: str
    mime_type: str
    size_bytes: int
    width_px: int = 0
    height_px: int = 0

    def file_id(self, letter: str = "o") -> str:
        return f"{_PREFIXES[self.kind]}{self.key}{letter}"

    def path(self, letter: str = "o") -> str:
        """The path that `getFile` names: folder by kind, a number, the ending."""
        ending = "jpg" if self.kind == "photo" else Path(self.name).suffix.lstrip(".").lower() or "bin"
        return f"{self.kind}s/file_{self.number}{letter}.{ending}"


class FileStore:
    """Uploads in `folder`, at most `max_bytes` together."""

    def __init__(self, folder: Path, *, max_bytes: int = 1024**3) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._files: dict[str, StoredFile] = {}
        self._keys: dict[int, str] = {}
        self._total_bytes = 0
        self._next_number = 1
        folder.mkdir(parents=True, exist_ok=True)

    def restore(self, stored: StoredFile) -> bool:
        """Take back a file known before a restart; False when its bytes are gone."""
        self._next_number = max(self._next_number, stored.number + 1)
        if not self._blob(stored).exists():
            return False
        self._enter(stored)
        return True

    def add_photo(self, upload: Upload) -> StoredFile:
        """Keep a photo. Raises: ApiError 400 when Telegram would not take it as a photo."""
        size = len(upload.content)
        if size == 0:
            raise bad_request("file must be non-empty")
        if size > MAX_PHOTO_BYTES:
            raise bad_request(
                f"file of size {size} bytes is too big for a photo;"
                f" the maximum size is {MAX_PHOTO_BYTES} bytes"
            )
        width_px, height_px = _photo_dimensions(upload.content)
        return self._keep(upload, "photo", "image/jpeg", width_px, height_px)

    def add_file(self, upload: Upload, *, kind: str = "document", mime_type: str) -> StoredFile:
        """Keep any other file. Raises: ApiError 400 when it is empty or too large."""
        if not upload.content:
            raise bad_request("file must be non-empty")
        if len(upload.content) > MAX_DOCUMENT_BYTES:
            raise bad_request("file is too big")
        return self._keep(upload, kind, mime_type, 0, 0)

    def find(self, file_id: str) -> tuple[StoredFile, str]:
        """The file and the size letter that `file_id` means. Raises: ApiError 400 for an unknown one."""
        for prefix in _PREFIXES.values():
            key = file_id[len(prefix) : len(prefix) + _KEY_LENGTH]
            letter = file_id[len(prefix) + _KEY_LENGTH :]
            if file_id.startswith(prefix) and key in self._files and letter in _letters(self._files[key]):
                return self._files[key], letter
        raise bad_request("wrong remote file identifier specified: can't unserialize it. Wrong last symbol")

    def find_by_path(self, path: str) -> tuple[StoredFile, str] | None:
        """The file and size letter behind a path that `getFile` named."""
        named = re.fullmatch(r"[a-z]+/file_([0-9]{1,12})([a-z])\.[a-z0-9]+", path)
        key = self._keys.get(int(named.group(1))) if named else None
        if named is None or key is None:
            return None
        stored, letter = self._files[key], named.group(2)
        return (stored, letter) if letter in _letters(stored) and stored.path(letter) == path else None

    def content(self, stored: StoredFile, letter: str) -> bytes:
        """The bytes of one size. Draws a photo's size at the first request: call it off the event loop.

        Raises: ApiError 400 when the file was deleted meanwhile, or is a picture that turns out to be broken.
        """
        blob = self._blob(stored)
        try:
            return blob.read_bytes() if stored.kind != "photo" else _drawn(blob, letter)
        except FileNotFoundError:
            raise bad_request("wrong file_id or the file is temporarily unavailable") from None

    def delete_all(self) -> None:
        for stored in list(self._files.values()):
            self._delete(stored)

    def _keep(self, upload: Upload, kind: str, mime_type: str, width_px: int, height_px: int) -> StoredFile:
        stored = StoredFile(
            key=secrets.token_urlsafe(_KEY_LENGTH)[:_KEY_LENGTH],
            number=self._next_number,
            kind=kind,
            name=Path(upload.name).name[:200] or "file",
            mime_type=mime_type,
            size_bytes=len(upload.content),
            width_px=width_px,
            height_px=height_px,
        )
        self._next_number += 1
        self._blob(stored).write_bytes(upload.content)
        self._enter(stored)
        while self._total_bytes > self._max_bytes and len(self._files) > 1:
            self._delete(next(iter(self._files.values())))
        return stored

    def _enter(self, stored: StoredFile) -> None:
        self._files[stored.key] = stored
        self._keys[stored.number] = stored.key
        self._total_bytes += stored.size_bytes

    def _delete(self, stored: StoredFile) -> None:
        del self._files[stored.key]
        del self._keys[stored.number]
        self._total_bytes -= stored.size_bytes
        blob = self._blob(stored)
        for path in (blob, *(_size_path(blob, letter) for letter in _letters(stored))):
            path.unlink(missing_ok=True)

    def _blob(self, stored: StoredFile) -> Path:
        return self._folder / f"{stored.number}.blob"


def _letters(stored: StoredFile) -> tuple[str, ...]:
    """The sizes in which a file can be had; `o` is the own size."""
    return (*_BOXES_PX, "o") if stored.kind == "photo" else ("o",)


def _size_path(blob: Path, letter: str) -> Path:
    return blob.with_suffix(f".{letter}.jpg")


def photo_sizes(stored: StoredFile) -> list[Json]:
    """The `PhotoSize` list of a photo, smallest first; sizes in bytes are not known before they are drawn."""
    longest_px = max(stored.width_px, stored.height_px)
    letters = [letter for letter, box_px in _BOXES_PX.items() if box_px < longest_px]
    if longest_px <= _BOXES_PX["y"]:
        letters.append("o")
    return [_photo_size(stored, letter) for letter in letters]


def document_fields(stored: StoredFile) -> Json:
    """The `Document` object of a file."""
    return {
        "file_name": stored.name,
        "mime_type": stored.mime_type,
        "file_id": stored.file_id(),
        "file_unique_id": f"AgAD{stored.key[:12]}",
        "file_size": stored.size_bytes,
    }


def _photo_size(stored: StoredFile, letter: str) -> Json:
    scale = min(1.0, _BOXES_PX.get(letter, _BOXES_PX["y"]) / max(stored.width_px, stored.height_px))
    return {
        "file_id": stored.file_id(letter),
        "file_unique_id": f"AQAD{stored.key[:12]}{letter}",
        "width": max(1, round(stored.width_px * scale)),
        "height": max(1, round(stored.height_px * scale)),
    }


def _photo_dimensions(content: bytes) -> tuple[int, int]:
    """Width and height in pixels as shown. Raises: ApiError 400 for what is no whole picture or has a bad
    shape.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            width_px, height_px = picture.size
            # Not the PNG class's own getexif(), which decodes the whole picture and so forbids verify().
            is_turned = Image.Image.getexif(picture).get(0x0112, 1) >= 5
            is_jpeg = picture.format == "JPEG"
            picture.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None
    if is_jpeg and b"\xff\xd9" not in content[-65536:]:
        # Pillow's verify() does not read JPEG data; a missing end marker is the cheap sign of a cut-off file.
        raise bad_request("IMAGE_PROCESS_FAILED")
    shorter_px, longer_px = sorted((width_px, height_px))
    if width_px + height_px > MAX_PHOTO_SIDES_PX or longer_px > shorter_px * MAX_PHOTO_RATIO:
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return (height_px, width_px) if is_turned else (width_px, height_px)


def _drawn(blob: Path, letter: str) -> bytes:
    """One size of the photo in `blob`, drawn and kept at the first call; two at once do no harm."""
    path = _size_path(blob, letter)
    if not path.exists():
        content = blob.read_bytes()
        try:
            drawn = _draw(content, _BOXES_PX.get(letter, _BOXES_PX["y"]))
        except (OSError, SyntaxError, ValueError) as problem:
            raise bad_request("IMAGE_PROCESS_FAILED") from problem
        part = path.with_suffix(f".{secrets.token_hex(4)}")
        part.write_bytes(drawn)
        part.replace(path)
    return path.read_bytes()


def _draw(content: bytes, box_px: int) -> bytes:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
        picture.draft("RGB", (box_px, box_px))
        upright: Any = ImageOps.exif_transpose(picture)
        if upright.mode in ("RGBA", "LA", "PA", "P"):
            layer = upright.convert("RGBA")
            upright = Image.new("RGB", layer.size, "white")
            upright.paste(layer, mask=layer.getchannel("A"))
        upright = upright.convert("RGB")
        if max(upright.size) > box_px:
            upright.thumbnail((box_px, box_px), Image.Resampling.LANCZOS)
        drawn = io.BytesIO()
        upright.save(drawn, "JPEG", quality=90, optimize=False)
        return drawn.getvalue()
