"""The end of a training: what it costs, and what it leaves in `public`."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.orders.end import STOPPED, Bill, EndedOrder, OrderState, TicketEnd
from starbooth.domain.running.craft import FileUrl
from starbooth.domain.trainings.rows import TrainingRow, doom_file, read_training_row


def weights_key(lora_id: str) -> str:
    """Where a model's weights lie."""
    return f"models/{lora_id}/weights.safetensors"


def config_key(lora_id: str) -> str:
    """Where a model's config lies."""
    return f"models/{lora_id}/config.json"


def price_of_steps(price_stars: int, *, ran: int, of: int) -> int:
    """What `ran` steps cost of a training of `of` steps: their share, rounded down to whole stars."""
    return price_stars * max(0, min(ran, of)) // of


def price_of_end(bill: Bill) -> int:
    """What an order for a training costs by how it ended.

    All where it ran to its end; the steps that ran where it was ended early, with a LoRA or, where the guest
    stopped it and the engine had none to give, without; nothing where it failed.
    """
    (ticket,) = bill.tickets
    is_stopped = ticket.state == "failed" and ticket.error_code == STOPPED
    if ticket.state != "done" and not is_stopped:
        return 0
    ran = ticket.facts.get("steps_ran")
    if ran is None:
        return 0 if is_stopped else bill.price_stars
    return price_of_steps(bill.price_stars, ran=int(ran), of=int(bill.request["frozen"]["steps"]))


async def record_training(tx: Tx, ended: EndedOrder, file_url: FileUrl) -> None:
    """End the rows `LoraModel` and `Training` as their order did, and keep the photos for another try.

    Files of what failed go. Repeat: it is called once, in the transaction that ends the order.
    """
    row = await read_training_row(tx, ended.order_id)
    if row is None:
        return  # its guest was erased, and the rows with them
    if ended.state is OrderState.DONE:
        await _complete(tx, ended, row, file_url)
    else:
        await _fail(tx, ended, row)
    # From now on the sample is the model's preview and nothing else, or gone.
    await tx.execute(
        sql("UPDATE starbooth.training_orders SET sample_key = NULL WHERE order_id = :order_id"),
        {"order_id": ended.order_id},
    )
    await _keep_photos(tx, ended, row)


_LORA_DONE = sql("""
    UPDATE public."LoraModel" SET "status" = 'COMPLETED', "weightsUrl" = :weights_url,
        "configUrl" = :config_url, "previewImageUrl" = coalesce("previewImageUrl", :preview_url),
        "updatedAt" = now() AT TIME ZONE 'UTC'
    WHERE "id" = :lora_id
""")
_LORA_FAILED = sql("""
    UPDATE public."LoraModel" SET "status" = 'FAILED', "updatedAt" = now() AT TIME ZONE 'UTC'
    WHERE "id" = :lora_id
""")
_TRAINING_ENDED = sql("""
    UPDATE public."Training" SET "status" = CAST(:status AS public."TrainStatus"), "error" = :error,
        "completedAt" = now() AT TIME ZONE 'UTC', "starsSpent" = :spent_stars,
        "instancePrompt" = coalesce(:instance_prompt, "instancePrompt"),
        "learningRate" = coalesce(:learning_rate, "learningRate"), "metadata" = CAST(:metadata AS jsonb)
    WHERE "id" = :training_id
""")


async def _complete(tx: Tx, ended: EndedOrder, row: TrainingRow, file_url: FileUrl) -> None:
    (ticket,) = ended.tickets
    config: Mapping[str, Any] = ticket.facts.get("config") or {}
    await tx.execute(
        _LORA_DONE,
        {
            "lora_id": row.lora_id,
            "weights_url": file_url(weights_key(row.lora_id)),
            "config_url": file_url(config_key(row.lora_id)),
            "preview_url": None if row.sample_key is None else file_url(row.sample_key),
        },
    )
    instance_prompt, learning_rate = config.get("instance_prompt"), config.get("learning_rate")
    await _end_training(
        tx,
        ended,
        row,
        status="COMPLETED",
        error=None,
        instance_prompt=instance_prompt if isinstance(instance_prompt, str) and instance_prompt else None,
        learning_rate=float(learning_rate) if isinstance(learning_rate, int | float) else None,
    )


async def _fail(tx: Tx, ended: EndedOrder, row: TrainingRow) -> None:
    await tx.execute(_LORA_FAILED, {"lora_id": row.lora_id})
    await _end_training(tx, ended, row, status="FAILED", error=ended.error_code or ended.state.value)
    # A worker that died may have stored some of them without a word.
    keys = weights_key(row.lora_id), config_key(row.lora_id), row.sample_key
    for key in keys:
        if key is not None:
            await doom_file(tx, key)


async def _end_training(
    tx: Tx,
    ended: EndedOrder,
    row: TrainingRow,
    *,
    status: str,
    error: str | None,
    instance_prompt: str | None = None,
    learning_rate: float | None = None,
) -> None:
    await tx.execute(
        _TRAINING_ENDED,
        {
            "training_id": row.training_id,
            "status": status,
            "error": error,
            "spent_stars": ended.spent_stars,
            "instance_prompt": instance_prompt,
            "learning_rate": learning_rate,
            "metadata": json.dumps(_recipe(ended, row)),
        },
    )


# What the recipe tells of what was decided, beside what the contract has columns for.
_TOLD = (
    "lora_type",
    "name",
    "trigger_word",
    "steps",
    "learning_rate",
    "photos",
    "consent_id",
    "base_model_id",
)


def _recipe(ended: EndedOrder, row: TrainingRow) -> dict[str, Any]:
    frozen = ended.request["frozen"]
    (ticket,) = ended.tickets
    return {
        "orderId": ended.order_id,
        **{name: frozen[name] for name in _TOLD if name in frozen},
        "steps_ran": _steps_ran(ticket, row, int(frozen["steps"])),
        **{name: value for name, value in ticket.facts.items() if name != "steps_ran"},
    }


def _steps_ran(ticket: TicketEnd, row: TrainingRow, steps: int) -> int:
    told = ticket.facts.get("steps_ran")
    if told is not None:
        return int(told)
    return steps if ticket.state == "done" else row.steps_ran


async def _keep_photos(tx: Tx, ended: EndedOrder, row: TrainingRow) -> None:
    """From the end on the photos stay as long as was promised, no longer."""
    await tx.execute(
        sql(
            "UPDATE starbooth.photo_sets SET kept_until = now() + :kept"
            " WHERE id = :set_id AND state = 'ordered'"
        ),
        {"set_id": row.set_id, "kept": timedelta(seconds=ended.request["frozen"]["keep_photos_s"])},
    )
