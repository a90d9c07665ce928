"""A storage in memory, by the same contract as the real ones."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starbooth.outside.storage.contract import StoredFileMissing


@dataclass
class MemoryStorage:
    """`next_puts`: what the next puts raise, one each."""

    files: dict[str, bytes] = field(default_factory=dict)
    next_puts: deque[Exception] = field(default_factory=deque)

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        if self.next_puts:
            raise self.next_puts.popleft()
        self.files[key] = body

    async def get(self, key: str) -> bytes:
        if key not in self.files:
            raise StoredFileMissing(key)
        return self.files[key]

    async def delete(self, key: str) -> None:
        self.files.pop(key, None)

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        for key in sorted(self.files):
            if not prefix or key.startswith(f"{prefix}/"):
                yield key

    async def size(self, key: str) -> int:
        return len(await self.get(key))

    async def health(self) -> str:
        return "in memory"
