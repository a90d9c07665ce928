"""Building exports: rows as JSON, the ledger as a table too, and files, into one zip on this disk.

Memory holds a page of rows or a piece of a file at a time. What storage does not have is named in the zip.
"""

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import structlog

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.privacy import exports
from starbooth.domain.privacy.export_folders import export_folder
from starbooth.domain.privacy.exports import Export
from starbooth.domain.privacy.telling import NAMES, ToldFile, read_files, read_rows
from starbooth.outside.storage.contract import Storage, StoredFileMissing
from starbooth.outside.storage.store import is_key

_log = structlog.get_logger()
_LEDGER = "ledger"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

KeepOn = Callable[[], Awaitable[None]]


class ClaimLost(Exception):
    """Somebody else builds this export by now, or its guest has deleted their account."""


async def build_next_export(database: Database, storage: Storage) -> bool:
    """Build one export that is due, and store it; false where none is. Repeat: harmless, several at once.

    A process that dies leaves the export to others, and its zip to `clear_leftovers`. Raises: Unavailable, of
    the database.
    """
    async with database.transaction() as tx:
        export = await exports.claim_export(tx, is_built=False)
    if export is None:
        return False
    try:
        await _build(database, storage, export)
    except ClaimLost:
        _log.info("export.claim_lost", export=export.export_id)
    except Unavailable as error:
        _log.warning("export.postponed", export=export.export_id, reason=error.reason)
        async with database.transaction() as tx:
            if not await exports.postpone(tx, export):
                _log.error("export.given_up", export=export.export_id)
    return True


async def _build(database: Database, storage: Storage, export: Export) -> None:
    async def keep_on() -> None:
        async with database.transaction() as tx:
            if not await exports.keep_claim(tx, export):
                raise ClaimLost

    key = exports.new_key(export)
    with export_folder() as folder:
        path = folder / "export.zip"
        await pack(database, storage, path, user_id=export.user_id, keep_on=keep_on)
        await keep_on()
        await storage.put_file(key, path, "application/zip")
        size_bytes = path.stat().st_size
    async with database.transaction() as tx:
        is_wanted = await exports.note_built(tx, export, key=key, size_bytes=size_bytes)
    if not is_wanted:
        await storage.delete(key)


async def pack(database: Database, storage: Storage, path: Path, *, user_id: str, keep_on: KeepOn) -> None:
    """Write all that is kept of this guest into a new zip. keep_on: called now and then; may raise.

    Raises: Unavailable.
    """
    missing: list[str] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in NAMES:
            await _tell(archive, table, read_rows(database, table, user_id=user_id))
            await keep_on()
        async for page in read_files(database, user_id=user_id):
            for file in page:
                if not is_key(file.key) or not await _add(archive, storage, file):
                    missing.append(file.name)
            await keep_on()
        if missing:
            archive.writestr("missing.txt", "".join(f"{name}\n" for name in missing))


async def _tell(archive: zipfile.ZipFile, table: str, pages: AsyncIterator[list[dict[str, Any]]]) -> None:
    """One table as a JSON array, a row a line; nothing where there is no row."""
    first = await anext(pages, None)
    if first is None:
        return
    sheet = _Sheet() if table == _LEDGER else None
    with archive.open(f"{table}.json", "w") as body:
        await asyncio.to_thread(_write_rows, body, first, "[\n")
        if sheet is not None:
            sheet.add(first)
        async for page in pages:
            await asyncio.to_thread(_write_rows, body, page, ",\n")
            if sheet is not None:
                sheet.add(page)
        body.write(b"\n]\n")
    if sheet is not None:
        archive.writestr(f"{table}.csv", sheet.text)


def _write_rows(body: IO[bytes], rows: list[dict[str, Any]], before: str) -> None:
    lines = (json.dumps(row, default=_plain, ensure_ascii=False) for row in rows)
    body.write((before + ",\n".join(lines)).encode())


class _Sheet:
    """The ledger as a table: as long as a guest's movements, which are short."""

    def __init__(self) -> None:
        self._lines = io.StringIO()
        self._table = csv.writer(self._lines)
        self._table.writerow(("at", "kind", "stars", "status", "telegram charge"))

    def add(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            charge = row["telegram_charge"] or ""
            # A program for tables would take it for a formula.
            charge = f"'{charge}" if charge.startswith(_FORMULA) else charge
            at = row["at"].isoformat(sep=" ", timespec="seconds")
            self._table.writerow((at, row["kind"], row["stars"], row["status"], charge))

    @property
    def text(self) -> str:
        return self._lines.getvalue()


async def _add(archive: zipfile.ZipFile, storage: Storage, file: ToldFile) -> bool:
    """Copy a file in, piece by piece, as it is, since pictures do not get smaller. False: it is lost."""
    pieces = storage.stream(file.key)
    try:
        first = await anext(pieces, b"")
    except StoredFileMissing:
        return False
    entry = zipfile.ZipInfo(file.name)
    entry.compress_type = zipfile.ZIP_STORED
    with archive.open(entry, "w", force_zip64=True) as body:
        await asyncio.to_thread(body.write, first)
        async for piece in pieces:
            await asyncio.to_thread(body.write, piece)
    return True


def _plain(value: object) -> object:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case Mapping():
            return dict(value)
    raise TypeError(type(value).__name__)
