"""Invoices: each is a purchase that waits for its payment, and its id is the invoice's payload.

Knows no wording: what an invoice says is the door's. Sends nothing; only `create_link` asks for a link.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from starbooth.base.database import Database, Tx, sql
from starbooth.base.ids import new_id
from starbooth.base.prices import Pack
from starbooth.domain.stars import buying

GRACE = timedelta(hours=1)  # a payment confirmed in time may still be under way


class PurchaseKind(StrEnum):
    """What is bought: stars once, or stars each month."""

    PACK = "pack"
    PLAN = "plan"


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """An invoice that can be paid until `expires_at`. `link`: its address, once one was made."""

    purchase_id: str
    user_id: str
    kind: PurchaseKind
    amount_stars: int
    amount_xtr: int
    expires_at: datetime
    link: str | None


_LOCK = sql('SELECT 1 FROM public."User" WHERE "id" = :user_id FOR NO KEY UPDATE')

_OPEN_ONE = sql("""
    SELECT p.id AS purchase_id, p.user_id, p.kind, p.amount_stars, p.amount_xtr, p.expires_at, p.link
    FROM starbooth.purchases p JOIN public."StarTransaction" t ON t."id" = p.id
    WHERE p.user_id = :user_id AND NOT p.is_closed AND t."status" = 'PENDING'
        AND (p.kind, p.amount_stars, p.amount_xtr) = (:kind, :amount_stars, :amount_xtr)
        AND p.expires_at >= now() + :half_life
    ORDER BY p.created_at DESC LIMIT 1
""")

_INSERT = sql("""
    INSERT INTO starbooth.purchases (id, user_id, kind, amount_stars, amount_xtr, expires_at)
    VALUES (:id, :user_id, :kind, :amount_stars, :amount_xtr, now() + :life)
    RETURNING id AS purchase_id, user_id, kind, amount_stars, amount_xtr, expires_at, link
""")

# The ledger row is locked first, as a payment does it.
_CLOSE = sql("""
    WITH old AS (
        SELECT t."id" FROM public."StarTransaction" t JOIN starbooth.purchases p ON p.id = t."id"
        WHERE NOT p.is_closed AND p.expires_at < now() - CAST(:grace AS interval) AND t."status" = 'PENDING'
        ORDER BY p.expires_at LIMIT :limit FOR NO KEY UPDATE OF t SKIP LOCKED
    ), failed AS (
        UPDATE public."StarTransaction" t SET "status" = 'FAILED' FROM old WHERE t."id" = old."id"
        RETURNING t."id"
    )
    UPDATE starbooth.purchases p SET is_closed = true FROM failed WHERE p.id = failed."id" RETURNING p.id
""")


async def open_purchase(tx: Tx, *, user_id: str, kind: PurchaseKind, pack: Pack, life: timedelta) -> Purchase:
    """An invoice for this pack: one that is open and has at least half its life, else a new one.

    Locks: the account, so that two at once open one. Repeat: returns the same while it is young and open.
    Raises: NoSuchAccount.
    """
    await tx.execute(_LOCK, {"user_id": user_id})
    wanted = {
        "user_id": user_id,
        "kind": kind.value,
        "amount_stars": pack.total_stars,
        "amount_xtr": pack.amount_xtr,
    }
    row = (await tx.execute(_OPEN_ONE, {**wanted, "half_life": life / 2})).first()
    if row is None:
        facts = {"kind": kind.value, "xtr": pack.amount_xtr}
        key = f"invoice:{new_id()}"
        opened = await buying.open_purchase(
            tx, user_id=user_id, amount=pack.total_stars, key=key, facts=facts
        )
        row = (await tx.execute(_INSERT, {**wanted, "id": opened.transaction_id, "life": life})).one()
    return Purchase(**{**row._mapping, "kind": PurchaseKind(row.kind)})


async def create_link(
    database: Database,
    ask_link: Callable[[Purchase], Awaitable[str]],
    *,
    user_id: str,
    kind: PurchaseKind,
    pack: Pack,
    life: timedelta,
) -> str:
    """The address of an invoice for this pack, to be opened in a Mini App or by a button.

    ask_link: has Telegram make one for the purchase; raises TelegramUnavailable, TelegramRefused.
    Repeat: the same purchase has one link for as long as `open_purchase` returns it.
    """
    async with database.transaction() as tx:
        purchase = await open_purchase(tx, user_id=user_id, kind=kind, pack=pack, life=life)
    if purchase.link is not None:
        return purchase.link
    link = await ask_link(purchase)
    async with database.transaction() as tx:
        # Who was quicker has shown theirs already; both lead to the same purchase.
        kept = await tx.scalar(
            sql("UPDATE starbooth.purchases SET link = coalesce(link, :link) WHERE id = :id RETURNING link"),
            {"id": purchase.purchase_id, "link": link},
        )
    return str(kept)


async def close_expired(tx: Tx, *, limit: int) -> int:
    """End purchases that nobody paid, an hour after they could be paid last; returns how many.

    A payment that comes even later is credited all the same. Repeat: harmless, also from several at once.
    """
    return len((await tx.execute(_CLOSE, {"grace": GRACE, "limit": limit})).all())
