"""What running an order needs from outside, put together once per worker."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starbooth.domain.orders.run import TicketRow
from starbooth.domain.running.craft import Crafts
from starbooth.domain.running.routing import Router
from starbooth.outside.engine.contract import Engine, Ticket
from starbooth.outside.storage.contract import Storage

PHOTO_LIFETIME_S = 3600
_LENT_AGAIN_S = PHOTO_LIFETIME_S / 2
_PHOTOS_REMEMBERED = 500


class LentPhotos:
    """Guests' photos that lie at engines for an hour, so that four pictures of one photo upload it once."""

    def __init__(self) -> None:
        self._lent: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    async def lend(self, engine: Engine, storage: Storage, key: str) -> str:
        """The photo's address at this engine. Raises: StoredFileMissing, Unavailable, EngineRefused."""
        url, lent_at = self._lent.get((engine.name, key), ("", float("-inf")))
        if time.monotonic() - lent_at < _LENT_AGAIN_S:
            return url
        body = await storage.get(key)
        url = await engine.upload(body, "image/jpeg", lifetime_s=PHOTO_LIFETIME_S)
        self._lent[engine.name, key] = (url, time.monotonic())
        while len(self._lent) > _PHOTOS_REMEMBERED:
            self._lent.popitem(last=False)
        return url


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What running an order needs from outside, and the addresses that name it there.

    engines: by their names. router: which of them gets a ticket. crafts: how each kind of order is made.
    hook_url: the webhook's address for (engine, order id, ticket number). file_url: the lasting address of a
    file; lend_url: that address as an engine may open it for a while. on_ended: told of an order that ended
    here, after the commit: its message is due and a slot is free. Where nobody listens, the sweeps find both.
    """

    engines: Mapping[str, Engine]
    router: Router
    crafts: Crafts
    storage: Storage
    hook_url: Callable[[str, str, int], str]
    file_url: Callable[[str], str]
    lend_url: Callable[[str], str] = lambda url: url
    on_ended: Callable[[str], None] = lambda _order_id: None
    photos: LentPhotos = field(default_factory=LentPhotos)


def engine_ticket(ticket: TicketRow) -> Ticket:
    """How the engine that has it knows a ticket."""
    assert ticket.engine is not None
    assert ticket.request_id is not None
    return Ticket(engine=ticket.engine, endpoint=ticket.endpoint, request_id=ticket.request_id)
