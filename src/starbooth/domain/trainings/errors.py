"""The noes of trainings."""

from enum import StrEnum
from typing import ClassVar

from starbooth.base.errors import Refusal


class NoSuchSet(Refusal):
    """There are no such photos, or they are somebody else's, or they are in use or deleted by now."""

    code: ClassVar[str] = "no_such_set"


class NoSuchPhoto(Refusal):
    """There is no photo of this number in the set, or not any more."""

    code: ClassVar[str] = "no_such_photo"


class SetFull(Refusal):
    """The set has as many photos as one can have. Nothing was stored."""

    code: ClassVar[str] = "set_full"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class SetTooHeavy(Refusal):
    """The photos of the set come to more megabytes than one may have. Nothing was stored."""

    code: ClassVar[str] = "set_too_heavy"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class OtherSetOpen(Refusal):
    """The guest gathers other photos at the moment."""

    code: ClassVar[str] = "other_set_open"


class NameRefused(Refusal):
    """A model's name has 1 to `limit` characters."""

    code: ClassVar[str] = "name_refused"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class CaptionTooLong(Refusal):
    """A photo's caption has at most `limit` characters."""

    code: ClassVar[str] = "caption_too_long"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class TriggerFlaw(StrEnum):
    """What is wrong with a trigger word."""

    LENGTH = "length"
    SPACE = "space"
    LETTERS = "letters"
    COMMON = "common"
    TAKEN = "taken"


class TriggerRefused(Refusal):
    """This cannot be a trigger word. least, most: the lengths that can."""

    code: ClassVar[str] = "trigger_refused"

    def __init__(self, reason: TriggerFlaw, *, least: int, most: int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.least = least
        self.most = most
