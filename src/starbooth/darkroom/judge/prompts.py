"""The prompts that are judged: combinations of words that were never drawn for training."""

from __future__ import annotations

import numpy as np

from starbooth.darkroom.training.scenes import all_views, is_kept_for_judging
from starbooth.darkroom.world.words import View


def judged_views(count: int, *, seed: int) -> list[View]:
    """`count` different views that no training scene shows, always the same for one seed.

    Raises: ValueError if there are not that many.
    """
    kept = [view for view in all_views() if is_kept_for_judging(view)]
    order = np.random.default_rng(seed).permutation(len(kept))[:count]
    if len(order) < count:
        raise ValueError(f"only {len(kept)} combinations are kept for judging")
    return [kept[i] for i in order]
