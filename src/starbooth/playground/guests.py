"""What a guest can do: write, send things, press buttons, edit, delete, block. Each act is an update for the
bot.

Knows the shapes of these updates. Called by the control API only, which the chat page uses too.
"""

import io
import mimetypes
import wave

from PIL import Image, ImageDraw

from starbooth.playground.chats import Chat, Group, Room, quoted
from starbooth.playground.errors import GuestError, Json
from starbooth.playground.files import StoredFile, document_fields, photo_sizes
from starbooth.playground.formatted_text import MAX_CAPTION_LENGTH, MAX_TEXT_LENGTH, plain_text
from starbooth.playground.groups import bot_member
from starbooth.playground.params import Upload
from starbooth.playground.seats import Seat, check_can_write, place_fields, tell_bot
from starbooth.playground.world import Callback, World


def say(world: World, seat: Seat, text: str, *, reply_to: int | None = None) -> Json:
    """Write a text. Raises: GuestError 400 for an empty or too long one, 409 while the bot is blocked."""
    formatted = plain_text(text)
    if not formatted.text:
        raise GuestError(400, "the text is empty")
    if len(formatted.text) > MAX_TEXT_LENGTH:
        raise GuestError(400, f"the text is longer than {MAX_TEXT_LENGTH} characters")
    return _send(world, seat, formatted.fields("text"), reply_to)


def send_photo(
    world: World, seat: Seat, upload: Upload, *, caption: str = "", reply_to: int | None = None
) -> Json:
    """Send a picture as a photo. Raises: ApiError 400 when it is none that Telegram takes."""
    stored = world.keep_file(world.files.add_photo(upload))
    return _send(world, seat, {"photo": photo_sizes(stored), **_caption(caption)}, reply_to)


def send_album(world: World, seat: Seat, uploads: list[Upload], *, caption: str = "") -> list[Json]:
    """Send several photos at once: one message each, with one `media_group_id`, the caption under the
    first.
    """
    stored = [world.keep_file(world.files.add_photo(upload)) for upload in uploads]
    group = {"media_group_id": str(world.feed.last_number)}
    captions = [_caption(caption), *({} for _ in stored[1:])]
    return [
        _send(world, seat, {"photo": photo_sizes(photo), **group, **text}, None)
        for photo, text in zip(stored, captions, strict=True)
    ]


def send_document(
    world: World, seat: Seat, upload: Upload, *, caption: str = "", reply_to: int | None = None
) -> Json:
    """Send any file as it is."""
    mime_type = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
    stored = world.keep_file(world.files.add_file(upload, mime_type=mime_type))
    return _send(world, seat, {"document": document_fields(stored), **_caption(caption)}, reply_to)


def send_sticker(world: World, seat: Seat, emoji: str) -> Json:
    """Send a sticker; the page shows its emoji, the file is a plain disc."""
    upload = Upload("sticker.webp", _disc())
    stored = world.keep_file(world.files.add_file(upload, kind="sticker", mime_type="image/webp"))
    sticker = {
        **_file_fields(stored),
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
        "emoji": emoji,
    }
    return _send(world, seat, {"sticker": sticker}, None)


def send_voice(world: World, seat: Seat, *, duration_s: int) -> Json:
    """Send a voice message: silence of the wanted length."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(1)
        wav.setframerate(4000)
        wav.writeframes(b"\x80" * 4000 * duration_s)
    upload = Upload("voice.wav", sound.getvalue())
    stored = world.keep_file(world.files.add_file(upload, kind="voice", mime_type="audio/wav"))
    voice = {**_file_fields(stored), "duration": duration_s, "mime_type": "audio/wav"}
    return _send(world, seat, {"voice": voice}, None)


def send_location(world: World, seat: Seat, *, latitude: float, longitude: float) -> Json:
    return _send(world, seat, {"location": {"latitude": latitude, "longitude": longitude}}, None)


def send_contact(world: World, seat: Seat, *, phone_number: str, first_name: str) -> Json:
    contact = {"phone_number": phone_number, "first_name": first_name, "user_id": seat.user_id}
    return _send(world, seat, {"contact": contact}, None)


def edit_text(world: World, seat: Seat, message_id: int, text: str) -> Json:
    """Change an own text message. Raises: GuestError 404, 403 for the bot's messages, 400 without a text."""
    message = _message(seat.room, message_id)
    if message["from"]["id"] != seat.user_id:
        raise GuestError(403, "only your own messages can be edited")
    formatted = plain_text(text)
    if "text" not in message or not formatted.text or len(formatted.text) > MAX_TEXT_LENGTH:
        raise GuestError(400, "only a text can be edited, into a text of 1 to 4096 characters")
    edited = world.edit(seat.room, message, formatted.fields("text"), None)
    tell_bot(world, seat, "edited_message", edited)
    return edited


