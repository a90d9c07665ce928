"""Starts one of our own servers as a process of its own, as an operator would, and stops it."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

START_S = 60.0


@contextmanager
def started(module: str, *arguments: str, **environment: str) -> Iterator[str]:
    """`python -m module …`, which prints its address once it answers; yields that address."""
    command = [sys.executable, "-m", module, "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}, bufsize=1
    )
    assert process.stdout is not None
    impatience = threading.Timer(START_S, process.kill)
    impatience.start()
    try:
        line = process.stdout.readline()  # ends empty if the process dies, also by our impatience
        address = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert address, f"{module} did not start: {line!r}"
        impatience.cancel()
        yield address[0]
    finally:
        impatience.cancel()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
