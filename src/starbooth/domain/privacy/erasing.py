"""What goes with an account: by a worker, piece by piece, until only the figures of the ledger are left.

Every step may be repeated and may be the last one before a kill. Which rows go, and which stay without words
and names, stands in `erased_rows`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from starbooth.base.database import Database, Tx, sql
from starbooth.base.errors import Unavailable
from starbooth.domain.payments.errors import RenewalUnknown
from starbooth.domain.payments.renewals import Plans, stop_renewing
from starbooth.domain.payments.subscriptions import SubscriptionState, read_newest
from starbooth.domain.privacy.erased_rows import OF_ACCOUNT, OF_CHAT, PICTURES
from starbooth.domain.privacy.farewell import END_ORDERS
from starbooth.domain.users.guests import Language

_log = structlog.get_logger()
_LEASE = timedelta(minutes=2)
_LOOK_AGAIN = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=30)
_PICTURES_AT_ONCE = 500

_CLAIM = sql("""
    UPDATE starbooth.farewells SET due_at = now() + :lease, tries = tries + 1
    WHERE user_id IN (
        SELECT user_id FROM starbooth.farewells WHERE told_at IS NULL AND due_at <= now()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING user_id, chat_id, language, tries, erased_at IS NOT NULL AS is_erased
""")
_POSTPONE = sql("UPDATE starbooth.farewells SET due_at = now() + :pause WHERE user_id = :user_id")
_IS_BUSY = sql("""
    SELECT EXISTS (SELECT FROM starbooth.orders WHERE user_id = :user_id AND state IN ('held', 'running'))
""")
_NOTE_ERASED = sql("""
    UPDATE starbooth.farewells SET erased_at = coalesce(erased_at, now()), due_at = now()
    WHERE user_id = :user_id
""")
_NOTE_TOLD = sql("""
    UPDATE starbooth.farewells SET told_at = now(), chat_id = NULL, language = NULL
    WHERE user_id = :user_id AND told_at IS NULL
""")


@dataclass(frozen=True, kw_only=True)
class Going:
    """An account on its way, claimed for two minutes."""

    user_id: str
    chat_id: int
    language: str
    tries: int
    is_erased: bool


Tell = Callable[[int, Language], Awaitable[None]]


async def erase_accounts(database: Database, plans: Plans, tell: Tell, *, limit: int) -> int:
    """Go on with accounts that are going, at most `limit`; how many are through with it.

    tell: says good-bye in a chat; it may be called twice for one account where a process dies, and does not
    raise because a chat takes no messages. Repeat: harmless, also several at once. One that fails keeps no
    other from going on. Raises: Unavailable, of the database.
    """
    async with database.transaction() as tx:
        rows = await tx.execute(_CLAIM, {"lease": _LEASE, "limit": limit})
        claimed = [Going(**row._mapping) for row in rows]
    done = 0
    for going in claimed:
        try:
            done += await _go_on(database, plans, tell, going)
        except Unavailable as error:
            _log.warning("farewell.postponed", user=going.user_id, reason=error.reason)
            await _postpone(database, going, min(_LOOK_AGAIN * 2 ** min(going.tries, 12), _LONGEST_PAUSE))
    return done


async def _go_on(database: Database, plans: Plans, tell: Tell, going: Going) -> bool:
    if not going.is_erased:
        await _stop_plan(database, plans, going)
        if not await _erase(database, going):
            await _postpone(database, going, _LOOK_AGAIN)
            return False
        _log.info("farewell.erased", user=going.user_id)
    await tell(going.chat_id, Language(going.language))
    async with database.statement() as tx:
        await tx.execute(_NOTE_TOLD, {"user_id": going.user_id})
    return True


async def _stop_plan(database: Database, plans: Plans, going: Going) -> None:
    """Have Telegram take nothing more. Where it does not let us, what it takes is credited to who paid."""
    async with database.transaction() as tx:
        subscription = await read_newest(tx, user_id=going.user_id)
    if subscription is None or subscription.state is SubscriptionState.CANCELLED:
        return
    try:
        await stop_renewing(database, plans, subscription)
    except RenewalUnknown:
        _log.error("farewell.plan_not_stopped", subscription=subscription.id, operator_must_act=True)


async def _erase(database: Database, going: Going) -> bool:
    """False while something is under way that must end first."""
    values = {"user_id": going.user_id}
    async with database.transaction() as tx:
        await tx.execute(END_ORDERS, values)
        if await tx.scalar(_IS_BUSY, values):
            return False
    while await _erase_pictures(database, going.user_id):
        pass
    async with database.transaction() as tx:
        await _erase_rest(tx, going)
    return True


async def _erase_pictures(database: Database, user_id: str) -> bool:
    async with database.transaction() as tx:
        return bool(await tx.scalar(PICTURES, {"user_id": user_id, "limit": _PICTURES_AT_ONCE}))


async def _erase_rest(tx: Tx, going: Going) -> None:
    for statement in OF_ACCOUNT:
        await tx.execute(sql(statement), {"user_id": going.user_id})
    for statement in OF_CHAT:
        await tx.execute(sql(statement), {"chat": str(going.chat_id)})
    await tx.execute(_NOTE_ERASED, {"user_id": going.user_id})


async def _postpone(database: Database, going: Going, pause: timedelta) -> None:
    async with database.statement() as tx:
        await tx.execute(_POSTPONE, {"user_id": going.user_id, "pause": pause})
