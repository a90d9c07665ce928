"""Whole numbers as people type them: strictly, since a slip costs stars."""

import re

_FORM = re.compile(r"[+-]?[0-9]{1,18}")


def parse_amount(text: str) -> int:
    """The number of `25` or `-25`. Raises: ValueError for `10abc`, `1e3`, `1_000`, `٣`, and anything else."""
    if _FORM.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a valid integer")
    return int(text)
