"""Asking for a photo pack: an order for pictures like any other, whose words are ours."""

from dataclasses import dataclass

from starbooth.base.database import Tx, sql
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.asking import Asked
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.generations.errors import LoraNotFound
from starbooth.domain.generations.quote import quote
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures, sale_of_series
from starbooth.domain.orders.place import PlacedOrder, Source
from starbooth.domain.packs.photo_packs import PhotoPack, find_pack
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


@dataclass(frozen=True, kw_only=True)
class PackRequest:
    """What a guest asks for: so many pictures of this pack, of this model."""

    request_key: str
    user_id: str
    lora_id: str
    pack: str
    size: int
    language: Language


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


async def price_of_pack(
    tx: Tx, model: PackModel, pack: PhotoPack, size: int, *, user_id: str, limits: Limits
) -> int:
    """What this guest would pay now, in stars. Raises: what `quote` raises."""
    asked = _asked(model, pack, size, Language.ENGLISH)
    found = await quote(tx, asked.choices, user_id=user_id, sale=sale_of_series(limits))
    return found.price_stars


async def request_pack(
    tx: Tx, ask: PackRequest, *, limits: Limits, recipient: Recipient | None, price_stars: int
) -> PlacedOrder:
    """Place the order for a pack at the price that was shown. Repeat: the same key returns the first order.

    Raises: LoraNotFound, NoSuchPack, and what `request_pictures` raises; then `tx` must be rolled back.
    """
    model = await read_pack_model(tx, ask.lora_id, user_id=ask.user_id)
    pack = find_pack(ask.pack, lora_type=model.lora_type, size=ask.size)
    asked = _asked(model, pack, ask.size, ask.language)
    order = PictureRequest(
        request_key=ask.request_key,
        user_id=ask.user_id,
        source=Source.BOT,
        prompt=asked.prompt,
        choices=asked.choices,
        series=asked.series,
    )
    return await request_pictures(tx, order, limits=limits, recipient=recipient, price_stars=price_stars)


def _asked(model: PackModel, pack: PhotoPack, size: int, language: Language) -> Asked:
    return Asked(
        prompt=pack.title[language],
        choices=Choices(
            base_model_id=model.base_model_id, count=size, loras=(LoraChoice(lora_id=model.lora_id),)
        ),
        series=pack.series(size, subject=model.trigger_word),
    )
