"""Files on a disk or in a bucket, through obstore.

Knows schemes, folders and time limits; credentials of buckets come from where their makers put them
(`AWS_*`, `GOOGLE_*`, `AZURE_*` in the environment). On disk a file appears under its name by a rename, so
that a killed process leaves no half of one.
"""

import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from starbooth.base.errors import SettingError
from starbooth.outside.storage.contract import (
    Storage,
    StorageUnavailable,
    StoredFile,
    StoredFileMissing,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig  # exist for type checkers only

SETTING = "STARBOOTH_STORAGE"
SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")
_PIECE_BYTES = 1024 * 1024
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){0,7}")


def open_storage(url: str) -> Storage:
    """The storage at `file:///folder` (made with mode 0700), `s3://bucket/prefix` or another of obstore's.

    Asks no network. Raises: SettingError naming what is wrong with the address.
    """
    if url.startswith("file://"):
        return ObjectStorage(_folder(url.removeprefix("file://")), where=url, keeps_types=False)
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise SettingError(SETTING, "must begin with file:///, s3://, gs:// or az://.")
    if not parts.netloc:
        raise SettingError(SETTING, f"names no bucket: write {parts.scheme}://bucket/prefix.")
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingError(SETTING, "must hold no credentials and no query; set AWS_* in the environment.")
    try:
        store = from_url(url, client_options=_client_options(), retry_config=_RETRIES)
    except (BaseError, ValueError) as error:
        raise SettingError(SETTING, f"cannot be used: {error}") from error
    return ObjectStorage(store, where=url, keeps_types=True)


def check_key(key: str) -> None:
    """Raise ValueError unless `key` is folders and a name of letters, digits, `.`, `_` and `-`.

    Each part begins with a letter or digit, so that `..`, hidden files and absolute paths are none.
    """
    if not is_key(key):
        raise ValueError(f"not a storage key: {key!r:.100}")


def is_key(text: str) -> bool:
    """Whether a file can lie under this name; see `check_key`."""
    return _KEY.fullmatch(text) is not None


class ObjectStorage:
    """A Storage over any of obstore's stores. Safe to share between tasks."""

    def __init__(self, store: ObjectStore, *, where: str, keeps_types: bool) -> None:
        self._store = store
        self._where = where
        self._keeps_types = keeps_types

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """See Storage.put."""
        check_key(key)
        attributes = {"Content-Type": content_type} if self._keeps_types else None
        with _named(key):
            await obstore.put_async(self._store, key, body, attributes=attributes, use_multipart=False)

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """See Storage.put_file."""
        check_key(key)
        attributes = {"Content-Type": content_type} if self._keeps_types else None
        with _named(key):
            await obstore.put_async(self._store, key, path, attributes=attributes, max_concurrency=2)

    async def get(self, key: str) -> bytes:
        """See Storage.get."""
        check_key(key)
        with _named(key):
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """See Storage.stream."""
        check_key(key)
        with _named(key):
            found = await obstore.get_async(self._store, key)
            async for piece in found.stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)

    async def delete(self, key: str) -> None:
        """See Storage.delete."""
        check_key(key)
        try:
            with _named(key):
                await obstore.delete_async(self._store, key)
        except StoredFileMissing:
            return

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """See Storage.list."""
        async for found in self.list_files(prefix):
            yield found.key

    async def list_files(self, prefix: str = "") -> AsyncIterator[StoredFile]:
        """See Storage.list_files."""
        if prefix:
            check_key(prefix)
        with _named(prefix):
            async for batch in obstore.list(self._store, prefix=prefix or None):
                for found in batch:
                    yield _told(found)

    async def look_at(self, key: str) -> StoredFile:
        """See Storage.look_at."""
        check_key(key)
        with _named(key):
            return _told(await obstore.head_async(self._store, key))

    async def size(self, key: str) -> int:
        """See Storage.size."""
        return (await self.look_at(key)).size_bytes

    async def health(self) -> str:
        """See Storage.health."""
        key, body = f"health/{secrets.token_hex(8)}", secrets.token_bytes(16)
        await self.put(key, body, "application/octet-stream")
        try:
            if await self.get(key) != body:
                raise StorageUnavailable("it gave back other bytes than were put there")
        except StoredFileMissing as error:
            raise StorageUnavailable("it did not keep what was put there") from error
        finally:
            await self.delete(key)
        return f"{self._where} keeps and gives back"


def _told(found: "ObjectMeta") -> StoredFile:
    return StoredFile(key=found["path"], size_bytes=found["size"], stored_at=found["last_modified"])


_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


def _client_options() -> "ClientConfig":
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    is_plain = any(os.environ.get(name, "").startswith("http://") for name in names)
    return {
        "connect_timeout": timedelta(seconds=5),
        "timeout": timedelta(seconds=30),
        "allow_http": is_plain,  # the operator wrote that address: a bucket on their own network
    }


def _folder(path: str) -> LocalStore:
    if not path.startswith("/"):
        raise SettingError(SETTING, "must be file:/// and an absolute path.")
    folder = Path(path)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(SETTING, f"the folder cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise SettingError(SETTING, "the folder cannot be written to by this user.")
    return LocalStore(prefix=folder)


@contextmanager
def _named(key: str) -> Iterator[None]:
    """Give obstore's exceptions our names."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoredFileMissing(key) from error
    except (BaseError, OSError) as error:
        raise StorageUnavailable(f"{type(error).__name__}: {str(error)[:300]}") from error
