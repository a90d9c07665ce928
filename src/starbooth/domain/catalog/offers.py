"""Offers: what a base model costs, which engine endpoints it means, and what may be asked of it.

What an offer can do is told by the endpoints that it names: no endpoint, no such picture. Every change is
dated by the database (`offer_changes`), so an old charge can be explained.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, text, update

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.domain.catalog.tables import BaseModelType, base_models, offers


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One base model as it is sold. `price_stars` is per picture; `guidance` is fal's guidance_scale.

    endpoint, photo_endpoint, loras_endpoint, loras_photo_endpoint: for words alone, with a photo to start
    from, with LoRAs, with both; None where the model cannot. engines: in order of preference; empty means
    all there are, in the booth's order. negative_engines: those that honour a negative prompt.
    strength: how far a picture may leave its photo where nobody says, 0.01 to 1.
    """

    base_model_id: str
    kind: BaseModelType
    name: str
    endpoint: str
    photo_endpoint: str | None
    loras_endpoint: str | None
    loras_photo_endpoint: str | None
    engines: tuple[str, ...]
    negative_engines: tuple[str, ...]
    price_stars: int
    width_px: int
    height_px: int
    steps: int
    least_steps: int
    most_steps: int
    guidance: float
    least_guidance: float
    most_guidance: float
    strength: float
    is_on: bool

    def endpoint_for(self, *, has_photo: bool, has_loras: bool) -> str | None:
        """The endpoint that paints this way; None where the model cannot."""
        if has_loras:
            return self.loras_photo_endpoint if has_photo else self.loras_endpoint
        return self.photo_endpoint if has_photo else self.endpoint


@dataclass(frozen=True, kw_only=True)
class _Seed:
    name: str
    version: str
    price_stars: int
    endpoint: str
    steps: int
    guidance: float = 3.5
    width_px: int = 1024
    height_px: int = 1024
    negative_engines: list[str] = field(default_factory=lambda: ["darkroom"])
    photo_endpoint: str | None = None
    loras_endpoint: str | None = None
    loras_photo_endpoint: str | None = None
    most_steps: int = 50
    least_guidance: float = 1
    most_guidance: float = 20
    strength: float = 0.85


_SEEDS = {
    BaseModelType.FLUX: _Seed(
        name="Flux",
        version="dev",
        price_stars=3,
        endpoint="fal-ai/flux/dev",
        photo_endpoint="fal-ai/flux/dev/image-to-image",
        loras_endpoint="fal-ai/flux-lora",
        loras_photo_endpoint="fal-ai/flux-lora/image-to-image",
        steps=28,
        strength=0.9,
    ),
    BaseModelType.FLUX_FAST: _Seed(
        name="Flux fast",
        version="schnell",
        price_stars=1,
        endpoint="fal-ai/flux/schnell",
        steps=4,
        most_steps=12,
    ),
    BaseModelType.FLUX_PORTRAIT: _Seed(
        name="Flux portrait",
        version="lora",
        price_stars=4,
        endpoint="fal-ai/flux-lora",
        photo_endpoint="fal-ai/flux-lora/image-to-image",
        loras_endpoint="fal-ai/flux-lora",
        loras_photo_endpoint="fal-ai/flux-lora/image-to-image",
        steps=28,
        least_guidance=0,
        most_guidance=35,
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
    facts = {each.name: getattr(seed, each.name) for each in fields(seed)}
    named = {"name": facts.pop("name"), "version": facts.pop("version")}
    is_default = kind is BaseModelType.FLUX
    await tx.execute(insert(base_models).values(id=base_model_id, **named, type=kind, isDefault=is_default))
    await tx.execute(insert(offers).values(base_model_id=base_model_id, **facts, updated_at=func.now()))


async def default_offer(tx: Tx) -> Offer:
    """The offer that a guest gets who chose none: of the default base model, unless that is switched off.

    There is one after `seed_offers`, also where an operator switched every one of them off.
    """
    models = base_models.c
    order = (offers.c.is_on.desc(), models.isDefault.desc(), models.type)
    return _offer((await tx.execute(_OFFERS.order_by(*order).limit(1))).one())


async def read_offer(tx: Tx, base_model_id: str) -> Offer | None:
    """The offer of this base model, also where it is switched off; None where there is none."""
    row = (await tx.execute(_OFFERS.where(offers.c.base_model_id == base_model_id))).first()
    return None if row is None else _offer(row)


async def list_offers(tx: Tx) -> list[Offer]:
    """Every offer, also those that are switched off, in the order of the contract's base models."""
    rows = await tx.execute(_OFFERS.order_by(base_models.c.type, base_models.c.isDefault.desc()))
    return [_offer(row) for row in rows]


async def change_offer(tx: Tx, offer: Offer, changes: Mapping[str, Any]) -> None:
    """Set columns of an offer to these values, from the next order on. Orders keep what they froze.

    Locks: the offer. Repeat: harmless, and not a second change in the history.
    Raises: IntegrityError where a value is out of its range; the caller words it.
    """
    await tx.execute(
        update(offers)
        .where(offers.c.base_model_id == offer.base_model_id)
        .values(**changes, updated_at=func.now())
    )


@dataclass(frozen=True, kw_only=True)
class OfferChange:
    """What an offer became at this moment: only what differs from before; everything for its first state."""

    changed_at: datetime
    became: Mapping[str, Any]


async def read_changes(tx: Tx, offer: Offer) -> list[OfferChange]:
    """The history of an offer, oldest first."""
    rows = await tx.execute(
        sql(
            "SELECT changed_at, offer FROM starbooth.offer_changes WHERE base_model_id = :id"
            " ORDER BY changed_at, id"
        ),
        {"id": offer.base_model_id},
    )
    changes: list[OfferChange] = []
    before: Mapping[str, Any] = {}
    for row in rows:
        became = {name: value for name, value in row.offer.items() if before.get(name, ...) != value}
        changes.append(OfferChange(changed_at=row.changed_at, became=became))
        before = row.offer
    return changes


_OFFERS = select(offers, base_models.c.type, base_models.c.name).join(
    base_models, base_models.c.id == offers.c.base_model_id
)


def _offer(row: Any) -> Offer:
    facts = dict(row._mapping)
    del facts["updated_at"]
    kind = BaseModelType(facts.pop("type"))
    engines, negative_engines = tuple(facts.pop("engines")), tuple(facts.pop("negative_engines"))
    return Offer(kind=kind, engines=engines, negative_engines=negative_engines, **facts)
