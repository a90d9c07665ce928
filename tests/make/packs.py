"""Photo packs that guests ask for."""

from datetime import timedelta
from itertools import count

from starbooth.base.database import Database
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.place import PlacedOrder, Source
from starbooth.domain.packs.request import ask_for_pack
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
    async with database.transaction() as tx:
        asked = await ask_for_pack(tx, lora_id, pack, size, user_id=user_id, language=Language.ENGLISH)
        ask = PictureRequest(
            request_key=request_key or f"pack:{next(_KEYS)}",
            user_id=user_id,
            source=Source.BOT,
            prompt=asked.prompt,
            choices=asked.choices,
            series=asked.series,
        )
        return await request_pictures(tx, ask, limits=LIMITS, recipient=recipient, price_stars=price_stars)
