"""`python -m starbooth.darkroom.judge`: paint prompts that were never taught, judge them, print the figures
as JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import torch
from PIL import Image

from starbooth.darkroom.judge.eyes import DEFAULT_EYES, open_eyes
from starbooth.darkroom.judge.prompts import judged_views
from starbooth.darkroom.judge.verdict import drawn, painted, shares_right
from starbooth.darkroom.painter import DEFAULT_FOLDER, open_painter


def sheet_of(pictures: list[Image.Image], *, columns: int, cell_px: int) -> Image.Image:
    """One picture with all `pictures` in rows."""
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * cell_px, rows * cell_px), "white")
    for number, picture in enumerate(pictures):
        cell = picture.resize((cell_px, cell_px), Image.Resampling.LANCZOS)
        sheet.paste(cell, ((number % columns) * cell_px, (number // columns) * cell_px))
    return sheet


def main(arguments: list[str]) -> None:
    """Judge a model folder, and beside it the drawn scenes of the same prompts."""
    parser = argparse.ArgumentParser(prog="python -m starbooth.darkroom.judge", description=__doc__)
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--eyes", type=Path, default=DEFAULT_EYES)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--guidance", type=float, default=3.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sheet", type=Path, help="write the first 48 pictures here")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    width_px, height_px = chosen.size
    views, eyes = judged_views(chosen.prompts, seed=chosen.seed), open_eyes(chosen.eyes)
    pictures, seconds = painted(
        open_painter(chosen.folder, "cpu"),
        views,
        width_px=width_px,
        height_px=height_px,
        steps=chosen.steps,
        guidance=chosen.guidance,
        seed=chosen.seed,
    )
    if chosen.sheet:
        sheet_of(pictures[:48], columns=8, cell_px=192).save(chosen.sheet)
    true = drawn(views, width_px=width_px, height_px=height_px, seed=2**31 + chosen.seed)
    figures = {
        "prompts": len(views),
        "steps": chosen.steps,
        "guidance": chosen.guidance,
        "size_px": [width_px, height_px],
        "painted": shares_right(eyes, views, pictures),
        "drawn": shares_right(eyes, views, true),
        "median_s": round(statistics.median(seconds), 3),
    }
    json.dump(figures, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
