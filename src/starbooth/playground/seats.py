"""Where a guest acts: in the private chat with the bot, or in a group and perhaps one of its topics."""

from dataclasses import dataclass

from starbooth.playground import groups
from starbooth.playground.chats import Chat, Group, Room, thread_fields
from starbooth.playground.errors import GuestError, Json
from starbooth.playground.world import World


@dataclass(frozen=True, slots=True)
class Seat:
    """A guest in a chat. thread_id: the topic, 0 for none."""

    person: Chat
    room: Room
    thread_id: int = 0

    @property
    def user_id(self) -> int:
        return self.person.chat_id


def take_seat(world: World, user_id: int, *, chat_id: int = 0, thread_id: int = 0) -> Seat:
    """The seat of a guest: in private unless `chat_id` names a group of theirs.

    Raises: GuestError 404 for no such guest, group or topic, 403 for a group of others.
    """
    person = world.guest(user_id)
    if chat_id in (0, user_id):
        return Seat(person, person)
    group = groups.find(world, chat_id)
    if user_id not in group.members:
        raise GuestError(403, "this guest is not in the group")
    if thread_id and str(thread_id) not in group.topics:
        raise GuestError(404, f"there is no topic {thread_id} in this group")
    return Seat(person, group, thread_id)


def place_fields(seat: Seat, replied: Json | None) -> Json:
    """The topic of a new message. Raises: GuestError 409 where it is closed."""
    fields = thread_fields(seat.room, seat.thread_id, replied)
    if isinstance(seat.room, Group) and fields.get("is_topic_message"):
        topic = seat.room.topics.get(str(fields["message_thread_id"]))
        if topic is None or topic["is_closed"]:
            raise GuestError(409, "the topic is closed")
    return fields


def check_can_write(seat: Seat) -> None:
    """Raises: GuestError 409 where nothing can be said: the bot is blocked, or the group has moved."""
    if isinstance(seat.room, Group) and seat.room.migrated_to:
        raise GuestError(409, f"the group has moved to {seat.room.migrated_to}")
    if isinstance(seat.room, Chat) and seat.room.is_blocked:
        raise GuestError(409, "the bot is blocked")


def tell_bot(world: World, seat: Seat, kind: str, message: Json) -> None:
    """Send an update of this message, if the bot gets to see it."""
    if isinstance(seat.room, Group) and not groups.bot_sees(world, seat.room, message):
        return
    message_id = message["message_id"] if kind == "message" else 0
    world.send_update(kind, message, chat_id=seat.room.chat_id, message_id=message_id)
