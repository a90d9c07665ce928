"""Reconciliation: what Telegram says the bot's Stars did, against what our ledger says.

Reads the list from where it ended last time, credits payments that never came as updates, books money that
went back, compares the balance and both books, and keeps a report of every difference. One at a time, by a
lock that ends with its connection. No transaction is open while Telegram is asked.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from starbooth.base.database import Database, Tx, is_connection_lost, sql
from starbooth.base.errors import Contended, Refusal, Unavailable
from starbooth.domain.payments import differences, refunds
from starbooth.domain.payments.bank import Bank
from starbooth.domain.payments.differences import (
    Difference,
    Kind,
    Patience,
    Place,
    ReturnRow,
    alert_key,
    place_of,
)
from starbooth.domain.payments.payment import Payment
from starbooth.domain.payments.receive import receive
from starbooth.domain.payments.refund_news import owe_late_payment
from starbooth.domain.payments.refunds import Returned
from starbooth.domain.payments.shop import Shop
from starbooth.domain.payments.telegram_list import Listing, catch_up, read_on, sum_nanos
from starbooth.domain.stars.errors import KeyReused
from starbooth.domain.users.operators import raise_alert
from starbooth.outside.telegram.star_rows import NANOS_PER_XTR, StarRow

_log = structlog.get_logger()
_LOCK = 7_214_308_551  # any number that no other lock of this database has
_MOST_LOOKS_AT_BALANCE = 3
_CAME_BY = "reconciliation"


@dataclass(frozen=True, kw_only=True)
class Balance:
    """The bot's Stars in billionths: what Telegram says it has, and what its list adds up to."""

    telegram_nanos: int
    listed_nanos: int

    @property
    def difference_nanos(self) -> int:
        """What Telegram has more than its list explains."""
        return self.telegram_nanos - self.listed_nanos


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one run found and did. `balance` None: the list never kept still, so it was not compared.

    is_complete: the list was read to its end; else the comparison waits for the next runs.
    """

    at: datetime
    cursor: int
    rows_read: int
    is_complete: bool
    balance: Balance | None
    differences: tuple[Difference, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left to do."""
        return all(each.is_mended for each in self.differences)


async def reconcile(
    database: Database, bank: Bank, *, shop: Shop, patience: Patience | None = None
) -> Report | None:
    """Reconcile now, store the report and owe the operators every new difference. None: another is at it.

    Repeat: harmless, what was credited or booked before is known by its charge id.
    Raises: TelegramUnavailable, TelegramRefused, Unavailable; what was put right until then stays so.
    """
    patience = patience or Patience()
    async with _alone(database) as is_alone:
        if not is_alone:
            return None
        listing = await catch_up(database, bank)
        listing, balance = await _compare_balance(database, bank, listing)
        found = [
            *await _credit_lost(database, shop, patience),
            *await _book_returns(database, shop, patience),
            *_balance_differences(balance),
        ]
        await carry_out_due(database, bank)
        return await _conclude(database, listing, balance, found, patience)


async def carry_out_due(database: Database, bank: Bank, *, limit: int = 20) -> int:
    """Ask Telegram for the refunds that are due; returns how many. Repeat and several at once: harmless."""
    async with database.transaction() as tx:
        due = await refunds.find_due(tx, limit=limit)
    for refund_id in due:
        await refunds.carry_out(database, bank, refund_id)
    return len(due)


async def read_last(tx: Tx) -> Report | None:
    """The newest report; None before the first run."""
    row = (
        await tx.execute(
            sql(
                "SELECT at, cursor, rows_read, report FROM starbooth.reconciliations"
                " WHERE report ->> 'is_begun_anew' IS NULL ORDER BY number DESC LIMIT 1"
            )
        )
    ).first()
    return None if row is None else _from_stored(row.at, row.cursor, row.rows_read, row.report)


async def is_due(tx: Tx, *, interval: timedelta) -> bool:
    """Whether the newest run is older than `interval`, or there was none."""
    is_recent = await tx.scalar(
        sql(
            "SELECT EXISTS (SELECT FROM starbooth.reconciliations WHERE report ->> 'is_begun_anew' IS NULL"
            " AND at > now() - CAST(:interval AS interval))"
        ),
        {"interval": interval},
    )
    return not is_recent


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[bool]:
    """Whether this run is the only one. The lock is the connection's, so it ends with the process too."""
    try:
        connection = await database.connect_raw()
    except (OSError, asyncpg.PostgresError) as error:
        if is_connection_lost(error):
            raise Unavailable(f"database: {type(error).__name__}") from error
        raise
    try:
        yield bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK))
    finally:
        if not connection.is_closed():
            await connection.close(timeout=5)


