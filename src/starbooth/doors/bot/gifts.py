"""Gifts in the chat: /daily, /promo, /invite, and the links that bring a code or a friend along.

Each handler can run twice for one update: the day's gift and a code are keyed by the message, and a friend is
noted in the transaction that meets them.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from datetime import UTC

import structlog
from aiogram import F, Router
from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.filters import Command as CommandFilter
from aiogram.filters import CommandObject
from aiogram.types import Message

from starbooth.base.clock import now
from starbooth.base.database import Database
from starbooth.base.errors import Refusal, Unavailable
from starbooth.domain.catalog.offers import default_offer
from starbooth.domain.gifts import daily, promo, referrals
from starbooth.domain.gifts.before import daily_gift, promo_gift
from starbooth.domain.gifts.errors import CodeUsedByYou, DailyTaken, NoSuchCode
from starbooth.doors.bot import gifts_screens as screens
from starbooth.doors.bot.answers import render_welcome
from starbooth.doors.bot.commands import Command, offered_commands
from starbooth.doors.bot.desk import Desk, Met, meet_in_private
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.words import words_for
from starbooth.outside.telegram.errors import Blocked, TelegramRefused

_log = structlog.get_logger()
_PROMO, _FRIEND = "promo_", "ref_"


def gifts_router(desk: Desk) -> Router:
    """The handlers of what this booth gives; the rest is unknown to it."""
    gifts = _Gifts(desk)
    router = Router()
    offered = offered_commands(desk.terms)
    for command, handler in (
        (Command.DAILY, gifts.on_daily),
        (Command.PROMO, gifts.on_promo),
        (Command.INVITE, gifts.on_invite),
    ):
        if command in offered:
            router.message.register(handler, CommandFilter(command, ignore_case=True))
    start = CommandFilter(Command.START, ignore_case=True, magic=F.args.startswith(_PROMO))
    router.message.register(gifts.on_start_with_code, start)
    if Command.INVITE in offered:
        start = CommandFilter(Command.START, ignore_case=True, magic=F.args.startswith(_FRIEND))
        router.message.register(gifts.on_start_by_friend, start)
    return router


class _Gifts:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_daily(self, message: Message) -> None:
        """Give the day's gift, or say when the next one comes."""
        met = await self._desk.meet(message.from_user)
        day = message.date.astimezone(UTC).date()
        next_in = daily.time_to_next(day, at=now())
        try:
            async with self._desk.database.transaction() as tx:
                if await self._desk.had_before(tx, daily_gift(day), met.guest):
                    raise DailyTaken
                given = await daily.give_daily(
                    tx,
                    user_id=met.guest.user_id,
                    amount_stars=self._desk.terms.daily_stars,
                    day=day,
                    request_key=_key(message),
                )
        except DailyTaken:
            screen = screens.render_daily_taken(met.words, next_in=next_in)
        except Refusal as refusal:
            await self._desk.refuse(refusal, met.words, message)
            return
        else:
            screen = screens.render_daily(
                met.words,
                gift_stars=self._desk.terms.daily_stars,
                balance_stars=given.balance_stars,
                next_in=next_in,
            )
        await self._desk.send(screen, chat_id=message.chat.id)

    async def on_promo(self, message: Message, command: CommandObject) -> None:
        """Turn a code into stars, or say how to give one."""
        met = await self._desk.meet(message.from_user)
        if not command.args:
            await self._desk.send(screens.render_promo_help(met.words), chat_id=message.chat.id)
            return
        await self._redeem(met, message, typed=command.args)

    async def on_start_with_code(self, message: Message, command: CommandObject) -> None:
        """A link with a code: greet who is new, then turn the code into stars."""
        met = await self._desk.meet(message.from_user, is_start=True)
        if met.guest.is_new or met.gift_stars:
            async with self._desk.database.transaction() as tx:
                price_stars = (await default_offer(tx)).price_stars
            screen = render_welcome(
                met.words,
                name=message.from_user.first_name if message.from_user else "",
                gift_stars=met.gift_stars,
                balance_stars=met.stars,
                price_stars=price_stars,
            )
            await self._desk.send(screen, chat_id=message.chat.id)
        await self._redeem(met, message, typed=(command.args or "").removeprefix(_PROMO))

    async def on_start_by_friend(self, message: Message, command: CommandObject) -> None:
        """A friend's link: note it for who is new. The greeting is the usual one, by the next handler."""
        assert message.from_user is not None  # a private chat always has one
        async with self._desk.database.transaction() as tx:
            guest = await meet_in_private(tx, message.from_user)
            if guest.is_new:
                code = (command.args or "").removeprefix(_FRIEND)
                await referrals.note_referral(tx, friend_id=guest.user_id, code=code)
        raise SkipHandler

    async def on_invite(self, message: Message) -> None:
        """Show the guest's own link."""
        met = await self._desk.meet(message.from_user)
        async with self._desk.database.transaction() as tx:
            invitation = await referrals.read_invitation(tx, user_id=met.guest.user_id)
        me = await self._desk.bot.me()
        screen = screens.render_invitation(
            met.words,
            invitation,
            bot_name=me.username or "",
            reward_stars=self._desk.terms.referral_stars,
            cap=self._desk.terms.referral_cap,
        )
        await self._desk.send(screen, chat_id=message.chat.id)

    async def _redeem(self, met: Met, message: Message, *, typed: str) -> None:
        try:
            async with self._desk.database.transaction() as tx:
                code = promo.read_code(typed)
                if code is not None and await self._desk.had_before(tx, promo_gift(code), met.guest):
                    raise CodeUsedByYou
                redeemed = await promo.redeem(
                    tx, user_id=met.guest.user_id, typed=typed, request_key=_key(message)
                )
        except Refusal as refusal:
            await self._desk.refuse(refusal, met.words, message)
            return
        if isinstance(redeemed, NoSuchCode):
            await self._desk.refuse(redeemed, met.words, message)
            return
        await self._desk.send(screens.render_redeemed(met.words, redeemed), chat_id=message.chat.id)


async def tell_gifts(database: Database, messenger: BotMessenger, *, limit: int = 20) -> int:
    """Tell guests of gifts that came by themselves; returns how many were told.

    Several at once: each tells others. A process that dies between the message and the note tells once more;
    who cannot be reached now is tried again in a minute, who blocked the bot is not. No star moves here.
    """
    told = 0
    for _ in range(limit):  # each when its turn comes: a claim does not outlive many messages
        async with database.transaction() as tx:
            claimed = await referrals.claim_gift_news(tx, limit=1)
        if not claimed:
            break
        news = claimed[0]
        screen = screens.render_gift_news(words_for(news.language), news)
        try:
            await messenger.send_text(screen, chat_id=news.chat_id, reply_to_message_id=None)
        except Unavailable as error:
            _log.warning("gift_news.unavailable", gift=news.key, reason=error.reason)
            continue
        except (Blocked, TelegramRefused) as error:
            _log.warning("gift_news.undeliverable", gift=news.key, reason=str(error))
        else:
            told += 1
        async with database.transaction() as tx:
            await referrals.note_gift_told(tx, key=news.key)
    return told


def _key(message: Message) -> str:
    return f"tg:{message.chat.id}:{message.message_id}"
