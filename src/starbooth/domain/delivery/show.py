"""Showing what is owed: one message per order, edited in place until it is the picture.

An edit can be repeated without harm and a send cannot. So pictures only ever arrive by an edit: first a text
message is sent and its id kept, then that message becomes the picture. A kill between the two can leave a
second text message behind, never a second picture.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import structlog

from starbooth.base.database import Database, Tx
from starbooth.base.errors import Unavailable
from starbooth.domain.delivery import owe
from starbooth.domain.delivery.album import ALBUM_SIZE, Album, AlbumMessenger
from starbooth.domain.delivery.owe import Delivery
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.delivery.telegram_files import note_file_id
from starbooth.domain.users.guests import Language, note_blocked
from starbooth.outside.storage.contract import Storage, StoredFileMissing
from starbooth.outside.telegram.errors import Blocked, ChatMoved, MessageGone, NotModified, TelegramRefused

_log = structlog.get_logger()
_LONGEST_PAUSE = timedelta(minutes=10)
_MOST_TRIES = 150  # about a day at the longest pause
_MOST_REFUSALS = 3


class Messenger(AlbumMessenger, Protocol):
    """Puts screens into chats. Raises Blocked, MessageGone, NotModified, TelegramRefused, Unavailable."""

    async def edit_text(self, screen: Screen, *, chat_id: int, message_id: int) -> None:
        """Make an existing message this screen's words and buttons. Safe to repeat."""
        ...


@dataclass(frozen=True, kw_only=True)
class Look:
    """What an order's message should show now. `is_final`: it will not change any more."""

    screen: Screen
    is_final: bool


class Looker(Protocol):
    """Reads an order and words it for its guest; None where there is none. is_shared: others see it too."""

    def __call__(
        self, tx: Tx, order_id: str, language: Language, *, is_shared: bool
    ) -> Awaitable[Look | None]: ...


@dataclass(frozen=True, kw_only=True)
class Showing:
    """What showing needs."""

    messenger: Messenger
    storage: Storage
    look: Looker


async def show(database: Database, showing: Showing, order_id: str) -> None:
    """Show what is owed of an order until nothing more is. Repeat: harmless, also at the same time.

    Telegram asking for patience, or not answering, puts it off; a guest who blocked the bot ends it. What a
    group does not take goes to the guest in private.
    """
    while True:
        async with database.statement() as tx:
            delivery = await owe.claim_delivery(tx, order_id)
            look = await _look(tx, showing, delivery) if delivery else None
        if delivery is None or look is None:
            return
        shown = await _try_to_show(database, showing, delivery, look.screen)
        if shown is None:
            return
        async with database.statement() as tx:
            owes_more = await owe.note_shown(
                tx,
                delivery,
                fingerprint=look.screen.fingerprint(),
                is_final=look.is_final,
                message_id=shown if shown != delivery.message_id else None,
            )
        if not owes_more:
            return


async def _look(tx: Tx, showing: Showing, delivery: Delivery) -> Look | None:
    # Telegram's groups have ids below zero.
    is_shared = delivery.chat_id < 0
    return await showing.look(tx, delivery.order_id, delivery.language, is_shared=is_shared)


async def find_news(database: Database, *, news_limit: int, limit: int) -> list[str]:
    """The orders whose message is due: those with news, and active ones not looked at for a while."""
    async with database.transaction() as tx:
        await owe.owe_news(tx, not_sooner_than=timedelta(seconds=3), limit=news_limit)
        return await owe.find_owed(tx, limit=limit)


