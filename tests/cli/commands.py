"""Running our commands as an operator does: a process of its own, with only the settings given."""

import os
import subprocess
import sys
from pathlib import Path


def environment(home: Path) -> dict[str, str]:
    """An operator's environment with no setting of ours but the home."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "STARBOOTH_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200"}


def starbooth(*arguments: str, home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `starbooth …` to its end in an empty folder and return what it said."""
    home.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "starbooth", *arguments],
        env={**environment(home), **settings},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
