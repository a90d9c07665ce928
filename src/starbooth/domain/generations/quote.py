"""What a guest's choices mean today: the model, the endpoint, the price; or a plain no, before any charge."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.catalog.engines import able_engines
from starbooth.domain.catalog.offers import Offer, default_offer, read_offer
from starbooth.domain.generations.choices import (
    LEAST_STRENGTH,
    LEAST_WEIGHT,
    LONGEST_NEGATIVE,
    MOST_LORAS,
    MOST_PICTURES,
    MOST_STRENGTH,
    MOST_WEIGHT,
    SIZES_PX,
    Choices,
)
from starbooth.domain.generations.errors import (
    CountRefused,
    LoraNotFound,
    LoraOfOtherModel,
    LorasRefused,
    LoraUnfinished,
    ModelRefused,
    NegativeRefused,
    OutOfRange,
    PhotoRefused,
)
from starbooth.domain.orders.read import OrderView, expected_wait

_LORAS = sql("""
    SELECT "id", "name", "triggerWord", "weightsUrl", "baseModelId", "status"::text AS status
    FROM public."LoraModel"
    WHERE "id" = ANY (CAST(:ids AS text[])) AND ("userId" = :user_id OR "isPublic")
""")


@dataclass(frozen=True, kw_only=True)
class ChosenLora:
    """A LoRA that may be used. `weights_url` is its lasting address, which opens for who may."""

    lora_id: str
    name: str
    trigger_word: str
    weights_url: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What the choices come to. `price_stars` is of the whole order, `size_px` of each picture.

    engines: who may paint it, in order of preference; empty means whoever there is. wait: until the pictures
    are there if ordered now; None where nothing is known yet.
    """

    offer: Offer
    endpoint: str
    engines: tuple[str, ...]
    price_stars: int
    size_px: tuple[int, int]
    steps: int
    guidance: float
    strength: float
    loras: tuple[ChosenLora, ...]
    wait: timedelta | None = None


async def quote(
    tx: Tx, choices: Choices, *, user_id: str, photo_size_px: tuple[int, int] | None = None
) -> Quote:
    """What this guest would get and pay now. photo_size_px: of the photo to start from, None without one.

    Repeat: harmless; nothing is held. Raises: ModelRefused, PhotoRefused, NegativeRefused, LorasRefused,
    LoraNotFound, LoraUnfinished, LoraOfOtherModel, CountRefused, OutOfRange.
    """
    _check_ranges(choices)
    offer = await _offer_of(tx, choices)
    endpoint = offer.endpoint_for(has_photo=photo_size_px is not None, has_loras=bool(choices.loras))
    if endpoint is None:
        raise LorasRefused if choices.loras and offer.loras_endpoint is None else PhotoRefused
    steps = _within("steps", choices.steps, offer.steps, offer.least_steps, offer.most_steps)
    guidance = _within(
        "guidance", choices.guidance, offer.guidance, offer.least_guidance, offer.most_guidance
    )
    own_size_px = (offer.width_px, offer.height_px)
    shaped_px = own_size_px if choices.shape is None else SIZES_PX[choices.shape]
    return Quote(
        offer=offer,
        endpoint=endpoint,
        engines=await _engines_for(tx, offer, choices),
        price_stars=offer.price_stars * choices.count,
        size_px=photo_size_px or shaped_px,
        steps=int(steps),
        guidance=guidance,
        strength=offer.strength if choices.strength is None else choices.strength,
        loras=await _read_loras(tx, choices, offer, user_id=user_id),
    )


async def quote_with_wait(
    tx: Tx, choices: Choices, *, user_id: str, slots: int, photo_size_px: tuple[int, int] | None = None
) -> Quote:
    """`quote`, and how long it would take. `slots`: how many orders the engines work on at one time."""
    found = await quote(tx, choices, user_id=user_id, photo_size_px=photo_size_px)
    wait = await expected_wait(tx, user_id=user_id, slots=slots)
    return Quote(**{**vars(found), "wait": wait})


async def require_engine(tx: Tx, quoted: Quote) -> None:
    """Refuse what no engine of this booth may paint: such an order would only wait for its deadline.

    Not a part of `quote`, so that a guest can open a panel of such a model and choose another.
    Raises: ModelRefused.
    """
    if quoted.engines and not await able_engines(tx, quoted.engines):
        raise ModelRefused


async def read_offer_of(tx: Tx, view: OrderView) -> Offer | None:
    """The model of an order as it is sold now; None where it is not any more."""
    offer = await read_offer(tx, view.request["frozen"]["base_model_id"])
    return offer if offer is not None and offer.is_on else None


async def _offer_of(tx: Tx, choices: Choices) -> Offer:
    if choices.base_model_id is None:
        return await default_offer(tx)
    offer = await read_offer(tx, choices.base_model_id)
    if offer is None or not offer.is_on:
        raise ModelRefused
    return offer


def _check_ranges(choices: Choices) -> None:
    if not 1 <= choices.count <= MOST_PICTURES:
        raise CountRefused(limit=MOST_PICTURES)
    if len(choices.loras) > MOST_LORAS or len({each.lora_id for each in choices.loras}) < len(choices.loras):
        raise OutOfRange("loras", least=0, most=MOST_LORAS)
    for each in choices.loras:
        _within("weight", each.weight, 1, LEAST_WEIGHT, MOST_WEIGHT)
    _within("strength", choices.strength, MOST_STRENGTH, LEAST_STRENGTH, MOST_STRENGTH)
    _within("seed", choices.seed, 0, 0, 2**63 - 1)
    _within("negative", len(choices.negative), 0, 0, LONGEST_NEGATIVE)


def _within(name: str, value: float | None, default: float, least: float, most: float) -> float:
    if value is None:
        return default
    if not least <= value <= most:  # also where it is not a number at all
        raise OutOfRange(name, least=least, most=most)
    return value


async def _engines_for(tx: Tx, offer: Offer, choices: Choices) -> tuple[str, ...]:
    if not choices.negative:
        return offer.engines
    able = [name for name in offer.engines or offer.negative_engines if name in offer.negative_engines]
    if not await able_engines(tx, able):
        raise NegativeRefused
    return tuple(able)


async def _read_loras(tx: Tx, choices: Choices, offer: Offer, *, user_id: str) -> tuple[ChosenLora, ...]:
    if not choices.loras:
        return ()
    ids = [each.lora_id for each in choices.loras]
    rows: Sequence[Any] = (await tx.execute(_LORAS, {"ids": ids, "user_id": user_id})).all()
    found = {row.id: row for row in rows}
    return tuple(_lora(found.get(each.lora_id), offer, each.weight) for each in choices.loras)


def _lora(row: Any, offer: Offer, weight: float) -> ChosenLora:
    if row is None:
        raise LoraNotFound
    if row.status != "COMPLETED" or not row.weightsUrl:
        raise LoraUnfinished
    if row.baseModelId != offer.base_model_id:
        raise LoraOfOtherModel
    return ChosenLora(
        lora_id=row.id,
        name=row.name,
        trigger_word=row.triggerWord,
        weights_url=row.weightsUrl,
        weight=weight,
    )
