"""Invoices in Telegram Stars: sending one, making a link to one, answering the question before a payment."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from dataclasses import dataclass

from aiogram import Bot
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, LabeledPrice

from starbooth.outside.telegram.client import telegram_errors

CURRENCY = "XTR"
# Telegram waits ten seconds; an answer that takes longer to be sent helps nobody.
_ANSWER_S = 8


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What an invoice says. title: 1-32 characters; description: 1-255; payload: 1-128 bytes, never shown."""

    title: str
    description: str
    payload: str
    amount_xtr: int


async def send_invoice(
    bot: Bot, invoice: Invoice, *, chat_id: int, pay_label: str, start_parameter: str
) -> int:
    """Send an invoice with a button to pay it and return the message's id. Not safe to repeat.

    start_parameter: not empty, so that a forwarded copy leads to the bot in place of being paid by anybody.
    Raises: Blocked, TelegramRefused, TelegramUnavailable.
    """
    button = InlineKeyboardButton(text=pay_label, pay=True)
    with telegram_errors():
        message = await bot.send_invoice(
            chat_id,
            invoice.title,
            invoice.description,
            invoice.payload,
            CURRENCY,
            _prices(invoice),
            start_parameter=start_parameter,
            reply_markup=InlineKeyboardMarkup(inline_keyboard=[[button]]),
        )
    return message.message_id


async def create_invoice_link(bot: Bot, invoice: Invoice) -> str:
    """A link `https://t.me/$…` that anybody can pay, once or more. Repeat: another link for the same payload.

    Raises: TelegramRefused, TelegramUnavailable.
    """
    with telegram_errors():
        return await bot.create_invoice_link(
            invoice.title, invoice.description, invoice.payload, CURRENCY, _prices(invoice)
        )


async def answer_checkout(bot: Bot, query_id: str, *, refusal: str | None) -> None:
    """Let a payment go on, or say why not (`refusal`, which its payer reads). Safe to repeat.

    Raises: TooLate (the question is too old, or was answered), TelegramRefused, TelegramUnavailable.
    """
    with telegram_errors():
        await bot.answer_pre_checkout_query(
            query_id, ok=refusal is None, error_message=refusal, request_timeout=_ANSWER_S
        )


def _prices(invoice: Invoice) -> list[LabeledPrice]:
    return [LabeledPrice(label=invoice.title, amount=invoice.amount_xtr)]
