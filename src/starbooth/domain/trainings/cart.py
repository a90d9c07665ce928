"""Starting a training that was wanted before its stars arrived; `generations.cart` sees to when."""

from collections.abc import Mapping
from typing import Any

from starbooth.base.database import Tx
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.orders.cart import Wish
from starbooth.domain.orders.place import PlacedOrder, Source
from starbooth.domain.trainings.request import TrainingLimits, TrainingRequest, request_training
from starbooth.domain.users.guests import Language


async def place_training_wish(tx: Tx, wish: Wish, *, limits: TrainingLimits) -> PlacedOrder:
    """Order what was wanted, at the price that was shown. Raises: as `request_training`."""
    request: Mapping[str, Any] = wish.request
    chat = request["recipient"]
    return await request_training(
        tx,
        TrainingRequest(
            request_key=wish.request_key,
            user_id=wish.user_id,
            source=Source(request["source"]),
            set_id=request["set_id"],
        ),
        limits=limits,
        recipient=None if chat is None else Recipient(**{**chat, "language": Language(chat["language"])}),
        price_stars=wish.price_stars,
    )
