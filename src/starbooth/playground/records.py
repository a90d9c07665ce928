"""What outlives a restart: small JSON records in one SQLite file, written through after every change.

Survives the end of the process at any moment; not made to survive the loss of power. Knows no record's
meaning.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Records:
    """Records by kind and key. Without a file nothing is kept and every call is free."""

    def __init__(self, path: Path | None) -> None:
        self._changes: dict[tuple[str, str], str | None] = {}
        self._database: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS record"
                " (kind TEXT, key TEXT, content TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )

    def put(self, kind: str, key: int | str, content: Any) -> None:
        """Remember to write a record at the next `commit`."""
        if self._database is not None:
            self._changes[kind, str(key)] = json.dumps(content, ensure_ascii=False)

    def delete(self, kind: str, key: int | str) -> None:
        if self._database is not None:
            self._changes[kind, str(key)] = None

    def commit(self) -> None:
        """Write what changed since the last call, all or nothing."""
        if self._database is None or not self._changes:
            return
        with self._database:
            for (kind, key), content in self._changes.items():
                if content is None:
                    self._database.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))
                else:
                    self._database.execute(
                        "INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (kind, key, content)
                    )
        self._changes.clear()

    def all(self, kind: str) -> Iterator[Any]:
        """Every record of a kind, in the order of its key as a number."""
        if self._database is not None:
            rows = self._database.execute(
                "SELECT content FROM record WHERE kind = ? ORDER BY CAST(key AS INTEGER), key", (kind,)
            )
            for (content,) in rows.fetchall():
                yield json.loads(content)

    def close(self) -> None:
        self.commit()
        if self._database is not None:
            self._database.close()
            self._database = None
