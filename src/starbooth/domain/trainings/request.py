"""Asking for a training: check, quote, hold, write, enqueue; one transaction.

Everything that is asked for stands in the photo set, so that a press of the button says which set, and what
the button said it costs, and nothing else.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.base.jobs import Job, enqueue
from starbooth.domain.catalog.engines import able_engines
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.owe import Recipient, open_delivery
from starbooth.domain.orders.cart import Wish
from starbooth.domain.orders.errors import TooManyOrders
from starbooth.domain.orders.place import (
    NewOrder,
    OrderKind,
    PlacedOrder,
    Source,
    is_placed,
    place,
)
from starbooth.domain.prompts.gate import Leniency, require_allowed
from starbooth.domain.running.buying import START
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.trainings.consent import read_consent
from starbooth.domain.trainings.errors import (
    ConsentMissing,
    PhotosRefused,
    RecipeRefused,
    SetUnfinished,
    TooManyTrainings,
    TrainingPriceChanged,
    TrainingRefused,
    TrainingStarsMissing,
)
from starbooth.domain.trainings.offers import TrainingOffer, price_of, read_training_offer
from starbooth.domain.trainings.photo_sets import PhotoSet, SetPhoto, read_set, read_set_photos


@dataclass(frozen=True, kw_only=True)
class TrainingLimits:
    """What the operator allows.

    active_trainings: of a guest. deadline: how long a training may take, with its wait. keep_photos: how long
    the photos stay after its end, for another try.
    """

    active_trainings: int
    deadline: timedelta
    keep_photos: timedelta
    leniency: Leniency = field(default_factory=Leniency)


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """What a guest asks for: a model of what is in this photo set."""

    request_key: str
    user_id: str
    source: Source
    set_id: str


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """What will be trained, by the set and today's offer. name and trigger_word: the guest's."""

    offer: TrainingOffer
    set_id: str
    consent_id: str
    name: str
    trigger_word: str
    steps: int
    learning_rate: float
    photos: int
    price_stars: int


async def request_training(
    tx: Tx,
    ask: TrainingRequest,
    *,
    limits: TrainingLimits,
    recipient: Recipient | None,
    price_stars: int | None = None,
) -> PlacedOrder:
    """Place an order for a training, owe its news to the chat, and wake a worker.

    The rows `LoraModel` and `Training` are there from now on, PENDING. price_stars: as the button said; None
    for whatever it costs now. Locks: the photo set, then the guest's account. Repeat: the same request key
    returns the first order, whatever has become of the set.
    Raises: NoSuchSet, TrainingRefused, SetUnfinished, ConsentMissing, PhotosRefused, RecipeRefused,
    TrainingPriceChanged, TrainingStarsMissing, TooManyTrainings, RequestKeyReused, and PromptRefused, which
    `note_refusal` must count, PromptsPaused; after any of them `tx` must be rolled back.
    """
    if await is_placed(tx, user_id=ask.user_id, request_key=ask.request_key):
        return await place(tx, _new_order(ask, {}, limits, endpoint="", price_stars=0))
    recipe = await _read_recipe(tx, ask, limits)
    if price_stars not in (None, recipe.price_stars):
        raise TrainingPriceChanged(price_stars=recipe.price_stars)
    lora_id, training_id = new_id(), new_id()
    placed = await _place(tx, ask, recipe, lora_id, training_id, limits, recipient)
    if placed.is_repeat:  # by a press at the very same time
        return placed
    await _write_rows(tx, ask.user_id, recipe, lora_id, training_id, placed.order_id)
    await _use_set(tx, ask.set_id, limits)
    if recipient is not None:
        await open_delivery(tx, placed.order_id, recipient)
    await enqueue(tx, Job(name=START, facts={"order": placed.order_id}))
    return placed


async def _read_recipe(tx: Tx, ask: TrainingRequest, limits: TrainingLimits) -> _Recipe:
    chosen = await read_set(tx, ask.set_id, user_id=ask.user_id)
    if chosen.lora_type is None:
        raise SetUnfinished("lora_type")
    if not chosen.name:
        raise SetUnfinished("name")
    if not chosen.trigger_word:
        raise SetUnfinished("trigger_word")
    offer = await _offer_for(tx, chosen.lora_type)
    photos = await read_set_photos(tx, ask.set_id)
    if not offer.least_photos <= len(photos) <= offer.most_photos:
        raise PhotosRefused(count=len(photos), least=offer.least_photos, most=offer.most_photos)
    consent_id = await _standing_consent(tx, chosen)
    await _require_allowed(tx, ask, chosen.name, chosen.trigger_word, photos, limits)
    steps = _within("steps", chosen.steps, offer.steps, offer.least_steps, offer.most_steps)
    return _Recipe(
        offer=offer,
        set_id=ask.set_id,
        consent_id=consent_id,
        name=chosen.name,
        trigger_word=chosen.trigger_word,
        steps=int(steps),
        learning_rate=_within(
            "learning_rate",
            chosen.learning_rate,
            offer.learning_rate,
            offer.least_learning_rate,
            offer.most_learning_rate,
        ),
        photos=len(photos),
        price_stars=price_of(offer, int(steps)),
    )


async def _offer_for(tx: Tx, lora_type: LoraType) -> TrainingOffer:
    offer = await read_training_offer(tx, lora_type)
    if offer is None or not offer.is_on:
        raise TrainingRefused
    if offer.engines and not await able_engines(tx, offer.engines):
        raise TrainingRefused
    return offer


async def _standing_consent(tx: Tx, chosen: PhotoSet) -> str:
    if chosen.consent_id is None:
        raise ConsentMissing
    consent = await read_consent(tx, chosen.consent_id, user_id=chosen.user_id)
    if consent is None or not consent.stands:
        raise ConsentMissing
    return consent.consent_id


async def _require_allowed(
    tx: Tx,
    ask: TrainingRequest,
    name: str,
    trigger_word: str,
    photos: list[SetPhoto],
    limits: TrainingLimits,
) -> None:
    texts = list(dict.fromkeys((name, trigger_word, *(photo.caption for photo in photos))))
    await require_allowed(
        tx, texts, user_id=ask.user_id, request_key=ask.request_key, leniency=limits.leniency
    )


def _within(name: str, value: float | None, default: float, least: float, most: float) -> float:
    if value is None:
        return default
    if not least <= value <= most:  # also where it is not a number at all
        raise RecipeRefused(name, least=least, most=most)
    return value


async def _place(
    tx: Tx,
    ask: TrainingRequest,
    recipe: _Recipe,
    lora_id: str,
    training_id: str,
    limits: TrainingLimits,
    recipient: Recipient | None,
) -> PlacedOrder:
    frozen = _frozen(recipe, lora_id, training_id, limits)
    new = _new_order(ask, frozen, limits, endpoint=recipe.offer.endpoint, price_stars=recipe.price_stars)
    try:
        return await place(tx, new)
    except TooManyOrders as refusal:
        raise TooManyTrainings(limit=refusal.limit) from refusal
    except NotEnoughStars as refusal:
        wish = _wish(ask, recipient, price_stars=recipe.price_stars)
        raise TrainingStarsMissing(wish=wish, balance_stars=refusal.balance_stars) from refusal


def _new_order(
    ask: TrainingRequest,
    frozen: Mapping[str, Any],
    limits: TrainingLimits,
    *,
    endpoint: str,
    price_stars: int,
) -> NewOrder:
    return NewOrder(
        request_key=ask.request_key,
        user_id=ask.user_id,
        kind=OrderKind.TRAINING,
        source=ask.source,
        endpoint=endpoint,
        asked={"set_id": ask.set_id},
        frozen=frozen,
        seeds=(secrets.randbelow(2**63),),
        price_stars=price_stars,
        deadline=limits.deadline,
        active_limit=limits.active_trainings,
    )


def _frozen(recipe: _Recipe, lora_id: str, training_id: str, limits: TrainingLimits) -> dict[str, Any]:
    """What we decided for the order. No photo and no caption: those must be deletable, and this is not."""
    return {
        "base_model_id": recipe.offer.base_model_id,
        "endpoint": recipe.offer.endpoint,
        "engines": list(recipe.offer.engines),
        "lora_type": recipe.offer.lora_type.value,
        "name": recipe.name,
        "trigger_word": recipe.trigger_word,
        "steps": recipe.steps,
        "learning_rate": recipe.learning_rate,
        "photos": recipe.photos,
        "lora_id": lora_id,
        "training_id": training_id,
        "consent_id": recipe.consent_id,
        "deadline_s": int(limits.deadline.total_seconds()),
        "keep_photos_s": int(limits.keep_photos.total_seconds()),
    }


def _wish(ask: TrainingRequest, recipient: Recipient | None, *, price_stars: int) -> Wish:
    """What was asked for, as the cart keeps it; `trainings.cart` reads it."""
    waiting = None if recipient is None else asdict(recipient)
    return Wish(
        request_key=ask.request_key,
        user_id=ask.user_id,
        request={
            "kind": OrderKind.TRAINING.value,
            "set_id": ask.set_id,
            "source": ask.source.value,
            "recipient": waiting,
        },
        price_stars=price_stars,
    )


_LORA = sql("""
    INSERT INTO public."LoraModel" ("id", "name", "triggerWord", "baseModelId", "type", "userId", "updatedAt")
    VALUES (:lora_id, :name, :trigger_word, :base_model_id, CAST(:lora_type AS public."LoraType"), :user_id,
        now() AT TIME ZONE 'UTC')
