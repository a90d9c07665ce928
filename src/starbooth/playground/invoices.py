"""The Bot API methods that offer something for Stars, sendInvoice and createInvoiceLink, with Telegram's
checks; and copies of invoices.

Where the public source of the official server has a text, it is that one; where only Telegram itself looks,
its error codes.
"""

import re
import secrets
from typing import Any

from starbooth.playground.chats import Chat
from starbooth.playground.errors import GuestError, Json, bad_request
from starbooth.playground.markup import parse_invoice_markup
from starbooth.playground.params import Params
from starbooth.playground.sending import chat_id_of, place_fields
from starbooth.playground.till import Invoice
from starbooth.playground.world import World

PERIOD_S = 30 * 24 * 3600
MAX_SUBSCRIPTION_XTR = 10_000
MAX_PRICE_XTR = 9999_9999_9999
_SAID_OF_GOODS = (
    "need_name",
    "need_phone_number",
    "need_email",
    "need_shipping_address",
    "send_phone_number_to_provider",
    "send_email_to_provider",
    "is_flexible",
)


def send_invoice(world: World, params: Params) -> Json:
    """Like Telegram, puts a Pay button under the message when no keyboard is given."""
    invoice = _read_invoice(params)
    if params.integer("subscription_period", low=0):
        raise bad_request("SUBSCRIPTION_PERIOD_INVALID")
    markup = parse_invoice_markup(params.text("reply_markup")) or pay_keyboard(invoice.amount_xtr)
    chat = world.chat_for_bot(chat_id_of(params))
    content = {"invoice": _shown(invoice), "reply_markup": markup, **place_fields(chat, params)}
    world.till.keep_invoice(invoice)
    message = world.post(chat, content)
    world.till.put_into_message(invoice, message["message_id"])
    return message


def create_invoice_link(world: World, params: Params) -> str:
    invoice = _read_invoice(params)
    invoice.start_parameter = ""
    invoice.period_s = params.integer("subscription_period", low=0)
    if invoice.period_s not in (0, PERIOD_S):
        raise bad_request("SUBSCRIPTION_PERIOD_INVALID")
    if invoice.period_s and invoice.amount_xtr > MAX_SUBSCRIPTION_XTR:
        raise bad_request("STARS_INVOICE_INVALID")
    world.till.keep_invoice(invoice)
    return f"https://t.me/${invoice.slug}"


def pay_keyboard(amount_xtr: int) -> Json:
    """The one button that Telegram puts under an invoice that came without a keyboard."""
    return {"inline_keyboard": [[{"text": f"Pay ⭐️{amount_xtr}", "pay": True}]]}


def forward(world: World, owner: Chat, message_id: int, chat: Chat) -> Json:
    """Put a copy of an invoice of one guest's chat into another's; neither act is told to the bot.

    The copy can be paid like the original; one of an invoice with a start parameter leads to the bot instead.
    Raises: GuestError 404 where there is no such invoice.
    """
    original = owner.messages.get(message_id, {})
    if "invoice" not in original:
        raise GuestError(404, f"there is no invoice {message_id} in this chat")
    invoice = world.till.invoice_of(message_id)
    origin = {"type": "user", "sender_user": original["from"], "date": original["date"]}
    content = {
        "invoice": original["invoice"],
        "forward_origin": origin,
        "reply_markup": _copied(world, invoice),
    }
    message = world.post(chat, content)
    world.till.put_into_message(invoice, message["message_id"])
    return message


def invoice_in(world: World, chat: Chat, message_id: int) -> Invoice:
    """The invoice that a guest can pay by the Pay button of a message. Raises: GuestError 404 without one."""
    buttons = chat.messages.get(message_id, {}).get("reply_markup", {}).get("inline_keyboard", [[{}]])
    if "pay" not in buttons[0][0]:
        raise GuestError(404, f"there is no message {message_id} with a Pay button in this chat")
    return world.till.invoice_of(message_id)


def _copied(world: World, invoice: Invoice) -> Json:
    keyboard = pay_keyboard(invoice.amount_xtr)
    if not invoice.start_parameter:
        return keyboard
    url = f"https://t.me/{world.bot.username}?start={invoice.start_parameter}"
    return {"inline_keyboard": [[{"text": keyboard["inline_keyboard"][0][0]["text"], "url": url}]]}


def _shown(invoice: Invoice) -> Json:
    return {
        "title": invoice.title,
        "description": invoice.description,
        "start_parameter": invoice.start_parameter,
        "currency": "XTR",
        "total_amount": invoice.amount_xtr,
    }


def _read_invoice(params: Params) -> Invoice:
    """A new invoice of what both methods take. Raises: ApiError 400."""
    title, description, payload, currency = (
        required(params, name) for name in ("title", "description", "payload", "currency")
    )
    amounts = _amounts(params)
    if currency != "XTR":
        raise bad_request("PAYMENT_PROVIDER_INVALID")
    if len(payload.encode()) > 128:
        raise bad_request("INVOICE_PAYLOAD_INVALID")
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", params.text("start_parameter")):
        raise bad_request("START_PARAM_INVALID")
    is_misshaped = (
        len(title) > 32
        or len(description) > 255
        or len(amounts) != 1
        or params.text("provider_token") != ""
        or params.integer("max_tip_amount") != 0
        or params.text("suggested_tip_amounts") not in ("", "[]")
        or any(params.boolean(name) for name in _SAID_OF_GOODS)
    )
    if is_misshaped:
        raise bad_request("STARS_INVOICE_INVALID")
    return Invoice(
        slug=secrets.token_urlsafe(12),
        title=title,
        description=description,
        payload=payload,
        amount_xtr=amounts[0],
        start_parameter=params.text("start_parameter"),
    )


def required(params: Params, name: str) -> str:
    """A parameter that cannot be empty. Raises: ApiError 400."""
    text = params.text(name)
    if not text:
        raise bad_request(f'parameter "{name}" is required')
    return text


def _amounts(params: Params) -> list[int]:
    required(params, "prices")
    prices = params.json("prices", "can't parse prices JSON object")
    if not isinstance(prices, list):
        raise bad_request("expected an Array of labeled prices")
    if not prices:
        raise bad_request("there must be at least one price")
    amounts = [_amount(price) for price in prices]
    if sum(amounts) <= 0:
        raise bad_request("total price must be positive")
    if sum(amounts) > MAX_PRICE_XTR:
        raise bad_request("total price is too big")
    return amounts


def _amount(price: Any) -> int:
    where = "can't parse labeled price: "
    if not isinstance(price, dict):
        raise bad_request(f"{where}LabeledPrice must be an Object")
    for name in ("label", "amount"):
        if price.get(name) is None:
            raise bad_request(f'{where}Can\'t find field "{name}"')
    if not isinstance(price["label"], str):
        raise bad_request(f'{where}Field "label" must be of type String')
    if not price["label"]:
        raise bad_request(f"{where}LabeledPrice label must be non-empty")
    amount = str(price["amount"])
    if isinstance(price["amount"], bool) or not re.fullmatch(r"-?[0-9]{1,18}", amount):
        raise bad_request(f'{where}Field "amount" must be a valid Number')
    if abs(int(amount)) > MAX_PRICE_XTR:
        raise bad_request("too big amount of the currency specified")
    return int(amount)
