"""A Telegram that takes and notes every call. For updates that no honest client sends."""

from collections.abc import AsyncGenerator
from typing import Any

from aiogram import Bot
from aiogram.client.session.base import BaseSession
from aiogram.methods import AnswerCallbackQuery, GetMe, SendInvoice, SendMessage, TelegramMethod
from aiogram.types import User

ME = User(id=42, is_bot=True, first_name="Starbooth", username="starbooth_bot")


class RecordingSession(BaseSession):
    """Keeps the calls in order and answers each as briefly as can be."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[TelegramMethod[Any]] = []

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: int | None = None,  # noqa: ASYNC109 - aiogram's signature
    ) -> Any:
        if isinstance(method, GetMe):
            return ME
        self.calls.append(method)
        if isinstance(method, SendMessage | SendInvoice):
            chat = {"id": method.chat_id, "type": "private"}
            return method.__returning__.model_validate({"message_id": 1, "date": 0, "chat": chat})
        return True

    async def stream_content(self, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
        raise NotImplementedError
        yield b""

    async def close(self) -> None:
        return

    @property
    def texts(self) -> list[str]:
        """What was sent, as HTML."""
        return [call.text for call in self.calls if isinstance(call, SendMessage)]

    @property
    def toasts(self) -> list[str | None]:
        """What was shown where a button was pressed."""
        return [call.text for call in self.calls if isinstance(call, AnswerCallbackQuery)]
