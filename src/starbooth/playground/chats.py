"""One guest's chat with the bot, and the JSON shapes of the Bot API that describe its people and messages."""

from dataclasses import dataclass, field

from starbooth.playground.errors import Json

LANGUAGES = ("en", "es", "ru", "fr", "de", "pt")


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """Who the bot is. token: `<digits>:<text>`; the digits are the bot's user id."""

    token: str
    name: str
    username: str

    @property
    def user_id(self) -> int:
        return int(self.token.partition(":")[0])

    def as_user(self) -> Json:
        return {"id": self.user_id, "is_bot": True, "first_name": self.name, "username": self.username}


@dataclass(slots=True)
class Chat:
    """A private chat: its id is the guest's user id.

    changes: for every message the number of the feed event that last touched it. read_by_bot: the highest id
    of a message of the guest that the bot has taken. unread: messages of the bot that the guest has not seen.
    fixed: the last messages that came with a reply keyboard, which the bot can therefore not edit.
    """

    user: Json
    messages: dict[int, Json] = field(default_factory=dict)
    changes: dict[int, int] = field(default_factory=dict)
    is_blocked: bool = False
    has_started: bool = False
    unread: int = 0
    read_by_bot: int = 0
    keyboard: Json | None = None
    fixed: list[int] = field(default_factory=list)

    @property
    def chat_id(self) -> int:
        return int(self.user["id"])

    def as_chat(self) -> Json:
        """The `Chat` object of the Bot API."""
        names = ("id", "first_name", "last_name", "username")
        return {**{name: self.user[name] for name in names if name in self.user}, "type": "private"}

    def record(self) -> Json:
        """What is kept over a restart, without the messages."""
        return {
            "user": self.user,
            "is_blocked": self.is_blocked,
            "has_started": self.has_started,
            "unread": self.unread,
            "read_by_bot": self.read_by_bot,
            "keyboard": self.keyboard,
            "fixed": self.fixed,
        }

    def summary(self) -> Json:
        """A line of the list of guests: the record and the last message."""
        last = next(reversed(self.messages.values()), None)
        return {**self.record(), "last_message": last}


def quoted(message: Json) -> Json:
    """A message as it stands inside `reply_to_message`: without a reply of its own."""
    return {name: value for name, value in message.items() if name != "reply_to_message"}


CONTENT_FIELDS = (
    "text", "entities", "photo", "document", "sticker", "voice", "location", "contact", "caption",
    "caption_entities", "has_media_spoiler", "show_caption_above_media",
)  # fmt: skip
"""The fields that an edit replaces as a whole."""


def content_of(message: Json) -> Json:
    return {name: message[name] for name in CONTENT_FIELDS if name in message}
