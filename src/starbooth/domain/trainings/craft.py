"""Trainings as a craft: the zip that goes out, steps and samples on the way, the LoRA that is kept."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from starbooth.base.database import Database, Tx
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.orders.end import STOPPED, Bill, EndedOrder
from starbooth.domain.orders.run import TicketRow
from starbooth.domain.pictures.errors import PhotoUnreadable
from starbooth.domain.pictures.photo import take_photo
from starbooth.domain.running.craft import FileUrl, Kept, MaterialGone
from starbooth.domain.running.outside import Outside, engine_ticket
from starbooth.domain.trainings import rows
from starbooth.domain.trainings.finish import config_key, price_of_end, record_training, weights_key
from starbooth.domain.trainings.photo_sets import SetPhoto, read_set_photos
from starbooth.domain.trainings.rows import TrainingRow
from starbooth.domain.trainings.weights import (
    LARGEST_CONFIG_BYTES,
    LARGEST_WEIGHTS_BYTES,
    BrokenWeights,
    WeightsFacts,
    examine_weights,
    strip_config,
)
from starbooth.domain.trainings.zips import lend_zip
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineResult,
    TrainedLora,
    TrainOrder,
    Waiting,
    Working,
)

_LARGEST_SAMPLE_BYTES = 20 * 1024 * 1024
_SHORTEST_SAMPLE_PX = 64
# A sample that is stored and not named after so long belongs to a worker that died.
_TO_NAME_A_SAMPLE = timedelta(minutes=10)


class TrainingCraft:
    """See Craft."""

    is_costly = True

    def pay(self, bill: Bill) -> int:
        """By the steps that ran, where it was ended early; nothing where it failed."""
        return price_of_end(bill)

    async def order(
        self, database: Database, outside: Outside, engine: Engine, ticket: TicketRow
    ) -> TrainOrder:
        """The zip of the photos, and the recipe; the rows in `public` are at work from now on."""
        frozen = ticket.request["frozen"]
        row, photos = await _read_material(database, ticket)
        images_url = await lend_zip(
            database, outside, engine, ticket, photos, life=timedelta(seconds=frozen["deadline_s"])
        )
        async with database.transaction() as tx:
            await rows.note_begun(tx, row, image_urls=[outside.file_url(photo.key) for photo in photos])
        return TrainOrder(
            images_url=images_url,
            trigger_word=frozen["trigger_word"],
            steps=frozen["steps"],
            learning_rate=frozen["learning_rate"],
            is_style=frozen["lora_type"] == LoraType.STYLE,
        )

    async def stopped(self, database: Database, ticket: TicketRow) -> Mapping[str, Any] | None:
        """The steps that ran, where the guest asked to stop; then it is bought no more."""
        row = await _read_row(database, ticket.order_id)
        if row is None or row.stop_asked_at is None:
            return None
        return {"steps_ran": row.steps_ran}

    async def look_after(
        self,
        database: Database,
        outside: Outside,
        engine: Engine,
        ticket: TicketRow,
        status: Waiting | Working,
    ) -> None:
        """Note the steps, pass a wish to stop on, and fetch the newest sample."""
        row = await _read_row(database, ticket.order_id)
        if row is None:
            return
        await _note_steps(database, ticket, status)
        if row.stop_asked_at is not None:
            await _pass_stop_on(engine, ticket, status)
        elif isinstance(status, Working) and status.preview_url is not None:
            await _keep_sample(database, outside, engine, row, status.preview_url)

    async def store(
        self, database: Database, outside: Outside, engine: Engine, ticket: TicketRow, result: EngineResult
    ) -> Kept:
        """The weights, looked at, and the config without the guest's links.

        Raises: EngineRefused "no_lora", "broken_lora", "stopped" where no step ran, "too_large",
        "foreign_address"; Unavailable.
        """
        if result.lora is None:
            raise EngineRefused("no_lora")
        steps_ran = await _steps_ran(database, ticket, result.lora)
        if steps_ran == 0:
            raise EngineRefused(STOPPED)
        weights, facts = await _fetch_weights(engine, result.lora)
        config = await _fetch_config(engine, result.lora)
        lora_id = ticket.request["frozen"]["lora_id"]
        keys = weights_key(lora_id), config_key(lora_id)
        await outside.storage.put(keys[0], weights, "application/octet-stream")
        await outside.storage.put(keys[1], json.dumps(config, indent=2).encode(), "application/json")
        cost_usd = self.cost_usd(engine, ticket, result)
        noted = {
            "steps_ran": steps_ran,
            "bytes": len(weights),
            "tensors": facts.tensors,
            "rank": facts.rank,
            "config": config,
            "engine": ticket.engine,
            "endpoint": ticket.endpoint,
            "inference_s": result.inference_s,
            "billable_units": result.billable_units,
            "cost_usd": None if cost_usd is None else str(cost_usd),
        }
        return Kept(file_key=keys[0], keys=keys, facts=noted)

    def cost_usd(self, engine: Engine, ticket: TicketRow, result: EngineResult) -> Decimal | None:
        """Of the steps that ran."""
        told = None if result.lora is None else result.lora.steps_ran
        steps = ticket.request["frozen"]["steps"] if told is None else told
        return engine.training_cost_usd(ticket.endpoint, result, steps=steps)

    async def record(self, tx: Tx, ended: EndedOrder, file_url: FileUrl) -> None:
        """`LoraModel` and `Training` end as the order did."""
        await record_training(tx, ended, file_url)


async def _read_row(database: Database, order_id: str) -> TrainingRow | None:
    async with database.statement() as tx:
        return await rows.read_training_row(tx, order_id)


async def _read_material(database: Database, ticket: TicketRow) -> tuple[TrainingRow, list[SetPhoto]]:
    row = await _read_row(database, ticket.order_id)
    if row is None or row.set_id is None:
        raise MaterialGone("photos_gone")
    async with database.transaction() as tx:
        photos = await read_set_photos(tx, row.set_id)
    if not photos:
        raise MaterialGone("photos_gone")
    return row, photos


async def _note_steps(database: Database, ticket: TicketRow, status: Waiting | Working) -> None:
    """Steps count as the engine told them, and only where they are steps of this very training."""
    if isinstance(status, Waiting) or status.step is None:
        return
    if status.steps == ticket.request["frozen"]["steps"]:
        async with database.statement() as tx:
            await rows.note_steps(tx, ticket.order_id, steps_ran=status.step)


async def _pass_stop_on(engine: Engine, ticket: TicketRow, status: Waiting | Working) -> None:
    """One that waits has nothing to hand out, so it is taken out of the engine's queue."""
    if isinstance(status, Waiting):
        await engine.cancel(engine_ticket(ticket))
    else:
        await engine.stop(engine_ticket(ticket))


