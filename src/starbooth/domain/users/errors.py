"""The noes of people."""

from typing import ClassVar

from starbooth.base.errors import Refusal


class NoSuchGuest(Refusal):
    """Nobody is known by this id or name."""

    code: ClassVar[str] = "no_such_guest"

    def __init__(self, who: str) -> None:
        super().__init__(who)
        self.who = who
