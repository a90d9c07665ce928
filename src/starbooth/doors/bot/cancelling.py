"""Cancelling the newest order, in whatever chat it is asked for."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from aiogram.types import Update as ParsedUpdate

from starbooth.base.database import Database
from starbooth.domain.crafts import all_crafts
from starbooth.domain.orders.read import newest_active
from starbooth.domain.running.finish import cancel_waiting
from starbooth.domain.users.guests import Guest
from starbooth.doors.bot.inbox import NOTE, note_in_update


async def cancel_newest(database: Database, guest: Guest, update: ParsedUpdate) -> int | None:
    """Cancel the guest's newest order, if it still waits; the stars that came back, None where nothing waits.

    Repeat: a second run for the same update finds what the first one noted there, and cancels no other order.
    Raises: TooLateToCancel.
    """
    noted = (update.model_extra or {}).get(NOTE)
    if noted is not None:
        return int(noted)
    async with database.transaction() as tx:
        order_id = await newest_active(tx, user_id=guest.user_id)
        if order_id is None:
            return None
        ended = await cancel_waiting(tx, order_id=order_id, user_id=guest.user_id, crafts=all_crafts())
        await note_in_update(tx, update.update_id, str(ended.price_stars))
    return ended.price_stars