async def _keep_sample(
    database: Database, outside: Outside, engine: Engine, row: TrainingRow, url: str
) -> None:
    name = hashlib.sha256(url.encode()).hexdigest()[:12]
    key = f"models/{row.lora_id}/sample-{name}.jpg"
    if key == row.sample_key:
        return
    body = await engine.fetch(url, limit_bytes=_LARGEST_SAMPLE_BYTES)
    try:
        sample = await asyncio.to_thread(take_photo, body, shortest_side_px=_SHORTEST_SAMPLE_PX)
    except PhotoUnreadable as unreadable:
        raise EngineRefused("broken_sample") from unreadable
    async with database.statement() as tx:
        await rows.doom_file(tx, key, after=_TO_NAME_A_SAMPLE)
    await outside.storage.put(key, sample.body, "image/jpeg")
    async with database.transaction() as tx:
        await rows.note_sample(tx, row.order_id, sample_key=key)


async def _steps_ran(database: Database, ticket: TicketRow, lora: TrainedLora) -> int | None:
    """As the result tells; where it does not and the guest has stopped it, as the engine told last.

    None for all of them.
    """
    if lora.steps_ran is not None:
        return min(lora.steps_ran, int(ticket.request["frozen"]["steps"]))
    row = await _read_row(database, ticket.order_id)
    if row is None or row.stop_asked_at is None or row.steps_ran == 0:
        return None
    return row.steps_ran


async def _fetch_weights(engine: Engine, lora: TrainedLora) -> tuple[bytes, WeightsFacts]:
    weights = await engine.fetch(lora.weights_url, limit_bytes=LARGEST_WEIGHTS_BYTES)
    try:
        return weights, await asyncio.to_thread(examine_weights, weights)
    except BrokenWeights as broken:
        raise EngineRefused("broken_lora", str(broken)) from broken


async def _fetch_config(engine: Engine, lora: TrainedLora) -> dict[str, Any]:
    if lora.config_url is None:
        return {}
    config = strip_config(await engine.fetch(lora.config_url, limit_bytes=LARGEST_CONFIG_BYTES))
    if config is None:
        raise EngineRefused("broken_lora", "the config is no JSON object")
    return config
