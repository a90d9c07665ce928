"""The movements of stars. Each is one statement and one round trip: a function in the database, called here.

The rules stand in `migrations/sql/0002_stars.sql` beside the guards: which rows count, what a hold may
become, what a repeated key means. Here are their names, their refusals and their promises. Knows no order.

Locks, for all: the account first, then the ledger row, so two movements cannot deadlock.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starbooth.base.database import Tx, driver_of
from starbooth.base.ids import new_id
from starbooth.domain.stars.errors import (
    AmountRefused,
    HoldEndedOtherwise,
    KeyReused,
    NoSuchAccount,
    NoSuchHold,
    NotEnoughStars,
    ReasonMissing,
    TooManyStars,
)
from starbooth.domain.stars.tables import TransactionStatus, TransactionType

LARGEST_AMOUNT = 1_000_000

# Run on the driver itself: measured, SQLAlchemy's share of a movement was as large as PostgreSQL's.
MOVE = """
    SELECT outcome, transaction_id, balance FROM starbooth.move_stars(
        $1, $2, $3, CAST($4 AS public."TransactionType"), CAST($5 AS public."TransactionStatus"), $6, $7)
"""
_LOCK = 'SELECT FROM public."User" WHERE "id" = $1 FOR NO KEY UPDATE'
END_HOLD = "SELECT outcome, transaction_id, balance FROM starbooth.end_hold($1, $2, $3, $4)"


@dataclass(frozen=True, kw_only=True)
class Movement:
    """What a movement did: the ledger row and the balance after it. `is_repeat`: it had been done before."""

    transaction_id: str
    balance_stars: int
    is_repeat: bool


async def lock_account(tx: Tx, *, user_id: str) -> None:
    """Lock the account ahead of a movement, so that what is read for it stays as it is until `tx` ends."""
    await (await driver_of(tx)).execute(_LOCK, user_id)


async def hold(
    tx: Tx,
    *,
    user_id: str,
    price_stars: int,
    purpose: TransactionType,
    key: str,
    facts: Mapping[str, Any],
) -> Movement:
    """Set `price_stars` aside until the hold is settled or released; the balance falls at once.

    purpose: GENERATION or TRAINING. A price of nothing makes a hold like any other.
    Repeat: the same key and facts return the same hold.
    Raises: NotEnoughStars, AmountRefused, KeyReused, NoSuchAccount.
    """
    assert purpose in (TransactionType.GENERATION, TransactionType.TRAINING)
    if not 0 <= price_stars <= LARGEST_AMOUNT:
        raise AmountRefused(price_stars)
    return await _move(
        tx,
        user_id=user_id,
        amount=-price_stars,
        kind=purpose,
        status=TransactionStatus.PENDING,
        key=key,
        facts=facts,
    )


async def credit_bonus(tx: Tx, *, user_id: str, amount: int, key: str, facts: Mapping[str, Any]) -> Movement:
    """Give `amount` stars as a bonus. Repeat: the same key and facts give once.

    Raises: AmountRefused, TooManyStars, KeyReused, NoSuchAccount.
    """
    if not 0 < amount <= LARGEST_AMOUNT:
        raise AmountRefused(amount)
    return await _move(
        tx,
        user_id=user_id,
        amount=amount,
        kind=TransactionType.BONUS,
        status=TransactionStatus.COMPLETED,
        key=key,
        facts=facts,
    )


async def grant(tx: Tx, *, user_id: str, amount: int, reason: str, operator: str, key: str) -> Movement:
    """Give stars, or take them with a negative amount, in an operator's name and with a reason.

    Takes no more than the balance. Repeat: the same key and facts grant once.
    Raises: AmountRefused, ReasonMissing, NotEnoughStars, TooManyStars, KeyReused, NoSuchAccount.
    """
    if amount == 0 or abs(amount) > LARGEST_AMOUNT:
        raise AmountRefused(amount)
    if not reason.strip():
        raise ReasonMissing
    return await _move(
        tx,
        user_id=user_id,
        amount=amount,
        kind=TransactionType.ADMIN_GRANT,
        status=TransactionStatus.COMPLETED,
        key=key,
        facts={"reason": reason.strip(), "operator": operator},
    )


async def settle(tx: Tx, *, hold_id: str, spent_stars: int, facts: Mapping[str, Any]) -> Movement:
    """End a hold by spending `spent_stars` of it; what is left goes back as a REFUND row that points at it.

    Spending nothing is `release`, except of a hold of nothing. Repeat: the same amount repeats the answer.
    Raises: HoldEndedOtherwise, NoSuchHold, AmountRefused (less than nothing or more than was held).
    """
    return await _end(tx, hold_id=hold_id, spent_stars=spent_stars, facts=facts)


async def release(tx: Tx, *, hold_id: str, facts: Mapping[str, Any]) -> Movement:
    """End a hold by giving all of it back, as a REFUND row that points at it. Repeat: repeats the answer.

    Raises: HoldEndedOtherwise, NoSuchHold.
    """
    return await _end(tx, hold_id=hold_id, spent_stars=0, facts=facts)


async def _move(
    tx: Tx,
    *,
    user_id: str,
    amount: int,
    kind: TransactionType,
    status: TransactionStatus,
    key: str,
    facts: Mapping[str, Any],
) -> Movement:
    driver = await driver_of(tx)
    values = (new_id(), user_id, amount, kind.value, status.value, key, json.dumps(dict(facts)))
    outcome, transaction_id, balance = await driver.fetchrow(MOVE, *values)
    if outcome == "not_enough":
        raise NotEnoughStars(price_stars=-amount, balance_stars=balance)
    return answer(outcome, transaction_id, balance, about=key)


async def _end(tx: Tx, *, hold_id: str, spent_stars: int, facts: Mapping[str, Any]) -> Movement:
    if spent_stars < 0:
        raise AmountRefused(spent_stars)
    driver = await driver_of(tx)
    values = (new_id(), hold_id, spent_stars, json.dumps(dict(facts)))
    outcome, transaction_id, balance = await driver.fetchrow(END_HOLD, *values)
    if outcome == "more_than_held":
        raise AmountRefused(spent_stars)
    return answer(outcome, transaction_id, balance, about=hold_id)


def answer(outcome: str, transaction_id: str, balance: int, *, about: str) -> Movement:
    """What the database's answer means. `about`: the key or id that an error should name."""
    match outcome:
        case "moved" | "repeated":
            is_repeat = outcome == "repeated"
            return Movement(transaction_id=transaction_id, balance_stars=balance, is_repeat=is_repeat)
        case "too_many":
            raise TooManyStars
        case "key_reused":
            raise KeyReused(about)
        case "ended_otherwise":
            raise HoldEndedOtherwise(about)
        case "no_hold":
            raise NoSuchHold(about)
        case "no_account":
            raise NoSuchAccount(about)
        case _:
            raise AssertionError(f"the database answered {outcome!r}")
