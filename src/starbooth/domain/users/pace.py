"""How often a guest may do a thing: counted in the database, so that no process can be talked round.

Locks: the guest's account, for who counts; whoever pays out afterwards needs that lock first anyway.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from starbooth.base.database import Tx, sql
from starbooth.base.errors import Refusal


@dataclass(frozen=True, kw_only=True)
class Pace:
    """At most `most` turns of this kind within any stretch of time as long as `within`."""

    kind: str
    most: int
    within: timedelta


class TooOften(Refusal):
    """The guest did this too often lately. `wait`: until the next turn is free."""

    code: ClassVar[str] = "too_often"

    def __init__(self, *, wait: timedelta) -> None:
        super().__init__(f"again in {wait}")
        self.wait = wait


_LOCK = sql('SELECT 1 FROM public."User" WHERE "id" = :user_id FOR NO KEY UPDATE')
# The turn that must grow old before there is a free one: the `most`-th newest.
_BLOCKING = sql("""
    SELECT at + CAST(:within AS interval) - now() FROM starbooth.guest_turns
    WHERE user_id = :user_id AND kind = :kind AND key <> :key AND at > now() - CAST(:within AS interval)
    ORDER BY at DESC OFFSET :most - 1 LIMIT 1
""")
_FORGET = sql("""
    DELETE FROM starbooth.guest_turns
    WHERE user_id = :user_id AND kind = :kind AND at <= now() - CAST(:within AS interval)
""")
_NOTE = sql(
    "INSERT INTO starbooth.guest_turns (user_id, kind, key) VALUES (:user_id, :kind, :key)"
    " ON CONFLICT DO NOTHING"
)


async def require_turn(tx: Tx, *, user_id: str, pace: Pace, key: str) -> None:
    """Refuse unless a turn is free, and take none. A turn taken by this key before does not count.

    Locks: the guest's account. Raises: TooOften.
    """
    await tx.execute(_LOCK, {"user_id": user_id})
    wait = await tx.scalar(
        _BLOCKING,
        {"user_id": user_id, "kind": pace.kind, "key": key, "within": pace.within, "most": pace.most},
    )
    if wait is not None:
        raise TooOften(wait=max(wait, timedelta(seconds=1)))


async def note_turn(tx: Tx, *, user_id: str, pace: Pace, key: str) -> None:
    """Count a turn, and forget those that are too old to count. Repeat: the same key counts once."""
    await tx.execute(_FORGET, {"user_id": user_id, "kind": pace.kind, "within": pace.within})
    await tx.execute(_NOTE, {"user_id": user_id, "kind": pace.kind, "key": key})


async def take_turn(tx: Tx, *, user_id: str, pace: Pace, key: str) -> None:
    """Take a turn, where one is free. Repeat: the same key takes one.

    Locks: the guest's account. Raises: TooOften; then `tx` should be rolled back.
    """
    await require_turn(tx, user_id=user_id, pace=pace, key=key)
    await note_turn(tx, user_id=user_id, pace=pace, key=key)
