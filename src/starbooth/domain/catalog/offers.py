"""Offers: what a base model costs, which engine endpoint it means and what it is asked for by default."""

from dataclasses import dataclass

from sqlalchemy import func, insert, select, text

from starbooth.base.database import Tx
from starbooth.base.ids import new_id
from starbooth.domain.catalog.tables import BaseModelType, base_models, offers


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One base model as it is sold. `price_stars` is per picture; `guidance` is fal's guidance_scale."""

    base_model_id: str
    kind: BaseModelType
    endpoint: str
    price_stars: int
    width_px: int
    height_px: int
    steps: int
    guidance: float


@dataclass(frozen=True, kw_only=True)
class _Seed:
    name: str
    version: str
    endpoint: str
    price_stars: int
    steps: int
    guidance: float
    width_px: int = 1024
    height_px: int = 1024


_SEEDS = {
    BaseModelType.FLUX: _Seed(
        name="Flux", version="dev", endpoint="fal-ai/flux/dev", price_stars=3, steps=28, guidance=3.5
    ),
    BaseModelType.FLUX_FAST: _Seed(
        name="Flux fast",
        version="schnell",
        endpoint="fal-ai/flux/schnell",
        price_stars=1,
        steps=4,
        guidance=3.5,
    ),
    BaseModelType.FLUX_PORTRAIT: _Seed(
        name="Flux portrait",
        version="lora",
        endpoint="fal-ai/flux-lora",
        price_stars=4,
        steps=28,
        guidance=3.5,
    ),
}


async def seed_offers(tx: Tx) -> None:
    """Give a new database its three base models and offers; touch nothing where there is one of a kind.

    Locks: the table of base models, so that two first starts do not both seed. Repeat: harmless.
    """
    await tx.execute(text('LOCK TABLE public."BaseModel" IN SHARE ROW EXCLUSIVE MODE'))
    known = set((await tx.execute(select(base_models.c.type))).scalars())
    for kind in BaseModelType:
        if kind not in known:
            await _seed_offer(tx, kind, _SEEDS[kind])


async def _seed_offer(tx: Tx, kind: BaseModelType, seed: _Seed) -> None:
    base_model_id = new_id()
    await tx.execute(
        insert(base_models).values(
            id=base_model_id,
            name=seed.name,
            version=seed.version,
            type=kind,
            isDefault=kind is BaseModelType.FLUX,
        )
    )
    await tx.execute(
        insert(offers).values(
            base_model_id=base_model_id,
            endpoint=seed.endpoint,
            price_stars=seed.price_stars,
            width_px=seed.width_px,
            height_px=seed.height_px,
            steps=seed.steps,
            guidance=seed.guidance,
            updated_at=func.now(),
        )
    )


async def default_offer(tx: Tx) -> Offer:
    """The offer of the base model marked as default. There is one after `seed_offers`."""
    models = base_models.c
    row = (
        await tx.execute(
            select(offers, models.type)
            .join(base_models, models.id == offers.c.base_model_id)
            .order_by(models.isDefault.desc(), models.type)
            .limit(1)
        )
    ).one()
    return Offer(
        base_model_id=row.base_model_id,
        kind=row.type,
        endpoint=row.endpoint,
        price_stars=row.price_stars,
        width_px=row.width_px,
        height_px=row.height_px,
        steps=row.steps,
        guidance=row.guidance,
    )
