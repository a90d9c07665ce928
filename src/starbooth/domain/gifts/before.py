"""Gifts that somebody had under an account that they deleted since: they are not given to them once more.

What is kept of it is a keyed hash of the gift and the person. Without the booth's secret it tells nothing;
with it, only whether this very person had this very gift. Who changes the secret has it forgotten.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from starbooth.base.database import Tx, sql

WELCOME = "welcome"


@dataclass(frozen=True)
class Marks:
    """Makes marks by the booth's secret, which it does not print."""

    secret: bytes = field(repr=False)

    def of(self, gift: str, telegram_id: int) -> str:
        """The mark of one gift to one person."""
        # The first words keep these hashes apart from others made with the same secret.
        message = f"given before\n{gift}\n{telegram_id}".encode()
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()


def promo_gift(code: str) -> str:
    """The gift of a code, for `Marks.of`."""
    return f"promo:{code}"


def daily_gift(day: date) -> str:
    """The gift of a day, for `Marks.of`."""
    return f"daily:{day.isoformat()}"


async def was_given(tx: Tx, mark: str) -> bool:
    """Whether this gift went to this person under an account that is gone."""
    found = await tx.scalar(
        sql("SELECT EXISTS (SELECT FROM starbooth.given_before WHERE mark = :mark)"), {"mark": mark}
    )
    return bool(found)


async def note_given(tx: Tx, marks: Sequence[str]) -> None:
    """Remember these gifts beyond their account. Repeat: harmless."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.given_before (mark) SELECT unnest(CAST(:marks AS text[]))"
            " ON CONFLICT DO NOTHING"
        ),
        {"marks": list(marks)},
    )


async def read_gifts(tx: Tx, *, user_id: str, today: date) -> list[str]:
    """The gifts that this account had and that a person has once: the welcome, codes, today's.

    Who has the account's key of a gift had it; a row of the ledger says so.
    """
    rows = await tx.execute(
        sql("""
            SELECT CASE
                WHEN metadata ->> 'key' LIKE 'welcome:%' THEN 'welcome'
                WHEN metadata ->> 'reason' = 'promo' THEN 'promo:' || (metadata ->> 'code')
                ELSE 'daily:' || CAST(:today AS text) END
            FROM public."StarTransaction"
            WHERE "userId" = :user_id AND "type" = 'BONUS' AND (
                metadata ->> 'key' LIKE 'welcome:%' OR metadata ->> 'reason' = 'promo'
                OR metadata ->> 'key' = 'daily:' || CAST(:user_id AS text) || ':' || CAST(:today AS text))
        """),
        {"user_id": user_id, "today": today.isoformat()},
    )
    return list(rows.scalars())
