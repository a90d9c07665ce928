"""The web process: webhooks of the engine and of Telegram, and stored files by signed links."""

import contextlib
from collections.abc import Mapping

import uvicorn
from fastapi import FastAPI, Response

from starbooth.base.errors import Unavailable
from starbooth.base.settings import Settings
from starbooth.cli.painting import opened_engines
from starbooth.cli.wiring import Booth, open_booth
from starbooth.doors.bot.webhook import telegram_webhook
from starbooth.doors.files.serve import stored_files
from starbooth.doors.hooks.engine import engine_hooks
from starbooth.outside.engine.contract import Engine


def build_web(booth: Booth, engines: Mapping[str, Engine]) -> FastAPI:
    """The application with its routes. Has no documentation pages: nothing here is for people yet."""
    app = FastAPI(title="Starbooth", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(engine_hooks(booth.database, engines, booth.secret))
    app.include_router(telegram_webhook(booth.database, booth.secret))
    app.include_router(stored_files(booth.storage, booth.secret))

    @app.get("/health")
    async def health() -> Response:
        """200 while the database answers, else 503."""
        try:
            async with booth.database.transaction() as tx:
                await tx.exec_driver_sql("SELECT 1")
        except Unavailable:
            return Response("database unavailable\n", status_code=503, media_type="text/plain")
        return Response("ok\n", media_type="text/plain")

    return app


async def run_web(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    async with contextlib.AsyncExitStack() as stack:
        booth = await stack.enter_async_context(open_booth(settings, connections=5))
        engines = await stack.enter_async_context(opened_engines(settings))
        config = uvicorn.Config(
            build_web(booth, engines),
            host=settings.web_host,
            port=settings.web_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )
        await uvicorn.Server(config).serve()
