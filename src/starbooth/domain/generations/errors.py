"""The noes of generations."""

from typing import ClassVar

from starbooth.base.errors import Refusal
from starbooth.domain.orders.cart import Wish
from starbooth.domain.stars.errors import NotEnoughStars


class PromptEmpty(Refusal):
    """There is nothing in the prompt to paint. Nothing was charged."""

    code: ClassVar[str] = "prompt_empty"


class PromptTooLong(Refusal):
    """The prompt has more characters than we take. Nothing was charged."""

    code: ClassVar[str] = "prompt_too_long"

    def __init__(self, *, length: int, limit: int) -> None:
        super().__init__(f"{length} > {limit}")
        self.length = length
        self.limit = limit


class CountRefused(Refusal):
    """So many pictures cannot be asked for at once. Nothing was charged."""

    code: ClassVar[str] = "count_refused"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class StarsMissing(NotEnoughStars):
    """The stars do not cover what was wanted: `wish`, as the cart keeps it. Nothing was charged."""

    def __init__(self, *, wish: Wish, balance_stars: int) -> None:
        super().__init__(price_stars=wish.price_stars, balance_stars=balance_stars)
        self.wish = wish
