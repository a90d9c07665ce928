"""What a guest was asked to write. Their next text is the answer; one question at a time, not for ever."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from starbooth.base.database import Tx, sql

PATIENCE = timedelta(minutes=30)
# As long as a draft lives: words that come late for a photo must not be painted without it, for money.
PATIENCE_FOR_WORDS = timedelta(days=1)


class What(StrEnum):
    """What is to be written."""

    WORDS = "words"
    SEED = "seed"
    NEGATIVE = "negative"
    PRESET = "preset"


class WhatOfSet(StrEnum):
    """What is to be written of the photos that a guest gathers for a model."""

    NAME = "model_name"
    WORD = "trigger_word"
    CAPTION = "caption"
    STEPS = "training_steps"
    RATE = "learning_rate"


@dataclass(frozen=True, kw_only=True)
class AwaitedOfSet:
    """One question about a set of photos. message_id: the message that asks. number: the photo's, if any."""

    what: WhatOfSet
    message_id: int | None
    number: int | None = None


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """One question. draft_id None: about what is remembered. message_id: the panel that asks."""

    what: What
    draft_id: str | None
    message_id: int | None


async def await_answer(tx: Tx, awaited: Awaited, *, user_id: str) -> None:
    """Take the guest's next text for this, in place of what was asked before. Repeat: harmless."""
    await tx.execute(
        sql("""
            INSERT INTO starbooth.awaited (user_id, what, draft_id, message_id, expires_at)
            VALUES (:user_id, :what, :draft_id, :message_id, now() + :patience)
            ON CONFLICT (user_id) DO UPDATE SET what = excluded.what, draft_id = excluded.draft_id,
                message_id = excluded.message_id, expires_at = excluded.expires_at
        """),
        {
            **vars(awaited),
            "what": awaited.what.value,
            "user_id": user_id,
            "patience": PATIENCE_FOR_WORDS if awaited.what is What.WORDS else PATIENCE,
        },
    )


async def read_awaited(tx: Tx, *, user_id: str) -> Awaited | None:
    """What this guest's next text answers; None where it is a text like any other."""
    row = (
        await tx.execute(
            sql(
                "SELECT what, draft_id, message_id FROM starbooth.awaited"
                " WHERE user_id = :user_id AND what = ANY (CAST(:kinds AS text[])) AND expires_at > now()"
            ),
            {"user_id": user_id, "kinds": [each.value for each in What]},
        )
    ).first()
    return None if row is None else Awaited(**{**row._mapping, "what": What(row.what)})


async def await_of_set(tx: Tx, awaited: AwaitedOfSet, *, user_id: str) -> None:
    """Take the guest's next text for this of the photos that they gather. Repeat: harmless."""
    await tx.execute(
        sql("""
            INSERT INTO starbooth.awaited (user_id, what, message_id, number, expires_at)
            VALUES (:user_id, :what, :message_id, :number, now() + :patience)
            ON CONFLICT (user_id) DO UPDATE SET what = excluded.what, draft_id = NULL,
                message_id = excluded.message_id, number = excluded.number, expires_at = excluded.expires_at
        """),
        {
            **vars(awaited),
            "what": awaited.what.value,
            "user_id": user_id,
            "patience": PATIENCE,
        },
    )


async def read_awaited_of_set(tx: Tx, *, user_id: str) -> AwaitedOfSet | None:
    """What of their photos this guest's next text answers, if any."""
    row = (
        await tx.execute(
            sql(
                "SELECT what, message_id, number FROM starbooth.awaited"
                " WHERE user_id = :user_id AND what = ANY (CAST(:kinds AS text[])) AND expires_at > now()"
            ),
            {"user_id": user_id, "kinds": [each.value for each in WhatOfSet]},
        )
    ).first()
    return None if row is None else AwaitedOfSet(**{**row._mapping, "what": WhatOfSet(row.what)})


async def await_search(tx: Tx, *, user_id: str, message_id: int) -> None:
    """Take the guest's next text for what the gallery in this message shall search. Repeat: harmless."""
    await tx.execute(
        sql("""
            INSERT INTO starbooth.awaited (user_id, what, message_id, expires_at)
            VALUES (:user_id, 'search', :message_id, now() + :patience)
            ON CONFLICT (user_id) DO UPDATE SET what = excluded.what, draft_id = NULL,
                message_id = excluded.message_id, expires_at = excluded.expires_at
        """),
        {"user_id": user_id, "message_id": message_id, "patience": PATIENCE},
    )


async def read_awaited_search(tx: Tx, *, user_id: str) -> int | None:
    """The message with the gallery that this guest's next text is for, if any."""
    message_id: int | None = await tx.scalar(
        sql(
            "SELECT message_id FROM starbooth.awaited"
            " WHERE user_id = :user_id AND what = 'search' AND expires_at > now()"
        ),
        {"user_id": user_id},
    )
    return message_id


async def forget_awaited(tx: Tx, *, user_id: str) -> None:
    """Nothing is asked any more. Repeat: harmless."""
    await tx.execute(sql("DELETE FROM starbooth.awaited WHERE user_id = :user_id"), {"user_id": user_id})


async def forget_awaited_of(tx: Tx, *, telegram_id: int, with_words_of_photos: bool) -> None:
    """`forget_awaited` for whom Telegram knows by this id, also where we do not know them.

    with_words_of_photos: false leaves the question what a photo should become.
    """
    await tx.execute(
        sql(
            'DELETE FROM starbooth.awaited a USING public."User" u'
            ' WHERE u."id" = a.user_id AND u."telegramId" = :telegram_id'
            " AND (:with_words_of_photos OR NOT EXISTS (SELECT FROM starbooth.drafts d"
            " WHERE d.id = a.draft_id AND d.prompt = ''))"
        ),
        {"telegram_id": str(telegram_id), "with_words_of_photos": with_words_of_photos},
    )
