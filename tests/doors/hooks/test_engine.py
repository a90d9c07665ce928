"""The engine's webhook door: who may speak, what is kept, and that a repeat is harmless."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders import run
from starbooth.domain.orders.place import Source
from starbooth.domain.stars import ledger
from starbooth.domain.users.guests import Language, meet
from starbooth.doors.hooks.address import hook_path
from starbooth.doors.hooks.engine import engine_hooks
from starbooth.outside.engine.contract import EngineUnavailable, HookAnswer, HookRefused

SECRET = b"a secret of at least thirty-two characters"


class HookOnlyEngine:
    """Believes a webhook that says `genuine`; its keys can be out of reach."""

    name = "darkroom"

    def __init__(self) -> None:
        self.is_reachable = True

    async def check_hook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> HookAnswer:
        if not self.is_reachable:
            raise EngineUnavailable("unreachable")
        if headers.get("x-test") != "genuine":
            raise HookRefused("signature")
        payload: dict[str, Any] = {"images": []}
        return HookAnswer(request_id=body.decode(), is_ok=True, payload=payload, error=None)


@pytest.fixture
def engine() -> HookOnlyEngine:
    return HookOnlyEngine()


@pytest.fixture
async def web(database: Database, engine: HookOnlyEngine) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(engine_hooks(database, {"darkroom": engine}, SECRET))  # type: ignore[dict-item]  # only hooks are called
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://booth") as client:
        yield client


@pytest.fixture
async def running_order(database: Database) -> str:
    """An order whose worker died after it had marked the ticket as being sent."""
    async with database.transaction() as tx:
        guest = await meet(tx, telegram_id=1, chat_id=1, username=None, language=Language.ENGLISH)
        await ledger.credit_bonus(tx, user_id=guest.user_id, amount=10, key="welcome:1", facts={})
        placed = await request_pictures(
            tx,
            PictureRequest(
                request_key="test:1", user_id=guest.user_id, source=Source.COMMAND, prompt="a red ball"
            ),
            limits=Limits(active_orders=5, deadline=timedelta(minutes=5)),
            recipient=None,
        )
        claims = await run.claim_next(tx, slots=1, check_in=timedelta(seconds=10))
        assert await run.note_sending(tx, claims[0], 0, seen="unsent", engine="darkroom")
    return placed.order_id


async def collect_jobs(database: Database) -> list[Any]:
    async with database.transaction() as tx:
        rows = await tx.execute(text("SELECT payload FROM starbooth.pgqueuer WHERE entrypoint = 'collect'"))
        return list(rows.scalars())


async def ticket(database: Database, order_id: str) -> Any:
    async with database.transaction() as tx:
        rows = await tx.execute(
            text("SELECT state, request_id FROM starbooth.tickets WHERE order_id = :id"), {"id": order_id}
        )
        return tuple(rows.one())


GENUINE = {"x-test": "genuine"}


class TestWhoMaySpeak:
    async def test_an_address_with_a_wrong_token_is_not_found(
        self, web: httpx.AsyncClient, database: Database, running_order: str
    ) -> None:
        path = hook_path(SECRET, "darkroom", running_order, 0)[:-1]
        for wrong in (path + "x", hook_path(SECRET, "darkroom", running_order, 1).replace("/1/", "/0/")):
            answer = await web.post(wrong, content=b"req-1", headers=GENUINE)
            assert answer.status_code == 404
        assert await ticket(database, running_order) == ("sending", None)

    async def test_an_unsigned_webhook_changes_nothing(
        self, web: httpx.AsyncClient, database: Database, running_order: str
    ) -> None:
        answer = await web.post(hook_path(SECRET, "darkroom", running_order, 0), content=b"req-1")
        assert answer.status_code == 401
        assert await ticket(database, running_order) == ("sending", None)
        assert await collect_jobs(database) == []

    async def test_a_webhook_that_cannot_be_checked_now_is_asked_to_come_again(
        self, web: httpx.AsyncClient, engine: HookOnlyEngine, running_order: str
    ) -> None:
        engine.is_reachable = False
        answer = await web.post(
            hook_path(SECRET, "darkroom", running_order, 0), content=b"req-1", headers=GENUINE
        )
        assert answer.status_code == 503

    async def test_an_endless_body_is_refused(self, web: httpx.AsyncClient, running_order: str) -> None:
        body = b"x" * (1024 * 1024 + 1)
        answer = await web.post(
            hook_path(SECRET, "darkroom", running_order, 0), content=body, headers=GENUINE
        )
        assert answer.status_code == 413


class TestWhatIsKept:
    async def test_an_answer_is_adopted_although_the_worker_died_before_it_stored_the_ticket(
        self, web: httpx.AsyncClient, database: Database, running_order: str
    ) -> None:
        answer = await web.post(
            hook_path(SECRET, "darkroom", running_order, 0), content=b"req-1", headers=GENUINE
        )
        assert answer.status_code == 200
        assert await ticket(database, running_order) == ("sent", "req-1")
        assert len(await collect_jobs(database)) == 1

    async def test_the_same_answer_twice_keeps_the_first_ticket(
        self, web: httpx.AsyncClient, database: Database, running_order: str
    ) -> None:
        for _ in range(2):
            answer = await web.post(
                hook_path(SECRET, "darkroom", running_order, 0), content=b"req-1", headers=GENUINE
            )
            assert answer.status_code == 200
        assert await ticket(database, running_order) == ("sent", "req-1")

    async def test_an_answer_to_another_request_than_the_stored_one_is_not_collected(
        self, web: httpx.AsyncClient, database: Database, running_order: str
    ) -> None:
        path = hook_path(SECRET, "darkroom", running_order, 0)
        await web.post(path, content=b"req-1", headers=GENUINE)
        answer = await web.post(path, content=b"req-2", headers=GENUINE)
        assert answer.status_code == 200
        assert await ticket(database, running_order) == ("sent", "req-1")
        assert len(await collect_jobs(database)) == 1

    async def test_an_answer_for_an_order_that_does_not_exist_is_taken_and_forgotten(
        self, web: httpx.AsyncClient, database: Database
    ) -> None:
        answer = await web.post(
            hook_path(SECRET, "darkroom", "cnothing", 0), content=b"req-1", headers=GENUINE
        )
        assert answer.status_code == 200
        assert await collect_jobs(database) == []
