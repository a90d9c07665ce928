"""LoRA files: where they may come from, how they get here, and whether their header is one of a LoRA.

A LoRA is a file that was uploaded here, or lies under an origin that the operator named (the booth's own
address). It is read as safetensors and as nothing else: no other format is free of code. Knows no torch;
whether the weights fit a model is for the painter to say.
"""

import asyncio
import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import httpx

from starbooth.darkroom.files import FileStore
from starbooth.darkroom.jobs import Json
from starbooth.darkroom.painter import Lora
from starbooth.darkroom.schemas import InvalidInput

LARGEST_LORA_BYTES = 512 * 1024 * 1024
LARGEST_HEADER_BYTES = 4 * 1024 * 1024
LARGEST_SHELF_BYTES = 16 * 1024 * 1024 * 1024
KEEP_S = 24 * 3600
FETCH_S = 60.0
"""The line waits meanwhile, so it is short."""

NUMBER_BYTES = {"F32": 4, "F16": 2, "BF16": 2}
LORA_ENDINGS = (
    *(".lora_A.weight", ".lora_B.weight", ".lora_down.weight", ".lora_up.weight"),
    *(".lora.down.weight", ".lora.up.weight", ".alpha"),
)


class Loras:
    """The LoRA files of one server. `folder` keeps fetched ones for a day; `now` gives Unix time.

    A fetched file is known by its address without the query, so that a link that is signed anew every time
    is fetched once. It must hence lead to the same file every time, as the booth's do.
    """

    def __init__(
        self,
        folder: Path,
        files: FileStore,
        *,
        files_url: str,
        origins: tuple[str, ...],
        now: Callable[[], float],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files = files
        self._files_url = files_url
        self._origins = frozenset(_origin(httpx.URL(origin)) for origin in origins)
        self._now = now
        self._http = httpx.AsyncClient(timeout=15.0, trust_env=False, follow_redirects=False)

    def check(self, wanted: list[Json]) -> None:
        """Refuse what can be refused before anything is fetched. Reads headers of files, hence blocks.

        Raises: InvalidInput.
        """
        for number, wish in enumerate(wanted):
            if wish["path"].startswith(self._files_url):
                _check_header(self._own(number, wish["path"]), number)
            else:
                self._allowed(number, wish["path"])

    async def gather(self, wanted: list[Json]) -> None:
        """Fetch what lies elsewhere and is not here yet. Repeat: harmless. Raises: InvalidInput."""
        for number, wish in enumerate(wanted):
            if wish["path"].startswith(self._files_url):
                continue
            url = self._allowed(number, wish["path"])
            path = self._place_of(url)
            if not self._is_fresh(path):
                await self._fetch(number, url, path)

    def open(self, wanted: list[Json]) -> tuple[Lora, ...]:
        """The files of LoRAs that were gathered. Raises: InvalidInput where one has expired since."""
        return tuple(
            Lora(path=self._found(number, wish["path"]), scale=wish["scale"])
            for number, wish in enumerate(wanted)
        )

    def sweep(self) -> None:
        """Delete fetched files of yesterday, and the oldest where all together are too large."""
        facts = [(path.stat(), path) for path in self._folder.iterdir()]
        kept_bytes = 0
        for stat, path in sorted(facts, key=lambda fact: fact[0].st_mtime, reverse=True):
            kept_bytes += stat.st_size
            if stat.st_mtime + KEEP_S <= self._now() or kept_bytes > LARGEST_SHELF_BYTES:
                path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _own(self, number: int, address: str) -> Path:
        path = self._files.find(address.removeprefix(self._files_url))
        if path is None:
            raise refused(number, "The file is not there, or has expired", "file_download_error")
        return path

    def _allowed(self, number: int, address: str) -> httpx.URL:
        message = "Only a file that was uploaded to this engine, or of an allowed origin, can be used"
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL as error:
            raise refused(number, message, "file_download_error") from error
        if url.userinfo or _origin(url) not in self._origins:
            raise refused(number, message, "file_download_error")
        return url

    def _found(self, number: int, address: str) -> Path:
        if address.startswith(self._files_url):
            return self._own(number, address)
        path = self._place_of(self._allowed(number, address))
        if not path.is_file():
            raise refused(number, "The file is not there any more", "downstream_service_unavailable")
        return path

    def _place_of(self, url: httpx.URL) -> Path:
        bare = url.copy_with(query=None, fragment=None)
        return self._folder / f"{hashlib.sha256(str(bare).encode()).hexdigest()}.safetensors"

    def _is_fresh(self, path: Path) -> bool:
        return path.is_file() and path.stat().st_mtime + KEEP_S / 2 > self._now()

    async def _fetch(self, number: int, url: httpx.URL, path: Path) -> None:
        """Whole and checked, or not at all."""
        with NamedTemporaryFile(dir=self._folder, prefix=".new-") as new:
            try:
                async with asyncio.timeout(FETCH_S):
                    await self._download(number, url, new)
            except (httpx.HTTPError, TimeoutError) as error:
                message = f"The weights could not be fetched just now ({type(error).__name__})"
                raise refused(number, message, "downstream_service_unavailable") from error
            new.flush()
            await asyncio.to_thread(self._put_in_place, number, Path(new.name), path)

    def _put_in_place(self, number: int, new: Path, path: Path) -> None:
        _check_header(new, number)
        os.utime(new, (self._now(), self._now()))
        path.unlink(missing_ok=True)
        os.link(new, path)

    async def _download(self, number: int, url: httpx.URL, target: Any) -> None:
        async with self._http.stream("GET", url) as answer:
            if answer.is_server_error:
                message = f"The weights could not be fetched just now (HTTP {answer.status_code})"
                raise refused(number, message, "downstream_service_unavailable")
            if answer.status_code != httpx.codes.OK:
                message = f"The weights could not be fetched (HTTP {answer.status_code})"
                raise refused(number, message, "file_download_error")
            size = 0
            async for piece in answer.aiter_bytes(1024 * 1024):
                size += len(piece)
                if size > LARGEST_LORA_BYTES:
                    raise _too_large(number)
                await asyncio.to_thread(target.write, piece)


def refused(number: int, message: str, kind: str) -> InvalidInput:
    """The refusal of the LoRA of this number. `kind` is fal's `type`."""
    return InvalidInput([{"loc": ["body", "loras", number, "path"], "msg": message, "type": kind, "ctx": {}}])


def unusable(number: int, reason: str) -> InvalidInput:
    """The refusal of a file that is there and is no LoRA for this model."""
    return refused(number, f"These weights cannot be loaded: {reason}", "lora_load_error")


def _check_header(path: Path, number: int) -> None:
    """Raises: InvalidInput unless the file says to be safetensors of LoRA weights and has that size."""
    if path.stat().st_size > LARGEST_LORA_BYTES:
        raise _too_large(number)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= LARGEST_HEADER_BYTES:
            raise unusable(number, "not a safetensors file")
        raw = file.read(length)
    try:
        header = json.loads(raw)
        tensors = {name: fact for name, fact in header.items() if name != "__metadata__"}
        sizes = [math.prod(fact["shape"]) * NUMBER_BYTES[fact["dtype"]] for fact in tensors.values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise unusable(number, "not a safetensors file of F32, F16 or BF16") from error
    if not tensors or path.stat().st_size != 8 + length + sum(sizes):
        raise unusable(number, "the file is empty or cut off")
    if not all(name.endswith(LORA_ENDINGS) for name in tensors):
        raise unusable(number, "it holds other tensors than those of a LoRA")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _too_large(number: int) -> InvalidInput:
    return refused(number, f"LoRA weights may have at most {LARGEST_LORA_BYTES} bytes", "file_too_large")
