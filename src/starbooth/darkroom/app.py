"""Puts the darkroom together: one folder, one key, one painter, one HTTP application."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from starbooth.darkroom import records
from starbooth.darkroom.easel import Easel
from starbooth.darkroom.faults import RULES, Faults, FaultyAnswers
from starbooth.darkroom.files import FileStore
from starbooth.darkroom.foreman import Foreman
from starbooth.darkroom.gate import Gate, parsed_body
from starbooth.darkroom.jobqueue import JobQueue
from starbooth.darkroom.jobs import Job
from starbooth.darkroom.journal import Journal
from starbooth.darkroom.lora_training.archive import Archives
from starbooth.darkroom.lora_training.results import Results
from starbooth.darkroom.lora_training.workshop import Workshop
from starbooth.darkroom.loras import Loras
from starbooth.darkroom.materials import Materials
from starbooth.darkroom.painter import Painter
from starbooth.darkroom.photos import Photos
from starbooth.darkroom.queue_routes import QueueApi, previews_router, requests_router, submit_router
from starbooth.darkroom.refusals import add_refusals
from starbooth.darkroom.signing import UploadTokens, WebhookKey
from starbooth.darkroom.storage_routes import StorageApi, storage_router
from starbooth.darkroom.uploads import Uploads
from starbooth.darkroom.webhooks import Webhooks

log = logging.getLogger(__name__)

KEEP_ENDED_S = 7 * 24 * 3600
SWEEP_S = 600.0
STOP_S = 3.0
RUN_HOST = b"fal.run"
PREFIXES = ("/queue/", "/rest/", "/cdn/")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a server is set up.

    key: what callers send as `Authorization: Key …`. public_url: how callers reach it, without a final slash.
    open_painter: called once, in the painter's thread. user_id: named in webhooks.
    allowed_origins: web pages whose scripts may call, such as "https://booth.example".
    lora_origins: http(s) addresses of which LoRA weights may be fetched; their paths count for nothing.
    """

    folder: Path
    key: str = field(repr=False)
    public_url: str
    painter_name: str
    open_painter: Callable[[], Painter]
    has_faults: bool = False
    allowed_origins: tuple[str, ...] = ()
    lora_origins: tuple[str, ...] = ()
    user_id: str = "darkroom"


class Darkroom:
    """The parts of one running server. Belongs to one event loop. Raises: journal.FolderTaken, OSError."""

    def __init__(self, settings: Settings) -> None:
        folder, now = settings.folder, time.time
        self.settings = settings
        self.journal = Journal(folder)
        self.faults = Faults()
        self.key = WebhookKey.of_folder(folder, user_id=settings.user_id)
        self.tokens = UploadTokens.of_folder(folder)
        self.files = FileStore(folder / "files", now=now)
        self.uploads = Uploads(folder / "uploads", self.files, now=now)
        stranger = WebhookKey(Ed25519PrivateKey.generate(), user_id=settings.user_id)
        self.webhooks = Webhooks(self.journal, self.key, stranger, self.faults, now=now)
        self.queue = JobQueue(self.journal, owe=self.webhooks.owe, let_go=self._let_go, now=now)
        files_url = f"{settings.public_url}/files/"
        self.loras = Loras(
            folder / "loras", self.files, files_url=files_url, origins=settings.lora_origins, now=now
        )
        self.materials = Materials(
            photos=Photos(files=self.files, files_url=files_url),
            archives=Archives(files=self.files, files_url=files_url),
            loras=self.loras,
        )
        easel, results = Easel(), Results(files=self.files, files_url=files_url)
        self.workshop = Workshop(self.queue, easel, results, folder / "trainings", now=now)
        self.foreman = Foreman(
            *(self.queue, self.files, self.materials, self.faults, easel, self.workshop),
            files_url=files_url,
            now=now,
        )
        self.painter: Painter | None = None

    @asynccontextmanager
    async def at_work(self, on_crash: Callable[[BaseException], None]) -> AsyncIterator[None]:
        """Take up what an earlier process left and paint, until the context is left; then stop in order."""
        jobs, webhooks = self.queue.recover(), self.webhooks.recover()
        if jobs or webhooks:
            log.info("taking up %d requests and %d webhooks", jobs, webhooks)
        painting = asyncio.create_task(self.foreman.run(self.settings.open_painter, self._hire))
        sweeping = asyncio.create_task(self._sweep())
        for task in (painting, sweeping):
            task.add_done_callback(partial(_watch, on_crash=on_crash))
        yield
        self.foreman.stop()
        if self.foreman.is_painting:
            await asyncio.wait({painting}, timeout=STOP_S)
        for task in (painting, sweeping):
            task.cancel()
        await asyncio.wait({painting, sweeping})
        await self.webhooks.close()
        await self.loras.close()
        self.journal.close()

    async def _sweep(self) -> None:
        """Forget old requests and delete expired files, again and again."""
        while True:
            for sweep in (self.files.sweep, self.uploads.sweep, self.loras.sweep, self.workshop.sweep):
                try:
                    await asyncio.to_thread(sweep)
                except OSError:
                    log.exception("sweeping failed; the next round tries again")
            await self.journal.write(partial(records.forget, ended_before=time.time() - KEEP_ENDED_S))
            await asyncio.sleep(SWEEP_S)

    def health(self) -> dict[str, Any]:
        """Whether it paints already, with what and, if the painter tells, on what device."""
        device = getattr(self.painter, "device", None)
        return {
            "status": "loading" if self.painter is None else "ready",
            "ready": self.painter is not None,
            "painter": self.settings.painter_name,
            "device": None if device is None else str(device),
        }

    def _let_go(self, job: Job) -> None:
        """Delete what only an unfinished training needs: a few files. What a kill leaves the sweep finds."""
        if job.is_training:
            self.workshop.clear(job)
            self.materials.drop(job.arguments)

    def _hire(self, painter: Painter) -> None:
        self.painter = painter


