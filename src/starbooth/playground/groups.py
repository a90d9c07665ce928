"""Groups of guests: who is in one, its topics, and what of it the bot gets to see. Each change is told by a
service message.

The bot is in privacy mode, as bots are unless their owner turns it off: as a plain member it sees commands,
mentions of it and replies to it only; an administrator sees everything.
"""

from starbooth.playground.chats import Chat, Group
from starbooth.playground.errors import GuestError, Json
from starbooth.playground.world import World

MAX_GROUPS = 1000
BOT_STATUSES = ("member", "administrator", "left", "kicked")
_FIRST_IDS = {"group": -4_100_000_001, "supergroup": -1_002_100_000_001}
_RIGHTS = (
    "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
    "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
    "can_edit_stories", "can_delete_stories", "can_pin_messages", "can_manage_topics",
    "can_send_welcome_messages",
)  # fmt: skip
_SERVICE = (
    "new_chat_members", "left_chat_member", "group_chat_created", "migrate_to_chat_id",
    "migrate_from_chat_id", "forum_topic_created", "forum_topic_closed", "forum_topic_reopened",
)  # fmt: skip


def find(world: World, group_id: int) -> Group:
    """Raises: GuestError 404."""
    if group_id not in world.groups:
        raise GuestError(404, f"there is no group {group_id}")
    return world.groups[group_id]


def make(world: World, title: str, *, kind: str, is_forum: bool, members: list[Chat]) -> Group:
    """A new group, without the bot; the first member has made it.

    Raises: GuestError 400 for what cannot be, 409 for too many.
    """
    if not members:
        raise GuestError(400, "a group needs somebody who makes it")
    if is_forum and kind != "supergroup":
        raise GuestError(400, "only a supergroup can have topics")
    group = _enter(world, title, kind=kind, is_forum=is_forum)
    group.members = list(dict.fromkeys(member.chat_id for member in members))
    world.chat_changed(group)
    _post(world, group, members[0].user, {"group_chat_created": True})
    return group


def add_member(world: World, group: Group, member: Chat) -> None:
    """Let a guest in, by themselves; a repeat changes nothing."""
    if member.chat_id in group.members:
        return
    group.members.append(member.chat_id)
    world.chat_changed(group)
    _post(world, group, member.user, {"new_chat_members": [member.user]})


def remove_member(world: World, group: Group, member: Chat) -> None:
    """A guest leaves; a repeat changes nothing."""
    if member.chat_id not in group.members:
        return
    group.members.remove(member.chat_id)
    world.chat_changed(group)
    _post(world, group, member.user, {"left_chat_member": member.user})


def set_bot_status(world: World, group: Group, status: str, *, by: Chat) -> None:
    """Put the bot into the group, make it an administrator, or throw it out; a repeat changes nothing."""
    if status == group.bot_status:
        return
    old, had_bot = group.bot_status, group.has_bot
    group.bot_status = status
    world.chat_changed(group)
    bot = world.bot.as_user()
    if group.has_bot and not had_bot:
        _post(world, group, by.user, {"new_chat_members": [bot]})
    elif had_bot and not group.has_bot:
        # Whoever is out sees no message any more, only the change below.
        world.post(group, {"left_chat_member": bot}, sender=by.user)
    payload = {
        "chat": group.as_chat(),
        "from": by.user,
        "date": int(world.now()),
        "old_chat_member": bot_member(world, old),
        "new_chat_member": bot_member(world, status),
    }
    world.send_update("my_chat_member", payload, chat_id=group.chat_id)


def open_topic(world: World, group: Group, name: str, *, by: Chat) -> int:
    """A new topic; returns its thread id, which is the id of the message that tells of it."""
    if not group.is_forum:
        raise GuestError(409, "this group has no topics")
    thread_id = world.next_message_id
    group.topics[str(thread_id)] = {"name": name, "is_closed": False}
    world.chat_changed(group)
    created = {"forum_topic_created": {"name": name, "icon_color": 0x6FB9F0}}
    _post(world, group, by.user, {**created, "message_thread_id": thread_id, "is_topic_message": True})
    return thread_id


