"""Storage against the database: files that nobody names, and names without a file.

Files are put before their rows are written, so a file is a stray only once it is old. Millions of files are
compared in sixteen bytes each: by a hash of their names; what differs is looked at again by its whole name.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from starbooth.base.database import Database, Tx, sql
from starbooth.domain.privacy.holdings import (
    FOLDERS,
    Named,
    find_accounted,
    find_named,
    read_doomed,
    read_named,
)
from starbooth.outside.storage.contract import Storage, StoredFile, StoredFileMissing

LEAST_AGE = timedelta(days=1)
_MOST_NAMED = 10_000  # of each kind in one survey; the next one names the others
_AT_ONCE = 500
_FEW = 100  # so many strays need no second thought
_T = TypeVar("_T")
_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What storage holds. strays: old files that nobody names. young: files that nobody names yet.

    lost: files that a row names and storage does not have. foreign: files in folders that are not ours.
    """

    files: int
    size_bytes: int
    strays: Sequence[StoredFile]
    young: int
    foreign: int
    lost: Sequence[Named]

    @property
    def is_clean(self) -> bool:
        """Whether storage holds what the database names, and nothing else that is old."""
        return not self.strays and not self.lost

    @property
    def is_strange(self) -> bool:
        """Whether there are so many strays that the database is more likely wrong than storage."""
        return len(self.strays) > max(_FEW, self.files // 10)


@dataclass
class _Hashes:
    """Names as hashes of eight bytes, found by halving once they are sorted."""

    sorted: "array[int]" = field(default_factory=lambda: array("Q"))

    def __contains__(self, key: str) -> bool:
        hashed = _hash(key)
        place = bisect_left(self.sorted, hashed)
        return place < len(self.sorted) and self.sorted[place] == hashed


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest())


async def survey(
    database: Database, storage: Storage, *, at: datetime, least_age: timedelta = LEAST_AGE
) -> Survey:
    """Compare both, without changing either. at: the present moment. Repeat: harmless.

    Takes as long as listing storage does. Raises: Unavailable.
    """
    accounted = await _read_accounted(database)
    present, found = await _list(storage, accounted, oldest=at - least_age)
    lost = await _find_lost(database, storage, present)
    strays = await _confirm(database, found.strays)
    return Survey(
        files=found.files,
        size_bytes=found.size_bytes,
        strays=strays,
        young=found.young,
        foreign=found.foreign,
        lost=lost,
    )


@dataclass
class _Found:
    files: int = 0
    size_bytes: int = 0
    young: int = 0
    foreign: int = 0
    strays: list[StoredFile] = field(default_factory=list)


async def _read_accounted(database: Database) -> _Hashes:
    hashes: array[int] = array("Q")
    async with database.transaction() as tx:
        async for named in read_named(tx):
            hashes.append(_hash(named.key))
        async for key in read_doomed(tx):
            hashes.append(_hash(key))
    return _Hashes(array("Q", sorted(hashes)))


async def _list(storage: Storage, accounted: _Hashes, *, oldest: datetime) -> tuple[_Hashes, _Found]:
    hashes: array[int] = array("Q")
    found = _Found()
    async for file in storage.list_files():
        if file.key.partition("/")[0] not in FOLDERS:
            found.foreign += 1
            continue
        hashes.append(_hash(file.key))
        found.files += 1
        found.size_bytes += file.size_bytes
        if file.key in accounted:
            continue
        if file.stored_at > oldest:
            found.young += 1
        elif len(found.strays) < _MOST_NAMED:
            found.strays.append(file)
    return _Hashes(array("Q", sorted(hashes))), found


