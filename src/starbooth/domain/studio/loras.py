"""The LoRAs that a guest may choose among: their own and the public ones, finished and of one base model."""

from dataclasses import dataclass

from starbooth.base.database import Tx, sql
from starbooth.domain.generations.errors import LoraNotFound, LoraUnfinished


@dataclass(frozen=True, kw_only=True)
class OfferedLora:
    """A LoRA to choose. is_own: it is this guest's. fee_stars: what each picture with it costs more, but
    for the first few.
    """

    lora_id: str
    name: str
    is_own: bool
    fee_stars: int


@dataclass(frozen=True, kw_only=True)
class LoraPage:
    """Some of them. has_more: others come after these."""

    loras: tuple[OfferedLora, ...]
    has_more: bool


async def base_model_of(tx: Tx, lora_id: str, *, user_id: str) -> str:
    """The base model of a LoRA that this guest may use. Raises: LoraNotFound, LoraUnfinished."""
    row = (
        await tx.execute(
            sql("""
                SELECT "baseModelId" AS base_model_id, "status" = 'COMPLETED' AS is_done
                FROM public."LoraModel" WHERE "id" = :id AND ("userId" = :user_id OR "isPublic")
            """),
            {"id": lora_id, "user_id": user_id},
        )
    ).first()
    if row is None:
        raise LoraNotFound
    if not row.is_done:
        raise LoraUnfinished
    return str(row.base_model_id)


async def list_loras(
    tx: Tx, *, user_id: str, base_model_id: str, besides: tuple[str, ...], limit: int, offset: int
) -> LoraPage:
    """The guest's own LoRAs, newest first, then public ones by name. besides: ids that are left out."""
    rows = (
        await tx.execute(
            sql("""
                SELECT "id", "name", "userId" = :user_id AS is_own,
                    CASE WHEN "userId" = :user_id THEN 0 ELSE greatest(0, "starsRequired") END AS fee_stars
                FROM public."LoraModel" JOIN starbooth.model_cards c ON c.lora_id = "id"
                WHERE ("userId" = :user_id OR c.is_listed) AND "status" = 'COMPLETED'
                    AND "weightsUrl" IS NOT NULL AND "baseModelId" = :base_model_id
                    AND "id" <> ALL (CAST(:besides AS text[]))
                ORDER BY "userId" = :user_id DESC,
                    CASE WHEN "userId" = :user_id THEN "createdAt" END DESC, "name", "id"
                LIMIT :limit OFFSET :offset
            """),
            {
                "user_id": user_id,
                "base_model_id": base_model_id,
                "besides": list(besides),
                "limit": limit + 1,
                "offset": offset,
            },
        )
    ).all()
    found = tuple(
        OfferedLora(lora_id=row.id, name=row.name, is_own=row.is_own, fee_stars=row.fee_stars) for row in rows
    )
    return LoraPage(loras=found[:limit], has_more=len(found) > limit)
