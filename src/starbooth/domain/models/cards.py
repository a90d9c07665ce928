"""One model as it is shown: to its maker with all that can be done, to others where it is public."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.generations.quote import FREE_USES
from starbooth.domain.models.errors import NoSuchModel
from starbooth.domain.models.makers import SHOWN_NAME
from starbooth.outside.storage.store import is_key


class LoraStatus(StrEnum):
    """How far a model has come."""

    PENDING = "PENDING"
    TRAINING = "TRAINING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A model. fee_stars: per picture, for others; free_left: how many are free of it for this guest. uses:
    pictures that others made. maker_name: as the maker chose to be shown, None for no name. preview_key,
    weights_key: where the files lie, if they do.
    hidden_reason: operators took it out of the catalogue. set_id: the photos it was trained on, while kept.
    created_at: naive UTC.
    """

    lora_id: str
    name: str
    trigger_word: str
    lora_type: str
    status: LoraStatus
    base_model_id: str
    base_model_name: str
    is_own: bool
    is_public: bool
    is_listed: bool
    is_favourite: bool
    is_reported: bool
    has_weights: bool
    fee_stars: int
    free_left: int
    uses: int
    favourites: int
    maker_name: str | None
    preview_key: str | None
    weights_key: str | None
    hidden_reason: str | None
    set_id: str | None
    created_at: datetime

    @property
    def is_finished(self) -> bool:
        """Whether pictures can be made with it."""
        return self.status is LoraStatus.COMPLETED and self.has_weights


FILE_OF = """substring({url} from '/files/([^?#]+)$')"""
# is_reported: by this guest; for its maker: by anybody, and not looked at yet.
_READ = sql(f"""
    SELECT l."id" AS lora_id, l."name" AS name, l."triggerWord" AS trigger_word, l."type"::text AS lora_type,
        l."status"::text AS status, l."baseModelId" AS base_model_id, b."name" AS base_model_name,
        l."userId" = :user_id AS is_own, l."isPublic" AS is_public, c.is_listed,
        EXISTS (SELECT FROM starbooth.model_favourites f
            WHERE f.user_id = :user_id AND f.lora_id = l."id") AS is_favourite,
        EXISTS (SELECT FROM starbooth.model_reports r WHERE r.lora_id = l."id" AND CASE
            WHEN l."userId" = :user_id THEN r.settled_at IS NULL
            ELSE r.user_id = :user_id END) AS is_reported,
        l."weightsUrl" IS NOT NULL AS has_weights,
        greatest(0, l."starsRequired") AS fee_stars, ARRAY(
            SELECT f.free FROM starbooth.order_fees f
            WHERE f.user_id = :user_id AND f.lora_id = l."id" AND f.free > 0) AS freed,
        c.uses, c.favourites, {SHOWN_NAME} AS maker_name,
        {FILE_OF.format(url='l."previewImageUrl"')} AS preview_key,
        {FILE_OF.format(url='l."weightsUrl"')} AS weights_key,
        c.hidden_reason, CASE WHEN l."userId" = :user_id THEN (
            SELECT s.id FROM starbooth.training_orders t JOIN starbooth.photo_sets s ON s.id = t.set_id
            WHERE t.lora_id = l."id" AND s.state <> 'doomed' AND s.kept_until > now()) END AS set_id,
        l."createdAt" AS created_at
    FROM public."LoraModel" l
    JOIN public."BaseModel" b ON b."id" = l."baseModelId"
    JOIN public."User" u ON u."id" = l."userId"
    JOIN starbooth.model_cards c ON c.lora_id = l."id"
    LEFT JOIN starbooth.makers m ON m.user_id = l."userId"
    WHERE l."id" = :id AND (l."userId" = :user_id OR c.is_listed)
""")  # noqa: S608 - made of constants


async def read_card(tx: Tx, lora_id: str, *, user_id: str) -> ModelCard:
    """This guest's own model, or a public one. Raises: NoSuchModel."""
    row = (await tx.execute(_READ, {"id": lora_id, "user_id": user_id})).first()
    if row is None:
        raise NoSuchModel
    return _card(row)


def stored(key: str | None) -> str | None:
    """The key, where it can be one of ours: rows of other programs may hold any address."""
    return key if key is not None and is_key(key) else None


def _card(row: Any) -> ModelCard:
    facts = dict(row._mapping)
    keys = {name: stored(facts.pop(name)) for name in ("preview_key", "weights_key")}
    free_left = max(0, FREE_USES - sum(facts.pop("freed")))
    return ModelCard(**{**facts, **keys, "free_left": free_left, "status": LoraStatus(row.status)})
