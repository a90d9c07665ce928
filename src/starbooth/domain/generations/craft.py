"""Pictures as a craft: what is asked for, and keeping what comes: fetched, looked at, marked, stored."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starbooth.base.database import Database, Tx
from starbooth.domain.generations.finish import record_pictures
from starbooth.domain.generations.picture import (
    LARGEST_PICTURE_BYTES,
    BrokenPicture,
    PictureFacts,
    examine,
)
from starbooth.domain.generations.wording import words_to_paint
from starbooth.domain.orders.end import Bill, EndedOrder, pay_for_done
from starbooth.domain.orders.run import TicketRow
from starbooth.domain.pictures.marking import Unmarkable, mark
from starbooth.domain.pictures.recipe import Recipe
from starbooth.domain.pictures.thumbnail import thumbnail
from starbooth.domain.running.craft import Drawn, FileUrl, Kept, MaterialGone
from starbooth.domain.running.outside import Outside
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineResult,
    PaintOrder,
    Waiting,
    Working,
)
from starbooth.outside.storage.contract import StoredFileMissing


class PictureCraft:
    """See Craft."""

    is_costly = False

    def pay(self, bill: Bill) -> int:
        """By the pictures that came."""
        return pay_for_done(bill)

    async def order(
        self, _database: Database, outside: Outside, engine: Engine, ticket: TicketRow
    ) -> PaintOrder:
        """The words and choices of one picture; its photo is lent to the engine first."""
        frozen: Mapping[str, Any] = ticket.request["frozen"]
        return PaintOrder(
            prompt=words_to_paint(ticket.request, ticket.number),
            width_px=frozen["width_px"],
            height_px=frozen["height_px"],
            steps=frozen["steps"],
            guidance=frozen["guidance"],
            seed=ticket.seed,
            negative=frozen.get("negative", ""),
            photo_url=await _lend_photo(outside, engine, frozen.get("photo_key")),
            strength=frozen.get("strength", 1.0),
            loras=tuple(
                (outside.lend_url(each["weights_url"]), each["weight"]) for each in frozen.get("loras", ())
            ),
        )

    async def stopped(self, _database: Database, _ticket: TicketRow) -> None:
        """A picture that has begun is wanted."""

    async def look_after(
        self,
        _database: Database,
        _outside: Outside,
        _engine: Engine,
        _ticket: TicketRow,
        _status: Waiting | Working,
    ) -> None:
        """Nothing is due while a picture is painted."""

    async def store(
        self, _database: Database, outside: Outside, engine: Engine, ticket: TicketRow, result: EngineResult
    ) -> Kept:
        """The picture with its mark, and its thumbnail.

        Raises: EngineRefused "no_picture", "broken_picture", "content_policy_violation", "too_large",
        "foreign_address"; Unavailable.
        """
        facts, file_key = await _store(outside, engine, ticket, result)
        small_key = thumbnail_key(ticket.order_id, ticket.number)
        return Kept(
            file_key=file_key,
            keys=(file_key, small_key),
            facts=facts,
            drawn={small_key: Drawn(make=thumbnail, content_type="image/jpeg")},
        )

    def cost_usd(self, engine: Engine, ticket: TicketRow, result: EngineResult) -> Decimal | None:
        """Of one picture of this size."""
        return _cost_usd(engine, ticket, result)

    async def record(self, tx: Tx, ended: EndedOrder, file_url: FileUrl) -> None:
        """A row in `Generation` for each picture."""
        await record_pictures(tx, ended, file_url)


async def _lend_photo(outside: Outside, engine: Engine, key: str | None) -> str | None:
    if key is None:
        return None
    try:
        return await outside.photos.lend(engine, outside.storage, key)
    except StoredFileMissing as missing:
        raise MaterialGone("photo_gone") from missing


async def _store(
    outside: Outside, engine: Engine, ticket: TicketRow, result: EngineResult
) -> tuple[dict[str, Any], str]:
    """Put the files where they stay. Returns what there is to record, and the picture's key."""
    picture = next(iter(result.pictures), None)
    if picture is None:
        raise EngineRefused("no_picture")
    if picture.is_withheld:
        raise EngineRefused("content_policy_violation")
    body = await engine.fetch(picture.url, limit_bytes=LARGEST_PICTURE_BYTES)
    try:
        facts, marked, small = await asyncio.to_thread(_finish, body, _recipe(ticket))
    except (BrokenPicture, Unmarkable) as broken:
        raise EngineRefused("broken_picture", str(broken)) from broken
    file_key = f"pictures/{ticket.order_id}/{ticket.number}.{facts.extension}"
    await asyncio.gather(
        outside.storage.put(file_key, marked, facts.content_type),
        outside.storage.put(thumbnail_key(ticket.order_id, ticket.number), small, "image/jpeg"),
    )
    cost_usd = _cost_usd(engine, ticket, result)
    noted = {
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "bytes": len(marked),
        "engine": ticket.engine,
        "endpoint": ticket.endpoint,
        "inference_s": result.inference_s,
        "billable_units": result.billable_units,
        "cost_usd": None if cost_usd is None else str(cost_usd),
    }
    return noted, file_key


def _cost_usd(engine: Engine, ticket: TicketRow, result: EngineResult) -> Decimal | None:
    frozen = ticket.request["frozen"]
    return engine.cost_usd(
        ticket.endpoint, result, width_px=frozen["width_px"], height_px=frozen["height_px"]
    )


def thumbnail_key(order_id: str, number: int) -> str:
    """Where the thumbnail of a ticket's picture lies."""
    return f"thumbnails/{order_id}/{number}.jpg"


def _finish(body: bytes, recipe: Recipe) -> tuple[PictureFacts, bytes, bytes]:
    """What it is, the picture with its mark, and its thumbnail. Raises: BrokenPicture, Unmarkable."""
    return examine(body), mark(body, recipe), thumbnail(body)


def _recipe(ticket: TicketRow) -> Recipe:
    frozen = ticket.request["frozen"]
    return Recipe(
        prompt=words_to_paint(ticket.request, ticket.number),
        negative=frozen.get("negative", ""),
        model=frozen.get("model_name", ticket.endpoint),
        seed=ticket.seed,
        steps=frozen.get("steps"),
        guidance=frozen.get("guidance"),
        strength=frozen.get("strength"),
        loras=tuple((each["name"], each["weight"]) for each in frozen.get("loras", ())),
    )
