"""`starbooth demo`, as a newcomer runs it: from nothing to a picture, and gone without a process left."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.cli.commands import environment

pytestmark = pytest.mark.slow


def start_demo(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "starbooth", "demo", "--port", "0", *arguments],
        env=environment(home),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(home: Path) -> list[str]:
    """Command lines of all that still runs for this home."""
    running = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        environ = process.info["environ"] or {}
        line = " ".join(process.info["cmdline"] or ())
        if str(home) in line or str(home) in environ.get("STARBOOTH_HOME", ""):
            running.append(line)
    return running


def wait_until_gone(home: Path) -> list[str]:
    for _ in range(100):
        if not processes_of(home):
            return []
        time.sleep(0.1)
    return processes_of(home)


class TestDemo:
    def test_the_first_order_ends_with_a_picture_that_is_told_with_its_place_and_price(
        self, tmp_path: Path
    ) -> None:
        home = tmp_path / "home"
        with start_demo(home, "--once") as demo:
            said, _ = demo.communicate(timeout=240)
        assert demo.returncode == 0, said
        place = re.search(r"The picture lies in (\S+)", said)
        assert place is not None, said
        with Image.open(io.BytesIO(Path(place[1]).read_bytes())) as picture:
            picture.load()
            assert min(picture.size) >= 256
            assert len(set(picture.convert("L").resize((32, 32)).tobytes())) > 50
        assert "It cost 3 play stars" in said
        assert wait_until_gone(home) == []

    def test_ctrl_c_ends_every_child(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        with start_demo(home) as demo:
            assert demo.stdout is not None
            lines = []
            for line in demo.stdout:
                lines.append(line)
                if "your turn" in line:
                    break
            assert demo.poll() is None, "".join(lines)
            assert len(processes_of(home)) >= 5
            os.kill(demo.pid, signal.SIGINT)
            demo.communicate(timeout=60)
        assert demo.returncode == 0
        assert wait_until_gone(home) == []
