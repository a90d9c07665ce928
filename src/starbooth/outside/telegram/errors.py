"""How Telegram says no. Free of aiogram, so that the domain may catch these without loading it."""

from starbooth.base.errors import Unavailable


class TelegramUnavailable(Unavailable):
    """Telegram did not answer properly, or not at all. After a send, the message may be there."""


class TooMany(TelegramUnavailable):
    """Telegram asks for patience: wait `retry_after_s` before the next call."""


class Blocked(Exception):
    """This chat takes no messages of ours: blocked, deleted, never opened, or a group closed to us."""


class ChatMoved(Blocked):
    """The group is another chat by now, `to_chat_id`: nothing can be said or edited in the old one."""

    def __init__(self, to_chat_id: int) -> None:
        super().__init__(f"the group has moved to {to_chat_id}")
        self.to_chat_id = to_chat_id


class MessageGone(Exception):
    """The message cannot be edited any more, or cannot become what was asked: send a new one."""


class NotModified(Exception):
    """The message shows this already."""


class TooLate(Exception):
    """The query is too old to be answered, or was answered before."""


class TelegramRefused(Exception):
    """Any other no: a bug of ours or a rule of Telegram. `reason` is Telegram's description, shortened."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FileTooLarge(TelegramRefused):
    """The file has more bytes than Telegram gives to bots, or than we asked for."""


class AlreadyRefunded(TelegramRefused):
    """This payment has gone back before; or has gone back just now, as Telegram once said by mistake."""


class ChargeUnknown(TelegramRefused):
    """Telegram knows no such payment of this person to this bot."""
