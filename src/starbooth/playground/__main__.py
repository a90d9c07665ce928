"""`python -m starbooth.playground`: serve a playground until SIGTERM or Ctrl-C."""

import argparse
import re
import socket
from pathlib import Path
from types import FrameType

import uvicorn

from starbooth.playground.app import Playground
from starbooth.playground.chats import BotIdentity
from starbooth.playground.world import World


class _Server(uvicorn.Server):
    """Says one line when it is ready, and ends all that waits at once when told to stop."""

    def __init__(self, config: uvicorn.Config, world: World, ready: str) -> None:
        super().__init__(config)
        self._world = world
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._world.feed.close()
        self._world.updates.end_poll(None)
        self._world.till.end_checkouts("The playground has ended.")
        super().handle_exit(sig, frame)


def main(arguments: list[str] | None = None) -> None:
    """Read the arguments and serve. Exits with 2 when an argument is wrong, 1 when the port is taken."""
    options = _parser().parse_args(arguments)
    if not re.fullmatch(r"[1-9][0-9]{0,14}:[A-Za-z0-9_-]+", options.token):
        _parser().error("--token must look like 42:TEST, digits and a text")
    try:
        listener = socket.create_server((options.host, options.port), backlog=512)
    except OSError as problem:
        _parser().exit(1, f"Cannot listen on {options.host}:{options.port}: {problem.strerror}\n")
    world = World(
        BotIdentity(options.token, options.bot_name, options.bot_username),
        folder=options.folder,
        has_limits=options.limits,
        checkout_s=options.checkout_s,
    )
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        Playground(world, note=options.note),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    ready = f"The playground is ready: http://{options.host}:{port}/"
    _Server(config, world, ready).run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m starbooth.playground", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to bind; there is no login, so keep it local"
    )
    parser.add_argument("--port", type=int, default=8600, help="0 lets the system choose")
    parser.add_argument("--token", default="42:TEST", help="the bot's token")
    parser.add_argument("--folder", type=Path, help="keep chats and files here over a restart")
    parser.add_argument("--note", default="", help="a sentence for the page's about sheet")
    parser.add_argument("--bot-name", default="Starbooth")
    parser.add_argument("--bot-username", default="starbooth_bot")
    parser.add_argument(
        "--limits", action="store_true", help="answer 429 as Telegram does when sending too fast"
    )
    parser.add_argument(
        "--checkout-s",
        type=float,
        default=10.0,
        help="seconds that the bot has to answer a pre-checkout query",
    )
    return parser


if __name__ == "__main__":
    main()
