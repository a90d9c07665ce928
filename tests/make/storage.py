"""A storage in memory, by the same contract as the real ones."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starbooth.outside.storage.contract import StoredFile, StoredFileMissing


@dataclass
class MemoryStorage:
    """`next_puts`: what the next puts raise, one each."""

    files: dict[str, bytes] = field(default_factory=dict)
    next_puts: deque[Exception] = field(default_factory=deque)
    stored_at: dict[str, datetime] = field(default_factory=dict)

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        if self.next_puts:
            raise self.next_puts.popleft()
        self.files[key] = body
        self.stored_at[key] = datetime.now(UTC)

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        await self.put(key, await asyncio.to_thread(path.read_bytes), content_type)

    async def get(self, key: str) -> bytes:
        if key not in self.files:
            raise StoredFileMissing(key)
        return self.files[key]

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        body = await self.get(key)
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    async def delete(self, key: str) -> None:
        self.files.pop(key, None)

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        for key in sorted(self.files):
            if not prefix or key.startswith(f"{prefix}/"):
                yield key

    async def list_files(self, prefix: str = "") -> AsyncIterator[StoredFile]:
        async for key in self.list(prefix):
            yield await self.look_at(key)

    async def look_at(self, key: str) -> StoredFile:
        body = await self.get(key)
        return StoredFile(key=key, size_bytes=len(body), stored_at=self.stored_at.get(key, datetime.now(UTC)))

    def let_pass(self, time: timedelta) -> None:
        """Every file was stored so much earlier."""
        now = datetime.now(UTC)
        self.stored_at = {key: self.stored_at.get(key, now) - time for key in self.files}

    async def size(self, key: str) -> int:
        return len(await self.get(key))

    async def health(self) -> str:
        return "in memory"
