"""The `reply_markup` parameter: inline keyboards, reply keyboards and the two without keys, checked as
Telegram does.

A button that pays belongs under an invoice, as the first one; games are refused, the playground has none.
"""

from typing import Any

from starbooth.playground.errors import ApiError, Json, bad_request
from starbooth.playground.html_text import is_link
from starbooth.playground.params import decode_json

MAX_BUTTONS = 100
_FLAGS = ("resize_keyboard", "one_time_keyboard", "is_persistent", "selective")


def parse_reply_markup(text: str) -> Json | None:
    """The markup as a message carries it; None where there is none or it is empty. Raises: ApiError 400."""
    markup = _parse(text)
    if any("pay" in button for button in _inline_buttons(markup)):
        raise bad_request("BUTTON_TYPE_INVALID")
    return markup


def parse_inline_markup(text: str) -> Json | None:
    """The markup of an edited message, which can only be an inline keyboard. Raises: ApiError 400."""
    markup = parse_reply_markup(text)
    if markup is not None and "inline_keyboard" not in markup:
        raise bad_request("inline keyboard expected")
    return markup


def parse_invoice_markup(text: str) -> Json | None:
    """The markup of an invoice: its first button pays, and no other one does. Raises: ApiError 400."""
    markup = _parse(text)
    if markup is None:
        return None
    does_pay = ["pay" in button for button in _inline_buttons(markup)]
    if not does_pay or not does_pay[0]:
        raise bad_request("REPLY_MARKUP_BUY_EMPTY")
    if any(does_pay[1:]):
        raise bad_request("BUTTON_TYPE_INVALID")
    return markup


def _parse(text: str) -> Json | None:
    if not text:
        return None
    try:
        value = decode_json(text)
    except ValueError:
        raise bad_request("can't parse reply keyboard markup JSON object") from None
    if value is None:
        return None
    if not isinstance(value, dict):
        raise bad_request("object expected as reply markup")
    if rows := _rows(value, "keyboard", _keyboard_button, "can't parse keyboard button: "):
        return {"keyboard": rows, **{flag: True for flag in _FLAGS if value.get(flag) is True}}
    if rows := _rows(value, "inline_keyboard", _inline_button, "can't parse inline keyboard button: "):
        return {"inline_keyboard": rows}
    if value.get("remove_keyboard") is True:
        return {"remove_keyboard": True}
    if value.get("force_reply") is True:
        placeholder = str(value.get("input_field_placeholder", ""))
        return {"force_reply": True, **({"input_field_placeholder": placeholder} if placeholder else {})}
    return None


def _inline_buttons(markup: Json | None) -> list[Json]:
    return [button for row in (markup or {}).get("inline_keyboard", []) for button in row]


def _rows(value: Json, field: str, read: Any, where: str) -> list[list[Json]]:
    rows = value.get(field)
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise bad_request(f'field "{field}" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        of = " of the InlineKeyboardMarkup" if field == "inline_keyboard" else ""
        raise bad_request(f'field "{field}"{of} must be an Array of Arrays')
    if sum(len(row) for row in rows) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    try:
        return [[read(button) for button in row] for row in rows if row]
    except _WrongButton as problem:
        raise bad_request(where + problem.text) from None


class _WrongButton(Exception):
    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


def _keyboard_button(button: Any) -> Json:
    if isinstance(button, str):
        button = {"text": button}
    if not isinstance(button, dict):
        raise _WrongButton("KeyboardButton must be a String or an Object")
    kept: Json = {"text": _button_text(button, "Keyboard")}
    return kept | {name: True for name in ("request_contact", "request_location") if button.get(name) is True}


def _inline_button(button: Any) -> Json:
    if not isinstance(button, dict):
        raise _WrongButton("InlineKeyboardButton must be an Object")
    kept: Json = {"text": _button_text(button, "Inline keyboard")}
    if style := _optional_text(button, "style"):
        if style not in ("danger", "success", "primary"):
            raise _WrongButton("Invalid button style specified")
        kept["style"] = style
    return kept | _button_action(button)


def _button_action(button: Json) -> Json:
    """The one field that says what the button does, in the order in which the server looks for it."""
    if url := _optional_text(button, "url"):
        if not is_link(url):
            raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
        return {"url": url}
    if callback_data := _optional_text(button, "callback_data"):
        if len(callback_data.encode()) > 64:
            raise ApiError(400, "BUTTON_DATA_INVALID")
        return {"callback_data": callback_data}
    if "callback_game" in button:
        raise bad_request("BUTTON_TYPE_INVALID")
    if "pay" in button:
        return {"pay": True}
    for name in ("switch_inline_query", "switch_inline_query_current_chat"):
        if isinstance(button.get(name), str):
            return {name: button[name]}
    for name, inner in (("web_app", "url"), ("copy_text", "text"), ("login_url", "url")):
        if isinstance(button.get(name), dict):
            if not isinstance(button[name].get(inner), str):
                raise _WrongButton(f'Can\'t find field "{inner}"')
            return {name: button[name]}
    raise _WrongButton("Text buttons are unallowed in the inline keyboard")


def _button_text(button: Json, kind: str) -> str:
    text = button.get("text")
    if text is None:
        raise _WrongButton('Can\'t find field "text"')
    if not isinstance(text, str):
        raise _WrongButton('Field "text" must be of type String')
    if not text.strip():
        raise bad_request(f"{kind.lower()} button text must be non-empty")
    return text.strip()


def _optional_text(button: Json, name: str) -> str:
    value = button.get(name, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _WrongButton(f'Field "{name}" must be of type String')
    return value
