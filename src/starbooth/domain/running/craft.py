"""What one kind of order brings to the machine that runs all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from starbooth.base.database import Database, Tx
from starbooth.domain.orders.end import Bill, EndedOrder
from starbooth.domain.orders.place import OrderKind
from starbooth.domain.orders.run import TicketRow
from starbooth.outside.engine.contract import Engine, EngineResult, Order, Waiting, Working

if TYPE_CHECKING:
    from starbooth.domain.running.outside import Outside

FileUrl = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A file that is made from the one that was ordered, as by `make`, which blocks."""

    make: Callable[[bytes], bytes]
    content_type: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What lies in storage of a result. file_key: the file that was ordered. keys: of all that was stored.

    facts: what the ticket, and later the row in `public`, remembers of it. drawn: those of the keys whose
    names tell nothing of the file that they are drawn from, so that two engines' files share them.
    """

    file_key: str
    keys: tuple[str, ...]
    facts: Mapping[str, Any]
    drawn: Mapping[str, Drawn] = field(default_factory=dict)


class Craft(Protocol):
    """How one kind of order is made. Keeps nothing between calls: any worker may do any of them.

    is_costly: so that what an engine has begun is waited for, up to the deadline, also while it is silent.
    """

    is_costly: bool

    def pay(self, bill: Bill) -> int:
        """What an order costs, by what became of its tickets; 0 to its price."""
        ...

    async def order(self, database: Database, outside: "Outside", engine: Engine, ticket: TicketRow) -> Order:
        """What this engine is asked for. Repeat: harmless.

        Raises: MaterialGone, EngineRefused, Unavailable.
        """
        ...

    async def stopped(self, database: Database, ticket: TicketRow) -> Mapping[str, Any] | None:
        """None while the guest wants it; else what a ticket that ends without a result shall remember.

        Asked before a ticket is bought, or bought again.
        """
        ...

    async def look_after(
        self,
        database: Database,
        outside: "Outside",
        engine: Engine,
        ticket: TicketRow,
        status: Waiting | Working,
    ) -> None:
        """See to what is due while an engine has the ticket, beside the order's progress. Repeat: harmless.

        Raises: EngineRefused, Unavailable, of calls to the engine or to storage.
        """
        ...

    async def store(
        self, database: Database, outside: "Outside", engine: Engine, ticket: TicketRow, result: EngineResult
    ) -> Kept:
        """Fetch what was made, look whether it is what it should be, and store it. Repeat: harmless.

        Raises: EngineRefused where there is nothing to keep; Unavailable.
        """
        ...

    def cost_usd(self, engine: Engine, ticket: TicketRow, result: EngineResult) -> Decimal | None:
        """What the request cost the operator; None where that is not known."""
        ...

    async def record(self, tx: Tx, ended: EndedOrder, file_url: FileUrl) -> None:
        """Write the rows in `public` that this end means. The stars are settled."""
        ...


Crafts = Mapping[OrderKind, Craft]


class MaterialGone(Exception):
    """What the order is made from is not there any more. `code`: by what the guest is told."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