def delete(world: World, seat: Seat, message_id: int) -> None:
    """Delete a message for all sides, in a group an own one; Telegram tells the bot nothing.

    Raises: GuestError 404, 403 for others' messages in a group.
    """
    message = _message(seat.room, message_id)
    if isinstance(seat.room, Group) and message["from"]["id"] != seat.user_id:
        raise GuestError(403, "only your own messages can be deleted in a group")
    world.delete(seat.room, message_id)


def press(world: World, seat: Seat, message_id: int, callback_data: str) -> Callback:
    """Press a callback button. Raises: GuestError 404 for no such message or button, 409 while blocked."""
    message = _message(seat.room, message_id)
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    if not any(button.get("callback_data") == callback_data for row in rows for button in row):
        raise GuestError(404, "the message has no such button")
    check_can_write(seat)
    callback = world.open_callback(seat.room, message_id, user_id=seat.user_id)
    payload = {
        "id": callback.query_id,
        "from": seat.person.user,
        "message": message,
        "chat_instance": str(world.chat_instance_seed ^ abs(seat.room.chat_id)),
        "data": callback_data,
    }
    world.send_update("callback_query", payload, chat_id=seat.room.chat_id)
    return callback


def set_blocked(world: World, chat: Chat, *, is_blocked: bool) -> None:
    """Block or unblock the bot, which learns of it; a repeat changes nothing."""
    if chat.is_blocked == is_blocked:
        return
    chat.is_blocked = is_blocked
    world.chat_changed(chat)
    new, old = ("kicked", "member") if is_blocked else ("member", "kicked")
    payload = {
        "chat": chat.as_chat(),
        "from": chat.user,
        "date": int(world.now()),
        "old_chat_member": bot_member(world, old),
        "new_chat_member": bot_member(world, new),
    }
    world.send_update("my_chat_member", payload, chat_id=chat.chat_id)


def mark_read(world: World, seat: Seat) -> None:
    """The guest has seen everything in this chat."""
    room = seat.room
    if isinstance(room, Chat) and room.unread:
        room.unread = 0
        world.chat_changed(room)
    elif isinstance(room, Group) and room.unread.get(str(seat.user_id)):
        room.unread = {**room.unread, str(seat.user_id): 0}
        world.chat_changed(room)


def _disc() -> bytes:
    picture = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((16, 16, 496, 496), fill=(255, 200, 60, 255))
    webp = io.BytesIO()
    picture.save(webp, "WEBP")
    return webp.getvalue()


def _send(world: World, seat: Seat, content: Json, reply_to: int | None) -> Json:
    check_can_write(seat)
    replied = _message(seat.room, reply_to) if reply_to is not None else None
    reply = {"reply_to_message": quoted(replied)} if replied is not None else {}
    place = place_fields(seat, replied)
    if isinstance(seat.room, Chat) and not seat.room.has_started:
        seat.room.has_started = True
        world.chat_changed(seat.room)
    message = world.post(seat.room, content | reply | place, sender=seat.person.user)
    tell_bot(world, seat, "message", message)
    return message


def _message(chat: Room, message_id: int) -> Json:
    if message_id not in chat.messages:
        raise GuestError(404, f"there is no message {message_id} in this chat")
    return chat.messages[message_id]


def _caption(text: str) -> Json:
    formatted = plain_text(text)
    if len(formatted.text) > MAX_CAPTION_LENGTH:
        raise GuestError(400, f"the caption is longer than {MAX_CAPTION_LENGTH} characters")
    return formatted.fields("caption")


def _file_fields(stored: StoredFile) -> Json:
    fields = document_fields(stored)
    return {name: fields[name] for name in ("file_id", "file_unique_id", "file_size")}
