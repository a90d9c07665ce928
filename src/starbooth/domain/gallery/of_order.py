"""Finding a guest's picture by the order that it came of."""

from starbooth.base.database import Tx, sql
from starbooth.domain.gallery.errors import NoSuchPicture

# By the guest's own index: nothing of an order is written before it was placed, or after it has ended.
_FIND = sql("""
    SELECT g."id" FROM starbooth.orders o
    JOIN public."Generation" g ON g."userId" = o.user_id
        AND g."createdAt" BETWEEN timezone('UTC', o.created_at) - interval '1 minute'
            AND timezone('UTC', coalesce(o.ended_at, now())) + interval '1 minute'
    WHERE o.id = :order_id AND o.user_id = :user_id
        AND g.metadata ->> 'orderId' = :order_id
        AND g.metadata -> 'number' = to_jsonb(CAST(:number AS integer))
""")


async def find_picture(tx: Tx, order_id: str, number: int, *, user_id: str) -> str:
    """The id of the picture of this ticket of the guest's own order. Raises: NoSuchPicture."""
    found = await tx.scalar(_FIND, {"order_id": order_id, "number": number, "user_id": user_id})
    if found is None:
        raise NoSuchPicture
    return str(found)
