"""Reports of public models by guests, and what operators make of them.

A model that was reported stays in the catalogue until an operator looks at it, so that a report alone takes
nothing from anybody; it cannot be made public anew meanwhile. Locks: the model's row before its card.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.models.errors import NoSuchModel, OwnModel
from starbooth.domain.stars.errors import ReasonMissing
from starbooth.domain.users.guests import Language
from starbooth.domain.users.operators import log_deed, raise_alert

LONGEST_REASON = 300
_LEASE = timedelta(seconds=60)


class Reason(StrEnum):
    """What a guest may find wrong with a model."""

    REAL_PERSON = "real_person"
    INDECENT = "indecent"
    HATEFUL = "hateful"
    STOLEN = "stolen"
    MISLEADING = "misleading"


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A model with reports that nobody has looked at. reasons: how often each was given."""

    lora_id: str
    name: str
    maker_id: str
    maker_telegram_id: str
    maker_username: str | None
    is_listed: bool
    uses: int
    reasons: Mapping[Reason, int]
    first_at: datetime


@dataclass(frozen=True, kw_only=True)
class MakerNews:
    """What a maker is to be told: `hidden` with a reason, or `shown` again."""

    news_id: int
    kind: str
    name: str
    reason: str
    chat_id: int
    language: Language


_REPORT = sql("""
    INSERT INTO starbooth.model_reports (lora_id, user_id, reason) VALUES (:id, :user_id, :reason)
    ON CONFLICT DO NOTHING
""")
_LIST = sql("""
    SELECT r.lora_id, l."name" AS name, l."userId" AS maker_id, u."telegramId" AS maker_telegram_id,
        u."username" AS maker_username, c.is_listed, c.uses, r.first_at, r.reasons
    FROM (SELECT lora_id, min(reported_at) AS first_at, jsonb_agg(reason) AS reasons
        FROM starbooth.model_reports WHERE settled_at IS NULL GROUP BY lora_id) r
    JOIN public."LoraModel" l ON l."id" = r.lora_id
    JOIN public."User" u ON u."id" = l."userId"
    JOIN starbooth.model_cards c ON c.lora_id = r.lora_id
    ORDER BY r.first_at, r.lora_id LIMIT :limit
""")
_LOCK = sql(
    'SELECT "name" AS name, "userId" AS maker_id FROM public."LoraModel" WHERE "id" = :id FOR NO KEY UPDATE'
)
_SETTLE = sql(
    "UPDATE starbooth.model_reports SET settled_at = now() WHERE lora_id = :id AND settled_at IS NULL"
)
_HIDE = sql("""
    UPDATE starbooth.model_cards SET is_listed = false, hidden_at = now(), hidden_reason = :reason
    WHERE lora_id = :id AND hidden_at IS NULL RETURNING 1
""")
_LIFT = sql("""
    UPDATE starbooth.model_cards SET hidden_at = NULL, hidden_reason = NULL
    WHERE lora_id = :id AND hidden_at IS NOT NULL RETURNING 1
""")
_UNSHARE = sql("""
    UPDATE public."LoraModel" SET "isPublic" = false, "updatedAt" = timezone('UTC', now()) WHERE "id" = :id
""")
_NEWS = sql("""
    INSERT INTO starbooth.model_news (user_id, kind, facts) VALUES (:user_id, :kind, CAST(:facts AS jsonb))
""")
_CLAIM = sql("""
    WITH claimed AS (
        UPDATE starbooth.model_news SET due_at = now() + :lease
        WHERE id IN (SELECT id FROM starbooth.model_news WHERE due_at <= now()
            ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING id, user_id, kind, facts
    )
    SELECT c.id AS news_id, c.kind, c.facts ->> 'name' AS name, coalesce(c.facts ->> 'reason', '') AS reason,
        g.chat_id, g.language
    FROM claimed c JOIN starbooth.guests g ON g.user_id = c.user_id
""")


