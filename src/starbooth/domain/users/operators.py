"""What operators do to guests' stars and what they should know. Knows no wording and sends nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starbooth.base.database import Tx, sql


@dataclass(frozen=True, kw_only=True)
class Alert:
    """News for the operators. `kind` says which, the doors word it from the facts. `told`: who has it.

    due_at: until when it is the claimer's.
    """

    key: str
    kind: str
    facts: Mapping[str, Any]
    told: frozenset[int]
    created_at: datetime
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What an operator did, as it was written down."""

    operator: str
    subject: str
    facts: Mapping[str, Any]
    at: datetime


async def log_deed(tx: Tx, *, operator: str, action: str, subject: str, facts: Mapping[str, Any]) -> int:
    """Write down who of the operators did what. `operator`: `telegram:ID` or `command:NAME`.

    Returns the number of the entry, by which `read_deed` finds it again.
    """
    row = await tx.execute(
        sql(
            "INSERT INTO starbooth.operator_log (operator, action, subject, facts)"
            " VALUES (:operator, :action, :subject, CAST(:facts AS jsonb)) RETURNING number"
        ),
        {"operator": operator, "action": action, "subject": subject, "facts": json.dumps(dict(facts))},
    )
    return int(row.scalar_one())


async def read_deed(tx: Tx, *, number: int, action: str) -> Deed | None:
    """The entry of this number; None where there is none of this action."""
    row = (
        await tx.execute(
            sql(
                "SELECT operator, subject, facts, at FROM starbooth.operator_log"
                " WHERE number = :number AND action = :action"
            ),
            {"number": number, "action": action},
        )
    ).first()
    return None if row is None else Deed(**row._mapping)


async def raise_alert(tx: Tx, *, key: str, kind: str, facts: Mapping[str, Any]) -> None:
    """Owe the operators some news. Repeat: the same key is the same news, told once."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.alerts (key, kind, facts) VALUES (:key, :kind, CAST(:facts AS jsonb))"
            " ON CONFLICT DO NOTHING"
        ),
        {"key": key, "kind": kind, "facts": json.dumps(dict(facts))},
    )


async def claim_alerts(tx: Tx, *, limit: int) -> list[Alert]:
    """News that is still owed, oldest first, to oneself for a minute: who dies leaves it to others."""
    rows = await tx.execute(
        sql("""
            UPDATE starbooth.alerts SET due_at = now() + interval '60 s'
            WHERE key IN (
                SELECT key FROM starbooth.alerts WHERE sent_at IS NULL AND due_at <= now()
                ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED)
            RETURNING key, kind, facts, told, created_at, due_at
        """),
        {"limit": limit},
    )
    alerts = [Alert(**{**row._mapping, "told": frozenset(row.told)}) for row in rows]
    return sorted(alerts, key=lambda alert: alert.created_at)


async def keep_alert(tx: Tx, alert: Alert) -> Alert | None:
    """Have claimed news to oneself for another minute, as it is now; None where it is another's by now."""
    row = (
        await tx.execute(
            sql("""
                UPDATE starbooth.alerts SET due_at = now() + interval '60 s'
                WHERE key = :key AND sent_at IS NULL AND due_at = :due_at
                RETURNING key, kind, facts, told, created_at, due_at
            """),
            {"key": alert.key, "due_at": alert.due_at},
        )
    ).first()
    return None if row is None else Alert(**{**row._mapping, "told": frozenset(row.told)})


async def note_operator_told(tx: Tx, *, key: str, telegram_id: int) -> None:
    """This operator has the news. Repeat: harmless."""
    await tx.execute(
        sql(
            "UPDATE starbooth.alerts SET told = array_append(told, CAST(:id AS bigint))"
            " WHERE key = :key AND NOT CAST(:id AS bigint) = ANY (told)"
        ),
        {"key": key, "id": telegram_id},
    )


async def postpone_alert(tx: Tx, *, key: str) -> None:
    """Nobody could be reached: try all operators again in ten minutes. Repeat: harmless."""
    await tx.execute(
        sql(
            "UPDATE starbooth.alerts SET due_at = now() + interval '10 min'"
            " WHERE key = :key AND sent_at IS NULL"
        ),
        {"key": key},
    )


async def note_alert_sent(tx: Tx, *, key: str) -> None:
    """All operators who can be reached have been told. Repeat: harmless."""
    await tx.execute(
        sql("UPDATE starbooth.alerts SET sent_at = now() WHERE key = :key AND sent_at IS NULL"), {"key": key}
    )


async def forget_old_alerts(tx: Tx) -> None:
    """What was told a month ago loses its facts, names of guests among them; that it was told stays.

    Repeat: harmless.
    """
    await tx.execute(
        sql(
            "UPDATE starbooth.alerts SET facts = '{}'"
            " WHERE sent_at < now() - interval '30 days' AND facts <> '{}'"
        )
    )


async def count_unsent_alerts(tx: Tx) -> int:
    """How many news nobody or not everybody has been told yet."""
    return int(await tx.scalar(sql("SELECT count(*) FROM starbooth.alerts WHERE sent_at IS NULL")) or 0)
