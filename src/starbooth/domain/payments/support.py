"""What guests write to the people who run the booth about their payments. Knows no wording."""

import hashlib
from datetime import timedelta

from starbooth.base.database import Tx, sql
from starbooth.domain.users.operators import raise_alert
from starbooth.domain.users.pace import Pace, take_turn

MESSAGES = Pace(kind="support", most=3, within=timedelta(hours=1))
_CHARGES_NAMED = 5
_REFERENCE_LETTERS = 8


async def pass_on(tx: Tx, *, user_id: str, telegram_id: int, text: str, request_key: str) -> str:
    """Owe the operators this message with the guest's last payments, and return its reference for both sides.

    Locks: the guest's account. Repeat: the same key is passed on once and has the same reference.
    Raises: TooOften; then `tx` must be rolled back.
    """
    await take_turn(tx, user_id=user_id, pace=MESSAGES, key=request_key)
    reference = hashlib.sha256(request_key.encode()).hexdigest()[:_REFERENCE_LETTERS].upper()
    username = await tx.scalar(sql('SELECT "username" FROM public."User" WHERE "id" = :id'), {"id": user_id})
    facts = {
        "reference": reference,
        "telegram_id": telegram_id,
        "username": username,
        "text": text,
        "charges": await _last_charges(tx, user_id),
    }
    await raise_alert(tx, key=f"support:{request_key}", kind="support", facts=facts)
    return reference


async def _last_charges(tx: Tx, user_id: str) -> list[str]:
    rows = await tx.execute(
        sql(
            "SELECT charge_id FROM starbooth.payments WHERE user_id = :user_id"
            " ORDER BY paid_at DESC, charge_id LIMIT :limit"
        ),
        {"user_id": user_id, "limit": _CHARGES_NAMED},
    )
    return list(rows.scalars())
