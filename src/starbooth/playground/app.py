"""Puts the parts together: one ASGI application that is Bot API, files, control API and chat page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from starbooth.playground import control, control_groups, control_inline, control_stars, page
from starbooth.playground.bot_api import BotApi, FileApi
from starbooth.playground.errors import ApiError, GuestError
from starbooth.playground.webhook import WebhookSender
from starbooth.playground.world import World


class _Fresh(StaticFiles):
    """Files that a browser asks about each time, so that new and old parts of the page never mix."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["cache-control"] = "no-cache"
        return response


class Playground:
    """The whole playground. note: a sentence for the page's "about" sheet, e.g. about the image model in use.

    Requests of other web sites to the control API are refused, since it has no login.
    """

    def __init__(self, world: World, *, note: str = "", webhook_wait_s: float = 2.0) -> None:
        self.world = world
        self._bot_api = BotApi(world)
        self._file_api = FileApi(world)
        self._webhook_wait_s = webhook_wait_s
        self._site = self._make_site(note)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._door(scope)(scope, receive, send)

    def _door(self, scope: Scope) -> ASGIApp:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/bot") and path.count("/") == 2:
                return self._bot_api
            if path.startswith("/file/bot") and path.count("/") >= 3:
                return self._file_api
            if (b"sec-fetch-site", b"cross-site") in scope["headers"] and path != "/":
                return JSONResponse({"error": "requests of other web sites are refused"}, status_code=403)
        return self._site

    def _make_site(self, note: str) -> FastAPI:
        site = FastAPI(title="Playground", docs_url=None, redoc_url=None, lifespan=self._lifespan)
        site.state.world = self.world
        site.state.note = note
        site.include_router(control.router)
        site.include_router(control_groups.router)
        site.include_router(control_inline.router)
        site.include_router(control_stars.router)
        site.include_router(page.router)
        site.mount("/static", _Fresh(directory=page.FOLDER / "static"))
        site.add_exception_handler(ApiError, _answer_api_error)
        site.add_exception_handler(GuestError, _answer_guest_error)
        return site

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        sender = WebhookSender(self.world, call=self._bot_api.call, first_wait_s=self._webhook_wait_s)
        sender.restart()
        yield
        await sender.close()
        self.world.close()


async def _answer_guest_error(_: Request, problem: Exception) -> JSONResponse:
    if not isinstance(problem, GuestError):
        raise problem
    return JSONResponse({"error": problem.text}, status_code=problem.status)


async def _answer_api_error(_: Request, problem: Exception) -> JSONResponse:
    if not isinstance(problem, ApiError):
        raise problem
    return JSONResponse({"error": problem.description}, status_code=problem.code)
