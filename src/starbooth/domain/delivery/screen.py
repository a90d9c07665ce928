"""What a message shows: a plain value, so that it can be compared and tested without Telegram."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Button:
    """An inline button. `action` is what comes back when it is pressed: at most 64 bytes.

    url: the button opens this instead, and nothing comes back. share: it has the guest choose a chat, and
    asks the bot inline with these words there.
    """

    label: str
    action: str = ""
    url: str | None = None
    share: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One place of an album, above the message. file_key: its picture; None while it is in the making.

    is_void: no picture will come, so nothing stands there. html: the words below the picture. The size is the
    picture's, in pixels.
    """

    number: int
    width_px: int
    height_px: int
    html: str = ""
    file_key: str | None = None
    is_void: bool = False


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One message. `html`: Telegram's HTML, foreign pieces escaped. `file_key`: its picture, if any.

    album: the pictures of an order for several, which are messages of their own.
    """

    html: str
    file_key: str | None = None
    rows: tuple[tuple[Button, ...], ...] = ()
    album: tuple[Tile, ...] = ()

    def fingerprint(self) -> str:
        """Equal for equal screens: an edit to what is already shown is saved."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]
