"""Pictures in the gallery, written as finishing an order writes them but past it: as many as a test needs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from starbooth.base.database import Database
from starbooth.base.ids import new_id
from starbooth.domain.catalog.tables import BaseModelType, base_models
from starbooth.domain.generations.tables import generations

FIRST = datetime(2026, 3, 1, 12, 0)  # noqa: DTZ001 - as the contract stores it


async def add_pictures(
    database: Database,
    user_id: str,
    prompts: Sequence[str],
    *,
    at: datetime = FIRST,
    step: timedelta = timedelta(seconds=1),
    **columns: Any,
) -> list[str]:
    """A picture per prompt, each `step` younger than the one before it; returns their ids."""
    async with database.transaction() as tx:
        model_id = await tx.scalar(select(base_models.c.id).where(base_models.c.type == BaseModelType.FLUX))
        rows = [
            {
                "id": new_id(),
                "userId": user_id,
                "baseModelId": model_id,
                "prompt": prompt,
                "imageUrl": "https://booth.invalid/files/nothing.png",
                "seed": 7,
                "starsUsed": 3,
                "metadata": {
                    "orderId": f"c{place:024}",
                    "number": 0,
                    "fileKey": f"pictures/c{place:024}/0.png",
                },
                "createdAt": at + step * place,
                **columns,
            }
            for place, prompt in enumerate(prompts)
        ]
        if rows:
            await tx.execute(insert(generations), rows)
    return [str(row["id"]) for row in rows]
