"""An order that an operator gives back after its end: the stars to its guest, the earnings off its makers."""

from dataclasses import dataclass

from starbooth.base.database import Tx, sql
from starbooth.domain.models.earnings import take_back
from starbooth.domain.models.errors import OrderNotPaid
from starbooth.domain.stars import ledger
from starbooth.domain.users.operators import log_deed


@dataclass(frozen=True, kw_only=True)
class Returned:
    """What went back. taken_hundredths: of what makers had earned, in hundredths of a star."""

    user_id: str
    stars: int
    taken_hundredths: int
    is_repeat: bool


async def refund_order(tx: Tx, order_id: str, *, reason: str, operator: str) -> Returned:
    """Give the guest all that this ended order cost, as a grant, and take back what makers earned by it.

    Locks: the guest's account. Repeat: once per order, whatever the reason is then.
    Raises: OrderNotPaid, ReasonMissing.
    """
    row = (
        await tx.execute(
            sql("SELECT user_id, spent_stars FROM starbooth.orders WHERE id = :id AND state = 'done'"),
            {"id": order_id},
        )
    ).first()
    if row is None or not row.spent_stars:
        raise OrderNotPaid
    await ledger.lock_account(tx, user_id=row.user_id)
    key = f"order_back:{order_id}"
    known = sql("SELECT true FROM public.\"StarTransaction\" WHERE metadata ->> 'key' = :key")
    is_repeat = bool(await tx.scalar(known, {"key": key}))
    taken = await take_back(tx, order_id)
    if not is_repeat:
        await ledger.grant(
            tx, user_id=row.user_id, amount=row.spent_stars, reason=reason, operator=operator, key=key
        )
        facts = {"stars": row.spent_stars, "reason": reason}
        await log_deed(tx, operator=operator, action="order_back", subject=order_id, facts=facts)
    return Returned(user_id=row.user_id, stars=row.spent_stars, taken_hundredths=taken, is_repeat=is_repeat)