def build_app(settings: Settings, *, on_crash: Callable[[BaseException], None]) -> ASGIApp:
    """The ASGI application. `on_crash` is told when painting or sweeping failed: the process should end."""
    room = Darkroom(settings)
    app = FastAPI(
        lifespan=lambda _: room.at_work(on_crash), openapi_url=None, redirect_slashes=False, title="darkroom"
    )
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=["x-fal-request-id"],
        )
    add_refusals(app)
    _add_routes(app, room)
    wrapped: ASGIApp = app
    if settings.has_faults:
        wrapped = FaultyAnswers(wrapped, room.faults)
    return OneAddress(wrapped)


class OneAddress:
    """Lets four hosts of fal live at one address.

    All paths stand at the root but the blocking run: it has the path of submit, hence it lies below `/run`.
    Clients may also put `/queue`, `/rest` or `/cdn` in front, or keep `fal.run` as host name for the run.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(PREFIXES):
                scope = {**scope, "path": path[path.index("/", 1) :]}
            elif (b"host", RUN_HOST) in scope["headers"] and not path.startswith("/run/"):
                scope = {**scope, "path": f"/run{path}"}
        await self._app(scope, receive, send)


def _watch(task: asyncio.Task[None], *, on_crash: Callable[[BaseException], None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        on_crash(error)


def _add_routes(app: FastAPI, room: Darkroom) -> None:
    gate = Gate(room.settings.key, room.tokens)
    url = room.settings.public_url
    materials = room.materials
    queue = QueueApi(queue=room.queue, take_in=materials.take_in, drop=materials.drop, public_url=url)
    storage = StorageApi(files=room.files, uploads=room.uploads, tokens=room.tokens, public_url=url)
    app.include_router(requests_router(queue, gate))
    app.include_router(previews_router(queue))
    app.include_router(storage_router(storage, gate))
    app.include_router(_own_router(room, gate))
    app.include_router(submit_router(queue, gate))


def _own_router(room: Darkroom, gate: Gate) -> APIRouter:
    router = APIRouter()
    by_key = [Depends(gate.require_key)]

    @router.get("/health")
    async def health() -> Any:
        return room.health()

    @router.get("/.well-known/jwks.json")
    async def jwks() -> Any:
        return room.key.jwks()

    @router.get("/darkroom/stats", dependencies=by_key)
    async def stats() -> Any:
        return room.queue.counts()

    if room.settings.has_faults:

        @router.get("/darkroom/faults", dependencies=by_key)
        async def faults() -> Any:
            return RULES.dump_python(room.faults.rules, mode="json")

        @router.put("/darkroom/faults", dependencies=by_key)
        async def set_faults(request: Request) -> Any:
            room.faults.set(await parsed_body(request, RULES))
            return RULES.dump_python(room.faults.rules, mode="json")

    return router
