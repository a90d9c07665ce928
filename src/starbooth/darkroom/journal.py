"""What the server must not forget, in SQLite: jobs, their ends, and webhooks owed.

One thread writes; whatever arrives while it commits goes into the next commit together, so a thousand small
writes a second cost a few hundred disk flushes. Reads are single rows by key on a connection of the event
loop. Only one server may own a folder; a lock file sees to it and is freed by the system even after kill -9.
"""

import asyncio
import fcntl
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

LARGEST_COMMIT = 256

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  endpoint TEXT NOT NULL,
  arguments TEXT NOT NULL,
  priority TEXT NOT NULL,
  request_key TEXT UNIQUE,
  fingerprint TEXT NOT NULL,
  webhook_url TEXT,
  picture_lifetime_s INTEGER NOT NULL,
  start_by REAL,
  accepted_at REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'waiting',
  ended_at REAL,
  status_code INTEGER,
  answer TEXT,
  error TEXT,
  error_type TEXT,
  logs TEXT,
  inference_s REAL
);
CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state, number);
CREATE INDEX IF NOT EXISTS jobs_ended_at ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS webhooks (
  request_id TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  body BLOB NOT NULL,
  tries INTEGER NOT NULL,
  due_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finishing (number INTEGER PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (state TEXT PRIMARY KEY, jobs INTEGER NOT NULL) WITHOUT ROWID;
"""


class FolderTaken(Exception):
    """Another darkroom runs on this folder."""


@dataclass(frozen=True)
class _Write(Generic[T]):
    work: Callable[[sqlite3.Connection], T]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[T]"


class Journal:
    """The open journal of a folder. `write` and `read` belong to the event loop that is running.

    Raises: FolderTaken when a server is at work in this folder already.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise FolderTaken(f"another darkroom runs on the folder {folder}") from error
        path = folder / "journal.sqlite"
        self._writer = _connect(path)
        self._writer.executescript(SCHEMA)
        self._reader = _connect(path)
        self._inbox: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="darkroom-journal", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside a transaction in the writing thread; returns when it is on the disk.

        `work` may be run a second time, after a rollback, when another write of the same commit failed.
        Raises: whatever `work` raises; nothing of it is kept then.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._inbox.put(_Write(work, loop, done))
        return await done

    def read(self, statement: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """The rows of a short query, as of the last commit. Blocks: ask for single rows by key only."""
        return self._reader.execute(statement, values).fetchall()

    def close(self) -> None:
        """Write what was handed in, then close. Safe to repeat."""
        if self._thread.is_alive():
            self._inbox.put(None)
            self._thread.join()
            self._reader.close()
            self._writer.close()
            self._lock.close()

    def _write_all(self) -> None:
        is_open = True
        while is_open:
            batch: list[_Write[Any]] = []
            entry = self._inbox.get()
            while entry is not None:
                batch.append(entry)
                if len(batch) == LARGEST_COMMIT or self._inbox.empty():
                    break
                entry = self._inbox.get()
            is_open = entry is not None
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Write[Any]]) -> None:
        """All writes in one transaction; if one fails, each in its own, so that none pays for another."""
        try:
            with _transaction(self._writer):
                results = [entry.work(self._writer) for entry in batch]
        except Exception as error:  # noqa: BLE001 - handed to the caller below, whatever it is
            if len(batch) == 1:
                _tell(batch, [error])
                return
            for entry in batch:
                self._commit([entry])
            return
        _tell(batch, results)


def _tell(batch: list[_Write[Any]], outcomes: list[Any]) -> None:
    """Resolve the futures on their loops, with one wake-up for a whole batch."""

    def resolve() -> None:
        for entry, outcome in zip(batch, outcomes, strict=True):
            if entry.done.cancelled():
                continue
            if isinstance(outcome, Exception):
                entry.done.set_exception(outcome)
            else:
                entry.done.set_result(outcome)

    batch[0].loop.call_soon_threadsafe(resolve)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection
