"""What a guest's stars did lately."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from starbooth.base.database import Tx
from starbooth.domain.stars.tables import TransactionStatus, TransactionType, star_transactions
from starbooth.domain.users.tables import users


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One ledger row as its owner may see it. `at` is naive UTC, as the contract stores it."""

    amount: int
    kind: TransactionType
    status: TransactionStatus
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Account:
    """The balance and the last movements, newest first, as of one moment."""

    stars: int
    spent_stars: int
    entries: tuple[Entry, ...]


async def read_account(tx: Tx, *, user_id: str, limit: int) -> Account:
    """The account of this user with its last `limit` movements. The user must exist."""
    user = (
        await tx.execute(select(users.c.stars, users.c.totalSpentStars).where(users.c.id == user_id))
    ).one()
    ledger = star_transactions.c
    rows = await tx.execute(
        select(ledger.amount, ledger.type, ledger.status, ledger.createdAt)
        .where(ledger.userId == user_id)
        .order_by(ledger.createdAt.desc(), ledger.id.desc())
        .limit(limit)
    )
    entries = tuple(
        Entry(amount=row.amount, kind=row.type, status=row.status, at=row.createdAt) for row in rows
    )
    return Account(stars=user.stars, spent_stars=user.totalSpentStars, entries=entries)
