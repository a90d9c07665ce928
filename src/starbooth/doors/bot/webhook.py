"""Telegram's webhook: proves that Telegram calls, keeps the update, and wakes who handles it.

Part of the web process, which stays small: imports no aiogram.
"""

import hmac

from fastapi import APIRouter, HTTPException, Request

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.doors.bot.address import WEBHOOK_PATH, webhook_secret
from starbooth.doors.bot.inbox import UpdateRefused, announce_updates, keep_updates, parse_update

LARGEST_BODY = 1024 * 1024
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name


def telegram_webhook(database: Database, secret: bytes) -> APIRouter:
    """The route. Answers 200 once the update is committed; repeats are harmless.

    401 for who does not know the secret, 413 for too long a body, 400 for what is no update: nothing is kept.
    503 while the database is away: Telegram comes again.
    """
    router = APIRouter()
    expected = webhook_secret(secret).encode()

    @router.post(WEBHOOK_PATH, include_in_schema=False)
    async def receive(request: Request) -> dict[str, str]:
        given = request.headers.get(_SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), expected):
            raise HTTPException(401)
        body = await _read_body(request)
        try:
            update = parse_update(body)
            async with database.transaction() as tx:
                if await keep_updates(tx, [update]):
                    await announce_updates(tx)
        except UpdateRefused as error:
            raise HTTPException(400) from error
        except Unavailable as error:
            raise HTTPException(503) from error
        return {"status": "ok"}

    return router


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise HTTPException(413)
    return bytes(body)
