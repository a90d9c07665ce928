"""The three kinds of failure: refusal, unavailable, and bug (which is any other exception).

A refusal is an expected no. The domain raises it, each door words it. Nothing was charged or stored.
Unavailable means that something outside did not answer properly. A job tries again, within limits.
"""

from typing import ClassVar


class Refusal(Exception):
    """An expected no. `code` is stable and is what doors look up; the facts are attributes."""

    code: ClassVar[str]


class Unavailable(Exception):
    """The outside did not answer properly; trying again later may work.

    `retry_after_s` is what the other side asked for, None where it asked for nothing.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Contended(Unavailable):
    """The database ended this transaction so that another could go on. Nothing of it was done: repeat it."""


class SettingError(Exception):
    """A setting is missing or wrong. `setting` is the name as the operator writes it."""

    def __init__(self, setting: str, advice: str) -> None:
        super().__init__(f"{setting}: {advice}")
        self.setting = setting
        self.advice = advice
