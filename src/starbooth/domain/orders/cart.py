"""The cart: what a guest wanted when the stars did not suffice. A payment starts it, at the price shown.

One waits per guest, the newest wanted. It bears the key of the wish, so whether it starts by itself or the
guest's message is handled once more, one order comes of it. Nothing is charged before it starts. Knows what
any order knows; what the request says is known to who places it.

Locks: the guest's account first, for all but the sweeps.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.base.jobs import Job, enqueue

STARS_ARRIVED = "stars_arrived"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What was wanted. `request`: all that placing it needs, as JSON. `price_stars`: as it was shown."""

    request_key: str
    user_id: str
    request: Mapping[str, Any]
    price_stars: int


@dataclass(frozen=True, kw_only=True)
class Cart:
    """A wish that waits. `funded_at`: when stars were bought for it, None before."""

    cart_id: str
    wish: Wish
    funded_at: datetime | None


_LOCK = sql('SELECT 1 FROM public."User" WHERE "id" = :user_id FOR NO KEY UPDATE')
_COLUMNS = "id AS cart_id, request_key, user_id, request, price_stars, funded_at"
_WAITS = "user_id = :user_id AND state = 'waiting' AND expires_at > now()"

# What was paid for has as long again to start, however late in its life the payment came: other orders of the
# guest may be under way, or a worker down.
_FUND = sql(f"""
    UPDATE starbooth.carts
    SET funded_at = now(), expires_at = now() + (expires_at - coalesce(funded_at, created_at))
    WHERE {_WAITS} RETURNING {_COLUMNS}
""")  # noqa: S608
_READ = sql(f"SELECT {_COLUMNS} FROM starbooth.carts WHERE {_WAITS}")  # noqa: S608

_READY = sql("""
    SELECT c.user_id FROM starbooth.carts c JOIN public."User" u ON u."id" = c.user_id
    WHERE c.state = 'waiting' AND c.funded_at IS NOT NULL AND c.expires_at > now()
        AND u."stars" >= c.price_stars
        AND (SELECT count(*) FROM starbooth.orders o
            WHERE o.user_id = c.user_id AND o.kind = 'generation' AND o.state IN ('held', 'running'))
                < :active_limit
    ORDER BY c.funded_at LIMIT :limit
""")


async def remember(tx: Tx, wish: Wish, *, life: timedelta) -> None:
    """Keep what the guest wants, in place of what they wanted before, for as long as `life`.

    Locks: the guest's account. Repeat: the same wish is kept once, and not again after it was ordered.
    """
    await tx.execute(_LOCK, {"user_id": wish.user_id})
    values = {
        "id": new_id(),
        "user_id": wish.user_id,
        "request_key": wish.request_key,
        "request": json.dumps(dict(wish.request)),
        "price_stars": wish.price_stars,
        "life": life,
    }
    known = sql("SELECT true FROM starbooth.carts WHERE request_key = :request_key")
    if await tx.scalar(known, {"request_key": wish.request_key}):
        return
    await tx.execute(
        sql("UPDATE starbooth.carts SET state = 'dropped' WHERE user_id = :user_id AND state = 'waiting'"),
        {"user_id": wish.user_id},
    )
    await tx.execute(
        sql(
            "INSERT INTO starbooth.carts (id, user_id, request_key, request, price_stars, expires_at)"
            " VALUES (:id, :user_id, :request_key, CAST(:request AS jsonb), :price_stars, now() + :life)"
        ),
        values,
    )


async def fund(tx: Tx, user_id: str) -> Cart | None:
    """Stars were bought or won by a code: what waits may start, and a worker is woken when `tx` commits.

    Returns what waits, whether or not the stars suffice now. Locks: the guest's account. Repeat: harmless.
    """
    await tx.execute(_LOCK, {"user_id": user_id})
    row = (await tx.execute(_FUND, {"user_id": user_id})).first()
    if row is None:
        return None
    await enqueue(tx, Job(name=STARS_ARRIVED, facts={"user": user_id}))
    return _cart(row)


async def read_cart(tx: Tx, *, user_id: str) -> Cart | None:
    """What waits for this guest's stars."""
    row = (await tx.execute(_READ, {"user_id": user_id})).first()
    return None if row is None else _cart(row)


async def read_funded(tx: Tx, *, user_id: str) -> Cart | None:
    """What waits for this guest's stars and was paid for: it starts by itself once there are enough."""
    waiting = await read_cart(tx, user_id=user_id)
    return None if waiting is None or waiting.funded_at is None else waiting


async def lock_cart(tx: Tx, *, user_id: str) -> Cart | None:
    """What waits for this guest's stars, which nobody else can start until `tx` ends."""
    await tx.execute(_LOCK, {"user_id": user_id})
    return await read_cart(tx, user_id=user_id)


async def note_ordered(tx: Tx, cart: Cart, *, order_id: str) -> None:
    """The wish became this order."""
    await tx.execute(
        sql(
            "UPDATE starbooth.carts SET state = 'ordered', order_id = :order_id"
            " WHERE id = :id AND state = 'waiting'"
        ),
        {"id": cart.cart_id, "order_id": order_id},
    )


async def drop_cart(tx: Tx, *, user_id: str) -> bool:
    """Forget what waits for this guest's stars; false where nothing does. Repeat: harmless."""
    await tx.execute(_LOCK, {"user_id": user_id})
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.carts SET state = 'dropped'"
            " WHERE user_id = :user_id AND state = 'waiting' RETURNING 1"
        ),
        {"user_id": user_id},
    )
    return rows.first() is not None


async def find_ready(tx: Tx, *, active_limit: int, limit: int) -> list[str]:
    """Guests whose cart has been paid for, and could start by now."""
    rows = await tx.execute(_READY, {"active_limit": active_limit, "limit": limit})
    return list(rows.scalars())


async def drop_expired(tx: Tx) -> int:
    """Forget carts that waited longer than they may; returns how many. Repeat: harmless."""
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.carts SET state = 'dropped'"
            " WHERE state = 'waiting' AND expires_at <= now() RETURNING 1"
        )
    )
    return len(rows.all())


def _cart(row: Any) -> Cart:
    wish = Wish(
        request_key=row.request_key,
        user_id=row.user_id,
        request=row.request,
        price_stars=row.price_stars,
    )
    return Cart(cart_id=row.cart_id, wish=wish, funded_at=row.funded_at)
