"""Everything that exists in the playground: guests, chats, messages, updates, files, money, faults; one
object holds it.

Knows how these hang together (a new message is an event, a record, maybe an update). Knows no HTTP and no
parameter.
"""

import secrets
import tempfile
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from starbooth.playground.chats import BotIdentity, Chat, Group, Room, content_of
from starbooth.playground.errors import ApiError, GuestError, Json, bad_request
from starbooth.playground.faults import FaultKind, Faults
from starbooth.playground.feed import Feed
from starbooth.playground.files import FileStore, StoredFile
from starbooth.playground.inline_desk import InlineDesk
from starbooth.playground.late_updates import LateUpdate, LateUpdates
from starbooth.playground.limits import SendingLimits
from starbooth.playground.records import Records
from starbooth.playground.till import Till
from starbooth.playground.updates import Update, UpdateQueue

MAX_CHATS = 10_000
MAX_MESSAGES = 20_000
MAX_CALLS = 2_000
MAX_CALLBACKS = 2_000
CALLBACK_LIFETIME_S = 150.0
CHECKOUT_S = 10.0

FIRST_GUESTS = (
    ("Ada", "Lovelace", "ada", "en"),
    ("Boris", "Petrov", "boris", "ru"),
    ("Carmen", "Ruiz", "carmen", "es"),
    ("Chloé", "Martin", "chloe", "fr"),
)
PAYMENT_NAMES = ("successful_payment", "refunded_payment")
_FIRST_USER_ID = 6_100_000_001  # above 2**32, as new accounts have, so that nobody stores it in 32 bits


@dataclass(slots=True)
class Callback:
    """A button that `user_id` pressed, waiting for `answerCallbackQuery`; answer is None until then."""

    query_id: str
    chat_id: int
    message_id: int
    expires_at: float
    user_id: int = 0
    answer: Json | None = None