""")
_TRAINING = sql("""
    INSERT INTO public."Training" ("id", "loraId", "baseModelId", "userId", "imageUrls", "instancePrompt",
        "steps", "learningRate", "starsSpent")
    VALUES (:training_id, :lora_id, :base_model_id, :user_id, '{}', :trigger_word, :steps, :learning_rate,
        :price_stars)
""")
_ORDER = sql("""
    INSERT INTO starbooth.training_orders (order_id, training_id, lora_id, set_id)
    VALUES (:order_id, :training_id, :lora_id, :set_id)
""")


async def _write_rows(
    tx: Tx, user_id: str, recipe: _Recipe, lora_id: str, training_id: str, order_id: str
) -> None:
    values = {
        **asdict(recipe),
        "base_model_id": recipe.offer.base_model_id,
        "lora_type": recipe.offer.lora_type.value,
        "user_id": user_id,
        "lora_id": lora_id,
        "training_id": training_id,
        "order_id": order_id,
    }
    for statement in (_LORA, _TRAINING, _ORDER):
        wanted = statement.compile().params
        await tx.execute(statement, {name: values[name] for name in wanted})


async def _use_set(tx: Tx, set_id: str, limits: TrainingLimits) -> None:
    """The set is not gathered any more, and its photos stay as long as the training may need them."""
    await tx.execute(
        sql(
            "UPDATE starbooth.photo_sets SET state = 'ordered', touched_at = now(),"
            " kept_until = greatest(kept_until, now() + :kept) WHERE id = :id"
        ),
        {"id": set_id, "kept": limits.deadline + limits.keep_photos},
    )
