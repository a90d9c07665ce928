"""Telling guests that a payment went back, what left their purse and why; or that one was found late."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import structlog
from markupsafe import Markup

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.payments.refund_news import (
    LatePayment,
    RefundNews,
    claim_late_payments,
    claim_refund_news,
    note_late_payment_told,
    note_refund_told,
)
from starbooth.domain.payments.refunds import BOOTH, TELEGRAM
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.operators_screens import signed
from starbooth.doors.bot.pieces import shorten, stars
from starbooth.doors.bot.words import Words, words_for
from starbooth.outside.telegram.errors import Blocked, TelegramRefused

_log = structlog.get_logger()
_LONGEST_REASON = 600


async def tell_guests(database: Database, messenger: BotMessenger, *, limit: int = 20) -> int:
    """Tell guests the news that they are owed; returns how many were told.

    Several at once: each tells others. A process that dies between the message and the note tells once more.
    Who cannot be reached now is tried again in a minute; who blocked the bot is not.
    """
    # What was found before what went back; each in its turn, as a claim does not outlive many messages.
    return await _tell_late(database, messenger, limit) + await _tell_returned(database, messenger, limit)


async def _tell_late(database: Database, messenger: BotMessenger, limit: int) -> int:
    told = 0
    for _ in range(limit):
        async with database.transaction() as tx:
            claimed = await claim_late_payments(tx, limit=1)
        if not claimed:
            break
        payment = claimed[0]
        outcome = await _send(messenger, render_late(payment), chat_id=payment.chat_id)
        if outcome is not None:
            told += outcome
            async with database.transaction() as tx:
                await note_late_payment_told(tx, charge_id=payment.charge_id)
    return told


async def _tell_returned(database: Database, messenger: BotMessenger, limit: int) -> int:
    told = 0
    for _ in range(limit):
        async with database.transaction() as tx:
            claimed = await claim_refund_news(tx, limit=1)
        if not claimed:
            break
        news = claimed[0]
        outcome = await _send(messenger, render_news(news), chat_id=news.chat_id)
        if outcome is not None:
            told += outcome
            async with database.transaction() as tx:
                await note_refund_told(tx, refund_id=news.refund_id)
    return told


async def _send(messenger: BotMessenger, screen: Screen, *, chat_id: int) -> bool | None:
    """Whether it arrived; None where that must be tried again."""
    try:
        await messenger.send_text(screen, chat_id=chat_id, reply_to_message_id=None)
    except Unavailable as error:
        _log.warning("money_news.unavailable", chat=chat_id, reason=error.reason)
        return None
    except (Blocked, TelegramRefused) as error:
        _log.warning("money_news.undeliverable", chat=chat_id, reason=str(error))
        return False
    return True


def render_late(payment: LatePayment) -> Screen:
    """What a guest reads whose payment was found in Telegram's list."""
    words = words_for(payment.language)
    found = words.say_n(
        "<b>Your payment of {n} Telegram Star has arrived.</b>",
        "<b>Your payment of {n} Telegram Stars has arrived.</b>",
        payment.amount_xtr,
    )
    given = words.say(
        "It took longer than it should, sorry. It brought you {stars}; you have {balance} now.",
        stars=stars(words, payment.amount_stars),
        balance=signed(words, payment.balance_stars),
    )
    return Screen(html=str(Markup("\n\n").join([found, given])))


def render_news(news: RefundNews) -> Screen:
    """What the guest reads."""
    words = words_for(news.language)
    if news.is_refused:
        return _render_kept(words, news)
    lines = [
        words.say_n(
            "<b>Your payment of {n} Telegram Star went back to you.</b>",
            "<b>Your payment of {n} Telegram Stars went back to you.</b>",
            news.amount_xtr,
        )
    ]
    if news.operator == TELEGRAM:
        lines.append(words.say("Telegram gave it back; nobody of the booth asked for it."))
    elif news.operator == BOOTH:
        lines.append(words.say("Its invoice had been paid before, so the second payment went back."))
    if news.balance_stars >= 0:
        lines.append(
            words.say(
                "With it, {stars} left your purse. You have {balance} now.",
                stars=stars(words, news.amount_stars),
                balance=stars(words, news.balance_stars),
            )
        )
    else:
        lines.append(
            words.say(
                "With it, {stars} left your purse. Part of that was spent before: you are {debt} short."
                " Top up, and you can go on painting.",
                stars=stars(words, news.amount_stars),
                debt=stars(words, -news.balance_stars),
            )
        )
    if news.reason and news.operator not in (TELEGRAM, BOOTH):
        lines.append(words.say("The reason: {reason}", reason=shorten(news.reason, limit=_LONGEST_REASON)))
    return Screen(html=str(Markup("\n\n").join(lines)))


def _render_kept(words: Words, news: RefundNews) -> Screen:
    """A second payment that was to go back, and that Telegram kept."""
    head = words.say_n(
        "<b>Your second payment of {n} Telegram Star could not go back to you.</b>",
        "<b>Your second payment of {n} Telegram Stars could not go back to you.</b>",
        news.amount_xtr,
    )
    kept = words.say(
        "Telegram would not return it, sorry. So it counts: it brought you {stars}, and you have {balance}"
        " now. If you would rather have it back, write to us: /paysupport.",
        stars=stars(words, news.amount_stars),
        balance=signed(words, news.balance_stars),
    )
    return Screen(html=str(Markup("\n\n").join([head, kept])))
