"""`python -m bench [names]`: run all or the named measurements, print a table, write `bench/out/*.json`."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench import (
    audit,
    fairness,
    fee,
    gallery,
    hold,
    journey,
    line,
    lora,
    memory,
    movements,
    picture,
    purchases,
    start,
)
from bench.figures import Figure, Measurement

OUT = Path(__file__).parent / "out"
MEASUREMENTS: Mapping[str, Callable[[], Awaitable[Measurement]]] = {
    "hold": hold.measure,
    "journey": journey.measure,
    "line": line.measure,
    "fairness": fairness.measure,
    "picture": picture.measure,
    "memory": memory.measure,
    "start": start.measure,
    "audit": audit.measure,
    "movements": movements.measure,
    "purchases": purchases.measure,
    "gallery": gallery.measure,
    "fee": fee.measure,
    "lora": lora.measure,
}


async def run(names: list[str]) -> int:
    """Measure one after another. Returns 1 where an aim was missed or a measurement failed, else 0."""
    console = Console(width=110)
    table = Table("measurement", "figure", "value", "unit", "aim", "")
    has_missed = False
    for name in names:
        console.print(f"[bold]{name}[/] …")
        began = time.monotonic()
        measured = await MEASUREMENTS[name]()
        _write(name, measured, lasted_s=time.monotonic() - began)
        for figure in measured.figures:
            has_missed |= figure.is_met is False
            table.add_row(
                name, figure.name, _shown(figure.value), figure.unit, figure.aim, _mark(figure.is_met)
            )
        table.add_section()
    console.print(table)
    return 1 if has_missed else 0


def _write(name: str, measured: Measurement, *, lasted_s: float) -> None:
    OUT.mkdir(exist_ok=True)
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "lasted_s": round(lasted_s, 1),
        "figures": [_report(figure) for figure in measured.figures],
        "details": measured.details,
    }
    (OUT / f"{name}.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def _report(figure: Figure) -> dict[str, object]:
    return {**asdict(figure), "is_met": figure.is_met}


def _machine() -> dict[str, object]:
    """What the figures were taken on, and how busy it was with other things."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": os.getloadavg(),
        "python": platform.python_version(),
    }


def markdown() -> str:
    """The figures last written to `bench/out`, as the rows of the table in docs/performance.md."""
    rows = []
    for name in MEASUREMENTS:
        path = OUT / f"{name}.json"
        if not path.exists():
            continue
        report = json.loads(path.read_text())
        for each in report["figures"]:
            given = {key: value for key, value in each.items() if key != "is_met"}
            figure = Figure(**given)
            verdict = {True: "met", False: "**missed**", None: ""}[figure.is_met]
            value = f"{_shown(figure.value)} {figure.unit}".strip()
            rows.append(f"| {name} | {figure.name} | {value} | {figure.aim} | {verdict} |")
    return "\n".join(rows)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _mark(is_met: bool | None) -> str:
    return {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[is_met]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(MEASUREMENTS))
    parser.add_argument("--markdown", action="store_true", help="measure nothing; print the last figures")
    given = parser.parse_args()
    if given.markdown:
        print(markdown())
        sys.exit(0)
    for wrong in set(given.names) - set(MEASUREMENTS):
        parser.error(f"there is no measurement {wrong!r}; there are {', '.join(MEASUREMENTS)}")
    sys.exit(uvloop.run(run(given.names or list(MEASUREMENTS))))
