"""`python -m starbooth.darkroom.training`: every stage in order, each going on from where it was stopped."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

import torch

from starbooth.darkroom.training import stages


def main(arguments: list[str]) -> None:
    """Run the stages named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m starbooth.darkroom.training", description=__doc__)
    parser.add_argument("stages", nargs="*", help=f"some of: {', '.join(stages.STAGES)} (default: all)")
    parser.add_argument("--home", type=Path, required=True, help="folder for scenes and checkpoints, 4 GB")
    parser.add_argument("--folder", type=Path, help="where to write the model (default: HOME/tiny-flux)")
    parser.add_argument("--steps", type=int, help="steps in all, for the one stage named")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    parser.add_argument("--eager", action="store_true", help="do not compile (slower; needs no C++ compiler)")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.stages) - set(stages.STAGES)
    if unknown:
        parser.error(f"unknown stage: {', '.join(sorted(unknown))}")
    if chosen.steps is not None and len(chosen.stages) != 1:
        parser.error("--steps goes with exactly one stage")
    torch.set_num_threads(chosen.threads)
    bench = stages.Bench(
        home=chosen.home,
        folder=chosen.folder or chosen.home / "tiny-flux",
        threads=chosen.threads,
        is_compiled=not chosen.eager,
        log=lambda line: print(f"{datetime.now().astimezone():%H:%M:%S} {line}", flush=True),
    )
    for stage in chosen.stages or stages.STAGES:
        stages.STAGES[stage](bench, chosen.steps)


if __name__ == "__main__":
    main(sys.argv[1:])
