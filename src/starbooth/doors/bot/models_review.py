"""What operators do with reported models in the chat, and telling makers of it. For everybody else there is
no such command and no such button.

A press names what shall be, so a second one finds it done.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import re
from collections.abc import Sequence

import structlog
from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import CallbackQuery, Message
from markupsafe import Markup

from starbooth.base.database import Database
from starbooth.base.errors import Refusal, Unavailable
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.models.reports import (
    MakerNews,
    Reason,
    Reported,
    claim_maker_news,
    hide_model,
    keep_model,
    list_reported,
    note_maker_told,
)
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.desk import Desk, words_of
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.models_cards import word_hidden, word_reason
from starbooth.doors.bot.pieces import shorten
from starbooth.doors.bot.words import Words, words_for
from starbooth.outside.telegram.errors import Blocked, MessageGone, NotModified, TelegramRefused

_log = structlog.get_logger()
PREFIX = "mr:"
_AT_ONCE = 5
_FORM = re.compile(rf"mr:(keep|hide|list|why):([A-Za-z0-9_-]{{1,40}})(?::({'|'.join(Reason)}))?")


def review_router(desk: Desk) -> Router:
    """The handlers, in a router of its own. What is not an operator's falls through to the next router."""
    review = _Review(desk)
    router = Router()
    router.message.register(review.on_reports, CommandFilter("reports", ignore_case=True), review.is_operator)
    router.callback_query.register(review.on_press, F.data.startswith(PREFIX), review.is_operator)
    return router


class _Review:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def is_operator(self, event: Message | CallbackQuery) -> bool:
        """A filter."""
        return self._desk.is_operator(event.from_user)

    async def on_reports(self, message: Message) -> None:
        """`/reports`: the models whose reports nobody has looked at."""
        await self._desk.meet(message.from_user)
        async with self._desk.database.transaction() as tx:
            found = await list_reported(tx, limit=_AT_ONCE + 1)
        await self._desk.send(render_reported(words_of(message.from_user), found), chat_id=message.chat.id)

    async def on_press(self, query: CallbackQuery) -> None:
        """Keep a model, hide it for a reason, or ask for the reason. Always answers the press."""
        words = words_of(query.from_user)
        found = _FORM.fullmatch(query.data or "")
        if found is None or (found[1] == "why") != (found[3] is not None):
            text = words.plain("This button does nothing any more. Nothing was charged.")
            await self._desk.messenger.answer_press(query.id, text, is_alert=False)
            return
        try:
            screen, toast = await self._do(query, words, found[1], found[2], found[3])
        except Refusal as refusal:
            screen, toast = None, word_refusal(refusal, words).striptags()
        if screen is not None:
            await self._put(query, screen)
        await self._desk.messenger.answer_press(query.id, toast, is_alert=False)

    async def _do(
        self, query: CallbackQuery, words: Words, verb: str, lora_id: str, reason: str | None
    ) -> tuple[Screen, str]:
        operator = f"telegram:{query.from_user.id}"
        if verb == "hide":
            return render_why(words, lora_id), ""
        toast = ""
        async with self._desk.database.transaction() as tx:
            if verb == "keep":
                await keep_model(tx, lora_id, operator=operator)
                toast = words.plain("It stays.")
            elif reason is not None:
                await hide_model(tx, lora_id, reason=reason, operator=operator)
                toast = words.plain("It is hidden, and its maker is told why.")
            left = await list_reported(tx, limit=_AT_ONCE + 1)
        return render_reported(words, left), toast

    async def _put(self, query: CallbackQuery, screen: Screen) -> None:
        if query.message is not None:
            try:
                await self._desk.messenger.edit_text(
                    screen, chat_id=query.from_user.id, message_id=query.message.message_id
                )
            except NotModified:
                return
            except MessageGone:
                pass
            else:
                return
        await self._desk.send(screen, chat_id=query.from_user.id)


def render_reported(words: Words, found: Sequence[Reported]) -> Screen:
    """The models that wait for somebody to look at them, oldest report first."""
    if not found:
        return Screen(html=str(words.say("No model waits to be looked at.")))
    shown = found[:_AT_ONCE]
    lines = [_line(words, place + 1, each) for place, each in enumerate(shown)]
    more = words.say("There are more.") if len(found) > len(shown) else Markup()
    rows = tuple(
        (
            Button(label=words.plain("{n}. Keep", n=place + 1), action=f"{PREFIX}keep:{each.lora_id}"),
            Button(label=words.plain("{n}. Hide", n=place + 1), action=f"{PREFIX}hide:{each.lora_id}"),
        )
        for place, each in enumerate(shown)
    )
    html = Markup("\n").join([words.say("⚠️ <b>Reported models</b>"), *lines, *([more] if more else [])])
    return Screen(html=str(html), rows=rows)


def _line(words: Words, number: int, each: Reported) -> Markup:
    maker = f"@{each.maker_username}" if each.maker_username else each.maker_telegram_id
    reasons = ", ".join(f"{word_reason(words, reason)} ({n})" for reason, n in each.reasons.items())
    return Markup("{}. <b>{}</b> · {} · 🖼 {}: {}").format(
        number, shorten(each.name, limit=40), maker, each.uses, reasons
    )


def render_why(words: Words, lora_id: str) -> Screen:
    """For which reason it shall be hidden; the maker is told it."""
    rows = [
        (Button(label=word_reason(words, each), action=f"{PREFIX}why:{lora_id}:{each}"),) for each in Reason
    ]
    back = Button(label=words.plain("‹ Back"), action=f"{PREFIX}list:{lora_id}")
    return Screen(
        html=str(words.say("<b>Why shall it be hidden?</b> Its maker is told.")), rows=(*rows, (back,))
    )


def render_maker_news(words: Words, news: MakerNews) -> Screen:
    """What a maker is told of a model of theirs."""
    if news.kind == "shown":
        told = words.say("Your model {name} may be public again. /models has it.", name=news.name)
    else:
        told = words.say(
            "🚫 We took your model <b>{name}</b> out of the catalogue: {reason}. You can go on using it;"
            " /models has it.",
            name=news.name,
            reason=word_hidden(words, news.reason),
        )
    return Screen(html=str(told))


async def tell_makers(database: Database, messenger: BotMessenger, *, limit: int = 20) -> int:
    """Tell makers what operators did with their models; returns how many were told.

    Several at once: each tells others. A process that dies between the message and the note tells once more;
    who cannot be reached now is tried again in a minute, who blocked the bot is not.
    """
    told = 0
    for _ in range(limit):  # each when its turn comes: a claim does not outlive many messages
        async with database.transaction() as tx:
            claimed = await claim_maker_news(tx, limit=1)
        if not claimed:
            break
        news = claimed[0]
        screen = render_maker_news(words_for(news.language), news)
        try:
            await messenger.send_text(screen, chat_id=news.chat_id, reply_to_message_id=None)
        except Unavailable as error:
            _log.warning("maker_news.unavailable", news=news.news_id, reason=error.reason)
            continue
        except (Blocked, TelegramRefused) as error:
            _log.warning("maker_news.undeliverable", news=news.news_id, reason=str(error))
        else:
            told += 1
        async with database.transaction() as tx:
            await note_maker_told(tx, news_id=news.news_id)
    return told
