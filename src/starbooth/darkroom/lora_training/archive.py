"""The photos of a training: where their zip comes from, and how strange bytes become pictures without harm.

A zip is a file that was uploaded here, or a data URL; nothing is ever fetched. In it are pictures, and beside
a picture a text of the same name, its caption. Whatever else lies in it is refused by name: a photo that is
passed over in silence would be paid for. Knows no torch.
"""

import base64
import binascii
import io
import math
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from starbooth.darkroom.files import FileStore
from starbooth.darkroom.jobs import Json
from starbooth.darkroom.photos import FORMATS, LARGEST_PHOTO_BYTES, decoded
from starbooth.darkroom.schemas import InvalidInput, refusal

FIELD = "images_data_url"
LEAST_PHOTOS = 4
MOST_PHOTOS = 100
MOST_FILES = 2 * MOST_PHOTOS + 20
LARGEST_ZIP_BYTES = 256 * 1024 * 1024
LARGEST_INLINE_ZIP_BYTES = 32 * 1024 * 1024
LARGEST_UNPACKED_BYTES = 512 * 1024 * 1024
LARGEST_CAPTION_BYTES = 8 * 1024
LONGEST_CAPTION = 2000
INLINE_LIFETIME_S = 7 * 24 * 3600
PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
CAPTION_ENDING = ".txt"
LITTER = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
"""What systems add by themselves and nobody means as a photo."""

LONGEST_NAME_SHOWN = 60
LARGEST_DIRECTORY_BYTES = 256 * 1024
END_BYTES, LONGEST_COMMENT = 22, 65_535
IS_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
"""What zipfile raises on bytes that are none, or not all, of a zip."""


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One picture to learn from: upright, RGB. caption: the words that came with it, "" for none."""

    name: str
    picture: Image.Image
    caption: str


@dataclass(frozen=True, kw_only=True)
class Archives:
    """The zips among the files of this server. `files_url` begins their addresses, "…/files/".

    Everything here reads files and decodes pictures, hence blocks: call it in a thread.
    """

    files: FileStore
    files_url: str

    def take_in(self, arguments: Json) -> Json:
        """The arguments of a training that is about to be accepted, every one of its photos looked at.

        A data URL becomes a file, which belongs to the training alone. Repeat: another file.
        Raises: InvalidInput.
        """
        address = arguments[FIELD]
        if not address.startswith("data:"):
            check(self.open(address))
            return {**arguments, "is_archive_ours": False}
        name = self.files.new_name("application/zip", lifetime_s=INLINE_LIFETIME_S)
        self.files.keep(name, _inline(address))
        try:
            check(self.open(self.files_url + name))
        except InvalidInput:
            self.files.delete(name)
            raise
        return {**arguments, FIELD: self.files_url + name, "is_archive_ours": True}

    def open(self, address: str) -> Path:
        """The zip at an address of this server. Raises: InvalidInput, also where the file has gone."""
        if not address.startswith(self.files_url):
            message = "Only a data URL, or a file that was uploaded to this engine, can be used"
            raise refusal(FIELD, message, "file_download_error")
        path = self.files.find(address.removeprefix(self.files_url))
        if path is None:
            raise refusal(FIELD, "The file is not there, or has expired", "file_download_error")
        if path.stat().st_size > LARGEST_ZIP_BYTES:
            raise _too_large("The archive", LARGEST_ZIP_BYTES)
        return path

    def drop(self, arguments: Json) -> None:
        """Delete a zip that belongs to this training alone. Safe to repeat."""
        if arguments["is_archive_ours"]:
            self.files.delete(arguments[FIELD].removeprefix(self.files_url))


def check(path: Path) -> int:
    """Look at everything in a zip, keeping nothing. Returns the number of photos. Raises: InvalidInput."""
    return sum(1 for _ in photos_in(path))


def photos_in(path: Path) -> Iterator[Photo]:
    """The photos of a zip in the order of their names, one in memory at a time.

    Sizes are read before anything is unpacked, and no more is unpacked than they say.
    Raises: InvalidInput for a zip that is none, holds anything else, too little or too much.
    """
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            captions, pictures = _sorted_out(archive.infolist())
            for entry in pictures:
                stem = _stem(entry)
                caption = _caption(archive, captions[stem]) if stem in captions else ""
                yield Photo(name=_shown(entry.filename), picture=_picture(archive, entry), caption=caption)
    except _BROKEN as error:
        raise refusal(FIELD, "Not a zip archive, or a broken one", "image_load_error") from error


def _check_directory(path: Path) -> None:
    """Raises: BadZipFile; InvalidInput where the list of files is so long that it would fill the memory."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - END_BYTES - LONGEST_COMMENT))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END_BYTES:
        raise zipfile.BadZipFile("no end of a central directory")
    (directory_bytes,) = struct.unpack_from("<L", tail, at + 12)
    is_zip64 = tail[max(0, at - 20) : at].startswith(b"PK\x06\x07")
    if is_zip64 or directory_bytes > LARGEST_DIRECTORY_BYTES:
        message = f"The archive holds too many files; at most {MOST_PHOTOS} photos can be used"
        raise refusal(FIELD, message, "too_long", {"max_length": MOST_PHOTOS})


