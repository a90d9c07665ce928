"""Steps of buying that chat tests share."""

import asyncio
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Database
from tests.playground.guest import Guest, Message


async def ask_packs(guest: Guest) -> Message:
    """Say /buy and get the packs."""
    asked = await guest.say("/buy")
    return await guest.wait_for(
        lambda message: any("50 stars for" in each for each in message.labels), after=asked
    )


async def take_invoice(guest: Guest, packs: Message, label: str = "50 stars for 50") -> Message:
    """Press a pack and get its invoice."""
    newest = (await guest.messages())[-1]
    await guest.press(packs, label)
    return await guest.wait_for(lambda message: bool(message.invoice), after=newest)


async def get_invoice(guest: Guest) -> Message:
    """An invoice for 50 stars."""
    return await take_invoice(guest, await ask_packs(guest))


async def thanks(guest: Guest, after: Message, wanted: str = "Thank you!") -> Message:
    return await guest.wait_for(lambda message: wanted in message.text, after=after)


async def rows(database: Database, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    async with database.transaction() as tx:
        return [tuple(row) for row in await tx.execute(text(statement), values)]


async def execute(database: Database, statement: str, **values: Any) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement), values)


async def purchases(database: Database) -> list[str]:
    """The statuses of all purchases in the ledger, oldest first."""
    found = await rows(
        database,
        """
            SELECT "status"::text FROM public."StarTransaction" WHERE "type" = 'PURCHASE'
            ORDER BY "createdAt", "id"
        """,
    )
    return [row[0] for row in found]


async def flags(database: Database) -> list[str | None]:
    """The flags of all payments, oldest first."""
    return [row[0] for row in await rows(database, "SELECT flag FROM starbooth.payments ORDER BY created_at")]


async def until_flagged(database: Database, flag: str) -> None:
    """Wait until the newest payment bears this flag. Raises: TimeoutError."""
    for _ in range(200):
        if (await flags(database))[-1:] == [flag]:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


async def alerts(database: Database) -> list[str]:
    """What the operators are told, oldest first."""
    return [row[0] for row in await rows(database, "SELECT kind FROM starbooth.alerts ORDER BY created_at")]


def payment_update(
    update_id: int,
    payload: str,
    *,
    charge_id: str = "stx_crafted",
    person_id: int = 7,
    amount_xtr: int = 50,
    currency: str = "XTR",
    chat: dict[str, Any] | None = None,
    **paid: Any,
) -> dict[str, Any]:
    """The message that tells of a payment, as Telegram sends it."""
    person = {"id": person_id, "is_bot": False, "first_name": "Ada", "language_code": "en"}
    message = {
        "message_id": update_id,
        "date": 1_764_000_000,
        "chat": chat or {"id": person_id, "type": "private", "first_name": "Ada"},
        "from": person,
        "successful_payment": {
            "currency": currency,
            "total_amount": amount_xtr,
            "invoice_payload": payload,
            "telegram_payment_charge_id": charge_id,
            "provider_payment_charge_id": "7_0",
            **paid,
        },
    }
    return {"update_id": update_id, "message": message}


def checkout_update(
    update_id: int,
    payload: str,
    *,
    person_id: int = 7,
    amount_xtr: int = 50,
    currency: str = "XTR",
    language_code: str = "en",
) -> dict[str, Any]:
    """The question whether a payment may go on."""
    person = {"id": person_id, "is_bot": False, "first_name": "Ada", "language_code": language_code}
    query = {
        "id": str(update_id),
        "from": person,
        "currency": currency,
        "total_amount": amount_xtr,
        "invoice_payload": payload,
    }
    return {"update_id": update_id, "pre_checkout_query": query}
