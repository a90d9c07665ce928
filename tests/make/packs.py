"""Photo packs that guests ask for."""

from datetime import timedelta
from itertools import count

from starbooth.base.database import Database
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.request import Limits
from starbooth.domain.orders.place import PlacedOrder
from starbooth.domain.packs.request import PackRequest, request_pack
from starbooth.domain.users.guests import Language

LIMITS = Limits(active_orders=3, deadline=timedelta(minutes=15), series_discount_percent=20)
EIGHT_STARS = 19  # eight pictures for three stars each, less a fifth, rounded down
_KEYS = count(1)


async def place_pack(
    database: Database,
    user_id: str,
    lora_id: str,
    *,
    pack: str = "places",
    size: int = 8,
    price_stars: int = EIGHT_STARS,
    recipient: Recipient | None = None,
    request_key: str | None = None,
) -> PlacedOrder:
    """An order for a pack, in a transaction of its own."""
    ask = PackRequest(
        request_key=request_key or f"pack:{next(_KEYS)}",
        user_id=user_id,
        lora_id=lora_id,
        pack=pack,
        size=size,
        language=Language.ENGLISH,
    )
    async with database.transaction() as tx:
        return await request_pack(tx, ask, limits=LIMITS, recipient=recipient, price_stars=price_stars)
