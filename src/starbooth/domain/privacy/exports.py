"""Exports: all that is kept of a guest, as one zip for them. Their states; `telling` says what is in one.

One at a time per guest. A worker builds it, in bounded memory, and stores it under a drawn name; then it is
sent, and after a day it goes. Every step may be repeated: who made a file in vain deletes it.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from starbooth.base.database import Tx, sql
from starbooth.base.errors import Refusal
from starbooth.base.ids import new_id
from starbooth.domain.users.guests import Guest, Language
from starbooth.domain.users.pace import Pace, take_turn

EXPORTS = Pace(kind="export", most=3, within=timedelta(days=1))
LIFE = timedelta(days=1)
_LEASE = timedelta(minutes=5)
_MOST_TRIES = 8
_NAME_BYTES = 16


class ExportUnderWay(Refusal):
    """The guest's last export is being made at this moment."""

    code: ClassVar[str] = "export_under_way"


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export, claimed for five minutes. key, size_bytes: its file, once there is one."""

    export_id: str
    user_id: str
    chat_id: int
    language: Language
    tries: int
    key: str | None
    size_bytes: int | None


_ASK = sql("""
    INSERT INTO starbooth.exports (id, user_id, chat_id, language)
    VALUES (:id, :user_id, :chat_id, :language)
    ON CONFLICT (user_id) WHERE state IN ('asked', 'ready') DO NOTHING RETURNING 1
""")
_CLAIM = sql("""
    UPDATE starbooth.exports SET due_at = now() + :lease, tries = tries + 1
    WHERE id = (
        SELECT id FROM starbooth.exports WHERE state = :state AND due_at <= now()
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id AS export_id, user_id, chat_id, language, tries, key, size_bytes
""")
_KEEP = sql(
    "UPDATE starbooth.exports SET due_at = now() + :lease WHERE id = :id AND tries = :tries RETURNING 1"
)
_READY = sql("""
    UPDATE starbooth.exports SET state = 'ready', key = :key, size_bytes = :size_bytes, ready_at = now(),
        due_at = now(), tries = 0
    WHERE id = :id AND state = 'asked' AND tries = :tries RETURNING 1
""")
_SENT = sql("""
    UPDATE starbooth.exports SET state = 'sent', due_at = ready_at + :life WHERE id = :id AND state = 'ready'
""")
_POSTPONE = sql("UPDATE starbooth.exports SET due_at = now() + :pause WHERE id = :id AND tries = :tries")
_END = sql("""
    WITH ended AS (
        UPDATE starbooth.exports e SET state = 'gone', key = NULL, size_bytes = NULL
        FROM starbooth.exports before
        WHERE e.id = before.id AND e.id IN (
            SELECT id FROM starbooth.exports WHERE id = :id AND state <> 'gone' FOR UPDATE)
        RETURNING before.key
    )
    INSERT INTO starbooth.doomed_files (key) SELECT key FROM ended WHERE key IS NOT NULL
    ON CONFLICT DO NOTHING
""")
_OLD = sql("SELECT id FROM starbooth.exports WHERE state = 'sent' AND due_at <= now() LIMIT :limit")
_FORGET = sql("DELETE FROM starbooth.exports WHERE state = 'gone' AND asked_at < now() - interval '30 days'")


async def ask_export(tx: Tx, *, guest: Guest, key: str) -> None:
    """Have all that is kept of this guest sent to them. key: of the message or press that asks.

    Locks: the guest's account. Repeat: the same key asks once while its export is under way.
    Raises: TooOften, ExportUnderWay; after either `tx` must be rolled back.
    """
    await take_turn(tx, user_id=guest.user_id, pace=EXPORTS, key=key)
    values = {
        "id": new_id(),
        "user_id": guest.user_id,
        "chat_id": guest.chat_id,
        "language": guest.language.value,
    }
    if (await tx.execute(_ASK, values)).first() is None:
        raise ExportUnderWay


async def read_key(tx: Tx, export_id: str, *, user_id: str) -> str | None:
    """Where this guest's export lies, while it does."""
    key: str | None = await tx.scalar(
        sql("SELECT key FROM starbooth.exports WHERE id = :id AND user_id = :user_id"),
        {"id": export_id, "user_id": user_id},
    )
    return key


async def claim_export(tx: Tx, *, is_built: bool) -> Export | None:
    """The next export that is to be built, or that is built and to be sent; nobody else's for a while."""
    values = {"state": "ready" if is_built else "asked", "lease": _LEASE}
    row = (await tx.execute(_CLAIM, values)).first()
    return None if row is None else Export(**{**row._mapping, "language": Language(row.language)})


async def keep_claim(tx: Tx, export: Export) -> bool:
    """Claim it for another while; false where it is somebody else's by now, or gone with its guest."""
    rows = await tx.execute(_KEEP, {"id": export.export_id, "tries": export.tries, "lease": _LEASE})
    return rows.first() is not None


def new_key(export: Export) -> str:
    """A name for the file that nobody guesses."""
    return f"exports/{export.export_id}/{secrets.token_hex(_NAME_BYTES)}.zip"


async def note_built(tx: Tx, export: Export, *, key: str, size_bytes: int) -> bool:
    """The file lies in storage under `key`. False where it is not wanted any more; then it is nobody's."""
    values = {"id": export.export_id, "tries": export.tries, "key": key, "size_bytes": size_bytes}
    return (await tx.execute(_READY, values)).first() is not None


async def note_sent(tx: Tx, export: Export) -> None:
    """The guest has it; the file stays for a day. Repeat: harmless."""
    await tx.execute(_SENT, {"id": export.export_id, "life": LIFE})


async def postpone(tx: Tx, export: Export) -> bool:
    """Try again later, longer each time; false where it was tried often enough, and the export has ended."""
    if export.tries >= _MOST_TRIES:
        await end_export(tx, export.export_id)
        return False
    pause = timedelta(seconds=5 * 2**export.tries)
    await tx.execute(_POSTPONE, {"id": export.export_id, "tries": export.tries, "pause": pause})
    return True


async def end_export(tx: Tx, export_id: str) -> None:
    """It goes, with its file. Repeat: harmless."""
    await tx.execute(_END, {"id": export_id})


async def end_old_exports(tx: Tx, *, limit: int) -> int:
    """Exports that were sent a day ago go; how many. Repeat: harmless, also several at once."""
    old = list((await tx.execute(_OLD, {"limit": limit})).scalars())
    for export_id in old:
        await end_export(tx, export_id)
    return len(old)


async def forget_gone_exports(tx: Tx) -> None:
    """That there was an export is forgotten after a month. Repeat: harmless."""
    await tx.execute(_FORGET)
