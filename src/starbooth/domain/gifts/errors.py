"""The noes of gifts."""

from typing import ClassVar

from starbooth.base.errors import Refusal


class DailyTaken(Refusal):
    """The guest has had this day's gift. Nothing moved."""

    code: ClassVar[str] = "daily_taken"


class NoSuchCode(Refusal):
    """There is no code of this name. Nothing moved; it counted as a guess."""

    code: ClassVar[str] = "no_such_code"


class CodeUsedUp(Refusal):
    """The code has been used as often as it may be. Nothing moved."""

    code: ClassVar[str] = "code_used_up"


class CodeTooOld(Refusal):
    """The code's time is over. Nothing moved."""

    code: ClassVar[str] = "code_too_old"


class CodeUsedByYou(Refusal):
    """This guest has used the code before; it works once for each. Nothing moved."""

    code: ClassVar[str] = "code_used_by_you"


class CodeTaken(Refusal):
    """There is a code of this name already. Nothing was written."""

    code: ClassVar[str] = "code_taken"

    def __init__(self, promo_code: str) -> None:
        super().__init__(promo_code)
        self.promo_code = promo_code


class CodeRefused(Refusal):
    """A new code is badly formed. `reason` says how, for the operator. Nothing was written."""

    code: ClassVar[str] = "code_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
