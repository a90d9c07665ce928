"""Movements of bought stars: an invoice goes out, a payment comes in, Telegram takes a payment back.

Like those of `ledger`, each is one statement and one round trip; the functions stand in
`migrations/sql/0004_payments.sql`.
Locks, for all but opening: the account first, then the ledger row. Knows no invoice and no Telegram.
"""

import json
from collections.abc import Mapping
from typing import Any

from starbooth.base.database import Tx, driver_of
from starbooth.base.ids import new_id
from starbooth.domain.stars.errors import (
    AmountRefused,
    NoSuchPurchase,
    NoSuchRefund,
    PurchaseNotPaid,
    StarsSpent,
)
from starbooth.domain.stars.ledger import LARGEST_AMOUNT, Movement, answer

_OPEN = "SELECT outcome, transaction_id, balance FROM starbooth.open_purchase($1, $2, $3, $4, $5)"
CREDIT = "SELECT outcome, transaction_id, balance FROM starbooth.credit_payment($1, $2, $3, $4, $5, $6)"
_BEGIN = "SELECT outcome, transaction_id, balance FROM starbooth.begin_refund($1, $2, $3, $4)"
_SETTLE = "SELECT outcome, transaction_id, balance FROM starbooth.settle_refund($1, $2, $3)"
_DROP = "SELECT outcome, transaction_id, balance FROM starbooth.drop_refund($1, $2)"
_FAIL = """
    UPDATE public."StarTransaction" SET "status" = 'FAILED'
    WHERE "id" = $1 AND "type" = 'PURCHASE' AND "status" = 'PENDING'
"""


async def open_purchase(tx: Tx, *, user_id: str, amount: int, key: str, facts: Mapping[str, Any]) -> Movement:
    """Write a purchase of `amount` stars that waits for its payment. It does not count; nothing is locked.

    Repeat: the same key and facts return the same purchase, also when it has been paid since.
    Raises: AmountRefused, KeyReused, NoSuchAccount.
    """
    if not 0 < amount <= LARGEST_AMOUNT:
        raise AmountRefused(amount)
    return await _move(tx, _OPEN, new_id(), user_id, amount, key, _json(facts), about=key)


async def fail_purchase(tx: Tx, *, purchase_id: str) -> bool:
    """End a purchase that nobody paid. False where it is paid or has failed before. Repeat: harmless."""
    driver = await driver_of(tx)
    return bool((await driver.execute(_FAIL, purchase_id)) == "UPDATE 1")


async def credit_payment(
    tx: Tx,
    *,
    user_id: str,
    amount: int,
    charge_id: str,
    purchase_id: str | None,
    facts: Mapping[str, Any],
) -> Movement:
    """Give the stars of a payment, once per charge id, to the account that paid.

    purchase_id: what it was paid for. That purchase is completed if it waits, belongs to this account and is
    of this amount; in every other case the payment is a purchase of its own, so no payment is ever dropped.
    Repeat: the same charge of the same account gives once, whatever else is said about it.
    Raises: AmountRefused, TooManyStars, KeyReused (the charge was another account's), NoSuchAccount.
    """
    if not 0 < amount <= LARGEST_AMOUNT:
        raise AmountRefused(amount)
    values = (new_id(), user_id, amount, charge_id, purchase_id, _json(facts))
    return await _move(tx, CREDIT, *values, about=charge_id)


async def begin_refund(
    tx: Tx, *, purchase_id: str, may_go_below_zero: bool, facts: Mapping[str, Any]
) -> Movement:
    """Take a paid purchase's stars back while Telegram is asked to return the money: REFUND -n, PENDING.

    Repeat: returns the refund that is under way or done. After one that was dropped, begins a new one.
    Raises: StarsSpent (not all are there, and it may not go below zero), PurchaseNotPaid, NoSuchPurchase.
    """
    values = (new_id(), purchase_id, may_go_below_zero, _json(facts))
    return await _move(tx, _BEGIN, *values, about=purchase_id)


async def settle_refund(tx: Tx, *, purchase_id: str, facts: Mapping[str, Any]) -> Movement:
    """Telegram gave the money back, whether we asked or not: the purchase is REFUNDED, by one REFUND row.

    The balance may go below zero. Repeat: returns the one refund of this purchase.
    Raises: PurchaseNotPaid, NoSuchPurchase.
    """
    return await _move(tx, _SETTLE, new_id(), purchase_id, _json(facts), about=purchase_id)


async def drop_refund(tx: Tx, *, refund_id: str, facts: Mapping[str, Any]) -> Movement:
    """Telegram refused: the stars of a refund under way are there again. Repeat: repeats the answer.

    Raises: HoldEndedOtherwise (it has been settled), NoSuchRefund.
    """
    return await _move(tx, _DROP, refund_id, _json(facts), about=refund_id)


async def _move(tx: Tx, statement: str, *values: Any, about: str) -> Movement:
    driver = await driver_of(tx)
    outcome, transaction_id, balance = await driver.fetchrow(statement, *values)
    match outcome:
        case "no_purchase":
            raise NoSuchPurchase
        case "no_refund":
            raise NoSuchRefund(about)
        case "not_paid":
            raise PurchaseNotPaid
        case "not_enough":
            raise StarsSpent(balance_stars=balance)
        case _:
            return answer(outcome, transaction_id, balance, about=about)


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts))
