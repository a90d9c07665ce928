"""Models that guests marked, and how many marked each."""

from starbooth.base.database import Tx, sql
from starbooth.domain.models.errors import NoSuchModel

_MARK = sql("""
    WITH marked AS (
        INSERT INTO starbooth.model_favourites (user_id, lora_id)
        SELECT :user_id, lora_id FROM starbooth.model_cards WHERE lora_id = :id AND is_listed
        ON CONFLICT DO NOTHING RETURNING lora_id
    )
    UPDATE starbooth.model_cards c SET favourites = favourites + 1 FROM marked m WHERE c.lora_id = m.lora_id
""")
_UNMARK = sql("""
    WITH unmarked AS (
        DELETE FROM starbooth.model_favourites WHERE user_id = :user_id AND lora_id = :id RETURNING lora_id
    )
    UPDATE starbooth.model_cards c SET favourites = greatest(0, favourites - 1)
    FROM unmarked m WHERE c.lora_id = m.lora_id
""")


async def mark_model(tx: Tx, lora_id: str, *, user_id: str) -> None:
    """Keep a public model among the guest's favourites. Repeat: harmless. Raises: NoSuchModel."""
    listed = sql("SELECT true FROM starbooth.model_cards WHERE lora_id = :id AND is_listed")
    if not await tx.scalar(listed, {"id": lora_id}):
        raise NoSuchModel
    await tx.execute(_MARK, {"id": lora_id, "user_id": user_id})


async def unmark_model(tx: Tx, lora_id: str, *, user_id: str) -> None:
    """Keep it no more. Repeat: harmless."""
    await tx.execute(_UNMARK, {"id": lora_id, "user_id": user_id})
