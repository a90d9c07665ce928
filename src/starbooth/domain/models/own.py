"""What a maker does with a model of theirs: name it, share it or not, ask a fee, delete it.

Every function finds the guest's own models only. Locks: the model's row.
"""

import unicodedata
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.models.cards import FILE_OF, stored
from starbooth.domain.models.errors import (
    FeeRefused,
    ModelHidden,
    ModelInTraining,
    ModelNameRefused,
    ModelReported,
    ModelUnfinished,
    NoSuchModel,
)
from starbooth.domain.prompts.word_list import find_in
from starbooth.domain.trainings.photo_sets import doom_set

LONGEST_NAME = 40
LARGEST_FEE = 100

_LOCK = sql("""
    SELECT l."status"::text AS status, l."weightsUrl" AS weights_url, c.hidden_at,
        EXISTS (SELECT FROM starbooth.model_reports r
            WHERE r.lora_id = l."id" AND r.settled_at IS NULL) AS is_reported
    FROM public."LoraModel" l JOIN starbooth.model_cards c ON c.lora_id = l."id"
    WHERE l."id" = :id AND l."userId" = :user_id FOR NO KEY UPDATE OF l
""")
_SHARE = sql("""
    UPDATE public."LoraModel" SET "isPublic" = :is_public, "updatedAt" = timezone('UTC', now())
    WHERE "id" = :id
""")
_FILES = sql(f"""
    SELECT l."status"::text AS status, ARRAY[{FILE_OF.format(url='l."weightsUrl"')},
        {FILE_OF.format(url='l."configUrl"')}, {FILE_OF.format(url='l."previewImageUrl"')},
        t.sample_key] AS keys, t.set_id
    FROM public."LoraModel" l LEFT JOIN starbooth.training_orders t ON t.lora_id = l."id"
    WHERE l."id" = :id AND l."userId" = :user_id FOR UPDATE OF l
""")  # noqa: S608 - made of constants
_FORGET_SAMPLE = sql("UPDATE starbooth.training_orders SET sample_key = NULL WHERE lora_id = :id")
_DELETE_TRAINING = sql('DELETE FROM public."Training" WHERE "loraId" = :id')
_DELETE = sql('DELETE FROM public."LoraModel" WHERE "id" = :id')
_DOOM = sql("""
    INSERT INTO starbooth.doomed_files (key) SELECT unnest(CAST(:keys AS text[])) ON CONFLICT DO NOTHING
""")


async def rename_model(tx: Tx, lora_id: str, typed: str, *, user_id: str) -> str:
    """Call the model so, in the form that is returned. Pictures keep the name that it had then.

    Repeat: harmless. Raises: NoSuchModel, ModelNameRefused.
    """
    name = " ".join(unicodedata.normalize("NFC", typed).split())
    is_plain = all(unicodedata.category(letter) not in ("Cc", "Cs", "Co") for letter in name)
    if not 1 <= len(name) <= LONGEST_NAME or not is_plain or await find_in(tx, [name]) is not None:
        raise ModelNameRefused(limit=LONGEST_NAME)
    await _lock(tx, lora_id, user_id=user_id)
    await tx.execute(
        sql(
            'UPDATE public."LoraModel" SET "name" = :name, "updatedAt" = timezone(\'UTC\', now())'
            ' WHERE "id" = :id'
        ),
        {"id": lora_id, "name": name},
    )
    return name


async def set_fee(tx: Tx, lora_id: str, fee_stars: int, *, user_id: str) -> None:
    """Ask so many stars for each picture that others make with it. Orders that are placed keep their fee.

    Repeat: harmless. Raises: NoSuchModel, FeeRefused.
    """
    if not 0 <= fee_stars <= LARGEST_FEE:
        raise FeeRefused
    await _lock(tx, lora_id, user_id=user_id)
    await tx.execute(
        sql(
            'UPDATE public."LoraModel" SET "starsRequired" = :fee, "updatedAt" = timezone(\'UTC\', now())'
            ' WHERE "id" = :id'
        ),
        {"id": lora_id, "fee": fee_stars},
    )


async def publish_model(tx: Tx, lora_id: str, *, user_id: str) -> None:
    """Show the model in the catalogue, for everybody to use.

    Repeat: harmless. Raises: NoSuchModel, ModelUnfinished, ModelHidden, ModelReported, ModelNameRefused.
    """
    row = await _lock(tx, lora_id, user_id=user_id)
    if row.status != "COMPLETED" or row.weights_url is None:
        raise ModelUnfinished
    if row.hidden_at is not None:
        raise ModelHidden
    if row.is_reported:
        raise ModelReported
    name = await tx.scalar(sql('SELECT "name" FROM public."LoraModel" WHERE "id" = :id'), {"id": lora_id})
    if await find_in(tx, [str(name)]) is not None:
        raise ModelNameRefused(limit=LONGEST_NAME)
    await tx.execute(_SHARE, {"id": lora_id, "is_public": True})


async def unpublish_model(tx: Tx, lora_id: str, *, user_id: str) -> None:
    """Take the model out of the catalogue. Orders that are placed are painted. Repeat: harmless.

    Raises: NoSuchModel.
    """
    await _lock(tx, lora_id, user_id=user_id)
    await tx.execute(_SHARE, {"id": lora_id, "is_public": False})


async def delete_model(tx: Tx, lora_id: str, *, user_id: str) -> None:
    """Delete the model: its weights and its photos follow once `tx` has committed.

    Pictures stay with their recipe, stars as they are. An order that has not been sent to an engine yet fails
    there for want of the weights, and its stars go back.
    Raises: NoSuchModel, also where it was deleted before; ModelInTraining.
    """
    row = (await tx.execute(_FILES, {"id": lora_id, "user_id": user_id})).first()
    if row is None:
        raise NoSuchModel
    if row.status in ("PENDING", "TRAINING") and await _is_under_way(tx, lora_id):
        raise ModelInTraining
    await tx.execute(_FORGET_SAMPLE, {"id": lora_id})
    await tx.execute(_DELETE_TRAINING, {"id": lora_id})
    await tx.execute(_DELETE, {"id": lora_id})
    await tx.execute(_DOOM, {"keys": [key for key in row.keys if stored(key) is not None]})
    if row.set_id is not None:
        await doom_set(tx, row.set_id, user_id=user_id)


async def _is_under_way(tx: Tx, lora_id: str) -> bool:
    found = await tx.scalar(
        sql(
            "SELECT true FROM starbooth.training_orders t JOIN starbooth.orders o ON o.id = t.order_id"
            " WHERE t.lora_id = :id AND o.state IN ('held', 'running')"
        ),
        {"id": lora_id},
    )
    return bool(found)


async def _lock(tx: Tx, lora_id: str, *, user_id: str) -> Any:
    row = (await tx.execute(_LOCK, {"id": lora_id, "user_id": user_id})).first()
    if row is None:
        raise NoSuchModel
    return row
