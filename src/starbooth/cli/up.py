"""`starbooth up`: the whole booth on one machine, in one group of processes."""

import asyncio
import socket
from collections.abc import Mapping

from starbooth.base.embedded import EmbeddedServer
from starbooth.base.settings import Settings
from starbooth.cli.engine import darkroom_arguments
from starbooth.cli.group import Part, command, run_group, stop_on_signals
from starbooth.cli.prepare import prepare_database
from starbooth.cli.wiring import darkroom_key
from starbooth.outside.engine.client import open_engines
from starbooth.outside.storage.store import open_storage

_DARKROOM_PORT = 8700


async def run_up(settings: Settings) -> None:
    """Run web, bot, worker and, unless an engine is set, the darkroom, until SIGTERM or Ctrl-C.

    Raises SettingError before anything starts where a setting is missing or wrong.
    """
    stop = stop_on_signals()
    parts, server = await prepare(settings)
    async with asyncio.TaskGroup() as tasks:
        if server is not None:
            tasks.create_task(server.keep_running(stop))
        tasks.create_task(run_group(parts, stop=stop))
    if server is not None:
        await asyncio.to_thread(server.stop)


async def prepare(settings: Settings) -> tuple[list[Part], EmbeddedServer | None]:
    """Check the settings, make the database ready, and name the parts to run."""
    _ = settings.token  # refuse now rather than in a child that is started again and again
    open_storage(settings.storage_url)
    environment = {"STARBOOTH_HOME": str(settings.home.resolve())}
    server: EmbeddedServer | None = None
    if settings.database_url is None:
        server = await asyncio.to_thread(EmbeddedServer.start, settings.home)
        environment["DATABASE_URL"] = server.url
    engine_parts, engine_environment = _engine(settings)
    environment |= engine_environment
    await prepare_database(settings)
    parts = [
        Part(name=name, arguments=command(name), environment=environment) for name in ("web", "bot", "worker")
    ]
    return [*engine_parts, *parts], server


def _engine(settings: Settings) -> tuple[list[Part], Mapping[str, str]]:
    """The darkroom as one more part, and how the others reach it; nothing where an engine is set."""
    if settings.engine_url is not None or settings.fal_key is not None or settings.engines:
        open_engines(settings)
        return [], {}
    port = free_port(_DARKROOM_PORT)
    key = darkroom_key(settings)
    part = Part(
        name="engine",
        arguments=darkroom_arguments(settings, host="127.0.0.1", port=port, weights=None),
        environment={"DARKROOM_KEY": key},
    )
    return [part], {
        "STARBOOTH_ENGINE_URL": f"http://127.0.0.1:{port}",
        "STARBOOTH_ENGINE_KEY": key,
    }


def free_port(preferred: int) -> int:
    """`preferred` if nobody listens there on this machine, else a port that the system chooses."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on this machine")
