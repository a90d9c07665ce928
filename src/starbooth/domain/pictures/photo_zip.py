"""Photos in a zip, which may be of anybody's making: a bomb, a maze, or a friend's holiday.

Names in it are only ever shown, never used as paths. Sizes are counted as they come out, whatever the zip
says.
"""

import io
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable
from starbooth.domain.pictures.photo import LARGEST_PHOTO_MB

MOST_ENTRIES = 500
MOST_UNPACKED_MB = 300
_LARGEST_BYTES = LARGEST_PHOTO_MB * 1024 * 1024
_ENTRY_MARK = b"PK\x01\x02"
_ZIP_MARK = b"PK\x03\x04"
_LONGEST_NAME = 40
# Of the ways to pack, those that need no memory to speak of.
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_IS_ENCRYPTED = 0x1
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, IndexError),
    NotImplementedError,
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of a zip. number: its place, from 0. body: None where it cannot be had; `flaw` says why.

    after: how many entries come behind it.
    """

    number: int
    name: str
    after: int = 0
    body: bytes | None = None
    flaw: PhotoFlaw | None = None


def is_zip(body: bytes) -> bool:
    """Whether these bytes begin as a zip does."""
    return body.startswith(_ZIP_MARK)


def read_zip(body: bytes) -> Iterator[Entry]:
    """The files of a zip, one unpacked at a time. What computers add for themselves is passed over.

    Unpacking blocks: take each one in a thread. Raises: PhotoUnreadable where the whole is no zip, has more
    than 500 entries, or comes to more than 300 MB.
    """
    if body.count(_ENTRY_MARK) > MOST_ENTRIES:  # before the list is read, which takes memory too
        raise PhotoUnreadable(PhotoFlaw.TOO_MANY_FILES, limit=MOST_ENTRIES)
    try:
        opened = zipfile.ZipFile(io.BytesIO(body))
    except _BROKEN as error:
        raise PhotoUnreadable(PhotoFlaw.NOT_A_ZIP) from error
    left = MOST_UNPACKED_MB * 1024 * 1024
    with opened:
        files = [
            (number, info)
            for number, info in enumerate(opened.infolist())
            if not info.is_dir() and not _is_a_computers_own(info.filename)
        ]
        for place, (number, info) in enumerate(files, start=1):
            entry = replace(_unpack(opened, info, number), after=len(files) - place)
            left -= _LARGEST_BYTES if entry.flaw is PhotoFlaw.TOO_LARGE else len(entry.body or b"")
            if left < 0:
                raise PhotoUnreadable(PhotoFlaw.TOO_LARGE, limit=MOST_UNPACKED_MB)
            yield entry


def _unpack(opened: zipfile.ZipFile, info: zipfile.ZipInfo, number: int) -> Entry:
    name = shown_name(info.filename)
    if info.flag_bits & _IS_ENCRYPTED:
        return Entry(number=number, name=name, flaw=PhotoFlaw.ENCRYPTED)
    if info.compress_type not in _PACKED:
        return Entry(number=number, name=name, flaw=PhotoFlaw.NOT_A_PICTURE)
    try:
        with opened.open(info) as source:
            body = source.read(_LARGEST_BYTES + 1)
    except _BROKEN:
        return Entry(number=number, name=name, flaw=PhotoFlaw.NOT_A_PICTURE)
    if len(body) > _LARGEST_BYTES:
        return Entry(number=number, name=name, flaw=PhotoFlaw.TOO_LARGE)
    if is_zip(body):
        return Entry(number=number, name=name, flaw=PhotoFlaw.ZIP_IN_A_ZIP)
    return Entry(number=number, name=name, body=body)


def shown_name(path: str) -> str:
    """A file's name without its folders and without what could turn or break the line that it is shown in."""
    name = PurePosixPath(path.replace("\\", "/")).name
    kept = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C").strip()
    return kept if len(kept) <= _LONGEST_NAME else f"{kept[: _LONGEST_NAME - 1]}…"


def _is_a_computers_own(path: str) -> bool:
    parts = PurePosixPath(path.replace("\\", "/")).parts
    name = parts[-1].lower() if parts else ""
    return "__MACOSX" in parts or name.startswith(".") or name in ("thumbs.db", "desktop.ini")
