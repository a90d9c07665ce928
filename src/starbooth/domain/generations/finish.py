"""What an order for pictures leaves in `public` when it ends."""

from typing import Any

from sqlalchemy import insert

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.domain.generations.tables import generations
from starbooth.domain.generations.wording import words_to_paint
from starbooth.domain.orders.end import EndedOrder, TicketEnd
from starbooth.domain.running.craft import FileUrl

# What the recipe of a picture tells beside what the contract has columns for.
_TOLD = ("model_name", "steps", "guidance", "strength")
_TOLD_OF_LORA = ("lora_id", "name", "weight")


async def record_pictures(tx: Tx, ended: EndedOrder, file_url: FileUrl) -> None:
    """Write a row for each picture that is done; among them they tell what was charged."""
    done = [ticket for ticket in ended.tickets if ticket.state == "done"]
    if done:
        lora_id = await _lora_of(tx, ended)
        rows = [
            {**_row(ended, ticket, place, len(done), file_url), "loraId": lora_id}
            for place, ticket in enumerate(done)
        ]
        await tx.execute(insert(generations), rows)


async def _lora_of(tx: Tx, ended: EndedOrder) -> str | None:
    """The first LoRA of the order, kept from being deleted until `tx` ends; None where it has been meanwhile.

    The recipe names it in either case.
    """
    loras = ended.request["frozen"].get("loras", [])
    if not loras:
        return None
    lock = sql('SELECT "id" FROM public."LoraModel" WHERE "id" = :id FOR KEY SHARE')
    found: str | None = await tx.scalar(lock, {"id": loras[0]["lora_id"]})
    return found


def _row(
    ended: EndedOrder, ticket: TicketEnd, place: int, pictures: int, file_url: FileUrl
) -> dict[str, Any]:
    assert ticket.file_key is not None
    frozen = ended.request["frozen"]
    loras = frozen.get("loras", [])
    prompt = ended.request["asked"]["prompt"]
    words = words_to_paint(ended.request, ticket.number)
    if "series" in ended.request["asked"]:  # what the series is called tells nothing of this picture
        prompt = words
    # What does not divide evenly is told on the first pictures, so that the rows sum up to the charge.
    share, rest = divmod(ended.spent_stars, pictures)
    return {
        "id": new_id(),
        "userId": ended.user_id,
        "baseModelId": frozen["base_model_id"],
        "prompt": prompt,
        "negativePrompt": frozen.get("negative"),
        "imageUrl": file_url(ticket.file_key),
        "seed": ticket.seed,
        "starsUsed": share + (place < rest),
        "metadata": {
            "orderId": ended.order_id,
            "number": ticket.number,
            "fileKey": ticket.file_key,
            **{name: frozen[name] for name in _TOLD if name in frozen},
            **({"words": words} if words != prompt else {}),
            **({"loras": [{name: each[name] for name in _TOLD_OF_LORA} for each in loras]} if loras else {}),
            **({"hasPhoto": True} if "photo_key" in frozen else {}),
            **ticket.facts,
        },
    }
