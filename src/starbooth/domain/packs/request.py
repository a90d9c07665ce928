"""What a photo pack asks for: pictures like any others, whose words are ours."""

from dataclasses import dataclass

from starbooth.base.database import Tx, sql
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.generations.asking import Asked
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.generations.errors import LoraNotFound
from starbooth.domain.generations.quote import quote
from starbooth.domain.generations.request import Limits, sale_of_series
from starbooth.domain.packs.photo_packs import find_pack
from starbooth.domain.users.guests import Language

# Own finished ones, and the public ones that operators have not taken out of the catalogue.
_USABLE = """
    SELECT l."id" AS lora_id, l."name" AS name, l."triggerWord" AS trigger_word, l."type"::text AS lora_type,
        l."baseModelId" AS base_model_id, l."userId" = :user_id AS is_own
    FROM public."LoraModel" l
    WHERE l."status" = 'COMPLETED' AND l."weightsUrl" IS NOT NULL
        AND (l."userId" = :user_id OR (l."isPublic" AND NOT EXISTS (
            SELECT FROM starbooth.model_cards c WHERE c.lora_id = l."id" AND c.hidden_at IS NOT NULL)))
"""
_ONE = sql(f'{_USABLE} AND l."id" = :lora_id')
_SOME = sql(
    f'{_USABLE} ORDER BY is_own DESC, CASE WHEN l."userId" = :user_id THEN l."createdAt" END DESC, l."name",'
    ' l."id" LIMIT :limit'
)


@dataclass(frozen=True, kw_only=True)
class PackModel:
    """A model that a pack can be made of. is_own: it is this guest's."""

    lora_id: str
    name: str
    trigger_word: str
    lora_type: LoraType
    base_model_id: str
    is_own: bool


async def read_pack_model(tx: Tx, lora_id: str, *, user_id: str) -> PackModel:
    """A finished model of this guest, or a public one. Raises: LoraNotFound."""
    row = (await tx.execute(_ONE, {"lora_id": lora_id, "user_id": user_id})).first()
    if row is None:
        raise LoraNotFound
    return PackModel(**{**row._mapping, "lora_type": LoraType(row.lora_type)})


async def list_pack_models(tx: Tx, *, user_id: str, limit: int) -> tuple[PackModel, ...]:
    """The guest's own finished models, newest first, then public ones by name."""
    rows = await tx.execute(_SOME, {"user_id": user_id, "limit": limit})
    return tuple(PackModel(**{**row._mapping, "lora_type": LoraType(row.lora_type)}) for row in rows)


async def ask_for_pack(
    tx: Tx, lora_id: str, pack: str, size: int, *, user_id: str, language: Language
) -> Asked:
    """What to ask for to have so many pictures of this pack, of this model.

    Raises: LoraNotFound, NoSuchPack.
    """
    model = await read_pack_model(tx, lora_id, user_id=user_id)
    found = find_pack(pack, lora_type=model.lora_type, size=size)
    return Asked(
        prompt=found.title[language],
        choices=Choices(
            base_model_id=model.base_model_id, count=size, loras=(LoraChoice(lora_id=model.lora_id),)
        ),
        series=found.series(size, subject=model.trigger_word),
    )


async def price_of_pack(tx: Tx, asked: Asked, *, user_id: str, limits: Limits) -> int:
    """What this guest would pay for it now, in stars. Raises: what `quote` raises."""
    return (await quote(tx, asked.choices, user_id=user_id, sale=sale_of_series(limits))).price_stars
