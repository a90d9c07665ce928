"""Updates as Telegram sends them."""

from collections.abc import Mapping
from typing import Any


def message_update(
    update_id: int, *, chat_id: int = 7, text: str = "a red boat", language_code: str = "en", **fields: Any
) -> dict[str, Any]:
    """A text message in a private chat; `fields` go into the message."""
    person = {"id": chat_id, "is_bot": False, "first_name": "Ada", "language_code": language_code}
    message = {
        "message_id": update_id,
        "date": 1_764_000_000,
        "chat": {"id": chat_id, "type": "private", "first_name": "Ada"},
        "from": person,
        "text": text,
        **fields,
    }
    return {"update_id": update_id, "message": message}


def thing_update(update_id: int, *, chat_id: int = 7, things: Mapping[str, Any]) -> dict[str, Any]:
    """A message without text; `things` are its fields."""
    update = message_update(update_id, chat_id=chat_id)
    del update["message"]["text"]
    update["message"].update(things)
    return update


def press_update(
    update_id: int, action: str | None, *, chat_id: int = 7, query_id: str | None = None
) -> dict[str, Any]:
    """A press of a button with these callback data, under message 1."""
    person = {"id": chat_id, "is_bot": False, "first_name": "Ada", "language_code": "en"}
    query = {
        "id": query_id or str(update_id),
        "from": person,
        "chat_instance": "1",
        "message": {
            "message_id": 1,
            "date": 1_764_000_000,
            "chat": {"id": chat_id, "type": "private", "first_name": "Ada"},
            "text": "a picture",
        },
        **({} if action is None else {"data": action}),
    }
    return {"update_id": update_id, "callback_query": query}