async def report_model(tx: Tx, lora_id: str, reason: Reason, *, user_id: str) -> None:
    """Report a public model of somebody else; operators are told of the first report.

    Repeat: harmless, a guest's first report of a model stands. Raises: NoSuchModel, OwnModel.
    """
    row = (
        await tx.execute(
            sql(
                'SELECT l."userId" AS maker_id, l."name" AS name FROM public."LoraModel" l'
                ' JOIN starbooth.model_cards c ON c.lora_id = l."id"'
                ' WHERE l."id" = :id AND (c.is_listed OR l."userId" = :user_id)'
            ),
            {"id": lora_id, "user_id": user_id},
        )
    ).first()
    if row is None:
        raise NoSuchModel
    if row.maker_id == user_id:
        raise OwnModel
    reported = await tx.execute(_REPORT, {"id": lora_id, "user_id": user_id, "reason": reason.value})
    if not reported.rowcount:
        return
    settled = await tx.scalar(
        sql("SELECT count(settled_at) FROM starbooth.model_reports WHERE lora_id = :id"), {"id": lora_id}
    )
    facts = {"lora": lora_id, "name": row.name, "reason": reason.value}
    await raise_alert(tx, key=f"model_reported:{lora_id}:{settled}", kind="model_reported", facts=facts)


async def list_reported(tx: Tx, *, limit: int) -> list[Reported]:
    """Models whose reports nobody has looked at, those reported first before."""
    return [_reported(row) for row in await tx.execute(_LIST, {"limit": limit})]


async def keep_model(tx: Tx, lora_id: str, *, operator: str) -> None:
    """There is nothing wrong with it: its reports are settled. Repeat: harmless. Raises: NoSuchModel."""
    await _lock(tx, lora_id)
    settled = await tx.execute(_SETTLE, {"id": lora_id})
    if settled.rowcount:
        await log_deed(tx, operator=operator, action="model_keep", subject=lora_id, facts={})


async def hide_model(tx: Tx, lora_id: str, *, reason: str, operator: str) -> bool:
    """Take a model out of the catalogue for a reason that its maker is told; they cannot publish it again.

    Others cannot order with it from now on; its maker can. Repeat: false, the first reason stands.
    Raises: NoSuchModel, ReasonMissing.
    """
    told = " ".join(reason.split())[:LONGEST_REASON]
    if not told:
        raise ReasonMissing
    row = await _lock(tx, lora_id)
    await tx.execute(_SETTLE, {"id": lora_id})
    hidden = (await tx.execute(_HIDE, {"id": lora_id, "reason": told})).first() is not None
    if hidden:
        await tx.execute(_UNSHARE, {"id": lora_id})
        await _owe_news(tx, row, kind="hidden", reason=told)
        await log_deed(tx, operator=operator, action="model_hide", subject=lora_id, facts={"reason": told})
    return hidden


async def lift_model(tx: Tx, lora_id: str, *, operator: str) -> bool:
    """Let the maker publish it again. Repeat: false, and nothing changes. Raises: NoSuchModel."""
    row = await _lock(tx, lora_id)
    lifted = (await tx.execute(_LIFT, {"id": lora_id})).first() is not None
    if lifted:
        await _owe_news(tx, row, kind="shown", reason="")
        await log_deed(tx, operator=operator, action="model_lift", subject=lora_id, facts={})
    return lifted


async def claim_maker_news(tx: Tx, *, limit: int) -> list[MakerNews]:
    """News that makers are owed, to oneself for a minute: who dies over it leaves it to others."""
    rows = await tx.execute(_CLAIM, {"lease": _LEASE, "limit": limit})
    return [MakerNews(**{**row._mapping, "language": Language(row.language)}) for row in rows]


async def note_maker_told(tx: Tx, *, news_id: int) -> None:
    """The maker has been told, or cannot be. Repeat: harmless."""
    await tx.execute(sql("DELETE FROM starbooth.model_news WHERE id = :id"), {"id": news_id})


async def _lock(tx: Tx, lora_id: str) -> Any:
    row = (await tx.execute(_LOCK, {"id": lora_id})).first()
    if row is None:
        raise NoSuchModel
    return row


async def _owe_news(tx: Tx, row: Any, *, kind: str, reason: str) -> None:
    facts = json.dumps({"name": row.name, **({"reason": reason} if reason else {})})
    await tx.execute(_NEWS, {"user_id": row.maker_id, "kind": kind, "facts": facts})


def _reported(row: Any) -> Reported:
    given = [Reason(each) for each in row.reasons]
    reasons = {reason: given.count(reason) for reason in Reason if reason in given}
    return Reported(**{**row._mapping, "reasons": reasons})