async def _compare_balance(
    database: Database, bank: Bank, listing: Listing
) -> tuple[Listing, Balance | None]:
    """Ask for the balance until no row comes while it is asked for: only then the two are of one moment."""
    if not listing.is_complete:
        return listing, None
    for _ in range(_MOST_LOOKS_AT_BALANCE):
        told = await bank.balance()
        async with database.transaction() as tx:
            listed_nanos = await sum_nanos(tx)
        more = await read_on(database, bank, offset=listing.cursor)
        if more.rows_read == 0:
            return listing, Balance(telegram_nanos=told.total_nanos, listed_nanos=listed_nanos)
        listing = Listing(
            cursor=more.cursor,
            rows_read=listing.rows_read + more.rows_read,
            is_anew=listing.is_anew,
            is_complete=more.is_complete,
        )
    return listing, None


async def _credit_lost(database: Database, shop: Shop, patience: Patience) -> list[Difference]:
    """Credit all payments that the list has and we have not.

    Each by itself: one that fails holds up no other.
    """
    found: list[Difference] = []
    last: Place | None = None
    while True:
        async with database.transaction() as tx:
            lost = await differences.lost_payments(tx, patience=patience, after=last)
        if not lost:
            return found
        for row in lost:
            found += await _try_to_credit(database, row, shop)
        last = place_of(lost[-1])


async def _try_to_credit(database: Database, row: StarRow, shop: Shop) -> list[Difference]:
    try:
        return await _credit_one(database, row, shop)
    except Contended as error:
        _log.warning("reconcile.left_for_next_time", charge=row.id, reason=error.reason)
        return []
    except (Refusal, KeyReused) as error:
        reason = error.code if isinstance(error, Refusal) else "key_reused"
        facts = {"xtr": row.amount_xtr, "telegram_id": row.telegram_id, "reason": reason}
        return [Difference(kind=Kind.NOT_CREDITED, subject=row.id, facts=facts)]


async def _credit_one(database: Database, row: StarRow, shop: Shop) -> list[Difference]:
    """Credit one, with the news of it. Nothing to tell where its update was quicker after all."""
    assert row.telegram_id is not None
    async with database.transaction() as tx:
        received = await receive(tx, await _payment(tx, row, row.telegram_id), shop=shop)
        credited = received.credited
        if credited.is_repeat:
            return []
        late = Difference(
            kind=Kind.CREDITED_LATE,
            subject=row.id,
            facts={
                "xtr": row.amount_xtr,
                "stars": credited.amount_stars,
                "telegram_id": row.telegram_id,
            },
        )
        await _alert(tx, late)
        await owe_late_payment(tx, charge_id=credited.charge_id)
    _log.warning("reconcile.credited_late", charge=row.id, user=credited.user_id)
    return [late]


async def _payment(tx: Tx, row: StarRow, telegram_id: int) -> Payment:
    user = (row.body.get("source") or {}).get("user") or {}
    is_recurring = bool(row.period_s)  # until when it lasts, only its message says
    is_first = is_recurring and not await tx.scalar(
        sql("SELECT EXISTS (SELECT FROM starbooth.payments WHERE payload = :payload)"),
        {"payload": row.payload or ""},
    )
    return Payment(
        charge_id=row.id,
        telegram_id=telegram_id,
        payload=row.payload or "",
        amount_xtr=row.amount_xtr,
        paid_at=row.at,
        came_by=_CAME_BY,
        is_first_recurring=is_first,
        is_recurring=is_recurring,
        username=user.get("username"),
    )


async def _book_returns(database: Database, shop: Shop, patience: Patience) -> list[Difference]:
    """Book all money that went back. What we asked for ends well by it; the rest is news."""
    found: list[Difference] = []
    last: Place | None = None
    while True:
        async with database.transaction() as tx:
            returns = await differences.unbooked_returns(tx, patience=patience, after=last)
        if not returns:
            return found
        for each in returns:
            found += await _try_to_book(database, each, shop)
        last = place_of(returns[-1].row)


async def _try_to_book(database: Database, each: ReturnRow, shop: Shop) -> list[Difference]:
    facts: dict[str, Any] = {"xtr": each.row.amount_xtr, "telegram_id": each.telegram_id}
    try:
        async with database.transaction() as tx:
            booked = await refunds.book(tx, _returned(each), shop=shop)
    except Contended as error:
        _log.warning("reconcile.left_for_next_time", charge=each.row.id, reason=error.reason)
        return []
    except (Refusal, KeyReused) as error:
        facts["reason"] = error.code if isinstance(error, Refusal) else "key_reused"
        return [Difference(kind=Kind.NOT_TAKEN_BACK, subject=each.row.id, facts=facts)]
    if booked.is_repeat or booked.operator != refunds.TELEGRAM:
        return []
    return [Difference(kind=Kind.REFUND_FOUND, subject=each.row.id, facts=facts)]


