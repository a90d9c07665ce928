"""Consent to learn from photos: the words that were shown, when they were agreed to, and taking it back."""

from dataclasses import dataclass
from datetime import datetime

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.domain.users.guests import Language


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What a guest agreed to. withdrawn_at: None while it stands."""

    consent_id: str
    words: str
    given_at: datetime
    withdrawn_at: datetime | None

    @property
    def stands(self) -> bool:
        """Whether it was not taken back."""
        return self.withdrawn_at is None


async def give_consent(tx: Tx, *, user_id: str, words: str, language: Language) -> str:
    """Record that this guest agreed to these words; returns the consent's id. Repeat: one more."""
    consent_id = new_id()
    await tx.execute(
        sql(
            "INSERT INTO starbooth.consents (id, user_id, words, language)"
            " VALUES (:id, :user_id, :words, :language)"
        ),
        {"id": consent_id, "user_id": user_id, "words": words, "language": language.value},
    )
    return consent_id


async def read_consent(tx: Tx, consent_id: str, *, user_id: str) -> Consent | None:
    """This guest's consent, standing or not; None where there is none of this id."""
    row = (
        await tx.execute(
            sql(
                "SELECT id AS consent_id, words, given_at, withdrawn_at FROM starbooth.consents"
                " WHERE id = :id AND user_id = :user_id"
            ),
            {"id": consent_id, "user_id": user_id},
        )
    ).first()
    return None if row is None else Consent(**row._mapping)


async def withdraw_consent(tx: Tx, consent_id: str, *, user_id: str) -> bool:
    """Take a consent back; true where it stood. Its photos are doomed by who calls. Repeat: false."""
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.consents SET withdrawn_at = now()"
            " WHERE id = :id AND user_id = :user_id AND withdrawn_at IS NULL RETURNING 1"
        ),
        {"id": consent_id, "user_id": user_id},
    )
    return rows.first() is not None
