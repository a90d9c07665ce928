"""What a model makes of a guest's choices: those that it cannot honour are dropped, and named.

For panels, where the guest sees it. An order that is placed without one is refused instead: see `quote`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from starbooth.base.database import Tx, sql
from starbooth.domain.catalog.engines import able_engines
from starbooth.domain.catalog.offers import Offer, default_offer, read_offer
from starbooth.domain.generations.choices import Choices, LoraChoice

Number = TypeVar("Number", int, float)


class Dropped(StrEnum):
    """What could not be kept."""

    MODEL = "model"
    LORAS = "loras"
    STEPS = "steps"
    GUIDANCE = "guidance"
    NEGATIVE = "negative"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Choices that the model honours. takes_negative: whether it could be told what to leave out."""

    choices: Choices
    offer: Offer
    takes_negative: bool
    dropped: tuple[Dropped, ...] = ()


async def fit(tx: Tx, choices: Choices, *, user_id: str, has_photo: bool) -> Fitted:
    """The choices as far as their model honours them, or the booth's default model where theirs is gone.

    Whether the model can start from a photo at all is left to `quote`. Repeat: harmless, drops nothing more.
    """
    offer = None if choices.base_model_id is None else await read_offer(tx, choices.base_model_id)
    dropped: list[Dropped] = []
    if offer is None or not offer.is_on:
        if choices.base_model_id is not None:
            dropped.append(Dropped.MODEL)
            choices = replace(choices, base_model_id=None)
        offer = await default_offer(tx)
    takes_negative = await _takes_negative(tx, offer)
    kept = replace(
        choices,
        loras=await _usable_loras(tx, choices.loras, offer, user_id=user_id, has_photo=has_photo),
        steps=_kept(choices.steps, offer.least_steps, offer.most_steps),
        guidance=_kept(choices.guidance, offer.least_guidance, offer.most_guidance),
        negative=choices.negative if takes_negative else "",
    )
    dropped += [name for name in Dropped if name is not Dropped.MODEL and _differs(name, choices, kept)]
    return Fitted(choices=kept, offer=offer, takes_negative=takes_negative, dropped=tuple(dropped))


def _differs(name: Dropped, before: Choices, after: Choices) -> bool:
    return bool(getattr(before, name.value) != getattr(after, name.value))


def _kept(value: Number | None, least: float, most: float) -> Number | None:
    return value if value is not None and least <= value <= most else None


async def _usable_loras(
    tx: Tx, chosen: tuple[LoraChoice, ...], offer: Offer, *, user_id: str, has_photo: bool
) -> tuple[LoraChoice, ...]:
    is_able = offer.endpoint_for(has_photo=has_photo, has_loras=True) is not None
    if not chosen or not (is_able or (has_photo and offer.photo_endpoint is None and offer.loras_endpoint)):
        return ()
    rows = await tx.execute(
        sql("""
            SELECT "id" FROM public."LoraModel"
            WHERE "id" = ANY (CAST(:ids AS text[])) AND ("userId" = :user_id OR "isPublic")
                AND "status" = 'COMPLETED' AND "weightsUrl" IS NOT NULL AND "baseModelId" = :base_model_id
        """),
        {
            "ids": [each.lora_id for each in chosen],
            "user_id": user_id,
            "base_model_id": offer.base_model_id,
        },
    )
    usable = set(rows.scalars())
    return tuple(each for each in chosen if each.lora_id in usable)


async def _takes_negative(tx: Tx, offer: Offer) -> bool:
    allowed = offer.engines or offer.negative_engines
    return bool(await able_engines(tx, [name for name in offer.negative_engines if name in allowed]))
