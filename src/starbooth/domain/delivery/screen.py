"""What a message shows: a plain value, so that it can be compared and tested without Telegram."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Button:
    """An inline button. `action` is what comes back when it is pressed: at most 64 bytes.

    url: the button opens this instead, and nothing comes back.
    """

    label: str
    action: str = ""
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One message. `html`: Telegram's HTML, foreign pieces escaped. `file_key`: its picture, if any."""

    html: str
    file_key: str | None = None
    rows: tuple[tuple[Button, ...], ...] = ()

    def fingerprint(self) -> str:
        """Equal for equal screens: an edit to what is already shown is saved."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]