def _sorted_out(
    entries: list[zipfile.ZipInfo],
) -> tuple[dict[str, zipfile.ZipInfo], list[zipfile.ZipInfo]]:
    """Captions by stem, and pictures. Raises: InvalidInput for what may not be in the archive."""
    if len(entries) > MOST_FILES:
        message = f"The archive holds {len(entries)} files; at most {MOST_PHOTOS} photos can be used"
        raise refusal(FIELD, message, "too_long", {"max_length": MOST_PHOTOS, "actual_length": len(entries)})
    files = [entry for entry in entries if not entry.is_dir() and not LITTER.search(entry.filename)]
    for entry in entries:
        _check_entry(entry)
    if sum(entry.file_size for entry in files) > LARGEST_UNPACKED_BYTES:
        raise _too_large("The unpacked archive", LARGEST_UNPACKED_BYTES)
    if len({entry.filename for entry in files}) < len(files):
        raise refusal(FIELD, "Two files in the archive have the same name", "value_error")
    pictures = sorted(
        (each for each in files if _ending(each) in PICTURE_ENDINGS), key=lambda it: it.filename
    )
    captions = {_stem(entry): entry for entry in files if _ending(entry) == CAPTION_ENDING}
    stems = {_stem(entry) for entry in pictures}
    for entry in files:
        if _ending(entry) not in PICTURE_ENDINGS and not (
            _ending(entry) == CAPTION_ENDING and _stem(entry) in stems
        ):
            raise _bad(
                entry,
                "is neither a JPEG, PNG or WebP picture nor the caption of one",
                "unsupported_image_format",
            )
    if not LEAST_PHOTOS <= len(pictures) <= MOST_PHOTOS:
        context = {"min_length": LEAST_PHOTOS, "max_length": MOST_PHOTOS, "actual_length": len(pictures)}
        kind = "too_short" if len(pictures) < LEAST_PHOTOS else "too_long"
        message = (
            f"A training takes {LEAST_PHOTOS} to {MOST_PHOTOS} photos; the archive holds {len(pictures)}"
        )
        raise refusal(FIELD, message, kind, context)
    return captions, pictures


def _check_entry(entry: zipfile.ZipInfo) -> None:
    """Raises: InvalidInput for a path out of the archive, a link, a lock, or a size that is too large."""
    name = entry.filename
    is_path_out = name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/")
    if is_path_out or not name.isprintable():
        raise _bad(entry, "has a path that leads out of the archive", "value_error")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _bad(entry, "is a link", "value_error")
    if entry.flag_bits & IS_ENCRYPTED:
        raise _bad(entry, "is encrypted", "value_error")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _bad(entry, "is packed in a way that is not supported", "value_error")
    if entry.file_size > (LARGEST_CAPTION_BYTES if _ending(entry) == CAPTION_ENDING else LARGEST_PHOTO_BYTES):
        raise _bad(entry, "is too large", "file_too_large")


def _picture(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Image.Image:
    content, name = archive.read(entry), _shown(entry.filename)
    try:
        picture = decoded(content)
    except InvalidInput as error:
        (detail,) = error.details
        context = {**detail["ctx"], "file": name}
        raise refusal(FIELD, f"{name}: {detail['msg']}", detail["type"], context) from error
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        if getattr(opened, "n_frames", 1) > 1:
            raise _bad(entry, "is animated", "unsupported_image_format")
    return picture


def _caption(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    try:
        text = archive.read(entry).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(entry, "is no text in UTF-8", "value_error") from error
    if len(text) > LONGEST_CAPTION:
        raise _bad(entry, f"is longer than {LONGEST_CAPTION} characters", "string_too_long")
    return " ".join(text.split())


def _ending(entry: zipfile.ZipInfo) -> str:
    return PurePosixPath(entry.filename).suffix.lower()


def _stem(entry: zipfile.ZipInfo) -> str:
    return str(PurePosixPath(entry.filename).with_suffix(""))


def _shown(name: str) -> str:
    """A file's name as it may stand in a message: without control characters, and short."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[-LONGEST_NAME_SHOWN:]


def _bad(entry: zipfile.ZipInfo, problem: str, kind: str) -> InvalidInput:
    name = _shown(entry.filename)
    return refusal(FIELD, f"{name} {problem}", kind, {"file": name})


def _too_large(what: str, most_bytes: int) -> InvalidInput:
    return refusal(
        FIELD, f"{what} may have at most {most_bytes} bytes", "file_too_large", {"max_size": most_bytes}
    )


def _inline(url: str) -> bytes:
    header, comma, text = url.partition(",")
    if not comma or not header.endswith(";base64"):
        raise refusal(FIELD, "A data URL must hold base64", "image_load_error")
    if len(text) > math.ceil(LARGEST_INLINE_ZIP_BYTES / 3) * 4:
        raise _too_large("A data URL", LARGEST_INLINE_ZIP_BYTES)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(FIELD, "A data URL with broken base64", "image_load_error") from error
