"""Files that the server gives out: pictures and uploads, under names nobody can guess, until they expire.

A name is `<expiry in hex>-<random>.<ending>`: the expiry needs no database, and a changed one names no file.
What a file is served as follows from its ending alone; unknown kinds are served as plain bytes.
"""

import math
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

NAME = re.compile(r"([0-9a-f]{1,12})-[A-Za-z0-9_-]{32}\.[a-z0-9]{1,11}")
UNKNOWN_TYPE = "application/octet-stream"
UNKNOWN_ENDING = "bin"
SHOWN_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/heic": "heic",
    "text/plain": "txt",
    "application/json": "json",
    "application/zip": "zip",
    "application/x-zip-compressed": "zip",
}
TYPES = {ending: content_type for content_type, ending in reversed(ENDINGS.items())}
UNFINISHED = ".new-"
UNFINISHED_LIFETIME_S = 24 * 3600


class FileStore:
    """The files of one folder. `now` gives Unix time in seconds."""

    def __init__(self, folder: Path, *, now: Callable[[], float]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._now = now

    def new_name(self, content_type: str, *, lifetime_s: int, ending: str | None = None) -> str:
        """An unguessable name for a file of this type that expires in `lifetime_s`.

        ending: what the name ends in, where the type does not tell; what it is served as follows from it.
        """
        ending = ending or ENDINGS.get(content_type.partition(";")[0].strip().lower(), UNKNOWN_ENDING)
        return f"{int(self._now()) + lifetime_s:x}-{secrets.token_urlsafe(24)}.{ending}"

    def keep(self, name: str, content: bytes) -> None:
        """Write the file; it appears whole or not at all, and is on the disk when this returns."""
        with NamedTemporaryFile(dir=self._folder, prefix=UNFINISHED, delete=False) as new:
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
        self.adopt(name, Path(new.name))

    def adopt(self, name: str, path: Path) -> None:
        """Move a finished file of the same disk in under this name.

        Raises: ValueError for a name that is not one of ours.
        """
        if NAME.fullmatch(name) is None:
            raise ValueError(f"not a file name of this store: {name!r}")
        path.replace(self._folder / name)

    def find(self, name: str) -> Path | None:
        """The path of a file that exists and has not expired."""
        match = NAME.fullmatch(name)
        if match is None or int(match[1], 16) <= self._now():
            return None
        path = self._folder / name
        return path if path.is_file() else None

    def delete(self, name: str) -> bool:
        """Delete a file now. False where there is none. Safe to repeat."""
        path = self.find(name)
        if path is None:
            return False
        path.unlink(missing_ok=True)
        return True

    def sweep(self) -> int:
        """Delete what has expired, and pieces of writes that never ended. Returns how many."""
        swept = 0
        for path in self._folder.iterdir():
            if self._expires_at(path) <= self._now():
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def _expires_at(self, path: Path) -> float:
        if match := NAME.fullmatch(path.name):
            return int(match[1], 16)
        try:
            return path.stat().st_mtime + UNFINISHED_LIFETIME_S
        except FileNotFoundError:  # a write that has ended in this moment
            return math.inf


def content_type_of(name: str) -> str:
    """The type under which a file of this name is served."""
    return TYPES.get(name.rpartition(".")[2], UNKNOWN_TYPE)


def is_shown(name: str) -> bool:
    """Whether browsers may show it; all else is offered for saving, so that no upload runs as a page."""
    return content_type_of(name) in SHOWN_TYPES
