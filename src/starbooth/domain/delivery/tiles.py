"""The rows of albums: which message stands for which picture of an order, and what it shows.

A note also renews the claim of half a minute: an album takes as many calls as it has pictures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ARRAY, Text, bindparam
from sqlalchemy.dialects.postgresql import JSONB

from starbooth.base.database import Tx, sql


@dataclass(frozen=True, kw_only=True)
class PlacedTile:
    """A message that stands for one picture. shows: the key of its file; None while in the making."""

    message_id: int
    shows: str | None = None


def read_tiles(album: Mapping[str, Any]) -> dict[int, PlacedTile]:
    """What the row of a delivery holds, by the number of the picture."""
    return {int(number): PlacedTile(**facts) for number, facts in album.items()}


async def note_album_begun(tx: Tx, order_id: str) -> None:
    """Note, before it is sent, that an album is being sent: who comes after a kill must know."""
    await tx.execute(
        sql(
            "UPDATE starbooth.deliveries SET album_sends = album_sends + 1,"
            " busy_until = now() + interval '90 seconds' WHERE order_id = :id"
        ),
        {"id": order_id},
    )


async def note_album_unsent(tx: Tx, order_id: str) -> None:
    """Telegram certainly did not take the album, so it may be sent again."""
    await tx.execute(
        sql(
            "UPDATE starbooth.deliveries SET album_sends = greatest(album_sends - 1, 0) WHERE order_id = :id"
        ),
        {"id": order_id},
    )


async def note_tiles(tx: Tx, order_id: str, tiles: Mapping[int, PlacedTile]) -> None:
    """Remember these messages and what they show now. Repeat: harmless."""
    await tx.execute(
        sql(
            "UPDATE starbooth.deliveries SET album = album || :tiles,"
            " busy_until = now() + interval '30 seconds' WHERE order_id = :id"
        ).bindparams(bindparam("tiles", type_=JSONB)),
        {"id": order_id, "tiles": {str(number): asdict(tile) for number, tile in tiles.items()}},
    )


async def forget_tiles(tx: Tx, order_id: str, numbers: Iterable[int]) -> None:
    """These pictures have no message any more. Repeat: harmless."""
    await tx.execute(
        sql("UPDATE starbooth.deliveries SET album = album - :numbers WHERE order_id = :id").bindparams(
            bindparam("numbers", type_=ARRAY(Text))
        ),
        {"id": order_id, "numbers": [str(number) for number in numbers]},
    )
