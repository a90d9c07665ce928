"""Handling what lies in the inbox: claims, leases, retries, and a clean stop.

Knows two kinds of update only: urgent ones, which wait for nobody and are dropped when they are late, and
those about money, which are tried for a day and of which the operators hear when that takes long.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg
import structlog

from starbooth.base.database import Database, Tx
from starbooth.base.errors import Unavailable
from starbooth.base.ids import new_id
from starbooth.doors.bot.inbox import (
    CHANNEL,
    Claimed,
    Ending,
    Update,
    Verdict,
    claim_updates,
    claim_urgent,
    finish_updates,
    give_back,
    is_about_money,
    renew_claims,
)

_log = structlog.get_logger()
Handle = Callable[[Update], Awaitable[None]]

MOST_TRIES = 10
_MOST_TRIES_OF_A_BUG = 3
_MOST_TRIES_WITH_MONEY = 600  # with the longest delay between them, about a day
_URGENT_AT_ONCE = 20  # beside the chats
_LONGEST_DELAY = timedelta(seconds=150)
_LONGEST_ASKED_DELAY = timedelta(minutes=15)
_RENEW_EVERY_S = 2.0
_LOOK_EVERY_S = 1.0
_LISTEN_ANEW_S = 60.0


async def run_inbox(
    database: Database,
    handle: Handle,
    *,
    give_up: Handle,
    alarm: Handle,
    stop: asyncio.Event,
    wake: asyncio.Event,
    chats_at_once: int = 20,
    handling_s: float = 60.0,
    last_words_s: float = 15.0,
) -> None:
    """Handle waiting updates until `stop` is set, then let those under way end and give back the rest.

    handle: raises Unavailable to be called again later, within limits; any other exception is a bug.
    give_up: called once an update has failed for good; what it raises is logged and changes nothing.
    alarm: called now and then with an update about money that cannot be handled; as `give_up`.
    handling_s: how long one update may take before it counts as a bug.
    last_words_s: how long handlers under way have to end after `stop`.
    wake: set it when updates were kept; they are found within a second without it.
    """
    desk = _Desk(database, handle, give_up, alarm, wake, chats_at_once=chats_at_once, handling_s=handling_s)
    async with asyncio.TaskGroup() as group:
        companions = [
            group.create_task(desk.keep_leases()),
            group.create_task(_listen(database, wake)),
            group.create_task(_wake_on(stop, wake)),
        ]
        try:
            while not stop.is_set():
                wake.clear()
                await desk.turn_over()
                await _wait(wake, seconds=_LOOK_EVERY_S)
            await desk.close(last_words_s)
        finally:
            desk.cancel()
            for task in companions:
                task.cancel()


class _Desk:
    """What this process has in hand, and what it has ended but not yet noted in the database."""

    def __init__(
        self,
        database: Database,
        handle: Handle,
        give_up: Handle,
        alarm: Handle,
        wake: asyncio.Event,
        *,
        chats_at_once: int,
        handling_s: float,
    ) -> None:
        self._database, self._handle, self._wake = database, handle, wake
        self._give_up, self._alarm = give_up, alarm
        self._chats_at_once, self._handling_s = chats_at_once, handling_s
        self._me = new_id()
        self._in_hand: dict[int, asyncio.Task[None]] = {}
        self._urgent: set[int] = set()
        self._ended: list[Ending] = []

    async def turn_over(self) -> None:
        """Note what has ended and take what may be handled next, as much as there is room for."""
        await self._take_urgent()
        free = self._chats_at_once - (len(self._in_hand) - len(self._urgent))
        ended = list(self._ended)
        if not free and not ended:
            return
        try:
            async with self._database.statement() as tx:
                claimed = await self._exchange(tx, ended, free)
        except Unavailable as error:
            _log.warning("inbox.unavailable", reason=error.reason)
            return
        del self._ended[: len(ended)]
        for each in claimed:
            self._in_hand[each.update_id] = asyncio.create_task(self._work_on(each))

    async def _take_urgent(self) -> None:
        """Begin with what is urgent before anything else is looked at."""
        room = _URGENT_AT_ONCE - len(self._urgent)
        try:
            async with self._database.statement() as tx:
                claimed, late = await claim_urgent(tx, me=self._me, in_hand=list(self._in_hand), limit=room)
        except Unavailable as error:
            _log.warning("inbox.unavailable", reason=error.reason)
            return
        if late:
            _log.warning("inbox.too_late", updates=late)
        for each in claimed:
            self._urgent.add(each.update_id)
            self._in_hand[each.update_id] = asyncio.create_task(self._work_on(each))

    async def _exchange(self, tx: Tx, ended: list[Ending], free: int) -> list[Claimed]:
        if ended:
            await finish_updates(tx, ended, me=self._me)
        if not free:
            return []
        unnoted = {ending.update_id for ending in self._ended} - {ending.update_id for ending in ended}
        return await claim_updates(tx, me=self._me, in_hand=[*self._in_hand, *unnoted], limit=free)

    async def _work_on(self, claimed: Claimed) -> None:
        if is_about_money(claimed.body) and claimed.tries % MOST_TRIES == 1 and claimed.tries > 1:
            await self._raise_alarm(claimed)
        ending = await self._judge(claimed)
        if ending.verdict is Verdict.FAILED:
            await self._say_sorry(claimed)
        self._ended.append(ending)
        del self._in_hand[claimed.update_id]
        self._urgent.discard(claimed.update_id)
        self._wake.set()

    async def _judge(self, claimed: Claimed) -> Ending:
        log = _log.bind(update=claimed.update_id, tries=claimed.tries)
        has_money = is_about_money(claimed.body)
        if claimed.tries > _most_tries(claimed):  # every earlier try ended with its process
            log.error("update.failed", reason="handling it never ended")
            return Ending(update_id=claimed.update_id, verdict=Verdict.FAILED)
        try:
            async with asyncio.timeout(self._handling_s):
                await self._handle(claimed.body)
        except Unavailable as error:
            is_last = claimed.tries >= _most_tries(claimed)
            log.warning("update.unavailable", reason=error.reason, is_last=is_last)
            asked = timedelta(seconds=error.retry_after_s or 0.0)
            delay = max(_backoff(claimed.tries), min(asked, _LONGEST_ASKED_DELAY))
        except Exception:
            is_last = claimed.tries >= (_most_tries(claimed) if has_money else _MOST_TRIES_OF_A_BUG)
            log.exception("update.bug", is_last=is_last)
            delay = _backoff(claimed.tries)
        else:
            return Ending(update_id=claimed.update_id, verdict=Verdict.HANDLED)
        verdict = Verdict.FAILED if is_last else Verdict.WAITING
        # The guest's other messages should not wait for a day with it.
        steps_aside = has_money and claimed.tries >= MOST_TRIES
        return Ending(update_id=claimed.update_id, verdict=verdict, delay=delay, steps_aside=steps_aside)

    async def _say_sorry(self, claimed: Claimed) -> None:
        try:
            await self._give_up(claimed.body)
        except Exception:  # noqa: BLE001 - the update has failed either way
            _log.exception("update.apology_failed", update=claimed.update_id)

    async def _raise_alarm(self, claimed: Claimed) -> None:
        try:
            await self._alarm(claimed.body)
        except Exception:  # noqa: BLE001 - handling it once more may work all the same
            _log.exception("update.alarm_failed", update=claimed.update_id)

    async def keep_leases(self) -> None:
        """Renew the leases of what is in hand for as long as the process lives."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            in_hand = list(self._in_hand)
            if not in_hand:
                continue
            try:
                async with self._database.statement() as tx:
                    await renew_claims(tx, me=self._me, in_hand=in_hand)
            except Unavailable as error:
                _log.warning("inbox.unavailable", reason=error.reason)

    async def close(self, last_words_s: float) -> None:
        """Let handlers end, within this time, and give back what did not."""
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=last_words_s)
        left = dict(self._in_hand)
        self.cancel()
        await asyncio.gather(*left.values(), return_exceptions=True)
        try:
            async with self._database.transaction() as tx:
                if self._ended:
                    await finish_updates(tx, self._ended, me=self._me)
                if left:
                    await give_back(tx, me=self._me, in_hand=list(left))
        except Unavailable as error:  # the leases end by themselves
            _log.warning("inbox.unavailable", reason=error.reason)

    def cancel(self) -> None:
        """End every handler where it stands."""
        for task in self._in_hand.values():
            task.cancel()


def _most_tries(claimed: Claimed) -> int:
    return _MOST_TRIES_WITH_MONEY if is_about_money(claimed.body) else MOST_TRIES


def _backoff(tries: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(tries - 1, 10)), _LONGEST_DELAY)


async def _listen(database: Database, wake: asyncio.Event) -> None:
    """Wake on NOTIFY. A lost connection is mended within a minute; looking each second is the net below."""
    while True:
        try:
            async with database.listen(CHANNEL, lambda _payload: wake.set()):
                await asyncio.sleep(_LISTEN_ANEW_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("inbox.not_listening", error=type(error).__name__)
            await asyncio.sleep(_LOOK_EVERY_S)


async def _wake_on(stop: asyncio.Event, wake: asyncio.Event) -> None:
    await stop.wait()
    wake.set()


async def _wait(event: asyncio.Event, *, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout=seconds)
    except TimeoutError:
        return
