"""A guest's chat with the bot and the groups, and the JSON shapes of the Bot API that describe them."""

from dataclasses import dataclass, field
from typing import ClassVar

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


@dataclass(slots=True, kw_only=True)
class Room:
    """What a private chat and a group have in common.

    changes: for every message the number of the feed event that last touched it. read_by_bot: the highest id
    of a message of a guest that the bot has taken. keyboard: the bot's keys below the field.
    fixed: the last messages that came with a reply keyboard, which the bot can therefore not edit.
    """

    KIND: ClassVar[str]
    """The name of its records and events."""

    messages: dict[int, Json] = field(default_factory=dict)
    changes: dict[int, int] = field(default_factory=dict)
    read_by_bot: int = 0
    keyboard: Json | None = None
    fixed: list[int] = field(default_factory=list)

    @property
    def chat_id(self) -> int:
        raise NotImplementedError

    def as_chat(self) -> Json:
        """The `Chat` object of the Bot API."""
        raise NotImplementedError

    def note_new(self, message: Json) -> None:
        """Count a new message as unread by those who have not written it."""
        raise NotImplementedError

    def record(self) -> Json:
        """What is kept over a restart, without the messages."""
        return {"read_by_bot": self.read_by_bot, "keyboard": self.keyboard, "fixed": self.fixed}

    def summary(self) -> Json:
        """A line of the list of chats: the record and the last message."""
        last = next(reversed(self.messages.values()), None)
        return {**self.record(), "last_message": last}


@dataclass(slots=True)
class Chat(Room):
    """A private chat: its id is the guest's user id. unread: messages of the bot that the guest has not
    seen.
    """

    KIND: ClassVar[str] = "chat"

    user: Json
    is_blocked: bool = False
    has_started: bool = False
    unread: int = 0

    @property
    def chat_id(self) -> int:
        return int(self.user["id"])

    def as_chat(self) -> Json:
        names = ("id", "first_name", "last_name", "username")
        return {**{name: self.user[name] for name in names if name in self.user}, "type": "private"}

    def note_new(self, message: Json) -> None:
        self.unread = self.unread + 1 if message["from"]["is_bot"] else 0

    def record(self) -> Json:
        return {
            **Room.record(self),
            "user": self.user,
            "is_blocked": self.is_blocked,
            "has_started": self.has_started,
            "unread": self.unread,
        }


@dataclass(slots=True)
class Group(Room):
    """A group of guests, with or without the bot.

    kind: `group` or `supergroup`; only the latter can be a forum, whose topics are kept by the id of their
    thread, as `{name, is_closed}`. members: user ids. bot_status: `member`, `administrator`, `left` or
    `kicked`. unread: by user id, as text. migrated_to: the supergroup that took its place, 0 for none.
    """

    KIND: ClassVar[str] = "group"

    group_id: int
    title: str
    kind: str
    is_forum: bool = False
    members: list[int] = field(default_factory=list)
    bot_status: str = "left"
    topics: dict[str, Json] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    migrated_to: int = 0

    @property
    def chat_id(self) -> int:
        return self.group_id

    @property
    def has_bot(self) -> bool:
        return self.bot_status in ("member", "administrator")

    def as_chat(self) -> Json:
        forum = {"is_forum": True} if self.is_forum else {}
        return {"id": self.group_id, "title": self.title, "type": self.kind, **forum}

    def note_new(self, message: Json) -> None:
        writer = message["from"]["id"]
        self.unread = {
            str(member): 0 if member == writer else self.unread.get(str(member), 0) + 1
            for member in self.members
        }

    def record(self) -> Json:
        names = ("group_id", "title", "kind", "is_forum", "members", "bot_status", "topics", "unread")
        return {
            **Room.record(self),
            **{name: getattr(self, name) for name in names},
            "migrated_to": self.migrated_to,
        }


def thread_fields(room: Room, thread_id: int, replied: Json | None) -> Json:
    """Where a new message stands: its topic, or in a supergroup without topics the thread that it goes on.

    A reply without a topic of its own stands in that of the message it replies to.
    """
    if not isinstance(room, Group) or room.kind != "supergroup":
        return {}
    if room.is_forum:
        if not thread_id and replied is not None and replied.get("is_topic_message"):
            thread_id = replied["message_thread_id"]
        return {"message_thread_id": thread_id, "is_topic_message": True} if thread_id else {}
    if replied is None:
        return {}
    # A trap that bots fall into: this id is no topic, and nothing can be sent into it.
    return {"message_thread_id": replied.get("message_thread_id", replied["message_id"])}


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
