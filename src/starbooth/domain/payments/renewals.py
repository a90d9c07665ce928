"""Asking Telegram to stop the renewals of a plan, or to let its guest take them up again."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from starbooth.base.database import Database
from starbooth.domain.payments.errors import RenewalUnknown
from starbooth.domain.payments.subscriptions import (
    Subscription,
    SubscriptionState,
    list_charges,
    note_state,
)
from starbooth.outside.telegram.errors import ChargeUnknown, TelegramRefused

_log = structlog.get_logger()


class Plans(Protocol):
    """Who renews: `outside.telegram.plans.TelegramPlans`. Raises: TelegramUnavailable, TelegramRefused."""

    async def stop_renewing(self, *, telegram_id: int, charge_id: str) -> None:
        """Let a subscription end with the month that is paid. Raises: ChargeUnknown."""

    async def allow_renewing(self, *, telegram_id: int, charge_id: str) -> None:
        """Let its guest take up again what was stopped. Raises: ChargeUnknown."""


async def stop_renewing(database: Database, plans: Plans, subscription: Subscription) -> None:
    """Have Telegram take nothing more for this plan, and write it down.

    Repeat: harmless. Raises: RenewalUnknown, TelegramUnavailable.
    """
    await _ask(database, plans.stop_renewing, subscription)
    async with database.transaction() as tx:
        await note_state(
            tx,
            payload=subscription.id,
            telegram_id=subscription.telegram_id,
            state=SubscriptionState.CANCELLED,
        )


async def allow_renewing(database: Database, plans: Plans, subscription: Subscription) -> None:
    """Have Telegram let the guest renew this plan again. They do so in Telegram, which then tells us.

    Repeat: harmless. Raises: RenewalUnknown, TelegramUnavailable.
    """
    await _ask(database, plans.allow_renewing, subscription)


async def _ask(database: Database, call: Callable[..., Awaitable[None]], subscription: Subscription) -> None:
    """Call for all that Telegram renews for this plan; by later charges only if it knows no first one.

    One that is refused keeps no other from being asked for.
    """
    async with database.transaction() as tx:
        charges = await list_charges(tx, subscription)
    refused: RenewalUnknown | None = None
    is_known = False
    for charge_id in charges.first:
        try:
            is_known |= await _is_known(call, subscription, charge_id)
        except RenewalUnknown as error:
            refused = error
    if refused is not None:
        raise refused
    for charge_id in charges.later:
        if is_known:
            return
        is_known = await _is_known(call, subscription, charge_id)
    if not is_known:
        _log.warning("plan.unknown", subscription=subscription.id)
        raise RenewalUnknown


async def _is_known(call: Callable[..., Awaitable[None]], subscription: Subscription, charge_id: str) -> bool:
    try:
        await call(telegram_id=subscription.telegram_id, charge_id=charge_id)
    except ChargeUnknown:
        return False
    except TelegramRefused as refused:
        _log.warning("plan.refused", subscription=subscription.id, reason=refused.reason)
        raise RenewalUnknown from refused
    return True