async def _find_lost(database: Database, storage: Storage, present: _Hashes) -> list[Named]:
    """Names whose file was not listed, and is not there now either while the row still names it."""
    missing: dict[str, Named] = {}
    async with database.transaction() as tx:
        async for named in read_named(tx):
            if named.key not in present and len(missing) < _MOST_NAMED:
                missing[named.key] = named
    lost = [named for key, named in missing.items() if not await _is_there(storage, key)]
    still: list[Named] = []
    for some in _chunks(lost):
        async with database.transaction() as tx:
            still += await find_named(tx, [named.key for named in some])
    return list({named.key: named for named in still}.values())


def _chunks(things: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(things), _AT_ONCE):
        yield things[start : start + _AT_ONCE]


async def _is_there(storage: Storage, key: str) -> bool:
    try:
        await storage.look_at(key)
    except StoredFileMissing:
        return False
    return True


async def _confirm(database: Database, strays: Sequence[StoredFile]) -> list[StoredFile]:
    """Those that still nobody names."""
    confirmed: list[StoredFile] = []
    for some in _chunks(strays):
        async with database.transaction() as tx:
            accounted = await find_accounted(tx, [file.key for file in some])
        confirmed += [file for file in some if file.key not in accounted]
    return confirmed


async def delete_strays(database: Database, storage: Storage, strays: Sequence[StoredFile]) -> int:
    """Delete these files unless somebody names them by now, or they were put anew; how many went.

    Repeat: harmless. Raises: Unavailable.
    """
    gone = 0
    for some in _chunks(strays):
        for file in await _confirm(database, some):
            try:
                if (await storage.look_at(file.key)).stored_at != file.stored_at:
                    continue
            except StoredFileMissing:
                continue
            await storage.delete(file.key)
            gone += 1
    return gone


_BEGIN = sql("""
    INSERT INTO starbooth.storage_sweeps (began_at)
    SELECT now() WHERE NOT EXISTS (SELECT FROM starbooth.storage_sweeps
        WHERE began_at > now() - CASE WHEN ended_at IS NULL
            THEN interval '1 hour' ELSE interval '23 hours' END)
    RETURNING number
""")
_END = sql("""
    UPDATE starbooth.storage_sweeps SET ended_at = now(), files = :files, size_bytes = :size_bytes,
        strays = :strays, deleted = :deleted, lost = :lost
    WHERE number = :number
""")
_FORGET = sql("DELETE FROM starbooth.storage_sweeps WHERE began_at < now() - interval '1 year'")


async def sweep_storage(database: Database, storage: Storage, *, at: datetime) -> Survey | None:
    """Once a day, among all workers: delete strays, and tell the operator's log of files that are lost.

    None where it is not due. Where the strays are so many that the database may be the wrong one, nothing is
    deleted: `starbooth storage --delete` does it for who has looked. Repeat: harmless. Raises: Unavailable.
    """
    async with database.transaction() as tx:
        number = await _begin(tx)
    if number is None:
        return None
    found = await survey(database, storage, at=at)
    deleted = 0 if found.is_strange else await delete_strays(database, storage, found.strays)
    if found.is_strange:
        _log.error("storage.strange", strays=len(found.strays), files=found.files, operator_must_act=True)
    if found.lost:
        keys = [named.key for named in found.lost[:10]]
        _log.error("storage.lost", lost=len(found.lost), keys=keys, operator_must_act=True)
    _log.info("storage.swept", files=found.files, strays=len(found.strays), deleted=deleted)
    await _note_end(database, number, found, deleted=deleted)
    return found


async def _begin(tx: Tx) -> int | None:
    await tx.execute(sql("SELECT pg_advisory_xact_lock(hashtextextended('storage sweep', 0))"))
    await tx.execute(_FORGET)
    number: int | None = await tx.scalar(_BEGIN)
    return number


async def _note_end(database: Database, number: int, found: Survey, *, deleted: int) -> None:
    values = {
        "number": number,
        "files": found.files,
        "size_bytes": found.size_bytes,
        "strays": len(found.strays),
        "deleted": deleted,
        "lost": len(found.lost),
    }
    async with database.statement() as tx:
        await tx.execute(_END, values)