class World:
    """The state of one playground. All methods run on one event loop; call `commit` after each change from
    outside.

    folder: where files and records are kept; without one, files go to a temporary folder and nothing outlives
    the process. now: seconds since the epoch. checkout_s: how long a payment waits for the bot's answer.
    """

    def __init__(
        self,
        bot: BotIdentity,
        *,
        folder: Path | None = None,
        now: Callable[[], float] = time.time,
        has_limits: bool = False,
        max_messages: int = MAX_MESSAGES,
        checkout_s: float = CHECKOUT_S,
    ) -> None:
        self.bot = bot
        self.now = now
        self.checkout_s = checkout_s
        self.limits = SendingLimits() if has_limits else None
        self.faults = Faults()
        self.chats: dict[int, Chat] = {}
        self.groups: dict[int, Group] = {}
        self.callbacks: OrderedDict[str, Callback] = OrderedDict()
        self.inline = InlineDesk()
        self.profile: Json = {"commands": {}, "description": {}, "short_description": {}, "menu_button": {}}
        self.webhook: Json = {}
        self.calls: deque[Json] = deque(maxlen=MAX_CALLS)
        self.call_counts: dict[str, int] = {}
        self.on_update: Callable[[Update], None] | None = None
        self.on_webhook: Callable[[], None] | None = None
        self._scratch = None if folder else tempfile.TemporaryDirectory(prefix="playground-")
        self.files = FileStore((folder or Path(self._scratch.name if self._scratch else "")) / "files")
        self.records = Records(folder / "playground.sqlite" if folder else None)
        self.feed = Feed(last_number=int(now() * 1000))
        self.updates = UpdateQueue(
            now=now,
            next_id=secrets.randbelow(800_000_000) + 1000,
            on_added=self._update_added,
            on_taken=self._update_taken,
            on_lost=self._update_lost,
        )
        self.till = Till(self.records, self.feed)
        self.late_updates = LateUpdates(self.records, self._send_late)
        self.chat_instance_seed = secrets.randbits(40)
        self._next_message_id = 1
        self._max_messages = max_messages
        self._order: deque[tuple[int, int]] = deque()
        self._restore()
        if not self.chats:
            self.add_first_guests()

    def commit(self) -> None:
        """Write what changed to the records; cheap when nothing did."""
        self.records.commit()

    def close(self) -> None:
        """End everything that waits and keep what is to be kept."""
        self.feed.close()
        self.updates.end_poll(None)
        self.till.end_checkouts("The playground has ended.")
        self.late_updates.stop()
        self.records.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    # guests

    def add_first_guests(self) -> None:
        for first_name, last_name, username, language_code in FIRST_GUESTS:
            self.add_guest(first_name, last_name=last_name, username=username, language_code=language_code)
        self.commit()

    def add_guest(
        self,
        first_name: str,
        *,
        last_name: str = "",
        username: str = "",
        language_code: str = "en",
        user_id: int = 0,
    ) -> Chat:
        """A new person, who has not started the bot yet. Raises: GuestError 409 for a taken id or too
        many.
        """
        user_id = user_id or max(self.chats, default=_FIRST_USER_ID - 1) + 1
        if user_id in self.chats or user_id == self.bot.user_id:
            raise GuestError(409, f"there is already a user {user_id}")
        if len(self.chats) >= MAX_CHATS:
            raise GuestError(409, f"there are already {MAX_CHATS} guests")
        user: Json = {"id": user_id, "is_bot": False, "first_name": first_name}
        user |= {"last_name": last_name} if last_name else {}
        user |= {"username": username} if username else {}
        user |= {"language_code": language_code} if language_code else {}
        chat = self.chats[user_id] = Chat(user)
        self.chat_changed(chat)
        return chat

    def guest(self, user_id: int) -> Chat:
        """The chat of a guest. Raises: GuestError 404."""
        if user_id not in self.chats:
            raise GuestError(404, f"there is no guest {user_id}")
        return self.chats[user_id]

    def room(self, chat_id: int) -> Room | None:
        """The private chat or group of this id."""
        return self.chats.get(chat_id) or self.groups.get(chat_id)

    def chat_changed(self, room: Room) -> None:
        """Announce and keep a change of anything but the messages."""
        self.records.put(room.KIND, room.chat_id, room.record())
        self.feed.add(room.KIND, room.chat_id, room.record())

    def chat_for_bot(self, chat_id: int) -> Room:
        """The chat that the bot may write to. Raises: ApiError 400 before the guest started it or when a
        group has moved, 403 when blocked or not in the group.
        """
        group = self.groups.get(chat_id)
        if group is not None:
            _check_has_bot(group)
            return group
        chat = self.chats.get(chat_id)
        if chat is None or not chat.has_started:
            raise bad_request("chat not found")
        if chat.is_blocked:
            raise ApiError(403, "bot was blocked by the user")
        return chat

    # messages

    @property
    def next_message_id(self) -> int:
        return self._next_message_id

    def post(self, chat: Room, content: Json, *, sender: Json | None = None) -> Json:
        """Put a new message into a chat, by the bot unless a sender is given; returns it as the Bot API
        shows it.
        """
        message: Json = {
            "message_id": self._next_message_id,
            "from": sender or self.bot.as_user(),
            "chat": chat.as_chat(),
            "date": int(self.now()),
            **content,
        }
        self._next_message_id += 1
        self._order.append((chat.chat_id, message["message_id"]))
        if len(self._order) > self._max_messages:
            self._forget(*self._order.popleft())
        chat.note_new(message)
        self._keep(chat, message, "message")
        return message

    def edit(
        self, chat: Room, message: Json, content: Json, markup: Json | None, *, is_marked: bool = True
    ) -> Json:
        """Replace content and inline keyboard of a message; returns it. is_marked: shows as edited."""
        edited = {name: value for name, value in message.items() if name not in content_of(message)}
        edited.pop("reply_markup", None)
        edited |= content
        if markup is not None:
            edited["reply_markup"] = markup
        if is_marked:
            edited["edit_date"] = int(self.now())
        self._keep(chat, edited, "edit")
        return edited

    def delete(self, chat: Room, message_id: int) -> bool:
        """Remove a message for both sides; says whether it was there."""
        if chat.messages.pop(message_id, None) is None:
            return False
        chat.changes.pop(message_id, None)
        self.till.forget_message(message_id)
        self.records.delete("message", message_id)
        self.feed.add("delete", chat.chat_id, {"message_id": message_id})
        return True

    def _keep(self, chat: Room, message: Json, kind: str) -> None:
        message_id = message["message_id"]
        chat.messages[message_id] = message
        chat.changes[message_id] = self.feed.add(kind, chat.chat_id, message)
        self._keep_counters()
        self.records.put("message", message_id, message)
        self.records.put(chat.KIND, chat.chat_id, chat.record())

    def _forget(self, chat_id: int, message_id: int) -> None:
        chat = self.room(chat_id)
        if chat is not None and chat.messages.pop(message_id, None) is not None:
            chat.changes.pop(message_id, None)
            self.till.forget_message(message_id)
            self.records.delete("message", message_id)

    # files

    def keep_file(self, stored: StoredFile) -> StoredFile:
        """Remember a file over a restart."""
        self.records.put("file", stored.number, asdict(stored))
        return stored

    # updates

    def send_update(self, kind: str, payload: Json, *, chat_id: int, message_id: int = 0) -> bool:
        """Queue an update for the bot; says whether it will come: neither filtered out nor lost by a fault.

        Faults can name it by its kind, and a payment's message by `successful_payment` or `refunded_payment`.
        """
        names = (kind, *(name for name in PAYMENT_NAMES if name in payload))
        if self.faults.pick(FaultKind.LOST_UPDATE, names, chat_id):
            return False
        if "successful_payment" in names and (
            fault := self.faults.pick(FaultKind.PAYMENT_LATE, names, chat_id)
        ):
            self.late_updates.hold(
                kind, payload, chat_id=chat_id, message_id=message_id, seconds=fault.seconds
            )
            return True
        is_doubled = self.faults.pick(FaultKind.DOUBLED_UPDATE, names, chat_id) is not None
        return self.updates.add(kind, payload, chat_id=chat_id, message_id=message_id, is_doubled=is_doubled)

    def _send_late(self, late: LateUpdate) -> None:
        self.updates.add(late.kind, late.payload, chat_id=late.chat_id, message_id=late.message_id)
        self.commit()

    def open_callback(self, chat: Room, message_id: int, *, user_id: int) -> Callback:
        """A new waiting button press."""
        query_id = str(secrets.randbits(62))
        expires_at = self.now() + CALLBACK_LIFETIME_S
        callback = Callback(query_id, chat.chat_id, message_id, expires_at, user_id)
        self.callbacks[query_id] = callback
        if len(self.callbacks) > MAX_CALLBACKS:
            oldest_id, _ = self.callbacks.popitem(last=False)
            self.records.delete("callback", oldest_id)
        self.records.put("callback", query_id, asdict(callback))
        return callback

    def answer_callback(self, query_id: str, answer: Json) -> None:
        """Give a press its one answer. Raises: ApiError 400 for an unknown, answered or too old one."""
        callback = self.callbacks.get(query_id)
        if callback is None or callback.answer is not None or callback.expires_at <= self.now():
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        callback.answer = answer
        self.records.delete("callback", query_id)
        names = ("query_id", "message_id", "user_id")
        content = {**{name: getattr(callback, name) for name in names}, **answer}
        self.feed.add("callback_answer", callback.chat_id, content)

    def _update_added(self, update: Update) -> None:
        self._keep_counters()
        self.records.put("update", update.update_id, asdict(update))
        if self.on_update is not None:
            self.on_update(update)

    def _update_taken(self, update: Update) -> None:
        self.records.delete("update", update.update_id)
        chat = self.room(update.chat_id)
        if chat is not None and update.message_id > chat.read_by_bot:
            chat.read_by_bot = update.message_id
            self.chat_changed(chat)

    def _update_lost(self, update: Update) -> None:
        self.records.delete("update", update.update_id)

    # records

    def _keep_counters(self) -> None:
        self.records.put("counters", 0, {"message": self._next_message_id, "update": self.updates.next_id})

    def keep_settings(self) -> None:
        """Remember what the bot set: its profile, its webhook, its filter of updates."""
        allowed = None if self.updates.allowed is None else sorted(self.updates.allowed)
        self.records.put(
            "settings", 0, {"profile": self.profile, "webhook": self.webhook, "allowed": allowed}
        )

    def clear(self) -> None:
        """Back to a fresh playground with the first guests; faults and the bot's own settings stay."""
        for room in (*self.chats.values(), *self.groups.values()):
            for message_id in room.messages:
                self.records.delete("message", message_id)
            self.records.delete(room.KIND, room.chat_id)
        for query_id in self.callbacks:
            self.records.delete("callback", query_id)
        self.chats.clear()
        self.groups.clear()
        self.callbacks.clear()
        self.inline = InlineDesk()
        self._order.clear()
        self.till.clear()
        self.late_updates.clear()
        self.updates.drop_all()
        self.files.delete_all()
        self.feed.add("reset", 0, {})
        self.add_first_guests()

    def _restore(self) -> None:
        for record in self.records.all("settings"):
            self.profile, self.webhook = record["profile"], record["webhook"]
            self.updates.allow(record["allowed"] or ())
        for record in self.records.all("chat"):
            chat = Chat(**record)
            self.chats[chat.chat_id] = chat
        for record in self.records.all("group"):
            group = Group(**record)
            self.groups[group.chat_id] = group
        for message in self.records.all("message"):
            chat_id, message_id = message["chat"]["id"], message["message_id"]
            room = self.room(chat_id)
            if room is not None:
                room.messages[message_id] = message
            self._order.append((chat_id, message_id))
        for record in self.records.all("counters"):
            self._next_message_id, self.updates.next_id = record["message"], record["update"]
        for record in self.records.all("file"):
            if not self.files.restore(StoredFile(**record)):
                self.records.delete("file", record["number"])
        for record in self.records.all("update"):
            self.updates.restore(Update(**record))
        for record in self.records.all("callback"):
            self.callbacks[record["query_id"]] = Callback(**record)
        self.late_updates.restore()


def _check_has_bot(group: Group) -> None:
    if group.migrated_to:
        text = "group chat was upgraded to a supergroup chat"
        raise ApiError(400, text, migrated_to=group.migrated_to)
    if group.bot_status == "kicked":
        raise ApiError(403, f"bot was kicked from the {group.kind} chat")
    if not group.has_bot:
        raise ApiError(403, f"bot is not a member of the {group.kind} chat")
