"""LoRA models, finished unless a test wants otherwise."""

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.ids import new_id


async def base_model_id(database: Database, kind: str = "FLUX") -> str:
    """The id of the base model of this kind."""
    async with database.transaction() as tx:
        found = await tx.scalar(
            text('SELECT "id" FROM public."BaseModel" WHERE "type"::text = :kind'), {"kind": kind}
        )
    return str(found)


async def make_lora(
    database: Database,
    user_id: str,
    *,
    name: str = "Ada",
    base_model: str = "FLUX",
    status: str = "COMPLETED",
    is_public: bool = False,
    trigger_word: str = "",
    fee_stars: int = 0,
) -> str:
    """A LoRA of this user; returns its id. fee_stars: what a picture with it costs others."""
    lora_id = new_id()
    async with database.transaction() as tx:
        await tx.execute(
            text("""
                INSERT INTO public."LoraModel" ("id", "name", "triggerWord", "weightsUrl", "baseModelId",
                    "status", "isPublic", "starsRequired", "userId", "updatedAt")
                SELECT :id, :name, :trigger_word, 'https://booth.invalid/files/loras/' || :id, "id",
                    CAST(:status AS public."LoraStatus"), :is_public, :fee_stars, :user_id, now()
                FROM public."BaseModel" WHERE "type"::text = :base_model
            """),
            {
                "id": lora_id,
                "name": name,
                "trigger_word": trigger_word,
                "status": status,
                "is_public": is_public,
                "fee_stars": fee_stars,
                "user_id": user_id,
                "base_model": base_model,
            },
        )
    return lora_id
