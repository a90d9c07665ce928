"""What an order pays for the use of models of others, beside its pictures. Pure.

A fee is asked per picture. The first pictures may be free of it; of an order that brings fewer pictures than
asked for, the free ones come first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Fee:
    """The fee of one model in an order. share_percent: the maker's part of it. free: pictures without it."""

    lora_id: str
    maker_id: str
    fee_stars: int
    share_percent: int
    free: int

    def due_stars(self, pictures: int) -> int:
        """What so many pictures owe."""
        return self.fee_stars * max(0, pictures - self.free)


def fees_stars(fees: Iterable[Fee], pictures: int) -> int:
    """What so many pictures owe in fees."""
    return sum(each.due_stars(pictures) for each in fees)


def fit_fees(fees: Sequence[Fee], pictures: int, *, most_stars: int) -> tuple[Fee, ...]:
    """The fees with as many pictures free as are needed for them to cost no more than `most_stars`.

    Where a price was promised before a fee rose, the guest pays that, and the maker gets a share of that.
    """
    left = max(0, most_stars)
    fitted = []
    for each in fees:
        affordable = pictures if each.fee_stars == 0 else left // each.fee_stars
        fitting = replace(each, free=min(pictures, max(each.free, pictures - affordable)))
        left -= fitting.due_stars(pictures)
        fitted.append(fitting)
    return tuple(fitted)


def spend(fees: Sequence[Fee], *, price_stars: int, parts: int, done: int) -> int:
    """What of the price is spent if `done` of `parts` pictures are there; rounded down. In stars."""
    pictures_stars = price_stars - fees_stars(fees, parts)
    return pictures_stars * done // parts + fees_stars(fees, done)
