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
from starbooth.domain.orders.fees import Fee
from starbooth.domain.orders.read import OrderView, expected_wait

FREE_USES = 3  # pictures of a guest with somebody else's model that cost no fee, and earn none

# Own ones, and the public ones that operators have not taken out of the catalogue.
_LORAS = sql("""
    SELECT l."id", l."name", l."triggerWord", l."weightsUrl", l."baseModelId", l."status"::text AS status,
        l."userId" AS maker_id, greatest(0, l."starsRequired") AS fee_stars, ARRAY(
            SELECT f.free FROM starbooth.order_fees f
            WHERE f.user_id = :user_id AND f.lora_id = l."id" AND f.free > 0) AS freed
    FROM public."LoraModel" l
    WHERE l."id" = ANY (CAST(:ids AS text[])) AND (l."userId" = :user_id OR (l."isPublic" AND NOT EXISTS (
        SELECT FROM starbooth.model_cards c WHERE c.lora_id = l."id" AND c.hidden_at IS NOT NULL)))
""")


@dataclass(frozen=True, kw_only=True)
class Sale:
    """How many pictures are sold at once, and what they cost less together, rounded to the guest's favour.

    Fees for models of others are paid in full.
    """

    most_pictures: int = MOST_PICTURES
    discount_percent: int = 0


ONE_BY_ONE = Sale()


@dataclass(frozen=True, kw_only=True)
class ChosenLora:
    """A LoRA that may be used. `weights_url` is its lasting address, which opens for who may.

    maker_id: whose it is, where it is somebody else's. fee_stars: what a picture with it costs more; `free`
    of the pictures asked for cost no fee.
    """

    lora_id: str
    name: str
    trigger_word: str
    weights_url: str
    weight: float
    maker_id: str | None = None
    fee_stars: int = 0
    free: int = 0


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What the choices come to. `price_stars` is of the whole order with the fees for models of others,
    `size_px` of each picture.

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

    def fees(self, *, share_percent: int) -> tuple[Fee, ...]:
        """What is asked for the models of others. share_percent: what of it their makers get."""
        return tuple(
            Fee(
                lora_id=each.lora_id,
                maker_id=each.maker_id,
                fee_stars=each.fee_stars,
                share_percent=share_percent,
                free=each.free,
            )
            for each in self.loras
            if each.maker_id is not None
        )


async def quote(
    tx: Tx,
    choices: Choices,
    *,
    user_id: str,
    photo_size_px: tuple[int, int] | None = None,
    sale: Sale = ONE_BY_ONE,
) -> Quote:
    """What this guest would get and pay now. photo_size_px: of the photo to start from, None without one.

    Repeat: harmless; nothing is held. Raises: ModelRefused, PhotoRefused, NegativeRefused, LorasRefused,
    LoraNotFound, LoraUnfinished, LoraOfOtherModel, CountRefused, OutOfRange.
    """
    _check_ranges(choices, sale.most_pictures)
    offer = await _offer_of(tx, choices)
    endpoint = offer.endpoint_for(has_photo=photo_size_px is not None, has_loras=bool(choices.loras))
    if endpoint is None:
        raise LorasRefused if choices.loras and offer.loras_endpoint is None else PhotoRefused
    steps = _within("steps", choices.steps, offer.steps, offer.least_steps, offer.most_steps)
    guidance = _within(
        "guidance", choices.guidance, offer.guidance, offer.least_guidance, offer.most_guidance
    )
    loras = await _read_loras(tx, choices, offer, user_id=user_id)
    fee_stars = sum(each.fee_stars * (choices.count - each.free) for each in loras)
    own_size_px = (offer.width_px, offer.height_px)
    shaped_px = own_size_px if choices.shape is None else SIZES_PX[choices.shape]
    return Quote(
        offer=offer,
        endpoint=endpoint,
        engines=await _engines_for(tx, offer, choices),
        price_stars=offer.price_stars * choices.count * (100 - sale.discount_percent) // 100 + fee_stars,
        size_px=photo_size_px or shaped_px,
        steps=int(steps),
        guidance=guidance,
        strength=offer.strength if choices.strength is None else choices.strength,
        loras=loras,
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


async def read_fees_of(tx: Tx, view: OrderView) -> tuple[Fee, ...]:
    """What one more order with the models of this one would owe for those of others, as things are now.

    Nobody's share is told. One statement, and none where all models are the guest's own.
    """
    ids = [each["lora_id"] for each in view.request["frozen"].get("loras", ()) if each.get("maker_id")]
    if not ids:
        return ()
    rows: Sequence[Any] = (await tx.execute(_LORAS, {"ids": ids, "user_id": view.user_id})).all()
    return tuple(
        Fee(
            lora_id=row.id,
            maker_id=row.maker_id,
            fee_stars=row.fee_stars,
            share_percent=0,
            free=_free_left(row),
        )
        for row in rows
    )


async def _offer_of(tx: Tx, choices: Choices) -> Offer:
    if choices.base_model_id is None:
        return await default_offer(tx)
    offer = await read_offer(tx, choices.base_model_id)
    if offer is None or not offer.is_on:
        raise ModelRefused
    return offer


def _check_ranges(choices: Choices, most_pictures: int) -> None:
    if not 1 <= choices.count <= most_pictures:
        raise CountRefused(limit=most_pictures)
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
    return tuple(
        _lora(found.get(each.lora_id), offer, each.weight, user_id=user_id, pictures=choices.count)
        for each in choices.loras
    )


def _lora(row: Any, offer: Offer, weight: float, *, user_id: str, pictures: int) -> ChosenLora:
    if row is None:
        raise LoraNotFound
    if row.status != "COMPLETED" or not row.weightsUrl:
        raise LoraUnfinished
    if row.baseModelId != offer.base_model_id:
        raise LoraOfOtherModel
    is_own = row.maker_id == user_id
    return ChosenLora(
        lora_id=row.id,
        name=row.name,
        trigger_word=row.triggerWord,
        weights_url=row.weightsUrl,
        weight=weight,
        maker_id=None if is_own else row.maker_id,
        fee_stars=0 if is_own else row.fee_stars,
        free=0 if is_own else min(pictures, _free_left(row)),
    )


def _free_left(row: Any) -> int:
    return max(0, FREE_USES - sum(int(each) for each in row.freed))
