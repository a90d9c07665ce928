"""Where exports lie on this disk while they are made or sent: in a folder of their own that only we can read.

It goes with the work. What a killed process leaves behind holds all of a guest, so others clear it away.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

_PREFIX = "starbooth-export-"
_LONGEST_WORK = timedelta(hours=2)


@contextmanager
def export_folder() -> Iterator[Path]:
    """An empty folder, gone after the block."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        yield Path(name)


def clear_leftovers(*, at: datetime) -> int:
    """Remove folders in which nothing was written for two hours; how many. Repeat: harmless.

    at: the present moment. Those of other users of this machine are let be.
    """
    oldest = (at - _LONGEST_WORK).timestamp()
    left = [path for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*") if _is_older(path, oldest)]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _is_older(path: Path, oldest: float) -> bool:
    try:
        return max(each.stat().st_mtime for each in (path, *path.iterdir())) < oldest
    except OSError:  # it has just gone, or is not ours to look into
        return False
