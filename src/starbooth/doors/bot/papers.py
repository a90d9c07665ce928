"""The papers in the chat: /paysupport, /terms, /privacy. What is passed on is keyed by its message."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from aiogram import Router
from aiogram.filters import Command as CommandFilter
from aiogram.filters import CommandObject
from aiogram.types import Message

from starbooth.base.errors import Refusal
from starbooth.domain.payments.support import pass_on
from starbooth.doors.bot import papers_screens as screens
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk


def papers_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    papers = _Papers(desk)
    router = Router()
    router.message.register(papers.on_support, CommandFilter(Command.PAYSUPPORT, ignore_case=True))
    router.message.register(papers.on_terms, CommandFilter(Command.TERMS, ignore_case=True))
    router.message.register(papers.on_privacy, CommandFilter(Command.PRIVACY, ignore_case=True))
    return router


class _Papers:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_support(self, message: Message, command: CommandObject) -> None:
        """Pass a message on to the operators, or say how to write one."""
        met = await self._desk.meet(message.from_user)
        support = self._desk.terms.support
        text = (command.args or "").strip()
        if not text:
            screen = screens.render_support(met.words, support=support)
            await self._desk.send(screen, chat_id=message.chat.id)
            return
        try:
            async with self._desk.database.transaction() as tx:
                reference = await pass_on(
                    tx,
                    user_id=met.guest.user_id,
                    telegram_id=met.guest.telegram_id,
                    text=text,
                    request_key=f"tg:{message.chat.id}:{message.message_id}",
                )
        except Refusal as refusal:
            await self._desk.refuse(refusal, met.words, message)
            return
        screen = screens.render_passed_on(met.words, reference=reference, support=support)
        await self._desk.send(screen, chat_id=message.chat.id)

    async def on_terms(self, message: Message) -> None:
        """The rules."""
        met = await self._desk.meet(message.from_user)
        screen = screens.render_terms(met.words, support=self._desk.terms.support)
        await self._desk.send(screen, chat_id=message.chat.id)

    async def on_privacy(self, message: Message) -> None:
        """What is kept."""
        met = await self._desk.meet(message.from_user)
        screen = screens.render_privacy(
            met.words,
            support=self._desk.terms.support,
            photo_days=self._desk.terms.trainings.keep_photos.days,
        )
        await self._desk.send(screen, chat_id=message.chat.id)
