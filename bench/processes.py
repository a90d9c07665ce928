"""What a process weighs, by the kernel's own account. Linux only."""

from pathlib import Path


def memory_mb(pid: int, *, kind: str = "VmRSS") -> float:
    """Resident MB (10⁶ bytes) now, or at the peak with `kind` "VmHWM". Shared pages count in full."""
    return _kilobytes(Path(f"/proc/{pid}/status"), kind) * 1024 / 1e6


def proportional_mb(pid: int) -> float:
    """Memory in MB, where a page that n processes share counts 1/n for each: what the process adds."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss") * 1024 / 1e6


def _kilobytes(page: Path, name: str) -> int:
    line = next(line for line in page.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
