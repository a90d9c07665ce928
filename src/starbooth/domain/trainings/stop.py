"""Ending a training early: the guest's wish, written down, which the next look at the order passes on."""

from starbooth.base.database import Tx, sql
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.errors import NoSuchOrder
from starbooth.domain.orders.place import OrderKind
from starbooth.domain.running.finish import cancel_waiting
from starbooth.domain.trainings.craft import TrainingCraft
from starbooth.domain.trainings.errors import TooLateToStop

_LOCK = sql("""
    SELECT o.state FROM starbooth.orders o JOIN starbooth.training_orders t ON t.order_id = o.id
    WHERE o.id = :order_id AND o.user_id = :user_id FOR NO KEY UPDATE OF o
""")


async def ask_to_stop(tx: Tx, *, order_id: str, user_id: str) -> bool:
    """Have this guest's training ended with what there is; what ran is paid, the rest goes back.

    One that still waits is cancelled at once, and everything goes back: then false. Locks: the order, then
    perhaps the account. Repeat: harmless.
    Raises: NoSuchOrder (also for somebody else's, and for pictures), TooLateToStop.
    """
    row = (await tx.execute(_LOCK, {"order_id": order_id, "user_id": user_id})).first()
    if row is None:
        raise NoSuchOrder
    if row.state == OrderState.HELD:
        await cancel_waiting(
            tx, order_id=order_id, user_id=user_id, crafts={OrderKind.TRAINING: TrainingCraft()}
        )
        return False
    if row.state != OrderState.RUNNING:
        raise TooLateToStop
    await tx.execute(
        sql(
            "UPDATE starbooth.training_orders SET stop_asked_at = coalesce(stop_asked_at, now())"
            " WHERE order_id = :order_id"
        ),
        {"order_id": order_id},
    )
    await tx.execute(
        sql("UPDATE starbooth.orders SET check_at = least(check_at, now()) WHERE id = :order_id"),
        {"order_id": order_id},
    )
    return True
