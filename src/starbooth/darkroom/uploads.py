"""Receives uploads, whole or in parts, into the file store. Knows sizes and parts; nothing of HTTP paths.

An upload is begun with a ticket: a folder with an unguessable name that says what the file will be called.
Who knows the ticket may fill it, until it is swept a day later. Every step can be repeated without harm.
"""

import asyncio
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from starbooth.darkroom.files import FileStore

LARGEST_WHOLE_BYTES = 100 * 1024 * 1024
LARGEST_PART_BYTES = 32 * 1024 * 1024
MOST_PARTS = 200
SPARE_DISK_BYTES = 1024 * 1024 * 1024
TICKET_LIFETIME_S = 24 * 3600
TICKET_ID = re.compile(r"[A-Za-z0-9_-]{32}")
ETAG = re.compile(r"[0-9a-f]{64}")
WRITE_BYTES = 1024 * 1024


class UploadRefused(Exception):
    """The upload cannot be taken; the text says why, `status_code` how to say it in HTTP."""

    def __init__(self, status_code: int, reason: str) -> None:
        super().__init__(reason)
        self.status_code = status_code


@dataclass(frozen=True)
class Ticket:
    """A begun upload: its secret id, and the name that the file will have."""

    id: str
    name: str


class Uploads:
    """Uploads of one folder, which lies on the same disk as the file store. `now` gives Unix time."""

    def __init__(self, folder: Path, files: FileStore, *, now: Callable[[], float]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files = files
        self._now = now

    def begin(self, content_type: str, *, lifetime_s: int) -> Ticket:
        """A new ticket.

        Raises: UploadRefused when the disk is nearly full.
        """
        self._check_space()
        ticket = Ticket(secrets.token_urlsafe(24), self._files.new_name(content_type, lifetime_s=lifetime_s))
        folder = self._folder / ticket.id
        folder.mkdir()
        (folder / "ticket.json").write_text(json.dumps({"name": ticket.name}))
        return ticket

    def find(self, ticket_id: str) -> Ticket:
        """The ticket of this id.

        Raises: UploadRefused when there is none.
        """
        path = self._folder / ticket_id / "ticket.json"
        if TICKET_ID.fullmatch(ticket_id) is None or not path.is_file():
            raise UploadRefused(404, "Upload not found")
        return Ticket(ticket_id, json.loads(path.read_text())["name"])

    async def put_whole(self, ticket: Ticket, pieces: AsyncIterator[bytes]) -> None:
        """Take the whole file; afterwards it is served."""
        path, _ = await self._spool(ticket, pieces)
        self._files.adopt(ticket.name, path)

    async def put_part(self, ticket: Ticket, number: int, pieces: AsyncIterator[bytes]) -> str:
        """Take part `number`, from 1 on, in any order; a repeat replaces it. Returns its etag.

        Raises: UploadRefused for a number out of range.
        """
        if not 1 <= number <= MOST_PARTS:
            raise UploadRefused(400, f"Part numbers go from 1 to {MOST_PARTS}")
        path, etag = await self._spool(ticket, pieces)
        for former in path.parent.glob(f"{number}.*"):
            former.unlink()
        path.replace(path.parent / f"{number}.{etag}")
        return etag

    async def complete(self, ticket: Ticket, etags: dict[int, str]) -> None:
        """Join the parts, given as etag by part number; afterwards the file is served. Safe to repeat.

        Raises: UploadRefused when a part is missing or is not the one that was received.
        """
        if self._files.find(ticket.name) is not None:
            return
        if not etags or sorted(etags) != list(range(1, len(etags) + 1)):
            raise UploadRefused(400, "Parts must be numbered from 1 without a gap")
        parts = [self._part(ticket, number, etags[number]) for number in sorted(etags)]
        joined = await asyncio.to_thread(_join, parts)
        self._files.adopt(ticket.name, joined)
        for part in parts:
            part.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Delete tickets of yesterday with all their parts. Returns how many."""
        old = [
            path for path in self._folder.iterdir() if path.stat().st_mtime < self._now() - TICKET_LIFETIME_S
        ]
        for path in old:
            shutil.rmtree(path)
        return len(old)

    def _check_space(self) -> None:
        if shutil.disk_usage(self._folder).free < SPARE_DISK_BYTES:
            raise UploadRefused(507, "The disk of this engine is nearly full")

    def _part(self, ticket: Ticket, number: int, etag: str) -> Path:
        etag = etag.strip('"')
        path = self._folder / ticket.id / f"{number}.{etag}"
        if ETAG.fullmatch(etag) is None or not path.is_file():
            raise UploadRefused(400, f"Part {number} was not received with this etag")
        return path

    async def _spool(self, ticket: Ticket, pieces: AsyncIterator[bytes]) -> tuple[Path, str]:
        """Write the pieces to a file beside the ticket; an error leaves none. Returns path and SHA-256."""
        self._check_space()
        digest, waiting = hashlib.sha256(), bytearray()
        with NamedTemporaryFile(dir=self._folder / ticket.id, prefix="new-", delete=False) as new:
            path = Path(new.name)
            try:
                async for piece in pieces:
                    digest.update(piece)
                    waiting += piece
                    if len(waiting) >= WRITE_BYTES:
                        await asyncio.to_thread(new.write, bytes(waiting))
                        waiting.clear()
                new.write(waiting)
            except BaseException:
                os.unlink(path)
                raise
        return path, digest.hexdigest()


def _join(parts: list[Path]) -> Path:
    with NamedTemporaryFile(dir=parts[0].parent, prefix="new-", delete=False) as joined:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, joined)
    return Path(joined.name)
