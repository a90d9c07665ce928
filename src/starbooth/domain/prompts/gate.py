"""Whether a prompt may be ordered: the word list, and the guests who were refused too often lately.

A refusal is counted by `note_refusal` in a transaction of its own, since the one that was refused is rolled
back. Nothing here keeps a word of a prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.prompts.errors import PromptRefused, PromptsPaused
from starbooth.domain.prompts.word_list import matcher_of

KEPT_FOR = timedelta(days=30)
_LONGEST_DETAIL = 200


@dataclass(frozen=True, kw_only=True)
class Leniency:
    """How many refused prompts in an hour are borne, 0 for any number, and how long the pause is then."""

    refusals_per_hour: int = 5
    pause: timedelta = timedelta(minutes=30)


# The guest's newest refusals but the one by this very key: a request handled again finds the same answer.
_STANDING = sql("""
    SELECT v.version, lately.newest + CAST(:pause AS interval) - now() AS wait
    FROM starbooth.prompt_words_version v
    LEFT JOIN (
        SELECT max(at) AS newest, min(at) AS oldest, count(*) AS refusals FROM (
            SELECT at FROM starbooth.prompt_refusals
            WHERE user_id = :user_id AND request_key <> :request_key
                AND at > now() - CAST(:pause AS interval) - interval '1 hour'
            ORDER BY at DESC LIMIT :most) newest_first
    ) lately ON lately.refusals = :most AND lately.newest - lately.oldest <= interval '1 hour'
""")
_NOTE = sql("""
    INSERT INTO starbooth.prompt_refusals (user_id, request_key, cause, detail)
    VALUES (:user_id, :request_key, :cause, :detail) ON CONFLICT DO NOTHING
""")
_FORGET = sql("""
    DELETE FROM starbooth.prompt_refusals WHERE user_id = :user_id AND at <= now() - CAST(:kept AS interval)
""")


async def require_allowed(
    tx: Tx, texts: Sequence[str], *, user_id: str, request_key: str, leniency: Leniency
) -> None:
    """Refuse texts that the word list does not allow, and any text of a guest who was refused too often.

    texts: all that may be painted; the entry's parts may be spread over them. Repeat: harmless.
    Raises: PromptsPaused, PromptRefused; then `note_refusal` counts it, once `tx` is rolled back.
    """
    standing = (
        await tx.execute(
            _STANDING,
            {
                "user_id": user_id,
                "request_key": request_key,
                "pause": leniency.pause,
                "most": leniency.refusals_per_hour,
            },
        )
    ).one()
    if standing.wait is not None and standing.wait > timedelta():
        raise PromptsPaused(wait=standing.wait)
    entry = (await matcher_of(tx, standing.version)).find(texts)
    if entry is not None:
        raise PromptRefused(user_id=user_id, request_key=request_key, cause="word", detail=entry)


async def note_refusal(tx: Tx, refusal: PromptRefused) -> None:
    """Count a refusal, and forget those that are too old. Repeat: the same request counts once."""
    await tx.execute(_FORGET, {"user_id": refusal.user_id, "kept": KEPT_FOR})
    facts = {
        "user_id": refusal.user_id,
        "request_key": refusal.request_key,
        "cause": refusal.cause,
        "detail": refusal.detail[:_LONGEST_DETAIL] if refusal.cause == "checker" else refusal.detail,
    }
    await tx.execute(_NOTE, facts)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A guest whose prompts were refused in the last 30 days: how often in all, and since yesterday."""

    user_id: str
    telegram_id: str
    username: str | None
    refusals: int
    refusals_today: int
    newest: datetime


async def list_refused(tx: Tx, *, limit: int) -> list[Refused]:
    """The guests whose prompts were refused last, newest first."""
    rows: Sequence[Any] = (
        await tx.execute(
            sql("""
                SELECT r.user_id, u."telegramId" AS telegram_id, u."username" AS username,
                    count(*) AS refusals, count(*) FILTER (WHERE r.at > now() - interval '1 day')
                        AS refusals_today, max(r.at) AS newest
                FROM starbooth.prompt_refusals r JOIN public."User" u ON u."id" = r.user_id
                WHERE r.at > now() - CAST(:kept AS interval)
                GROUP BY r.user_id, u."telegramId", u."username" ORDER BY newest DESC LIMIT :limit
            """),
            {"kept": KEPT_FOR, "limit": limit},
        )
    ).all()
    return [Refused(**row._mapping) for row in rows]
