"""Telegram's webhook: who may post, what is kept, and what comes of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.doors.bot.address import WEBHOOK_PATH, webhook_secret
from starbooth.doors.bot.inbox import CHANNEL
from starbooth.doors.bot.webhook import LARGEST_BODY, telegram_webhook
from tests.doors.bot.updates import message_update

SECRET = b"a signing secret of the booth"
HEADER = "X-Telegram-Bot-Api-Secret-Token"


@pytest.fixture
async def telegram(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """Telegram's side of the webhook, with the secret in its pocket."""
    app = FastAPI()
    app.include_router(telegram_webhook(database, SECRET))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://booth", headers={HEADER: webhook_secret(SECRET)}
    ) as client:
        yield client


async def kept(database: Database) -> list[int]:
    async with database.transaction() as tx:
        rows = await tx.execute(text("SELECT update_id FROM starbooth.inbox ORDER BY 1"))
        return list(rows.scalars())


async def post(telegram: httpx.AsyncClient, update: dict[str, Any], **options: Any) -> int:
    return (await telegram.post(WEBHOOK_PATH, json=update, **options)).status_code


class TestSecret:
    @pytest.mark.parametrize(
        "secret",
        ["", "wrong", webhook_secret(b"another booth's secret"), webhook_secret(SECRET)[:-1], "ключ"],
    )
    async def test_a_wrong_one_is_refused_and_nothing_is_kept(
        self, telegram: httpx.AsyncClient, database: Database, secret: str
    ) -> None:
        assert await post(telegram, message_update(1), headers={HEADER: secret.encode()}) == 401
        assert await kept(database) == []

    async def test_none_is_refused(self, telegram: httpx.AsyncClient, database: Database) -> None:
        del telegram.headers[HEADER]
        assert await post(telegram, message_update(1)) == 401
        assert await kept(database) == []

    def test_it_is_of_letters_that_telegram_takes_and_tells_nothing(self) -> None:
        made = webhook_secret(SECRET)
        assert made.isalnum()
        assert len(made) == 64
        assert SECRET.hex() not in made


class TestKeeping:
    async def test_an_update_is_kept_before_it_is_acknowledged(
        self, telegram: httpx.AsyncClient, database: Database
    ) -> None:
        assert await post(telegram, message_update(1)) == 200
        assert await kept(database) == [1]

    async def test_the_same_update_twice_is_kept_once(
        self, telegram: httpx.AsyncClient, database: Database
    ) -> None:
        assert await post(telegram, message_update(1)) == 200
        assert await post(telegram, message_update(1)) == 200
        assert await kept(database) == [1]

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{", b'{"update_id": "1"}', b'{"message": {}}', b"\xff\xfe"]
    )
    async def test_what_is_no_update_is_refused(
        self, telegram: httpx.AsyncClient, database: Database, body: bytes
    ) -> None:
        assert (await telegram.post(WEBHOOK_PATH, content=body)).status_code == 400
        assert await kept(database) == []

    async def test_a_body_without_end_is_cut_off(
        self, telegram: httpx.AsyncClient, database: Database
    ) -> None:
        huge = json.dumps(message_update(1, text="a" * LARGEST_BODY)).encode()
        assert (await telegram.post(WEBHOOK_PATH, content=huge)).status_code == 413
        assert await kept(database) == []

    async def test_who_handles_is_woken(self, telegram: httpx.AsyncClient, database: Database) -> None:
        woken = asyncio.Event()
        async with database.listen(CHANNEL, lambda _payload: woken.set()):
            await post(telegram, message_update(1))
            await asyncio.wait_for(woken.wait(), timeout=5)

    async def test_while_the_database_is_away_telegram_is_asked_to_come_again(self) -> None:
        nowhere = Database("postgresql://127.0.0.1:9/none")
        app = FastAPI()
        app.include_router(telegram_webhook(nowhere, SECRET))
        headers = {HEADER: webhook_secret(SECRET)}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://booth", headers=headers
        ) as client:
            assert await post(client, message_update(1)) == 503
        await nowhere.aclose()
