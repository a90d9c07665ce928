"""What stars cost in Telegram Stars (XTR), as an operator writes it: `50=50, 250+15=250`."""

import re
from dataclasses import dataclass

MOST_PACKS = 8
LARGEST_STARS = 1_000_000
LARGEST_XTR = 1_000_000
LARGEST_PLAN_XTR = 10_000  # Telegram takes no more for a subscription
_FORM = re.compile(r"([0-9]{1,7})(?:\+([0-9]{1,7}))?=([0-9]{1,7})")


@dataclass(frozen=True, kw_only=True)
class Pack:
    """So many stars, and some on top, for so many XTR. For a plan: each month."""

    stars: int
    bonus_stars: int
    amount_xtr: int

    @property
    def total_stars(self) -> int:
        """What the buyer gets."""
        return self.stars + self.bonus_stars

    def __str__(self) -> str:
        bonus = f"+{self.bonus_stars}" if self.bonus_stars else ""
        return f"{self.stars}{bonus}={self.amount_xtr}"


def parse_packs(text: str) -> tuple[Pack, ...]:
    """The packs of `50=50, 250+15=250`, cheapest first. Raises: ValueError, saying what is wrong."""
    packs = sorted((parse_pack(part) for part in text.split(",")), key=lambda pack: pack.amount_xtr)
    if len(packs) > MOST_PACKS:
        raise ValueError(f"at most {MOST_PACKS} packs")
    if len({pack.amount_xtr for pack in packs}) < len(packs):
        # A payment that fits no invoice is credited by its amount, which must therefore name one pack.
        raise ValueError("two packs have the same price")
    return tuple(packs)


def parse_pack(text: str) -> Pack:
    """The pack of `250+15=250`: stars, stars on top, price in XTR. Raises: ValueError."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()!r} is not of the form stars=xtr or stars+bonus=xtr")
    stars, bonus_stars, amount_xtr = (int(part or 0) for part in found.groups())
    pack = Pack(stars=stars, bonus_stars=bonus_stars, amount_xtr=amount_xtr)
    if not 1 <= stars <= pack.total_stars <= LARGEST_STARS or not 1 <= amount_xtr <= LARGEST_XTR:
        raise ValueError(f"{text.strip()!r}: stars and price must be from 1 to {LARGEST_STARS}")
    return pack


def parse_plan(text: str) -> Pack | None:
    """The monthly plan; None for `none`, since an empty setting counts as not set. Raises: ValueError."""
    if text.strip().lower() in ("", "none"):
        return None
    plan = parse_pack(text)
    if plan.amount_xtr > LARGEST_PLAN_XTR:
        raise ValueError(f"a plan costs at most {LARGEST_PLAN_XTR} XTR a month")
    return plan
