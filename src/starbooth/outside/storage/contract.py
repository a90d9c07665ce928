"""What we ask of the place where our files lie.

Knows no picture, order or address: a file is a key, its bytes and a content type.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from starbooth.base.errors import Unavailable


class StoredFileMissing(Exception):
    """Nothing is stored under `key`."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class StorageUnavailable(Unavailable):
    """The disk or bucket did not answer properly; trying again later may work."""


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file as storage tells of it. stored_at: when it was put last; aware."""

    key: str
    size_bytes: int
    stored_at: datetime


class Storage(Protocol):
    """A place for files. Keys match `storage.store.check_key`; a wrong one is a bug and raises ValueError."""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store all of `body` or nothing. Repeat: replaces; readers see the old or the new file whole.

        Raises: StorageUnavailable.
        """
        ...

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """`put` of a file on this disk, of any size, in bounded memory. Repeat: replaces.

        Raises: StorageUnavailable.
        """
        ...

    async def get(self, key: str) -> bytes:
        """All bytes. Raises: StoredFileMissing, StorageUnavailable."""
        ...

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """The bytes piece by piece, in bounded memory.

        Raises while iterating: StoredFileMissing (before the first piece), StorageUnavailable.
        """
        ...

    async def delete(self, key: str) -> None:
        """Repeat: harmless, also where nothing is stored. Raises: StorageUnavailable."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[str]:
        """Keys in the folder `prefix` and below it, in any order; "" is everything.

        Raises: StorageUnavailable while iterating.
        """
        ...

    def list_files(self, prefix: str = "") -> AsyncIterator[StoredFile]:
        """`list` with all that is known of each file. Raises: StorageUnavailable while iterating."""
        ...

    async def look_at(self, key: str) -> StoredFile:
        """What is known of one file. Raises: StoredFileMissing, StorageUnavailable."""
        ...

    async def size(self, key: str) -> int:
        """Bytes. Raises: StoredFileMissing, StorageUnavailable."""
        ...

    async def health(self) -> str:
        """Write, read and delete a small file; one line for the operator. Raises: StorageUnavailable."""
        ...
