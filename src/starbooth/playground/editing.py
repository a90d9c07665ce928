"""Bot API methods that change or remove what is already in a chat, and the answer to a pressed button."""

from starbooth.playground.chats import Group, Room, content_of
from starbooth.playground.errors import ApiError, Json, bad_request
from starbooth.playground.formatted_text import caption_text, entities_field, message_text
from starbooth.playground.invoices import pay_keyboard
from starbooth.playground.markup import parse_inline_markup, parse_invoice_markup
from starbooth.playground.params import Params, to_integer
from starbooth.playground.sending import chat_id_of, input_media
from starbooth.playground.world import World

MAX_AGE_TO_DELETE_S = 48 * 3600


def edit_message_text(world: World, params: Params) -> Json:
    text = message_text(
        params.text("text"),
        parse_mode=params.text("parse_mode"),
        entities=entities_field(params.text("entities")),
    )
    markup = parse_inline_markup(params.text("reply_markup"))
    chat, message = _message_to_edit(world, params)
    if "text" not in message:
        raise bad_request("there is no text in the message to edit")
    return _change(world, chat, message, text.fields("text"), markup)


def edit_message_caption(world: World, params: Params) -> Json:
    caption = caption_text(
        params.text("caption"),
        parse_mode=params.text("parse_mode"),
        entities=entities_field(params.text("caption_entities")),
    )
    markup = parse_inline_markup(params.text("reply_markup"))
    chat, message = _message_to_edit(world, params)
    if "photo" not in message and "document" not in message:
        raise bad_request("there is no caption in the message to edit")
    kept = {name: value for name, value in content_of(message).items() if not name.startswith("caption")}
    return _change(world, chat, message, kept | caption.fields("caption"), markup)


def edit_message_media(world: World, params: Params) -> Json:
    media = params.json("media", "can't parse input media JSON object")
    if media is None:
        raise bad_request("media is empty")
    content, caption = input_media(world, params, media)
    markup = parse_inline_markup(params.text("reply_markup"))
    chat, message = _message_to_edit(world, params)
    if not {"text", "photo", "document"} & message.keys():
        raise bad_request("message can't be edited")
    if "media_group_id" in message and not content.keys() & message.keys() & {"photo", "document"}:
        raise bad_request("can't change media type in the album")
    return _change(world, chat, message, content | caption.fields("caption"), markup)


def edit_message_reply_markup(world: World, params: Params) -> Json:
    chat, message = _message_to_edit(world, params)
    if "invoice" in message:
        markup = parse_invoice_markup(params.text("reply_markup"))
        markup = markup or pay_keyboard(message["invoice"]["total_amount"])
    else:
        markup = parse_inline_markup(params.text("reply_markup"))
    return _change(world, chat, message, content_of(message), markup, is_marked="edit_date" in message)


def delete_message(world: World, params: Params) -> bool:
    message_id = params.integer("message_id")
    chat = world.chat_for_bot(chat_id_of(params))
    _delete(world, chat, message_id)
    return True


def delete_messages(world: World, params: Params) -> bool:
    """Like Telegram, skips the messages that are not there."""
    ids = params.json("message_ids", "can't parse message identifiers JSON object")
    if ids is None or ids == []:
        raise bad_request("message identifiers are not specified")
    if not isinstance(ids, list):
        raise bad_request("expected an Array of message identifiers")
    if len(ids) > 100:
        raise bad_request("too many message identifiers specified")
    if not all(isinstance(message_id, int) for message_id in ids):
        raise bad_request("message identifier must be a Number")
    chat = world.chat_for_bot(chat_id_of(params))
    for message_id in ids:
        if message_id in chat.messages:
            _delete(world, chat, message_id)
    return True


def answer_callback_query(world: World, params: Params) -> bool:
    text = params.text("text")
    if len(text) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    answer = {"text": text, "show_alert": params.boolean("show_alert"), "url": params.text("url")}
    world.answer_callback(params.text("callback_query_id"), answer)
    return True


def _message_to_edit(world: World, params: Params) -> tuple[Room, Json]:
    if not params.text("chat_id") and not params.text("message_id"):
        raise bad_request("message identifier is not specified")
    chat = world.chat_for_bot(chat_id_of(params))
    message = chat.messages.get(to_integer(params.text("message_id")))
    if message is None:
        raise bad_request("message to edit not found")
    if message["from"]["id"] != world.bot.user_id or message["message_id"] in chat.fixed:
        raise bad_request("message can't be edited")
    return chat, message


def _change(
    world: World, chat: Room, message: Json, content: Json, markup: Json | None, *, is_marked: bool = True
) -> Json:
    """Write the edit. Raises: ApiError 400 when nothing would be different."""
    before = (_identity(content_of(message)), message.get("reply_markup"))
    if before == (_identity(content), markup):
        raise ApiError(
            400,
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message",
        )
    return world.edit(chat, message, content, markup, is_marked=is_marked)


def _identity(content: Json) -> Json:
    """Content for comparison: files by their unique id."""
    same = dict(content)
    if "photo" in content:
        same["photo"] = content["photo"][-1]["file_unique_id"]
    if "document" in content:
        same["document"] = content["document"]["file_unique_id"]
    return same


def _delete(world: World, chat: Room, message_id: int) -> None:
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to delete not found")
    is_own = message["from"]["id"] == world.bot.user_id
    is_allowed = is_own or not isinstance(chat, Group) or chat.bot_status == "administrator"
    if not is_allowed or message["date"] < world.now() - MAX_AGE_TO_DELETE_S:
        raise bad_request("message can't be deleted")
    world.delete(chat, message_id)
