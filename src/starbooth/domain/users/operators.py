"""What operators do to guests' stars and what they should know. Knows no wording and sends nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starbooth.base.database import Tx, sql


@dataclass(frozen=True, kw_only=True)
class Alert:
    """News for the operators. `kind` says which, the doors word it from the facts."""

    key: str
    kind: str
    facts: Mapping[str, Any]
    created_at: datetime


async def log_deed(tx: Tx, *, operator: str, action: str, subject: str, facts: Mapping[str, Any]) -> None:
    """Write down who of the operators did what. `operator`: `telegram:ID` or `command:NAME`."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.operator_log (operator, action, subject, facts)"
            " VALUES (:operator, :action, :subject, CAST(:facts AS jsonb))"
        ),
        {"operator": operator, "action": action, "subject": subject, "facts": json.dumps(dict(facts))},
    )


async def raise_alert(tx: Tx, *, key: str, kind: str, facts: Mapping[str, Any]) -> None:
    """Owe the operators some news. Repeat: the same key is the same news, told once."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.alerts (key, kind, facts) VALUES (:key, :kind, CAST(:facts AS jsonb))"
            " ON CONFLICT DO NOTHING"
        ),
        {"key": key, "kind": kind, "facts": json.dumps(dict(facts))},
    )


async def unsent_alerts(tx: Tx, *, limit: int) -> list[Alert]:
    """News that is still owed, oldest first."""
    rows = await tx.execute(
        sql(
            "SELECT key, kind, facts, created_at FROM starbooth.alerts WHERE sent_at IS NULL"
            " ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED"
        ),
        {"limit": limit},
    )
    return [Alert(**row._mapping) for row in rows]


async def note_alert_sent(tx: Tx, *, key: str) -> None:
    """The operators have been told. Repeat: harmless."""
    await tx.execute(
        sql("UPDATE starbooth.alerts SET sent_at = now() WHERE key = :key AND sent_at IS NULL"), {"key": key}
    )
