"""Keeping what an engine made: fetched at once, looked at, stored under the order's name, recorded."""

import asyncio
from decimal import Decimal
from typing import Any

import structlog

from starbooth.base.database import Database
from starbooth.domain.generations.finish import finish_if_complete
from starbooth.domain.generations.outside import Outside
from starbooth.domain.generations.picture import (
    LARGEST_PICTURE_BYTES,
    BrokenPicture,
    PictureFacts,
    examine,
)
from starbooth.domain.generations.wording import words_to_paint
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.run import TicketRow
from starbooth.domain.pictures.marking import Unmarkable, mark
from starbooth.domain.pictures.recipe import Recipe
from starbooth.domain.pictures.thumbnail import thumbnail
from starbooth.outside.engine.contract import Engine, EngineRefused, EngineResult

_log = structlog.get_logger()


async def keep(
    database: Database, outside: Outside, engine: Engine, ticket: TicketRow, result: EngineResult
) -> None:
    """Store the picture with its mark and its thumbnail, record it, and end the order if it is complete.

    Repeat: harmless, also after a kill between the files and the record.

    Raises: EngineRefused (with what it cost) where there is no picture to keep: "no_picture",
    "broken_picture", "content_policy_violation", "too_large", "foreign_address"; Unavailable.
    """
    try:
        facts, file_key = await _store(outside, engine, ticket, result)
    except EngineRefused as refusal:
        refusal.cost_usd = _cost_usd(engine, ticket, result)
        raise
    async with database.transaction() as tx:
        is_kept = await orders.note_done(
            tx, order_id=ticket.order_id, number=ticket.number, file_key=file_key, facts=facts
        )
        has_ended = await finish_if_complete(tx, ticket.order_id, file_url=outside.file_url)
    if has_ended:
        outside.on_ended(ticket.order_id)
    if not is_kept:  # the order ended while the picture was being stored: nobody paid, nobody can delete it
        for key in (file_key, thumbnail_key(ticket.order_id, ticket.number)):
            await outside.storage.delete(key)


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


async def fail(
    database: Database,
    outside: Outside,
    ticket: TicketRow,
    *,
    code: str,
    detail: str = "",
    cost_usd: Decimal | None = None,
) -> None:
    """Note that no picture will come of a ticket, and end the order if it is complete. Repeat: harmless.

    cost_usd: what the engine charges nevertheless, where it had finished.
    """
    facts = {"detail": detail} if detail else {}
    if cost_usd is not None:
        facts["cost_usd"] = str(cost_usd)
    _log.warning("ticket.failed", order=ticket.order_id, number=ticket.number, code=code, detail=detail)
    async with database.transaction() as tx:
        await orders.note_failed(
            tx,
            order_id=ticket.order_id,
            number=ticket.number,
            error_code=code,
            facts=facts,
        )
        has_ended = await finish_if_complete(tx, ticket.order_id, file_url=outside.file_url)
    if has_ended:
        outside.on_ended(ticket.order_id)
