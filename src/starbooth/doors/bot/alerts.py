"""Sending operators what they should know: each alert once to each of them."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from collections.abc import Collection, Mapping
from enum import Enum

import structlog
from sqlalchemy import select

from starbooth.base.database import Database, Tx
from starbooth.base.errors import Unavailable
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.payments.read import rows_of
from starbooth.domain.users.guests import Language, language_for
from starbooth.domain.users.operators import (
    Alert,
    claim_alerts,
    keep_alert,
    note_alert_sent,
    note_operator_told,
    postpone_alert,
)
from starbooth.domain.users.tables import guests
from starbooth.doors.bot.difference_words import charge_in, render_alert
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.words import words_for
from starbooth.outside.telegram.errors import Blocked, TelegramRefused

_log = structlog.get_logger()


async def send_alerts(
    database: Database, messenger: BotMessenger, *, operators: Collection[int], limit: int = 10
) -> int:
    """Send the news that is owed to every operator; returns how many alerts all of them have now.

    Who cannot be reached now holds up no other: the alert comes again in a minute, for them alone. Several at
    once: each sends others. A process that dies between a message and its note sends that one once more.
    While there is no operator, or none who can be reached, the news waits.
    """
    if not operators:
        return 0
    finished = 0
    for _ in range(limit):  # each when its turn comes: a claim does not outlive many messages
        async with database.transaction() as tx:
            claimed = await claim_alerts(tx, limit=1)
            languages = await _languages(tx, operators) if claimed else {}
            rows = await rows_of(tx, [charge_in(alert) for alert in claimed])
        if not claimed:
            break
        screens = {language: _render(claimed[0], language, rows) for language in Language}
        by_operator = {each: screens[languages.get(each, Language.ENGLISH)] for each in operators}
        finished += await _tell_all(database, messenger, claimed[0], by_operator)
    return finished


class _Outcome(Enum):
    TOLD = "told"
    LATER = "later"
    UNREACHABLE = "unreachable"


async def _tell_all(
    database: Database, messenger: BotMessenger, alert: Alert, screens: Mapping[int, Screen]
) -> bool:
    """Tell all who have not been told; whether that is done now. Ends where another goes on with it."""
    outcomes = {_Outcome.TOLD} if alert.told else set()
    for operator, screen in sorted(screens.items()):
        async with database.transaction() as tx:
            kept = await keep_alert(tx, alert)
        if kept is None:
            return False
        alert = kept
        if operator not in alert.told:
            outcomes.add(await _tell(database, messenger, alert, operator, screen))
    if _Outcome.LATER in outcomes:
        return False
    async with database.transaction() as tx:
        if _Outcome.TOLD not in outcomes:  # news that nobody has is not told
            await postpone_alert(tx, key=alert.key)
            return False
        await note_alert_sent(tx, key=alert.key)
    return True


async def _tell(
    database: Database, messenger: BotMessenger, alert: Alert, operator: int, screen: Screen
) -> _Outcome:
    """Tell one operator, and note it."""
    try:
        await messenger.send_text(screen, chat_id=operator, reply_to_message_id=None)
    except Unavailable as error:
        _log.warning("alert.unavailable", alert=alert.key, operator=operator, reason=error.reason)
        return _Outcome.LATER
    except (Blocked, TelegramRefused) as error:
        _log.warning("alert.undeliverable", alert=alert.key, operator=operator, reason=str(error))
        return _Outcome.UNREACHABLE
    async with database.transaction() as tx:
        await note_operator_told(tx, key=alert.key, telegram_id=operator)
    return _Outcome.TOLD


def _render(alert: Alert, language: Language, rows: Mapping[str, str]) -> Screen:
    return render_alert(words_for(language), alert, row_id=rows.get(charge_in(alert)))


async def _languages(tx: Tx, operators: Collection[int]) -> dict[int, Language]:
    """The languages of those who have used the bot."""
    rows = await tx.execute(
        select(guests.c.chat_id, guests.c.language).where(guests.c.chat_id.in_(operators))
    )
    return {row.chat_id: language_for(row.language) for row in rows}