def close_topic(world: World, group: Group, thread_id: int, *, is_closed: bool, by: Chat) -> None:
    """Close a topic or open it again; a repeat changes nothing. Raises: GuestError 404."""
    topic = _topic(group, thread_id)
    if topic["is_closed"] == is_closed:
        return
    topic["is_closed"] = is_closed
    world.chat_changed(group)
    told: Json = {"forum_topic_closed" if is_closed else "forum_topic_reopened": {}}
    _post(world, group, by.user, {**told, "message_thread_id": thread_id, "is_topic_message": True})


def delete_topic(world: World, group: Group, thread_id: int) -> None:
    """Delete a topic with all its messages; Telegram tells the bot nothing. Raises: GuestError 404."""
    _topic(group, thread_id)
    del group.topics[str(thread_id)]
    for message in list(group.messages.values()):
        if message.get("is_topic_message") and message["message_thread_id"] == thread_id:
            world.delete(group, message["message_id"])
    world.chat_changed(group)


def migrate(world: World, group: Group, *, by: Chat) -> Group:
    """Turn a group into a supergroup: one of another id takes its place, and the old one takes no message
    any more. Raises: GuestError 409 for what is a supergroup or has moved.
    """
    if group.kind != "group" or group.migrated_to:
        raise GuestError(409, "only a group that has not moved can become a supergroup")
    grown = _enter(world, group.title, kind="supergroup", is_forum=False)
    grown.members, grown.bot_status = list(group.members), group.bot_status
    world.chat_changed(grown)
    _post(world, group, by.user, {"migrate_to_chat_id": grown.chat_id})
    group.migrated_to = grown.chat_id
    world.chat_changed(group)
    _post(world, grown, by.user, {"migrate_from_chat_id": group.chat_id})
    return grown


def bot_sees(world: World, group: Group, message: Json) -> bool:
    """Whether a message of a guest in this group comes to the bot."""
    if not group.has_bot:
        return False
    replied = message.get("reply_to_message", {})
    if (
        group.bot_status == "administrator"
        or any(name in message for name in _SERVICE)
        or replied.get("from", {}).get("id") == world.bot.user_id
        or message.get("via_bot", {}).get("id") == world.bot.user_id
    ):
        return True
    text = (message.get("text") or message.get("caption") or "").encode("utf-16-le")
    own_name = f"@{world.bot.username}".lower()
    for entity in message.get("entities") or message.get("caption_entities") or ():
        start = 2 * entity["offset"]
        words = text[start : start + 2 * entity["length"]].decode("utf-16-le").lower()
        command, _, named = words.partition("@")
        is_general = entity["type"] == "bot_command" and not named and start == 0 and command != ""
        if is_general or (entity["type"] in ("bot_command", "mention") and f"@{named}" == own_name):
            return True
    return False


def bot_member(world: World, status: str) -> Json:
    """The `ChatMember` that the bot is."""
    fields: Json = {"kicked": {"until_date": 0}, "administrator": dict.fromkeys(_RIGHTS, False)}
    return {"user": world.bot.as_user(), "status": status, **fields.get(status, {})}


def _enter(world: World, title: str, *, kind: str, is_forum: bool) -> Group:
    if len(world.groups) >= MAX_GROUPS:
        raise GuestError(409, f"there are already {MAX_GROUPS} groups")
    group = Group(_FIRST_IDS[kind] - len(world.groups), title, kind, is_forum)
    world.groups[group.chat_id] = group
    return group


def _topic(group: Group, thread_id: int) -> Json:
    if str(thread_id) not in group.topics:
        raise GuestError(404, f"there is no topic {thread_id} in this group")
    topic: Json = group.topics[str(thread_id)]
    return topic


def _post(world: World, group: Group, sender: Json, content: Json) -> None:
    """A service message, told to the bot if it is there."""
    message = world.post(group, content, sender=sender)
    if bot_sees(world, group, message):
        world.send_update("message", message, chat_id=group.chat_id, message_id=message["message_id"])
