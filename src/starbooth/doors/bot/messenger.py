"""Screens into Telegram: the one place where our buttons become Telegram's. Knows no order and no wording."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiogram import Bot
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.pictures.thumbnail import fit_for_chat
from starbooth.outside.telegram.client import (
    delete_messages,
    edit_caption,
    edit_picture,
    edit_text,
    send_album,
    send_picture,
    send_text,
    telegram_errors,
)
from starbooth.outside.telegram.errors import MessageGone, TooLate

LONGEST_TOAST = 200


class BotMessenger:
    """Puts screens into chats by one bot.

    Raises: Blocked, MessageGone, NotModified, TelegramRefused, TelegramUnavailable.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def send_text(
        self, screen: Screen, *, chat_id: int, reply_to_message_id: int | None, thread_id: int | None = None
    ) -> int:
        """Send the screen's words and buttons as a new message and return its id. Not safe to repeat."""
        return await send_text(
            self._bot,
            screen.html,
            chat_id=chat_id,
            keyboard=keyboard(screen),
            reply_to_message_id=reply_to_message_id,
            thread_id=thread_id,
        )

    async def edit_text(self, screen: Screen, *, chat_id: int, message_id: int) -> None:
        """Make an existing message this screen's words and buttons. Safe to repeat."""
        await edit_text(
            self._bot, screen.html, chat_id=chat_id, message_id=message_id, keyboard=keyboard(screen)
        )

    async def edit_rows(self, rows: Sequence[Sequence[Button]], *, chat_id: int, message_id: int) -> None:
        """Give a message of ours other buttons, or none. Safe to repeat. Raises as `edit_text`."""
        with telegram_errors():
            await self._bot.edit_message_reply_markup(
                chat_id=chat_id, message_id=message_id, reply_markup=_keyboard(rows)
            )

    async def edit_picture(self, screen: Screen, body: bytes, *, chat_id: int, message_id: int) -> str | None:
        """Make an existing message this picture, with the screen's words below. Safe to repeat.

        What Telegram would not take as a photo is made to fit; where it cannot be, it goes as a document.
        Returns Telegram's name of the photo, None for a document.
        """
        fitting = await asyncio.to_thread(fit_for_chat, body)
        return await edit_picture(
            self._bot,
            body if fitting is None else fitting,
            screen.html,
            chat_id=chat_id,
            message_id=message_id,
            keyboard=keyboard(screen),
            is_document=fitting is None,
        )

    async def edit_caption(self, screen: Screen, *, chat_id: int, message_id: int) -> None:
        """Have the screen's words and buttons below a picture that stays. Safe to repeat.

        Raises: MessageGone, also where there is no picture.
        """
        await edit_caption(
            self._bot, screen.html, chat_id=chat_id, message_id=message_id, keyboard=keyboard(screen)
        )

    async def send_picture(self, screen: Screen, body: bytes, *, chat_id: int) -> int:
        """Send a picture that fits a chat, with the screen's words below; its message. Not safe to repeat."""
        return await send_picture(self._bot, body, screen.html, chat_id=chat_id, keyboard=keyboard(screen))

    async def send_album(
        self,
        pictures: Sequence[bytes],
        *,
        chat_id: int,
        reply_to_message_id: int | None,
        thread_id: int | None = None,
    ) -> Sequence[int]:
        """Send two to ten pictures as one album; returns their messages' ids in order. Not safe to repeat."""
        return await send_album(
            self._bot,
            pictures,
            chat_id=chat_id,
            reply_to_message_id=reply_to_message_id,
            thread_id=thread_id,
        )

    async def delete(self, message_ids: Sequence[int], *, chat_id: int) -> None:
        """Take messages of ours away. Safe to repeat; those that are gone or too old are passed over."""
        with suppress(MessageGone):
            await delete_messages(self._bot, message_ids, chat_id=chat_id)

    async def answer_press(self, query_id: str, toast: str, *, is_alert: bool) -> None:
        """Show a short text where a button was pressed. Safe to repeat; a press that is too old is let go."""
        try:
            with telegram_errors():
                await self._bot.answer_callback_query(
                    query_id, text=toast[:LONGEST_TOAST], show_alert=is_alert
                )
        except TooLate:
            return


def keyboard(screen: Screen) -> InlineKeyboardMarkup | None:
    """The screen's buttons as Telegram takes them; None where there are none."""
    return _keyboard(screen.rows)


def _keyboard(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    return InlineKeyboardMarkup(inline_keyboard=[[_button(each) for each in row] for row in rows])


def _button(button: Button) -> InlineKeyboardButton:
    if button.url is not None:
        return InlineKeyboardButton(text=button.label, url=button.url)
    if button.share is not None:
        return InlineKeyboardButton(text=button.label, switch_inline_query=button.share)
    return InlineKeyboardButton(text=button.label, callback_data=button.action)
