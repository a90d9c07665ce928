"""A whole booth of real processes on this machine: started as an operator starts them, and killed at will.

    async with opened_house(folder, Plan(workers=2)) as house:
        async with Guest(house.playground_url, "Ada") as ada: ...
        house.kill("worker-1")
        house.start("worker-1")

Knows commands, addresses and environment; knows nothing of what the parts say. PostgreSQL is started again by
itself when it dies, as `starbooth up` does; the other parts only by `start`.
"""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import httpx

from starbooth.base.embedded import EmbeddedServer

TOKEN = "42:HOUSE"
ENGINE_KEY = "a-key-of-the-house"
_PATIENCE_S = 60.0
_LONGEST_LINE = 400


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many workers there are, what paints, and settings that differ from the defaults.

    paint_s: seconds per picture of the painter without a model; None paints with the tiny FLUX.
    has_more_engines: a second darkroom, and a third that plays fal.ai, which is asked last.
    settings: names as in the environment, without `STARBOOTH_`.
    """

    workers: int = 1
    paint_s: float | None = 0.0
    has_engine_faults: bool = False
    has_more_engines: bool = False
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(kw_only=True)
class _Running:
    process: "subprocess.Popen[bytes]"
    log: IO[bytes]


class House:
    """The parts by their names: playground, engine, second, fal, web, bot, worker-1, worker-2 …"""

    def __init__(self, folder: Path, plan: Plan, server: EmbeddedServer) -> None:
        self.folder = folder
        self.database_url = server.url
        self.storage = folder / "home" / "storage"
        names = ["playground", "web", "engine", *(("second", "fal") if plan.has_more_engines else ())]
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        self.playground_url, self.web_url = self._url("playground"), self._url("web")
        self.engine_urls = {name: self._url(name) for name in names[2:]}
        self.environment = self._environment(plan)
        self.commands = self._commands(plan)
        self._running: dict[str, _Running] = {}

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    def _environment(self, plan: Plan) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("STARBOOTH_") and name not in ("DATABASE_URL", "FAL_KEY")
        }
        return {
            **kept,
            "DATABASE_URL": self.database_url,
            "DARKROOM_KEY": ENGINE_KEY,
            "STARBOOTH_HOME": str(self.folder / "home"),
            "STARBOOTH_PUBLIC_URL": self.web_url,
            "STARBOOTH_WEB_PORT": str(self._ports["web"]),
            "STARBOOTH_TELEGRAM_TOKEN": TOKEN,
            "STARBOOTH_TELEGRAM_API": self.playground_url,
            "STARBOOTH_ENGINE_URL": self.engine_urls["engine"],
            "STARBOOTH_ENGINE_KEY": ENGINE_KEY,
            **(self._more_engines() if plan.has_more_engines else {}),
            **{f"STARBOOTH_{name}": value for name, value in plan.settings.items()},
        }

    def _more_engines(self) -> dict[str, str]:
        return {
            "STARBOOTH_ENGINES": f"second={self.engine_urls['second']}",
            "STARBOOTH_FAL_URL": self.engine_urls["fal"],
            "FAL_KEY": ENGINE_KEY,
        }

    def _engine(self, plan: Plan, name: str) -> Sequence[str]:
        painter = ("--painter", "instant", "--instant-seconds", str(plan.paint_s))
        folder = self.folder / ("darkroom" if name == "engine" else name)
        return (
            *("starbooth.darkroom", "--port", str(self._ports[name]), "--folder", str(folder)),
            *("--lora-origin", self.web_url),
            *(painter if plan.paint_s is not None else ()),
            *(("--faults",) if plan.has_engine_faults else ()),
        )

    def _commands(self, plan: Plan) -> dict[str, Sequence[str]]:
        playground = ("starbooth.playground", "--port", str(self._ports["playground"]), "--token", TOKEN)
        engines = {name: self._engine(plan, name) for name in self.engine_urls}
        workers = {f"worker-{number + 1}": ("starbooth", "worker") for number in range(plan.workers)}
        parts = {"playground": playground, **engines, "web": ("starbooth", "web")}
        parts |= {"bot": ("starbooth", "bot"), **workers}
        return {name: (sys.executable, "-m", *arguments) for name, arguments in parts.items()}

    def start(self, name: str) -> None:
        """Start a part that is not running. Its output is added to `logs/NAME.log` in the folder."""
        assert name not in self._running, f"{name} is running"
        log = self.log_of(name).open("ab")
        process = subprocess.Popen(
            self.commands[name],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running[name] = _Running(process=process, log=log)

    def start_missing(self) -> None:
        """Start every part that is not running."""
        for name in self.fallen():
            self.kill(name)
        for name in self.commands.keys() - self._running.keys():
            self.start(name)

    def kill(self, name: str) -> None:
        """`kill -9` a part and wait until it is gone."""
        self._end(name, signal.SIGKILL)

    async def stop(self, name: str) -> int:
        """End a part by SIGTERM and return its exit status."""
        return await asyncio.to_thread(self._end, name, signal.SIGTERM)

    def kill_postgresql(self) -> None:
        """`kill -9` the server; it is started again within seconds."""
        first_line = (self.folder / "home" / "postgresql" / "postmaster.pid").read_text().splitlines()[0]
        os.kill(int(first_line), signal.SIGKILL)

    def pid(self, name: str) -> int:
        """The process id of a running part."""
        return self._running[name].process.pid

    def fallen(self) -> dict[str, int]:
        """Parts that ended by themselves, with their exit status. None should."""
        codes = {name: running.process.poll() for name, running in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def log_of(self, name: str) -> Path:
        """The file that a part's output goes to."""
        path = self.folder / "logs" / f"{name}.log"
        path.parent.mkdir(exist_ok=True)
        return path

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run `starbooth ARGUMENTS` and return its exit status and all that it said."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starbooth", *arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(child.communicate(), _PATIENCE_S)
        assert child.returncode is not None
        return child.returncode, output.decode()

    async def engine_figures(self, engine: str = "engine") -> dict[str, int]:
        """What an engine counts: accepted, runs, failed, cancelled, waiting, running."""
        async with self._engine_client(engine) as http:
            counted = (await http.get("/darkroom/stats")).raise_for_status().json()
        return {name: int(value) for name, value in counted.items()}

    def asked_of_engine(self, engine: str = "engine") -> list[dict[str, Any]]:
        """The arguments of every request that an engine took, oldest first, from its journal."""
        folder = self.folder / ("darkroom" if engine == "engine" else engine)
        journal = sqlite3.connect(f"file:{folder / 'journal.sqlite'}?mode=ro", uri=True)
        try:
            rows = journal.execute("SELECT arguments FROM jobs ORDER BY number").fetchall()
        finally:
            journal.close()
        return [json.loads(arguments) for (arguments,) in rows]

    async def set_engine_faults(self, *rules: Mapping[str, object]) -> None:
        """Have the engine go wrong by these rules and no others; see starbooth.darkroom.faults.Rule."""
        async with self._engine_client() as http:
            (await http.put("/darkroom/faults", json=list(rules))).raise_for_status()

    def _engine_client(self, engine: str = "engine") -> httpx.AsyncClient:
        headers = {"Authorization": f"Key {ENGINE_KEY}"}
        return httpx.AsyncClient(
            base_url=self.engine_urls[engine], headers=headers, trust_env=False, timeout=10
        )

    async def wait_until_up(self, name: str) -> None:
        """Return once the playground, an engine or the web process answers."""
        page = "control/state" if name == "playground" else "health"
        url = f"{self._url(name)}/{page}"
        deadline = time.monotonic() + _PATIENCE_S
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            while True:
                try:
                    (await http.get(url)).raise_for_status()
                except httpx.HTTPError:
                    assert not self.fallen(), self.last_words()
                    assert time.monotonic() < deadline, self.last_words()
                    await asyncio.sleep(0.1)
                else:
                    return

    def last_words(self, *, lines: int = 15) -> str:
        """The end of every log, for a failed test to show."""
        said = []
        for path in sorted((self.folder / "logs").glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            said += [f"--- {path.stem}", *(line[:_LONGEST_LINE] for line in tail)]
        return "\n".join(said)

    def close(self) -> None:
        """End every part, all at once. Safe to repeat."""
        for running in self._running.values():
            _signal(running, signal.SIGTERM)
        for name in list(self._running):
            self._wait(name)

    def _end(self, name: str, number: signal.Signals) -> int:
        _signal(self._running[name], number)
        return self._wait(name)

    def _wait(self, name: str) -> int:
        running = self._running.pop(name)
        try:
            code = running.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(running.process.pid, signal.SIGKILL)
            code = running.process.wait()
        running.log.close()
        return code


def _signal(running: _Running, number: signal.Signals) -> None:
    if running.process.poll() is None:
        os.killpg(running.process.pid, number)


@asynccontextmanager
async def opened_house(folder: Path, plan: Plan) -> AsyncIterator[House]:
    """Start PostgreSQL and every part in `folder`, wait until all answer, and end all afterwards.

    folder: a short path, as PostgreSQL's socket lies in it. Its content stays.
    """
    server = await asyncio.to_thread(EmbeddedServer.start, folder / "home")
    stop = asyncio.Event()
    keeping = asyncio.create_task(server.keep_running(stop))
    house = House(folder, plan, server)
    try:
        code, said = await house.command("migrate")
        assert code == 0, said
        for name in house.commands:
            house.start(name)
        for name in ("playground", *house.engine_urls, "web"):
            await house.wait_until_up(name)
        yield house
    finally:
        house.close()
        stop.set()
        await keeping
        await asyncio.to_thread(server.stop)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now. Not port 0: a part that was killed comes back to where it was."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
