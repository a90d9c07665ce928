"""Trainings: photo sets with their files, weights that look like some, orders and what became of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.ids import new_id
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.orders.place import PlacedOrder, Source
from starbooth.domain.trainings.offers import seed_training_offers
from starbooth.domain.trainings.request import TrainingLimits, TrainingRequest, request_training
from starbooth.outside.storage.contract import Storage
from tests.make.pictures import make_picture

_KEYS = count(1)
LIMITS = TrainingLimits(active_trainings=2, deadline=timedelta(hours=6), keep_photos=timedelta(days=7))


async def make_photo_set(
    database: Database,
    user_id: str,
    storage: Storage | None = None,
    *,
    photos: int = 4,
    lora_type: LoraType | None = LoraType.STYLE,
    name: str | None = "Clay",
    trigger_word: str | None = "qyzo",
    steps: int | None = 100,
    learning_rate: float | None = None,
    consents: bool = True,
) -> str:
    """A set that is ready to be ordered, its photos in `storage` if one is given. Returns its id."""
    set_id, consent_id = new_id(), new_id()
    async with database.transaction() as tx:
        await seed_training_offers(tx)
        if consents:
            await tx.execute(
                text(
                    "INSERT INTO starbooth.consents (id, user_id, words, language)"
                    " VALUES (:id, :user_id, 'You may train on these photos.', 'en')"
                ),
                {"id": consent_id, "user_id": user_id},
            )
        await tx.execute(
            text("""
                INSERT INTO starbooth.photo_sets (id, user_id, state, chat_id, lora_type, name, trigger_word,
                    steps, learning_rate, consent_id, kept_until)
                VALUES (:id, :user_id, 'ordered', 7, CAST(:lora_type AS public."LoraType"), :name,
                    :trigger_word, :steps, :learning_rate, :consent_id, now() + interval '7 days')
            """),
            {
                "id": set_id,
                "user_id": user_id,
                "lora_type": None if lora_type is None else lora_type.value,
                "name": name,
                "trigger_word": trigger_word,
                "steps": steps,
                "learning_rate": learning_rate,
                "consent_id": consent_id if consents else None,
            },
        )
        for number in range(1, photos + 1):
            await tx.execute(
                text(
                    "INSERT INTO starbooth.set_photos"
                    " (set_id, number, source, key, width_px, height_px, caption, facts)"
                    " VALUES (:id, :number, :source, :key, 512, 512, :caption, CAST(:facts AS jsonb))"
                ),
                {
                    "id": set_id,
                    "number": number,
                    "source": f"file-{number}",
                    "key": photo_key(set_id, number),
                    "caption": f"thing {number}",
                    "facts": json.dumps(PHOTO_FACTS),
                },
            )
    if storage is not None:
        for number in range(1, photos + 1):
            await storage.put(photo_key(set_id, number), f"photo {number}".encode(), "image/jpeg")
    return set_id


PHOTO_FACTS: dict[str, Any] = {
    "given_px": 512,
    "bytes": 7,
    "looks": {"sharpness": 1.0, "light": 0.5, "shape": "0", "colours": [0], "faces": None, "sided": None},
}


def photo_key(set_id: str, number: int) -> str:
    """Where a made photo lies."""
    return f"training/{set_id}/{number}.jpg"


async def place_training(
    database: Database,
    user_id: str,
    set_id: str,
    *,
    request_key: str | None = None,
    limits: TrainingLimits = LIMITS,
    recipient: Recipient | None = None,
    price_stars: int | None = None,
) -> PlacedOrder:
    """An order for this set, in a transaction of its own."""
    ask = TrainingRequest(
        request_key=request_key or f"trained:{next(_KEYS)}",
        user_id=user_id,
        source=Source.COMMAND,
        set_id=set_id,
    )
    async with database.transaction() as tx:
        return await request_training(tx, ask, limits=limits, recipient=recipient, price_stars=price_stars)


def make_weights(*, rank: int = 4, name: str = "transformer.x_embedder") -> bytes:
    """A safetensors file of one LoRA matrix pair, made by hand."""
    a, b = rank * 8 * 4, 8 * rank * 4
    header = {
        f"{name}.lora_A.weight": {"dtype": "F32", "shape": [rank, 8], "data_offsets": [0, a]},
        f"{name}.lora_B.weight": {"dtype": "F32", "shape": [8, rank], "data_offsets": [a, a + b]},
        "__metadata__": {"format": "pt"},
    }
    return as_safetensors(header, bytes(a + b))


def as_safetensors(header: Mapping[str, Any], body: bytes) -> bytes:
    """A header and what is behind it as a file."""
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + body


def make_sample() -> bytes:
    """A picture on the way of a training."""
    return make_picture(width_px=128, height_px=128)


@dataclass(frozen=True)
class TrainingRows:
    """What `public` says of one training."""

    lora: Mapping[str, Any]
    training: Mapping[str, Any]


async def read_rows(database: Database, order_id: str) -> TrainingRows:
    """The rows of an order for a training."""
    async with database.transaction() as tx:
        ids = (
            await tx.execute(
                text("SELECT lora_id, training_id FROM starbooth.training_orders WHERE order_id = :id"),
                {"id": order_id},
            )
        ).one()
        lora = await tx.execute(
            text('SELECT * FROM public."LoraModel" WHERE "id" = :id'), {"id": ids.lora_id}
        )
        training = await tx.execute(
            text('SELECT * FROM public."Training" WHERE "id" = :id'), {"id": ids.training_id}
        )
        return TrainingRows(lora=dict(lora.one()._mapping), training=dict(training.one()._mapping))
