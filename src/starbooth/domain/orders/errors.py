"""The noes of orders."""

from typing import ClassVar

from starbooth.base.errors import Refusal


class TooManyOrders(Refusal):
    """The guest has as many active orders as the operator allows. Nothing was charged."""

    code: ClassVar[str] = "too_many_orders"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class RequestKeyReused(Refusal):
    """A request key came back with another request. Nothing was charged."""

    code: ClassVar[str] = "request_key_reused"


class NoSuchOrder(Refusal):
    """This guest has no such order."""

    code: ClassVar[str] = "no_such_order"


class TooLateToCancel(Refusal):
    """The order has already started or ended."""

    code: ClassVar[str] = "too_late_to_cancel"
