"""The operator's word list: kept in the database, changed while the booth is open, compared from memory.

Every change gives the list a version that no list ever had before, so a process keeps what it made of one and
reads a single row for each prompt.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from starbooth.base.database import Tx, sql
from starbooth.domain.prompts.errors import NoSuchPhrase, PhraseRefused
from starbooth.domain.prompts.matching import Matcher, tidy_entry
from starbooth.domain.users.operators import log_deed

LONGEST_NOTE = 500
_VERSIONS_KEPT = 4


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of the list. `refusals`: how many prompts it refused in the last 30 days."""

    id: int
    entry: str
    note: str
    operator: str
    added_at: datetime
    refusals: int


_LIST = sql("""
    SELECT w.id, w.entry, w.note, w.operator, w.added_at, count(r.at) AS refusals
    FROM starbooth.prompt_words w
    LEFT JOIN starbooth.prompt_refusals r
        ON r.cause = 'word' AND r.detail = w.entry AND r.at > now() - interval '30 days'
    GROUP BY w.id ORDER BY w.id
""")


async def add_entry(tx: Tx, *, typed: str, note: str, operator: str) -> str:
    """Refuse prompts with this from the next one on. Returns the entry as it is kept.

    Repeat: harmless, the first note stays. Raises: PhraseRefused.
    """
    entry = tidy_entry(typed)
    if len(note) > LONGEST_NOTE:
        raise PhraseRefused(f"its note is longer than {LONGEST_NOTE} characters")
    added = await tx.execute(
        sql(
            "INSERT INTO starbooth.prompt_words (entry, note, operator) VALUES (:entry, :note, :operator)"
            " ON CONFLICT (entry) DO NOTHING RETURNING id"
        ),
        {"entry": entry, "note": note, "operator": operator},
    )
    if added.first() is not None:
        await log_deed(tx, operator=operator, action="words_add", subject=entry, facts={"note": note})
    return entry


async def remove_entry(tx: Tx, *, typed: str, operator: str) -> str:
    """Allow this from the next prompt on. Returns the entry. Raises: NoSuchPhrase, PhraseRefused."""
    removed = await tx.execute(
        sql("DELETE FROM starbooth.prompt_words WHERE entry = :entry RETURNING entry, note"),
        {"entry": tidy_entry(typed)},
    )
    return await _log_removal(tx, removed.first(), operator)


async def remove_numbered(tx: Tx, *, number: int, operator: str) -> str:
    """`remove_entry` by the entry's id."""
    removed = await tx.execute(
        sql("DELETE FROM starbooth.prompt_words WHERE id = :id RETURNING entry, note"), {"id": number}
    )
    return await _log_removal(tx, removed.first(), operator)


async def _log_removal(tx: Tx, row: Any, operator: str) -> str:
    if row is None:
        raise NoSuchPhrase
    await log_deed(tx, operator=operator, action="words_remove", subject=row.entry, facts={"note": row.note})
    return str(row.entry)


async def list_entries(tx: Tx) -> list[Entry]:
    """The whole list, oldest first."""
    return [Entry(**row._mapping) for row in await tx.execute(_LIST)]


async def find_in(tx: Tx, texts: Sequence[str]) -> str | None:
    """The entry that these texts hold between them, by the list as it is now; None where they hold none."""
    version = await tx.scalar(sql("SELECT version FROM starbooth.prompt_words_version"))
    return (await matcher_of(tx, version)).find(texts)


# A memo of a pure function of the list: a version is never used twice, by no database.
_matchers: OrderedDict[UUID, Matcher] = OrderedDict()


async def matcher_of(tx: Tx, version: UUID) -> Matcher:
    """The list of this version, or one that was made since, ready to be compared."""
    known = _matchers.get(version)
    if known is None:
        rows = await tx.execute(sql("SELECT entry FROM starbooth.prompt_words ORDER BY id"))
        known = _matchers[version] = Matcher(rows.scalars())
        while len(_matchers) > _VERSIONS_KEPT:
            _matchers.popitem(last=False)
    return known
