"""What a guest can do: write, send things, press buttons, edit, delete, block. Each act is an update for the
bot.

Knows the shapes of these updates. Called by the control API only, which the chat page uses too.
"""

import io
import mimetypes
import wave

from PIL import Image, ImageDraw

from starbooth.playground.chats import Chat, quoted
from starbooth.playground.errors import GuestError, Json
from starbooth.playground.files import StoredFile, document_fields, photo_sizes
from starbooth.playground.formatted_text import MAX_CAPTION_LENGTH, MAX_TEXT_LENGTH, plain_text
from starbooth.playground.params import Upload
from starbooth.playground.world import Callback, World


def say(world: World, chat: Chat, text: str, *, reply_to: int | None = None) -> Json:
    """Write a text. Raises: GuestError 400 for an empty or too long one, 409 while the bot is blocked."""
    formatted = plain_text(text)
    if not formatted.text:
        raise GuestError(400, "the text is empty")
    if len(formatted.text) > MAX_TEXT_LENGTH:
        raise GuestError(400, f"the text is longer than {MAX_TEXT_LENGTH} characters")
    return _send(world, chat, formatted.fields("text"), reply_to)


def send_photo(
    world: World, chat: Chat, upload: Upload, *, caption: str = "", reply_to: int | None = None
) -> Json:
    """Send a picture as a photo. Raises: ApiError 400 when it is none that Telegram takes."""
    stored = world.keep_file(world.files.add_photo(upload))
    return _send(world, chat, {"photo": photo_sizes(stored), **_caption(caption)}, reply_to)


def send_album(world: World, chat: Chat, uploads: list[Upload], *, caption: str = "") -> list[Json]:
    """Send several photos at once: one message each, with one `media_group_id`, the caption under the
    first.
    """
    stored = [world.keep_file(world.files.add_photo(upload)) for upload in uploads]
    group = {"media_group_id": str(world.feed.last_number)}
    captions = [_caption(caption), *({} for _ in stored[1:])]
    return [
        _send(world, chat, {"photo": photo_sizes(photo), **group, **text}, None)
        for photo, text in zip(stored, captions, strict=True)
    ]


def send_document(
    world: World, chat: Chat, upload: Upload, *, caption: str = "", reply_to: int | None = None
) -> Json:
    """Send any file as it is."""
    mime_type = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
    stored = world.keep_file(world.files.add_file(upload, mime_type=mime_type))
    return _send(world, chat, {"document": document_fields(stored), **_caption(caption)}, reply_to)


def send_sticker(world: World, chat: Chat, emoji: str) -> Json:
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
    return _send(world, chat, {"sticker": sticker}, None)


def send_voice(world: World, chat: Chat, *, duration_s: int) -> Json:
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
    return _send(world, chat, {"voice": voice}, None)


def send_location(world: World, chat: Chat, *, latitude: float, longitude: float) -> Json:
    return _send(world, chat, {"location": {"latitude": latitude, "longitude": longitude}}, None)


def send_contact(world: World, chat: Chat, *, phone_number: str, first_name: str) -> Json:
    contact = {"phone_number": phone_number, "first_name": first_name, "user_id": chat.chat_id}
    return _send(world, chat, {"contact": contact}, None)


def edit_text(world: World, chat: Chat, message_id: int, text: str) -> Json:
    """Change an own text message. Raises: GuestError 404, 403 for the bot's messages, 400 without a text."""
    message = _message(chat, message_id)
    if message["from"]["id"] != chat.chat_id:
        raise GuestError(403, "only your own messages can be edited")
    formatted = plain_text(text)
    if "text" not in message or not formatted.text or len(formatted.text) > MAX_TEXT_LENGTH:
        raise GuestError(400, "only a text can be edited, into a text of 1 to 4096 characters")
    edited = world.edit(chat, message, formatted.fields("text"), None)
    world.send_update("edited_message", edited, chat_id=chat.chat_id)
    return edited


def delete(world: World, chat: Chat, message_id: int) -> None:
    """Delete a message for both sides; Telegram tells the bot nothing. Raises: GuestError 404."""
    _message(chat, message_id)
    world.delete(chat, message_id)


def press(world: World, chat: Chat, message_id: int, callback_data: str) -> Callback:
    """Press a callback button. Raises: GuestError 404 for no such message or button, 409 while blocked."""
    message = _message(chat, message_id)
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    if not any(button.get("callback_data") == callback_data for row in rows for button in row):
        raise GuestError(404, "the message has no such button")
    if chat.is_blocked:
        raise GuestError(409, "the bot is blocked")
    callback = world.open_callback(chat, message_id)
    payload = {
        "id": callback.query_id,
        "from": chat.user,
        "message": message,
        "chat_instance": str(world.chat_instance_seed ^ chat.chat_id),
        "data": callback_data,
    }
    world.send_update("callback_query", payload, chat_id=chat.chat_id)
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
        "old_chat_member": _member(world, old),
        "new_chat_member": _member(world, new),
    }
    world.send_update("my_chat_member", payload, chat_id=chat.chat_id)


def mark_read(world: World, chat: Chat) -> None:
    """The guest has seen everything."""
    if chat.unread:
        chat.unread = 0
        world.chat_changed(chat)


def _disc() -> bytes:
    picture = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((16, 16, 496, 496), fill=(255, 200, 60, 255))
    webp = io.BytesIO()
    picture.save(webp, "WEBP")
    return webp.getvalue()


def _send(world: World, chat: Chat, content: Json, reply_to: int | None) -> Json:
    if chat.is_blocked:
        raise GuestError(409, "the bot is blocked")
    reply = {"reply_to_message": quoted(_message(chat, reply_to))} if reply_to is not None else {}
    if not chat.has_started:
        chat.has_started = True
        world.chat_changed(chat)
    message = world.post(chat, content | reply, from_bot=False)
    message_id = message["message_id"]
    world.send_update("message", message, chat_id=chat.chat_id, message_id=message_id)
    return message


def _message(chat: Chat, message_id: int) -> Json:
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


def _member(world: World, status: str) -> Json:
    until = {"until_date": 0} if status == "kicked" else {}
    return {"user": world.bot.as_user(), "status": status, **until}
