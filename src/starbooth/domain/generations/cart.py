"""Starting what a guest wanted before their stars arrived, once, at the price that was shown."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from starbooth.base.database import Database, Tx
from starbooth.base.errors import Refusal
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.asking import read_asked
from starbooth.domain.generations.request import (
    Limits,
    PictureRequest,
    request_pictures,
)
from starbooth.domain.orders import cart
from starbooth.domain.orders.errors import TooManyOrders
from starbooth.domain.orders.place import OrderKind, PlacedOrder, Source
from starbooth.domain.prompts.errors import PromptsPaused
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.users.guests import Language

_log = structlog.get_logger()
_AT_ONCE = 20


# How a wish of another kind than pictures is ordered, by the kind that its request names.
Placers = Mapping[str, Callable[[Tx, cart.Wish], Awaitable[PlacedOrder]]]
_NO_OTHERS: Placers = {}


async def start_funded(
    tx: Tx, *, user_id: str, limits: Limits, others: Placers = _NO_OTHERS
) -> PlacedOrder | None:
    """Place what this guest's cart holds, if stars were bought for it; None where nothing starts now.

    others: how wishes of other kinds are ordered.

    Too few stars, too many orders, a guest who is paused: it goes on waiting. Any other no ends it, and
    nothing was charged.
    Locks: as placing an order does. Repeat: harmless, the cart starts once.
    """
    waiting = await cart.lock_cart(tx, user_id=user_id)
    if waiting is None or waiting.funded_at is None:
        return None
    try:
        async with tx.begin_nested():
            placed = await _place(tx, waiting.wish, limits, others)
    except (NotEnoughStars, TooManyOrders, PromptsPaused):
        return None
    except Refusal as refusal:
        _log.warning("cart.refused", cart=waiting.cart_id, code=refusal.code)
        await cart.drop_cart(tx, user_id=user_id)
        return None
    await cart.note_ordered(tx, waiting, order_id=placed.order_id)
    return placed


async def _place(tx: Tx, wish: cart.Wish, limits: Limits, others: Placers) -> PlacedOrder:
    kind = wish.request.get("kind", OrderKind.GENERATION.value)
    if kind != OrderKind.GENERATION.value:
        return await others[kind](tx, wish)
    ask, recipient = read_wish(wish)
    return await request_pictures(tx, ask, limits=limits, recipient=recipient, price_stars=wish.price_stars)


async def sweep_carts(database: Database, *, limits: Limits, others: Placers = _NO_OTHERS) -> int:
    """Start what jobs left lying, forget what waited too long, and return how many started.

    Repeat: harmless, also several at once.
    """
    async with database.transaction() as tx:
        await cart.drop_expired(tx)
        ready = await cart.find_ready(tx, active_limit=limits.active_orders, limit=_AT_ONCE)
    started = 0
    for user_id in ready:
        async with database.transaction() as tx:
            started += await start_funded(tx, user_id=user_id, limits=limits, others=others) is not None
    return started


def read_wish(wish: cart.Wish) -> tuple[PictureRequest, Recipient | None]:
    """The request as it was when it was refused."""
    request: Mapping[str, Any] = wish.request
    asked = read_asked(request)
    ask = PictureRequest(
        request_key=wish.request_key,
        user_id=wish.user_id,
        source=Source(request["source"]),
        prompt=asked.prompt,
        choices=asked.choices,
        photo=asked.photo,
        series=asked.series,
    )
    chat = request["recipient"]
    return ask, None if chat is None else Recipient(**{**chat, "language": Language(chat["language"])})
