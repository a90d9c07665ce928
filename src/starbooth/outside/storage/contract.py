"""What we ask of the place where our files lie.

Knows no picture, order or address: a file is a key, its bytes and a content type.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from starbooth.base.errors import Unavailable


class StoredFileMissing(Exception):
    """Nothing is stored under `key`."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class StorageUnavailable(Unavailable):
    """The disk or bucket did not answer properly; trying again later may work."""


class Storage(Protocol):
    """A place for files. Keys match `storage.store.check_key`; a wrong one is a bug and raises ValueError."""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store all of `body` or nothing. Repeat: replaces; readers see the old or the new file whole.

        Raises: StorageUnavailable.
        """
        ...

    async def get(self, key: str) -> bytes:
        """All bytes. Raises: StoredFileMissing, StorageUnavailable."""
        ...

    async def delete(self, key: str) -> None:
        """Repeat: harmless, also where nothing is stored. Raises: StorageUnavailable."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[str]:
        """Keys in the folder `prefix` and below it, in any order; "" is everything.

        Raises: StorageUnavailable while iterating.
        """
        ...

    async def size(self, key: str) -> int:
        """Bytes. Raises: StoredFileMissing, StorageUnavailable."""
        ...

    async def health(self) -> str:
        """Write, read and delete a small file; one line for the operator. Raises: StorageUnavailable."""
        ...
