"""A group of processes: whoever dies is started again, and all end together."""

import asyncio
import os
import sys
from pathlib import Path

from starbooth.cli.group import Part, run_group

# Writes its pid and sleeps; on SIGTERM it says goodbye.
_CHILD = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / f"started-{os.getpid()}").touch()
signal.signal(signal.SIGTERM, lambda *_: ((folder / f"ended-{os.getpid()}").touch(), sys.exit(0)))
time.sleep(60)
"""


def pids(folder: Path, what: str) -> set[int]:
    return {int(path.name.removeprefix(f"{what}-")) for path in folder.glob(f"{what}-*")}


async def until_started(count: int, folder: Path) -> None:
    for _ in range(200):
        if len(pids(folder, "started")) >= count:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{count} starts were expected")


class TestGroup:
    async def test_a_killed_child_is_started_again_and_all_are_ended_in_order(self, tmp_path: Path) -> None:
        stop = asyncio.Event()
        part = Part(name="child", arguments=(sys.executable, "-c", _CHILD, str(tmp_path)))
        group = asyncio.create_task(run_group([part], stop=stop))
        await until_started(1, tmp_path)
        (first,) = pids(tmp_path, "started")
        os.kill(first, 9)
        await until_started(2, tmp_path)
        (second,) = pids(tmp_path, "started") - {first}
        stop.set()
        await asyncio.wait_for(group, timeout=15)
        assert pids(tmp_path, "ended") == {second}
