"""The engine's webhook: one POST per finished request, at an address that names the order and proves it ours.

fal signs for any of its customers, so its signature alone does not say that the request was ours: the
address holds a token that only we can make.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from fastapi import APIRouter, HTTPException, Request

from starbooth.base.clock import now
from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.base.jobs import Job, enqueue
from starbooth.domain.orders.run import note_sent
from starbooth.domain.running.run import COLLECT
from starbooth.doors.hooks.address import hook_token
from starbooth.outside.engine.contract import Engine, HookAnswer, HookRefused

_log = structlog.get_logger()
_LARGEST_BODY = 1024 * 1024


def engine_hooks(database: Database, engines: Mapping[str, Engine], secret: bytes) -> APIRouter:
    """The routes. Answers 200 once what the webhook says is committed; repeats are harmless."""
    router = APIRouter()

    @router.post("/hooks/{name}/{order_id}/{number}/{token}", include_in_schema=False)
    async def receive(name: str, order_id: str, number: int, token: str, request: Request) -> dict[str, str]:
        wanted = hook_token(secret, name, order_id, number)
        engine = engines.get(name)
        if engine is None or not hmac.compare_digest(token.encode(), wanted.encode()):
            raise HTTPException(404)
        body = await read_body(request, limit_bytes=_LARGEST_BODY)
        answer = await _prove(lambda: engine.check_hook(dict(request.headers), body, now=now()), order_id)
        try:
            await _adopt(database, engine, answer, order_id, number)
        except Unavailable as error:
            raise HTTPException(503) from error
        return {"status": "ok"}

    return router


async def _prove(check: Callable[[], Awaitable[HookAnswer]], order_id: str) -> HookAnswer:
    try:
        return await check()
    except HookRefused as refusal:
        _log.warning("hook.refused", order=order_id, reason=refusal.reason)
        raise HTTPException(401) from refusal
    except Unavailable as error:
        raise HTTPException(503) from error


async def _adopt(database: Database, engine: Engine, answer: HookAnswer, order_id: str, number: int) -> None:
    """Store the request's id, in case the worker died before it could, and have a worker collect."""
    payload: Any = dict(answer.payload) if answer.is_ok and answer.payload is not None else None
    async with database.transaction() as tx:
        is_ours = await note_sent(
            tx, order_id=order_id, number=number, engine=engine.name, request_id=answer.request_id
        )
        if is_ours:
            facts = {
                "order": order_id,
                "number": number,
                "payload": payload,
                "request": answer.request_id,
                "has_failed": not answer.is_ok,
            }
            await enqueue(tx, Job(name=COLLECT, facts=facts))


async def read_body(request: Request, *, limit_bytes: int) -> bytes:
    """The whole body, or 413 as soon as it is longer than `limit_bytes`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise HTTPException(413)
    return bytes(body)
