"""Starts the darkroom: `python -m starbooth.darkroom --help`. The key is read from DARKROOM_KEY or --key."""

import argparse
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from starbooth.darkroom import painter as painters
from starbooth.darkroom.app import Settings, build_app
from starbooth.darkroom.instant import InstantPainter
from starbooth.darkroom.journal import FolderTaken
from starbooth.darkroom.painter import Painter

SHORTEST_KEY = 8
GRACE_S = 2


class Server(uvicorn.Server):
    """Says one line on stdout when it answers."""

    def __init__(self, config: uvicorn.Config, *, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then say so."""
        await super().startup(sockets)
        if self.started:
            print(self._greeting, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Returns 2 for wrong settings, 1 when painting cannot go on."""
    given = _parser().parse_args(arguments)
    # Read by libraries that the painter imports later: no progress bars in the log, and no network.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # torch's threads sleep while they wait for each other. Where other programs want the processor, too,
    # threads that spin take ten times as long for the same work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    key = given.key or os.environ.get("DARKROOM_KEY", "")
    if len(key) < SHORTEST_KEY or not key.isascii():
        return _refuse(f"DARKROOM_KEY must have at least {SHORTEST_KEY} ASCII characters")
    if given.painter == "flux" and not given.weights.is_dir():
        return _refuse(f"--weights: there is no folder {given.weights}")
    addresses = {"--public-url": [given.public_url or "http://"], "--lora-origin": given.lora_origin}
    for option, urls in addresses.items():
        if not all(url.startswith(("http://", "https://")) for url in urls):
            return _refuse(f"{option} must begin with http:// or https://")
    try:
        listener = _listen(given.host, given.port)
    except OSError as error:
        return _refuse(f"--host {given.host} --port {given.port}: {error.strerror or error}")
    with listener:
        return _serve(given, key, listener)


def _serve(given: argparse.Namespace, key: str, listener: socket.socket) -> int:
    crashes: list[BaseException] = []
    public_url = given.public_url or _address(listener)
    settings = Settings(
        folder=given.folder,
        key=key,
        public_url=public_url.rstrip("/"),
        painter_name=given.painter,
        open_painter=_painter_opener(given),
        has_faults=given.faults or os.environ.get("DARKROOM_FAULTS") == "1",
        user_id=given.user_id,
        allowed_origins=tuple(given.allow_origin),
        lora_origins=tuple(given.lora_origin),
    )

    def crash(error: BaseException) -> None:
        crashes.append(error)
        logging.getLogger(__name__).critical("the darkroom cannot go on", exc_info=error)
        server.should_exit = True

    try:
        app = build_app(settings, on_crash=crash)
    except (FolderTaken, OSError) as error:
        return _refuse(f"--folder: {error}")
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
    )
    about = f"painter {given.painter}, folder {given.folder}"
    server = Server(config, greeting=f"darkroom ready on {_address(listener)} ({about})")
    server.run(sockets=[listener])
    return 1 if crashes or not server.started else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m starbooth.darkroom", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8700, help="0 lets the system choose one")
    parser.add_argument(
        "--folder", type=Path, default=Path(".starbooth/darkroom"), help="queue, pictures and keys"
    )
    parser.add_argument(
        "--weights", type=Path, default=painters.DEFAULT_FOLDER, help="a diffusers folder of FLUX"
    )
    parser.add_argument(
        "--device", default=None, help="cpu, cuda, cuda:1 …; chosen by the painter if not given"
    )
    parser.add_argument("--key", default=None, help="seen by everyone on this machine; DARKROOM_KEY is not")
    parser.add_argument("--public-url", default=None, help="how callers reach this server")
    parser.add_argument(
        "--painter", choices=["flux", "instant"], default="flux", help="instant is for load tests"
    )
    parser.add_argument(
        "--instant-seconds", type=float, default=0.0, help="how long an instant picture takes"
    )
    parser.add_argument("--user-id", default="darkroom", help="the account named in webhooks")
    parser.add_argument(
        "--allow-origin", action="append", default=[], help="a web page whose scripts may call"
    )
    parser.add_argument(
        "--lora-origin", action="append", default=[], help="an address of which LoRA weights may be fetched"
    )
    parser.add_argument(
        "--save-memory", action="store_true", help="trainings need less memory and a third more time"
    )
    parser.add_argument("--faults", action="store_true", help="allow PUT /darkroom/faults, for tests")
    return parser


def _painter_opener(given: argparse.Namespace) -> Callable[[], Painter]:
    if given.painter == "instant":
        return lambda: InstantPainter(seconds=given.instant_seconds)
    return lambda: painters.open_painter(given.weights, given.device, saves_memory=given.save_memory)


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises: OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _address(listener: socket.socket) -> str:
    """How this machine reaches the socket; a socket on all addresses is named by the loopback one."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refuse(reason: str) -> int:
    print(f"darkroom: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