def _returned(each: ReturnRow) -> Returned:
    return Returned(
        charge_id=each.row.id,
        telegram_id=each.telegram_id,
        payload=each.payload,
        amount_xtr=each.row.amount_xtr,
        at=each.row.at,
        came_by=_CAME_BY,
    )


def _balance_differences(balance: Balance | None) -> list[Difference]:
    if balance is None or balance.difference_nanos == 0:
        return []
    facts = {"telegram_nanos": balance.telegram_nanos, "listed_nanos": balance.listed_nanos}
    return [Difference(kind=Kind.BALANCE, subject=_balance_subject(balance), facts=facts)]


def _balance_subject(balance: Balance) -> str:
    return xtr_text(balance.difference_nanos)


async def _conclude(
    database: Database,
    listing: Listing,
    balance: Balance | None,
    found: list[Difference],
    patience: Patience,
) -> Report:
    """Compare both books, store the report, and owe the operators what is new to them."""
    async with database.transaction() as tx:
        at: datetime = (await tx.execute(sql("SELECT now()"))).scalar_one()
        if listing.is_complete:
            found += await differences.before_booth(tx, patience=patience)
        if listing.is_anew:
            found.append(Difference(kind=Kind.LIST_ANEW, subject=f"{at:%Y-%m-%d %H:%M:%S}"))
        if listing.is_complete:
            found += await differences.compare(tx, patience=patience)
        for each in found:
            if each.kind is Kind.BALANCE:
                await _alert_balance(tx, each, at=at)
            elif each.kind not in (Kind.CREDITED_LATE, Kind.REFUND_FOUND, Kind.STUCK_REFUND):  # told before
                await _alert(tx, each)
        report = Report(
            at=at,
            cursor=listing.cursor,
            rows_read=listing.rows_read,
            is_complete=listing.is_complete,
            balance=balance,
            differences=tuple(found),
        )
        await _store(tx, report)
    return report


async def _alert(tx: Tx, found: Difference) -> None:
    await raise_alert(tx, key=alert_key(found.kind, found.subject), kind="difference", facts=found.as_json())


async def _alert_balance(tx: Tx, found: Difference, *, at: datetime) -> None:
    """It may go and come back, which is news each time; while it stays as it was, it is none."""
    facts = await tx.scalar(
        sql(
            "SELECT report -> 'balance' FROM starbooth.reconciliations"
            " WHERE jsonb_typeof(report -> 'balance') = 'object' ORDER BY number DESC LIMIT 1"
        )
    )
    if not facts or _balance_subject(Balance(**facts)) != found.subject:
        key = alert_key(found.kind, f"{at:%Y-%m-%d %H:%M:%S.%f}")
        await raise_alert(tx, key=key, kind="difference", facts=found.as_json())


async def _store(tx: Tx, report: Report) -> None:
    stored = {
        "is_complete": report.is_complete,
        "balance": report.balance
        and {
            "telegram_nanos": report.balance.telegram_nanos,
            "listed_nanos": report.balance.listed_nanos,
        },
        "differences": [each.as_json() for each in report.differences],
    }
    await tx.execute(
        sql(
            "INSERT INTO starbooth.reconciliations (at, cursor, rows_read, report, is_clean)"
            " VALUES (:at, :cursor, :rows_read, CAST(:report AS jsonb), :is_clean)"
        ),
        {
            "at": report.at,
            "cursor": report.cursor,
            "rows_read": report.rows_read,
            "report": json.dumps(stored),
            "is_clean": report.is_clean,
        },
    )


def _from_stored(at: datetime, cursor: int, rows_read: int, stored: Mapping[str, Any]) -> Report:
    return Report(
        at=at,
        cursor=cursor,
        rows_read=rows_read,
        is_complete=stored["is_complete"],
        balance=Balance(**stored["balance"]) if stored["balance"] else None,
        differences=tuple(differences.difference_from(each) for each in stored["differences"]),
    )


def xtr_text(nanos: int) -> str:
    """Stars with as many decimals as there are: `-3.5`."""
    whole, rest = divmod(abs(nanos), NANOS_PER_XTR)
    decimals = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if nanos < 0 else ''}{whole}{decimals}"