async def _try_to_show(
    database: Database, showing: Showing, delivery: Delivery, screen: Screen
) -> int | None:
    """The message that shows the screen now; None where the delivery was put off or given up."""
    try:
        return await _put_into_chat(database, showing, delivery, screen)
    except ChatMoved as moved:
        async with database.transaction() as tx:
            await owe.move_chat(tx, from_chat_id=delivery.chat_id, to_chat_id=moved.to_chat_id)
            await owe.postpone(tx, delivery.order_id, delay=timedelta())
        _log.info("delivery.chat_moved", order=delivery.order_id)
    except Blocked as refusal:
        async with database.transaction() as tx:
            await note_blocked(tx, chat_id=delivery.chat_id)
            is_sent_home = await owe.send_home(tx, delivery.order_id)
            if not is_sent_home:
                await owe.give_up(tx, delivery.order_id)
        _log.info("delivery.blocked", order=delivery.order_id, reason=str(refusal), is_sent_home=is_sent_home)
    except StoredFileMissing as missing:  # its guest was quick to delete it, or the storage lost it
        _log.error("delivery.file_missing", order=delivery.order_id, key=missing.key)
        await _put_off(database, delivery, most_tries=_MOST_REFUSALS, asked_s=None)
    except TelegramRefused as refusal:
        _log.error("delivery.refused", order=delivery.order_id, reason=refusal.reason)
        await _put_off(database, delivery, most_tries=_MOST_REFUSALS, asked_s=None)
    except Unavailable as error:
        _log.warning("delivery.postponed", order=delivery.order_id, reason=error.reason)
        await _put_off(database, delivery, most_tries=_MOST_TRIES, asked_s=error.retry_after_s)
    return None


async def _put_into_chat(database: Database, showing: Showing, delivery: Delivery, screen: Screen) -> int:
    message_id = delivery.message_id
    if screen.album:
        album = Album(
            database=database, messenger=showing.messenger, storage=showing.storage, delivery=delivery
        )
        if await album.show(screen.album):
            delivery = replace(delivery, reply_to_message_id=None)  # the album is the reply
        is_behind = len(screen.album) > ALBUM_SIZE and message_id is not None and album.is_below(message_id)
        if is_behind and message_id is not None and await _take_away(database, showing, delivery, message_id):
            message_id = None
    if message_id is not None:
        if delivery.fingerprint == screen.fingerprint():
            return message_id
        try:
            await _edit(database, showing, screen, chat_id=delivery.chat_id, message_id=message_id)
            return message_id
        except NotModified:
            return message_id
        except MessageGone:
            _log.info("delivery.message_gone", order=delivery.order_id)
    return await _send_anew(database, showing, delivery, screen)


async def _take_away(database: Database, showing: Showing, delivery: Delivery, message_id: int) -> bool:
    """Take the message away, to send it anew below the newest album. False where it has to stay."""
    try:
        await showing.messenger.delete([message_id], chat_id=delivery.chat_id)
    except TelegramRefused:  # older than two days
        return False
    async with database.statement() as tx:
        await owe.note_message(tx, delivery.order_id, None)
    return True


async def _send_anew(database: Database, showing: Showing, delivery: Delivery, screen: Screen) -> int:
    words = replace(screen, file_key=None)
    message_id = await showing.messenger.send_text(
        words,
        chat_id=delivery.chat_id,
        reply_to_message_id=delivery.reply_to_message_id,
        thread_id=delivery.thread_id,
    )
    if screen.file_key is not None:
        # Before the picture: should we die now, the next one edits this message and sends no other.
        async with database.statement() as tx:
            await owe.note_message(tx, delivery.order_id, message_id)
        await _edit(database, showing, screen, chat_id=delivery.chat_id, message_id=message_id)
    return message_id


async def _edit(
    database: Database, showing: Showing, screen: Screen, *, chat_id: int, message_id: int
) -> None:
    if screen.file_key is None:
        await showing.messenger.edit_text(screen, chat_id=chat_id, message_id=message_id)
        return
    body = await showing.storage.get(screen.file_key)
    file_id = await showing.messenger.edit_picture(screen, body, chat_id=chat_id, message_id=message_id)
    if file_id is not None:
        async with database.statement() as tx:
            await note_file_id(tx, screen.file_key, file_id)


async def _put_off(database: Database, delivery: Delivery, *, most_tries: int, asked_s: float | None) -> None:
    async with database.transaction() as tx:
        if delivery.tries >= most_tries:
            await owe.give_up(tx, delivery.order_id)
            _log.error("delivery.given_up", order=delivery.order_id, tries=delivery.tries)
            return
        pause = min(timedelta(seconds=2 ** min(delivery.tries, 10)), _LONGEST_PAUSE)
        await owe.postpone(tx, delivery.order_id, delay=max(pause, timedelta(seconds=asked_s or 0)))
