"""`starbooth demo`: everything for real but the money, in a folder of its own, with a first guest who asks.

It runs what `starbooth up` runs, with the playground as Telegram, and then acts as a guest in it through the
playground's own address, as a person would with the chat page.
"""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

from starbooth.base.embedded import EmbeddedServer
from starbooth.base.errors import Unavailable
from starbooth.base.settings import Settings, read_settings
from starbooth.cli.engine import playground_arguments
from starbooth.cli.group import Part, run_group, stop_on_signals
from starbooth.cli.up import free_port, prepare
from starbooth.cli.wiring import open_booth
from starbooth.domain.orders.read import newest_picture
from starbooth.domain.users.guests import find_user

_TOKEN = "42:PLAY"  # noqa: S105 - the playground's, and worth nothing
_PATIENCE_S = 240.0


async def run_demo(*, prompt: str, is_once: bool, page_port: int) -> int:
    """Start all, ask as a guest, show what comes, then serve until Ctrl-C. Returns the exit status."""
    console = Console()
    stop = stop_on_signals()
    port = free_port(page_port)
    settings = _demo_settings(port)
    console.print("[bold]Starbooth[/] demo: play money, a tiny image model, no account.")
    server: EmbeddedServer | None = None
    status = 0
    try:
        parts, server = await prepare(settings)
        async with asyncio.TaskGroup() as tasks:
            if server is not None:
                tasks.create_task(server.keep_running(stop))
            playground = Part(
                name="playground", arguments=playground_arguments(settings, port=port, token=_TOKEN)
            )
            children = _with_settings(settings, [playground, *parts])
            tasks.create_task(run_group(children, stop=stop))
            status = await _first_order(console, settings, prompt, stop)
            if status == 0 and not is_once and not stop.is_set():
                console.print(
                    f"\nNow it is your turn: open [bold]{settings.telegram_api}/[/] and write to the booth."
                    "\nCtrl-C ends the demo."
                )
                await stop.wait()
            stop.set()
    finally:
        if server is not None:
            await asyncio.to_thread(server.stop)
    return status


def _demo_settings(port: int) -> Settings:
    """Nothing of the operator's real booth: no account, no bucket, no other database, a home of its own."""
    web_port = free_port(8500)
    for name in [
        key for key in os.environ if key.startswith("STARBOOTH_") or key in ("DATABASE_URL", "FAL_KEY")
    ]:
        if name != "STARBOOTH_HOME":
            del os.environ[name]
    home = Path(os.environ.pop("STARBOOTH_HOME", ".starbooth")) / "demo"
    home.mkdir(parents=True, exist_ok=True)
    os.chdir(home)  # so that no starbooth.toml of a real booth is read
    return read_settings(
        home=Path.cwd(),
        telegram_token=_TOKEN,
        telegram_api=f"http://127.0.0.1:{port}",
        public_url=f"http://127.0.0.1:{web_port}",
        web_port=web_port,
        engine_slots=2,
        welcome_stars=60,
        log_level="WARNING",
    )


def _with_settings(settings: Settings, parts: list[Part]) -> list[Part]:
    """The parts with the demo's settings in their environment."""
    given = {
        "STARBOOTH_TELEGRAM_TOKEN": _TOKEN,
        "STARBOOTH_TELEGRAM_API": settings.telegram_api,
        "STARBOOTH_PUBLIC_URL": settings.public_url,
        "STARBOOTH_WEB_PORT": str(settings.web_port),
        "STARBOOTH_ENGINE_SLOTS": str(settings.engine_slots),
        "STARBOOTH_WELCOME_STARS": str(settings.welcome_stars),
        "STARBOOTH_LOG_LEVEL": settings.log_level,
    }
    return [
        replace(
            part,
            environment={**given, **part.environment},
            log_file=settings.home / "log" / f"{part.name}.txt",
        )
        for part in parts
    ]


async def _first_order(console: Console, settings: Settings, prompt: str, stop: asyncio.Event) -> int:
    started_at = time.monotonic()
    async with httpx.AsyncClient(base_url=f"{settings.telegram_api}/control", timeout=30) as playground:
        try:
            guest = await _wait_for_page(playground, stop)
            if guest is None:
                return 130
            console.print(f"[bold]{guest['first_name']}[/]: /start")
            await _say(playground, guest, "/start")
            asked = await _say(playground, guest, prompt)
            console.print(f"[bold]{guest['first_name']}[/]: {prompt}")
            picture = await _follow(console, playground, guest, after=asked, stop=stop)
        except (httpx.HTTPError, Unavailable) as error:
            console.print(f"[red]The demo did not come up:[/] {error}")
            return 1
    if picture is None:
        return 130 if stop.is_set() else 1
    took_s = time.monotonic() - started_at
    file_key, price_stars = await _read_picture(settings, guest)
    console.print(f"\nThe picture lies in [bold]{settings.home / 'storage' / file_key}[/]", soft_wrap=True)
    console.print(f"It cost {price_stars} play stars. From the start to the picture: {took_s:.1f} s.")
    return 0


async def _read_picture(settings: Settings, guest: dict[str, Any]) -> tuple[str, int]:
    """Where the guest's newest picture lies in storage, and what it cost."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        newest = await newest_picture(tx, user_id=await find_user(tx, str(guest["id"])))
    assert newest is not None
    return newest


async def _wait_for_page(playground: httpx.AsyncClient, stop: asyncio.Event) -> dict[str, Any] | None:
    """The first guest, once the playground answers. None where the demo is being stopped."""
    deadline = time.monotonic() + 60
    while not stop.is_set():
        try:
            guests = (await playground.get("/users")).raise_for_status().json()
            return dict(guests[0]["user"] if "user" in guests[0] else guests[0])
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise Unavailable("the playground does not answer") from error
            await asyncio.sleep(0.2)
    return None


async def _say(playground: httpx.AsyncClient, guest: dict[str, Any], words: str) -> int:
    sent = await playground.post(f"/users/{guest['id']}/messages", json={"text": words})
    return int(sent.raise_for_status().json()["message_id"])


async def _follow(
    console: Console,
    playground: httpx.AsyncClient,
    guest: dict[str, Any],
    *,
    after: int,
    stop: asyncio.Event,
) -> dict[str, Any] | None:
    """Print what the booth says until the picture is there. None where none came."""
    seen: dict[int, str] = {}
    change = 0
    deadline = time.monotonic() + _PATIENCE_S
    while not stop.is_set() and time.monotonic() < deadline:
        news = await playground.get(f"/users/{guest['id']}/messages", params={"after": change, "wait_s": 2})
        answer = news.raise_for_status().json()
        change = answer["change"]
        for message in answer["messages"]:
            words = message.get("text") or message.get("caption") or ""
            if not message["from"]["is_bot"] or seen.get(message["message_id"]) == words:
                continue
            is_edit = message["message_id"] in seen and "photo" not in message
            seen[message["message_id"]] = words
            shown = words.partition("\n")[0] if is_edit else words
            console.print("[cyan]Starbooth[/]:", escape(shown), highlight=False)
            if "photo" in message and message["message_id"] > after:
                return dict(message)
    if not stop.is_set():
        console.print(f"[red]No picture came in time.[/] The processes' words lie in {Path.cwd() / 'log'}.")
    return None
