"""Real darkroom processes for tests: started on a free port, asked over HTTP, killed when it matters."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

KEY = "key-of-the-tests"
PATIENCE_S = 60.0


@dataclass
class Darkroom:
    """A darkroom that can be started again on the same folder and port."""

    folder: Path
    options: tuple[str, ...] = ("--painter", "instant")
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    url: str = ""
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "starbooth.darkroom", "--port", str(self.port)]
        command += ["--folder", str(self.folder), *self.options]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "DARKROOM_KEY": KEY, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("darkroom ready on http://"):
            self.kill()
            raise AssertionError(f"the darkroom did not start: {line!r}")
        self.url = line.split()[3]
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """kill -9. Safe to repeat."""
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """SIGTERM; returns how many seconds it took. Safe to repeat."""
        started = time.monotonic()
        self._end(signal.SIGTERM)
        return time.monotonic() - started

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None

    def client(self, *, key: str = KEY) -> httpx.AsyncClient:
        """A plain HTTP client that shows the key."""
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Key {key}"}, timeout=30)


def flux(**changes: Any) -> dict[str, Any]:
    """A small valid input."""
    return {"prompt": "a red boat", "image_size": "square", "num_inference_steps": 4, **changes}


async def submit(
    http: httpx.AsyncClient,
    *,
    endpoint: str = "fal-ai/flux/dev",
    headers: dict[str, str] | None = None,
    **changes: Any,
) -> str:
    """Submit and return the request id."""
    answer = await http.post(f"/{endpoint}", json=flux(**changes), headers=headers)
    assert answer.status_code == 200, answer.text
    request_id: str = answer.json()["request_id"]
    return request_id


async def finished(http: httpx.AsyncClient, request_id: str, *, app: str = "fal-ai/flux") -> dict[str, Any]:
    """Poll until the request has ended; the last status."""
    for _ in range(round(PATIENCE_S / 0.05)):
        answer = await http.get(f"/{app}/requests/{request_id}/status", params={"logs": "1"})
        if answer.status_code == 200:
            status: dict[str, Any] = answer.json()
            return status
        assert answer.status_code == 202, answer.text
        await asyncio.sleep(0.05)
    raise AssertionError(f"{request_id} did not end within {PATIENCE_S} s")


async def fetch(url: str, **headers: str) -> httpx.Response:
    """GET without any key."""
    async with httpx.AsyncClient(timeout=30) as http:
        return await http.get(url, headers=headers)


async def until(condition: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not come to hold in time"
        await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Delivery:
    """A request that arrived at a `Listener`."""

    headers: dict[str, str]
    body: bytes


class Listener:
    """Keeps what is posted to it; answers with the next of `answers`, with 200 when there is none."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.answers: list[int] = []
        self.url = ""

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the other side closes it."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                pairs = (line.partition(": ") for line in head[1:] if line)
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                self.deliveries.append(Delivery(headers, body))
                status = self.answers.pop(0) if self.answers else 200
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """A listener on a free port."""
    listener = Listener()
    server = await asyncio.start_server(listener.receive, "127.0.0.1", 0)
    listener.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield listener
    finally:
        server.close()
