"""The end of an order: its rows by its craft, stars settled, the delivery owed; one transaction."""

from starbooth.base.database import Tx
from starbooth.base.jobs import enqueue
from starbooth.domain.delivery.owe import owe, show_job
from starbooth.domain.orders import end
from starbooth.domain.orders.end import Bill, EndedOrder, Pay
from starbooth.domain.running.craft import Crafts, FileUrl


async def finish_if_complete(tx: Tx, order_id: str, *, crafts: Crafts, file_url: FileUrl) -> bool:
    """End the order if all its tickets have ended: record, settle, owe. True where it ended just now.

    Then its message is due and a slot is free; whoever ends an order sees to both, or the sweeps do.
    Repeat: harmless, it ends once.
    """
    ended = await end.end_if_complete(tx, order_id, pay=_pay_by(crafts))
    if ended is None:
        return False
    await _record(tx, ended, crafts, file_url)
    return True


async def finish_overdue(
    tx: Tx, order_id: str, *, reason: str, crafts: Crafts, file_url: FileUrl
) -> EndedOrder | None:
    """End an active order now, paying for what is there. None where it had ended before."""
    ended = await end.end_now(tx, order_id, reason=reason, pay=_pay_by(crafts))
    if ended is not None:
        await _record(tx, ended, crafts, file_url)
    return ended


async def cancel_waiting(tx: Tx, *, order_id: str, user_id: str, crafts: Crafts) -> EndedOrder:
    """Cancel the guest's own order while it waits. Raises: NoSuchOrder, TooLateToCancel."""
    ended = await end.cancel(tx, order_id=order_id, user_id=user_id)
    await crafts[ended.kind].record(tx, ended, _no_file)
    if await owe(tx, order_id):
        await enqueue(tx, show_job(order_id))
    return ended


async def _record(tx: Tx, ended: EndedOrder, crafts: Crafts, file_url: FileUrl) -> None:
    await crafts[ended.kind].record(tx, ended, file_url)
    await owe(tx, ended.order_id)


def _pay_by(crafts: Crafts) -> Pay:
    def pay(bill: Bill) -> int:
        return crafts[bill.kind].pay(bill)

    return pay


def _no_file(key: str) -> str:
    raise AssertionError(f"an order that never ran has no file {key}")
