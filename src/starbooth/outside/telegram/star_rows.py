"""Rows of Telegram's own list of the bot's Stars, and its balance, as plain values. Free of aiogram.

A row is kept as it came: Telegram adds kinds of partners without asking, and none of them may stop us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeGuard

from starbooth.outside.telegram.errors import TelegramUnavailable

NANOS_PER_XTR = 1_000_000_000
_END_OF_TIME = 250_000_000_000  # in Unix time; Python's dates end soon after


class Direction(StrEnum):
    """Which way the Stars went, as seen from the bot."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, kw_only=True)
class StarRow:
    """One transaction. The amount is positive either way: `amount_xtr` whole Stars and `nanos` billionths.

    id: of a guest's payment, its charge id; the refund of a payment bears the same id the other way.
    partner: Telegram's word for who is on the other side. kind: what a user paid for, where it says so.
    period_s: of a subscription's payment, how long it lasts. body: the row as it came.
    """

    id: str
    direction: Direction
    amount_xtr: int
    nanos: int
    at: datetime
    partner: str
    kind: str | None
    telegram_id: int | None
    payload: str | None
    period_s: int | None
    body: Mapping[str, Any]

    @property
    def is_invoice(self) -> bool:
        """Whether a person paid an invoice, or got that money back."""
        return self.partner == "user" and self.kind == "invoice_payment" and self.telegram_id is not None


@dataclass(frozen=True, kw_only=True)
class StarBalance:
    """What the bot has; can be below zero. `nanos` has the sign of the whole."""

    amount_xtr: int
    nanos: int

    @property
    def total_nanos(self) -> int:
        """All of it in billionths of a Star."""
        return self.amount_xtr * NANOS_PER_XTR + self.nanos


def parse_row(raw: object) -> StarRow:
    """Read one row of the list. Raises: TelegramUnavailable where it lacks what every row has."""
    body = _storable(raw)
    if not isinstance(body, dict):
        raise TelegramUnavailable("a row of the list of transactions is no object")
    row_id, amount, date = body.get("id"), _whole_in(body, "amount"), _whole_in(body, "date")
    if not isinstance(row_id, str) or amount is None or date is None or not 0 <= date < _END_OF_TIME:
        raise TelegramUnavailable("a row of the list of transactions has no id, amount or date")
    direction = Direction.OUT if isinstance(body.get("receiver"), dict) else Direction.IN
    partner = body.get("receiver" if direction is Direction.OUT else "source")
    partner = partner if isinstance(partner, dict) else {}
    user = partner.get("user")
    user_id = user.get("id") if isinstance(user, dict) else None
    return StarRow(
        id=row_id,
        direction=direction,
        amount_xtr=amount,
        nanos=_whole_in(body, "nanostar_amount") or 0,
        at=datetime.fromtimestamp(date, UTC),
        partner=_text_in(partner, "type") or "unknown",
        kind=_text_in(partner, "transaction_type"),
        telegram_id=user_id if _is_whole(user_id) else None,
        payload=_text_in(partner, "invoice_payload"),
        period_s=_whole_in(partner, "subscription_period"),
        body=body,
    )


def parse_balance(raw: object) -> StarBalance:
    """Read the answer of `getMyStarBalance`. Raises: TelegramUnavailable where it is none."""
    if not isinstance(raw, dict) or not _is_whole(raw.get("amount")):
        raise TelegramUnavailable("the balance of Stars has no amount")
    return StarBalance(amount_xtr=raw["amount"], nanos=_whole_in(raw, "nanostar_amount") or 0)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole_in(body: Mapping[str, Any], name: str) -> int | None:
    value: object = body.get(name)
    return value if _is_whole(value) else None


def _text_in(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) else None


def _storable(value: object) -> Any:
    """The value without what PostgreSQL refuses in texts: NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(name): _storable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_storable(part) for part in value]
    return value
