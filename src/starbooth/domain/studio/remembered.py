"""What a guest chose the last time, for all that they order from now on, and whether to ask them first."""

import json
from dataclasses import dataclass, field

from starbooth.base.database import Tx, sql
from starbooth.domain.generations.choices import Choices, read_choices


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """asks_first: plain words open a draft and are not ordered at once."""

    choices: Choices = field(default_factory=Choices)
    asks_first: bool = False


async def read_remembered(tx: Tx, *, user_id: str) -> Remembered:
    """What is remembered of this guest; the defaults where nothing is."""
    row = (
        await tx.execute(
            sql("SELECT choices, asks_first FROM starbooth.remembered WHERE user_id = :user_id"),
            {"user_id": user_id},
        )
    ).first()
    if row is None:
        return Remembered()
    return Remembered(choices=read_choices(row.choices), asks_first=row.asks_first)


async def read_standing(tx: Tx, *, user_id: str) -> tuple[Remembered, bool]:
    """What is remembered of this guest, and whether their next text answers a question; one statement."""
    row = (
        await tx.execute(
            sql("""
                SELECT r.choices, r.asks_first, a.user_id IS NOT NULL AS is_asked FROM (SELECT) nobody
                LEFT JOIN starbooth.remembered r ON r.user_id = :user_id
                LEFT JOIN starbooth.awaited a ON a.user_id = :user_id AND a.expires_at > now()
            """),
            {"user_id": user_id},
        )
    ).one()
    if row.choices is None:
        return Remembered(), row.is_asked
    return Remembered(choices=read_choices(row.choices), asks_first=row.asks_first), row.is_asked


async def remember_choices(tx: Tx, choices: Choices, *, user_id: str) -> None:
    """Remember these choices in place of those before. Repeat: harmless."""
    await tx.execute(
        sql("""
            INSERT INTO starbooth.remembered (user_id, choices) VALUES (:user_id, CAST(:choices AS jsonb))
            ON CONFLICT (user_id) DO UPDATE SET choices = excluded.choices, updated_at = now()
        """),
        {"user_id": user_id, "choices": json.dumps(choices.to_json())},
    )


async def set_asks_first(tx: Tx, asks_first: bool, *, user_id: str) -> None:
    """Whether plain words open a draft first. Repeat: harmless."""
    await tx.execute(
        sql("""
            INSERT INTO starbooth.remembered (user_id, asks_first) VALUES (:user_id, :asks_first)
            ON CONFLICT (user_id) DO UPDATE SET asks_first = excluded.asks_first, updated_at = now()
        """),
        {"user_id": user_id, "asks_first": asks_first},
    )
