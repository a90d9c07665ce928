"""A counterpart that answers exactly what a test tells it, on a real socket of the loopback interface."""

import asyncio
import json
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What to send back. `is_dropped` ends the connection in place of an answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    is_dropped: bool = False
    claimed_length: int | None = None


class ScriptedServer:
    """Answers requests from a list, the last reply for ever; records what was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.was_asked = asyncio.Event()
        self.replies: list[Reply] = []
        self.url = ""

    def will_answer(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def will_say(self, body: object, *, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.will_answer(Reply(status=status, body=json.dumps(body).encode(), headers=named))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client left
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        pairs = (line.split(": ", 1) for line in lines[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method=method, target=target, headers=headers, body=body))
        self.was_asked.set()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        await asyncio.sleep(reply.wait_s)
        if reply.is_dropped:
            return False
        length = len(reply.body) if reply.claimed_length is None else reply.claimed_length
        head = {"content-type": "application/json", **reply.headers, "content-length": str(length)}
        named = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"HTTP/1.1 {reply.status} Answer\r\n{named}\r\n".encode() + reply.body)
        await writer.drain()
        return length == len(reply.body)
