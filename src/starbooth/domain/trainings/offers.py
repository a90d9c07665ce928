"""Training offers: what learning a style or a person costs, who teaches it, and what may be asked.

The list prices behind the seeds are fal.ai's (`outside.engine.prices`): two dollars for a thousand steps of a
style, six for the two and a half thousand of a portrait, of which it charges a thousand at least.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Tx, sql
from starbooth.domain.catalog.tables import BaseModelType, LoraType


@dataclass(frozen=True, kw_only=True)
class TrainingOffer:
    """One kind of training as it is sold.

    base_model_id: the model that the LoRA will be for. engines: in order of preference; empty means all there
    are, in the booth's order. least_photos: fewer are refused; up to warn_photos the guest is warned.
    A learning rate whose range is a point cannot be chosen: the endpoint has its own.
    """

    lora_type: LoraType
    base_model_id: str
    endpoint: str
    engines: tuple[str, ...]
    stars_per_100_steps: int
    least_stars: int
    steps: int
    least_steps: int
    most_steps: int
    learning_rate: float
    least_learning_rate: float
    most_learning_rate: float
    least_photos: int
    warn_photos: int
    most_photos: int
    is_on: bool


def price_of(offer: TrainingOffer, steps: int) -> int:
    """What a training of so many steps costs, in whole stars: a part of a star is a whole one."""
    return max(offer.least_stars, -(-offer.stars_per_100_steps * steps // 100))


_COLUMNS = """
    lora_type::text AS lora_type, base_model_id, endpoint, engines, stars_per_100_steps, least_stars, steps,
    least_steps, most_steps, learning_rate, least_learning_rate, most_learning_rate, least_photos,
    warn_photos, most_photos, is_on
"""
_READ = sql(f"""
    SELECT {_COLUMNS} FROM starbooth.training_offers WHERE lora_type = CAST(:lora_type AS public."LoraType")
""")  # noqa: S608 - our own constants
_LIST = sql(f"SELECT {_COLUMNS} FROM starbooth.training_offers ORDER BY training_offers.lora_type")  # noqa: S608


async def read_training_offer(tx: Tx, lora_type: LoraType) -> TrainingOffer | None:
    """The offer for this kind, also where it is switched off; None where there is none."""
    row = (await tx.execute(_READ, {"lora_type": lora_type.value})).first()
    return None if row is None else _offer(row)


async def list_training_offers(tx: Tx) -> list[TrainingOffer]:
    """Every offer, also those that are switched off."""
    return [_offer(row) for row in await tx.execute(_LIST)]


@dataclass(frozen=True, kw_only=True)
class _Seed:
    """What is the same for guests of every booth until its operator changes it."""

    endpoint: str
    stars_per_100_steps: int
    least_stars: int
    steps: int
    least_steps: int
    most_steps: int
    learning_rate: float
    least_learning_rate: float
    most_learning_rate: float
    least_photos: int
    warn_photos: int
    most_photos: int = 30


_SEEDS = {
    LoraType.STYLE: (
        BaseModelType.FLUX,
        _Seed(
            endpoint="fal-ai/flux-lora-fast-training",
            stars_per_100_steps=24,
            least_stars=24,
            steps=1000,
            least_steps=100,
            most_steps=4000,
            learning_rate=0.0004,
            least_learning_rate=0.0004,
            most_learning_rate=0.0004,
            least_photos=4,
            warn_photos=4,
        ),
    ),
    LoraType.PORTRAIT: (
        BaseModelType.FLUX_PORTRAIT,
        _Seed(
            endpoint="fal-ai/flux-lora-portrait-trainer",
            stars_per_100_steps=29,
            least_stars=290,
            steps=2500,
            least_steps=100,
            most_steps=4000,
            learning_rate=0.00009,
            least_learning_rate=0.00001,
            most_learning_rate=0.001,
            least_photos=4,
            warn_photos=10,
        ),
    ),
}

_INSERT = sql("""
    INSERT INTO starbooth.training_offers
        (lora_type, base_model_id, endpoint, stars_per_100_steps, least_stars, steps, least_steps, most_steps,
        learning_rate, least_learning_rate, most_learning_rate,
        least_photos, warn_photos, most_photos)
    SELECT CAST(:lora_type AS public."LoraType"), b."id", :endpoint, :stars_per_100_steps, :least_stars,
        :steps, :least_steps, :most_steps, :learning_rate, :least_learning_rate, :most_learning_rate,
        :least_photos, :warn_photos, :most_photos
    FROM public."BaseModel" b WHERE b."type" = CAST(:base_model AS public."BaseModelType")
    ORDER BY b."isDefault" DESC, b."id" LIMIT 1
    ON CONFLICT DO NOTHING
""")


async def seed_training_offers(tx: Tx) -> None:
    """Give a database its offers; touch none that is there. After `seed_offers`, which brings the models.

    Repeat: harmless, also from two processes at once.
    """
    for lora_type, (base_model, seed) in _SEEDS.items():
        values = {**asdict(seed), "lora_type": lora_type.value, "base_model": base_model.value}
        await tx.execute(_INSERT, values)


CHANGEABLE = frozenset(
    {
        *("engines", "stars_per_100_steps", "least_stars", "steps", "least_steps", "most_steps"),
        *("learning_rate", "least_learning_rate", "most_learning_rate"),
        *("least_photos", "warn_photos", "most_photos", "is_on"),
    }
)


async def change_training_offer(tx: Tx, offer: TrainingOffer, changes: Mapping[str, Any]) -> None:
    """Set columns of an offer, each in CHANGEABLE, from the next order on. Orders keep what they froze.

    Locks: the offer. Repeat: harmless.
    Raises: IntegrityError where a value is out of its range; the caller words it.
    """
    assert changes.keys() <= CHANGEABLE
    columns = ", ".join(f"{name} = :{name}" for name in changes)
    await tx.execute(
        text(
            f"UPDATE starbooth.training_offers SET {columns}, updated_at = now()"  # noqa: S608 - names of ours
            ' WHERE lora_type = CAST(:of_type AS public."LoraType")'
        ),
        {**changes, "of_type": offer.lora_type.value},
    )


def _offer(row: Any) -> TrainingOffer:
    facts = {**row._mapping, "lora_type": LoraType(row.lora_type), "engines": tuple(row.engines)}
    return TrainingOffer(**facts)
