"""What a guest was asked to write about models: their next text is the answer, and no order."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from starbooth.base.database import Tx, sql

PATIENCE = timedelta(minutes=30)


class WhatOfModel(StrEnum):
    """What is to be written."""

    SEARCH = "model_search"
    NAME = "model_rename"
    PEN_NAME = "pen_name"


@dataclass(frozen=True, kw_only=True)
class AwaitedOfModel:
    """One question. message_id: the message with the list, which knows the model that it is about."""

    what: WhatOfModel
    message_id: int


async def await_of_model(tx: Tx, awaited: AwaitedOfModel, *, user_id: str) -> None:
    """Take the guest's next text for this, in place of what was asked before. Repeat: harmless."""
    await tx.execute(
        sql("""
            INSERT INTO starbooth.awaited (user_id, what, message_id, expires_at)
            VALUES (:user_id, :what, :message_id, now() + :patience)
            ON CONFLICT (user_id) DO UPDATE SET what = excluded.what, draft_id = NULL,
                message_id = excluded.message_id, expires_at = excluded.expires_at
        """),
        {
            "user_id": user_id,
            "what": awaited.what.value,
            "message_id": awaited.message_id,
            "patience": PATIENCE,
        },
    )


async def read_awaited_of_model(tx: Tx, *, user_id: str) -> AwaitedOfModel | None:
    """What about models this guest's next text answers, if anything."""
    row = (
        await tx.execute(
            sql(
                "SELECT what, message_id FROM starbooth.awaited"
                " WHERE user_id = :user_id AND what = ANY (CAST(:kinds AS text[])) AND expires_at > now()"
            ),
            {"user_id": user_id, "kinds": [each.value for each in WhatOfModel]},
        )
    ).first()
    return None if row is None else AwaitedOfModel(what=WhatOfModel(row.what), message_id=row.message_id)


async def forget_awaited_of_model(tx: Tx, *, user_id: str) -> None:
    """Nothing is asked about models any more; what others asked stands. Repeat: harmless."""
    await tx.execute(
        sql("DELETE FROM starbooth.awaited WHERE user_id = :user_id AND what = ANY (CAST(:kinds AS text[]))"),
        {"user_id": user_id, "kinds": [each.value for each in WhatOfModel]},
    )
