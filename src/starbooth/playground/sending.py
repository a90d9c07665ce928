"""Bot API methods that put something new into a chat: sendMessage, sendPhoto, sendDocument,
sendMediaGroup, ...
"""

import asyncio
import mimetypes
import secrets
from typing import Any

from starbooth.playground.chats import Group, Room, quoted, thread_fields
from starbooth.playground.errors import Json, bad_request
from starbooth.playground.files import StoredFile, document_fields, photo_sizes
from starbooth.playground.formatted_text import FormattedText, caption_text, entities_field, message_text
from starbooth.playground.markup import parse_reply_markup
from starbooth.playground.params import Params, Upload, to_integer
from starbooth.playground.world import World

MAX_FIXED = 200
CHAT_ACTIONS = frozenset(
    [
        "cancel",
        "typing",
        "record_video",
        "upload_video",
        "record_audio",
        "record_voice",
        "upload_audio",
        "upload_voice",
        "upload_photo",
        "upload_document",
        "choose_sticker",
        "pick_up_location",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ]
)


def send_message(world: World, params: Params) -> Json:
    text = message_text(
        params.text("text"),
        parse_mode=params.text("parse_mode"),
        entities=entities_field(params.text("entities")),
    )
    return _send(world, params, text.fields("text"))


def send_photo(world: World, params: Params) -> Json:
    caption = _caption(params)
    content = photo_content(world, params, params.text("photo") or _part(params, "photo"), "photo")
    return _send(world, params, content | caption.fields("caption") | _media_flags(params))


def send_document(world: World, params: Params) -> Json:
    caption = _caption(params)
    content = document_content(
        world, params, params.text("document") or _part(params, "document"), "document"
    )
    return _send(world, params, content | caption.fields("caption"))


def send_media_group(world: World, params: Params) -> list[Json]:
    media = params.json("media", "can't parse media JSON object")
    if not isinstance(media, list):
        raise bad_request("expected an Array of InputMedia")
    if not media:
        raise bad_request("there are no messages to send")
    if len(media) > 10:
        raise bad_request("too many messages to send as an album")
    contents = [_album_item(world, params, item) for item in media]
    if len({"photo" if "photo" in content else "document" for content in contents}) > 1:
        raise bad_request("document can't be mixed with other media types")
    chat = world.chat_for_bot(chat_id_of(params))
    place = place_fields(chat, params)
    group = {"media_group_id": str(secrets.randbits(60))} if len(media) > 1 else {}
    return [world.post(chat, content | group | place) for content in contents]


def send_chat_action(world: World, params: Params) -> bool:
    action = params.text("action").lower()
    if action not in CHAT_ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat = world.chat_for_bot(chat_id_of(params))
    thread = _thread(chat, params, None)
    world.feed.add("action", chat.chat_id, {"action": action, **thread})
    return True


async def get_file(world: World, params: Params) -> Json:
    file_id = params.text("file_id")
    if not file_id:
        raise bad_request("file_id not specified")
    stored, letter = world.files.find(file_id)
    if stored.size_bytes > 20 * 1024 * 1024:
        raise bad_request("file is too big")
    content = await asyncio.to_thread(world.files.content, stored, letter)
    unique_id = f"AQAD{stored.key[:12]}{letter}" if stored.kind == "photo" else f"AgAD{stored.key[:12]}"
    return {
        "file_id": file_id,
        "file_unique_id": unique_id,
        "file_size": len(content),
        "file_path": stored.path(letter),
    }


def chat_id_of(params: Params) -> int:
    """The `chat_id` parameter. Raises: ApiError 400 when it is absent; a name like @ada is no chat here."""
    text = params.text("chat_id")
    if not text:
        raise bad_request("chat_id is empty")
    return to_integer(text)


def input_media(world: World, params: Params, item: Any) -> tuple[Json, FormattedText]:
    """The content and caption that one `InputMedia` describes. Raises: ApiError 400."""
    where = "can't parse InputMedia: "
    if not isinstance(item, dict):
        raise bad_request(f"{where}expected an Object")
    caption = caption_text(
        str(item.get("caption", "")),
        parse_mode=str(item.get("parse_mode", "")),
        entities=item.get("caption_entities"),
    )
    if "type" not in item:
        raise bad_request(f'{where}can\'t find field "type"')
    media = str(item.get("media", ""))
    if not media:
        raise bad_request(f"{where}media not found")
    if item["type"] == "photo":
        flags = {name: True for name in ("has_spoiler", "show_caption_above_media") if item.get(name) is True}
        if flags.pop("has_spoiler", False):
            flags["has_media_spoiler"] = True
        return photo_content(world, params, media, "") | flags, caption
    if item["type"] == "document":
        return document_content(world, params, media, ""), caption
    raise bad_request(
        f'{where}type must be one of photo and document in the playground, not "{item["type"]}"'
    )


