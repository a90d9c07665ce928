"""A group of processes: started together, restarted one by one when they die, stopped together.

Each child is a whole `starbooth` command of its own, so what runs here on one machine can run apart on
many. A child that keeps dying is started less and less often, never given up.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog

_log = structlog.get_logger()
_LONGEST_PAUSE_S = 30.0
_STEADY_AFTER_S = 20.0
_PATIENCE_S = 10.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True)
class Part:
    """One child: its name for people, its command line, and what it has in its environment besides ours.

    log_file: what it says is added to this file; None lets it speak to the terminal.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    log_file: Path | None = None


def command(*arguments: str) -> tuple[str, ...]:
    """The command line of one of our own commands, with the interpreter that runs now."""
    return (sys.executable, "-m", "starbooth", *arguments)


async def run_group(parts: Sequence[Part], *, stop: asyncio.Event) -> None:
    """Keep every part running until `stop` is set, then end all: SIGTERM first, SIGKILL after 10 s."""
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(_keep_running(part, stop))


async def _keep_running(part: Part, stop: asyncio.Event) -> None:
    pause_s = 0.5
    while not stop.is_set():
        started_at = asyncio.get_running_loop().time()
        code = await _run_once(part, stop)
        if stop.is_set():
            return
        _log.error("part.ended", part=part.name, exit_code=code)
        is_steady = asyncio.get_running_loop().time() - started_at > _STEADY_AFTER_S
        pause_s = 0.5 if is_steady else min(pause_s * 2, _LONGEST_PAUSE_S)
        await _wait(stop, pause_s)


async def _run_once(part: Part, stop: asyncio.Event) -> int:
    """Run the child until it ends or `stop` is set; returns its exit code. A cancel ends the child too."""
    with _log_of(part) as log_file:
        child = await _start(part, log_file)
    ended = asyncio.create_task(child.wait())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not ended.done():
            await _end(child, ended)
    return await ended


def _log_of(part: Part) -> contextlib.AbstractContextManager[IO[bytes] | None]:
    if part.log_file is None:
        return contextlib.nullcontext()
    part.log_file.parent.mkdir(parents=True, exist_ok=True)
    return part.log_file.open("ab")


async def _start(part: Part, log_file: IO[bytes] | None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *part.arguments,
        env={**os.environ, **part.environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=log_file,
        stderr=log_file,
        # A group of its own: Ctrl-C on the terminal reaches us alone, and we stop the children in order.
        start_new_session=True,
        preexec_fn=_end_with_parent if _LIBC is not None else None,
    )


async def _end(child: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
    _signal_group(child.pid, signal.SIGTERM)
    await asyncio.wait({ended}, timeout=_PATIENCE_S)
    if not ended.done():
        _signal_group(child.pid, signal.SIGKILL)


def _end_with_parent() -> None:
    """Runs in the child before it becomes the command: a `kill -9` of us ends it too, rather than leave an
    orphan that polls Telegram beside the next start. Linux only; elsewhere the next start says what is taken.
    """
    assert _LIBC is not None
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return  # it ended by itself meanwhile


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set. A second Ctrl-C interrupts at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGTERM, ask_to_stop)
    loop.add_signal_handler(signal.SIGINT, ask_to_stop)
    return stop