def photo_content(world: World, params: Params, source: str, field: str) -> Json:
    """The `photo` field for what `source` names: `attach://part`, a `file_id`, or the part called `field`."""
    upload = _upload(params, source, field)
    if upload is None:
        stored = _known_file(world, source, "photo")
    else:
        stored = world.keep_file(world.files.add_photo(upload))
    return {"photo": photo_sizes(stored)}


def document_content(world: World, params: Params, source: str, field: str) -> Json:
    """The `document` field for what `source` names, see `photo_content`."""
    upload = _upload(params, source, field)
    if upload is None:
        stored = _known_file(world, source, "document")
    else:
        mime_type = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
        stored = world.keep_file(world.files.add_file(upload, mime_type=mime_type))
    return {"document": document_fields(stored)}


def _album_item(world: World, params: Params, item: Any) -> Json:
    content, caption = input_media(world, params, item)
    return content | caption.fields("caption")


def _part(params: Params, field: str) -> str:
    return f"attach://{field}" if field in params.uploads else ""


def _upload(params: Params, source: str, field: str) -> Upload | None:
    """The uploaded part that `source` names; None when it is a file_id."""
    if not source:
        raise bad_request(f"there is no {field} in the request" if field else "media not found")
    if source.startswith("attach://"):
        name = source.removeprefix("attach://")
        if name not in params.uploads:
            raise bad_request("there is no file in the request to attach")
        return params.uploads[name]
    if source.startswith(("http://", "https://")):
        # The playground calls nobody: a bot that needs pictures by URL must be tried against Telegram itself.
        raise bad_request("failed to get HTTP URL content")
    return None


def _known_file(world: World, file_id: str, kind: str) -> StoredFile:
    stored, _ = world.files.find(file_id)
    if stored.kind != kind:
        raise bad_request(f"can't use file of type {stored.kind.title()} as {kind.title()}")
    return stored


def _caption(params: Params) -> FormattedText:
    return caption_text(
        params.text("caption"),
        parse_mode=params.text("parse_mode"),
        entities=entities_field(params.text("caption_entities")),
    )


def _media_flags(params: Params) -> Json:
    names = {"has_spoiler": "has_media_spoiler", "show_caption_above_media": "show_caption_above_media"}
    return {field: True for name, field in names.items() if params.boolean(name)}


def place_fields(room: Room, params: Params) -> Json:
    """Where a new message of the bot stands: what it replies to, and its topic. Raises: ApiError 400."""
    reply = _reply_field(room, params)
    return reply | _thread(room, params, reply.get("reply_to_message"))


def _thread(room: Room, params: Params, replied: Json | None) -> Json:
    """The fields of a topic that is there and takes messages. Raises: ApiError 400."""
    thread_id = params.integer("message_thread_id")
    if thread_id and not (isinstance(room, Group) and str(thread_id) in room.topics):
        raise bad_request("message thread not found")
    fields = thread_fields(room, thread_id, replied)
    if isinstance(room, Group) and fields.get("is_topic_message"):
        topic = room.topics.get(str(fields["message_thread_id"]))
        if topic is None:
            raise bad_request("message thread not found")
        if topic["is_closed"] and room.bot_status != "administrator":
            raise bad_request("TOPIC_CLOSED")
    return fields


def _reply_field(chat: Room, params: Params) -> Json:
    """The `reply_to_message` field. Raises: ApiError 400 when the message is gone and that is not allowed."""
    wanted = params.json("reply_parameters", "can't parse reply parameters JSON object")
    if wanted is None and params.text("reply_to_message_id"):
        is_optional = params.boolean("allow_sending_without_reply")
        wanted = {
            "message_id": params.integer("reply_to_message_id"),
            "allow_sending_without_reply": is_optional,
        }
    if wanted is None:
        return {}
    if not isinstance(wanted, dict):
        raise bad_request("object expected as reply parameters")
    target = chat.messages.get(to_integer(str(wanted.get("message_id", ""))))
    if target is not None:
        return {"reply_to_message": quoted(target)}
    if wanted.get("allow_sending_without_reply") is True:
        return {}
    raise bad_request("message to be replied not found")


def _send(world: World, params: Params, content: Json) -> Json:
    """Post one message with its reply and markup; a reply keyboard goes to the chat, not to the message."""
    markup = parse_reply_markup(params.text("reply_markup"))
    chat = world.chat_for_bot(chat_id_of(params))
    place = place_fields(chat, params)
    is_inline = markup is not None and "inline_keyboard" in markup
    if markup is not None and not is_inline:
        chat.keyboard = markup if "keyboard" in markup else None
        message = world.post(chat, content | place)
        chat.fixed = [*chat.fixed, message["message_id"]][-MAX_FIXED:]
        world.chat_changed(chat)
        return message
    return world.post(chat, content | place | ({"reply_markup": markup} if markup else {}))
