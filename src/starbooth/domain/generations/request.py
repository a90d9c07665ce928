"""Asking for pictures: check, quote, hold, write, enqueue; one transaction."""

import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from starbooth.base.database import Tx
from starbooth.base.jobs import Job, enqueue
from starbooth.domain.delivery.owe import Recipient, open_delivery
from starbooth.domain.generations.asking import Asked, PhotoReference, Series
from starbooth.domain.generations.choices import MOST_IN_SERIES, Choices
from starbooth.domain.generations.errors import PromptEmpty, PromptTooLong, StarsMissing
from starbooth.domain.generations.photos import use_photo
from starbooth.domain.generations.quote import ONE_BY_ONE, Quote, Sale, quote, require_engine
from starbooth.domain.generations.wording import (
    Wording,
    is_paintable,
    read_options,
    word_pictures,
    word_series,
)
from starbooth.domain.orders.cart import Wish
from starbooth.domain.orders.fees import fees_stars, fit_fees
from starbooth.domain.orders.place import NewOrder, OrderKind, PlacedOrder, Source, is_placed, place
from starbooth.domain.prompts.errors import PromptRefused, PromptsPaused
from starbooth.domain.prompts.expand import Line
from starbooth.domain.prompts.gate import Leniency, require_allowed
from starbooth.domain.running.buying import START
from starbooth.domain.stars import ledger
from starbooth.domain.stars.errors import NotEnoughStars

LONGEST_PROMPT = 2000
_PICTURES_PER_DEADLINE = 10


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the operator allows: active orders of a guest, how long an order may take, refused prompts; and
    what of the fee for a public model its maker gets, and what pictures cost less in a series.
    """

    active_orders: int
    deadline: timedelta
    leniency: Leniency = field(default_factory=Leniency)
    maker_share_percent: int = 50
    series_discount_percent: int = 0


@dataclass(frozen=True, kw_only=True)
class PictureRequest:
    """What a guest asks for. `photo`: to start from, one of theirs that `photos` knows.

    series: each picture has words of its own, and `prompt` says what they are called together.
    """

    request_key: str
    user_id: str
    source: Source
    prompt: str
    choices: Choices = field(default_factory=Choices)
    photo: PhotoReference | None = None
    series: Series | None = None


def clean_prompt(prompt: str) -> str:
    """The prompt in Unicode NFC, without control characters and outer blanks; its words stay as they are.

    Raises: PromptEmpty, PromptTooLong.
    """
    kept = clean_words(prompt)
    if not is_paintable(kept):
        raise PromptEmpty
    if len(kept) > LONGEST_PROMPT:
        raise PromptTooLong(length=len(kept), limit=LONGEST_PROMPT)
    return kept


def read_prompt(prompt: str) -> tuple[str, Line]:
    """The clean prompt, and its groups of words to draw from.

    Raises: PromptEmpty, PromptTooLong, TooManyOptions.
    """
    kept = clean_prompt(prompt)
    return kept, read_options(kept, limit=LONGEST_PROMPT)


def clean_words(words: str) -> str:
    """The words in Unicode NFC, without control characters and outer blanks."""
    return "".join(letter for letter in unicodedata.normalize("NFC", words) if _is_kept(letter)).strip()


def _is_kept(letter: str) -> bool:
    # Format characters (Cf) stay: they join emoji and shape right-to-left text. NUL and lone surrogates
    # cannot be stored at all.
    return letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cs")


async def request_pictures(
    tx: Tx,
    ask: PictureRequest,
    *,
    limits: Limits,
    recipient: Recipient | None,
    price_stars: int | None = None,
) -> PlacedOrder:
    """Place an order for pictures, owe them to the chat, and wake a worker.

    recipient: None where nobody waits in a chat. price_stars: of the whole order, where it was promised; else
    the offer's. Repeat: the same request key returns the first order.
    Raises: PromptEmpty, PromptTooLong, TooManyOptions, PhotoGone, what `quote` raises, PromptRefused, which
    `note_refusal` must count, PromptsPaused, StarsMissing, TooManyOrders, RequestKeyReused; after any of them
    `tx` must be rolled back.
    """
    asked, new = await _read_order(tx, ask, limits, price_stars=price_stars)
    try:
        placed = await place(tx, new)
    except NotEnoughStars as refusal:
        wish = _wish(ask, asked, recipient, price_stars=new.price_stars)
        raise StarsMissing(wish=wish, balance_stars=refusal.balance_stars) from refusal
    if placed.is_repeat:
        return placed
    if ask.photo is not None:
        await use_photo(tx, ask.photo.key, user_id=ask.user_id)
    if recipient is not None:
        await open_delivery(tx, placed.order_id, recipient)
    await enqueue(tx, Job(name=START, facts={"order": placed.order_id}))
    return placed


async def _read_order(
    tx: Tx, ask: PictureRequest, limits: Limits, *, price_stars: int | None
) -> tuple[Asked, NewOrder]:
    """What is asked for, cleaned, and the order that it comes to today. Raises: as `request_pictures`."""
    prompt, line = read_prompt(ask.prompt)
    asked = Asked(
        prompt=prompt,
        choices=replace(ask.choices, negative=clean_words(ask.choices.negative)),
        photo=ask.photo,
        series=ask.series,
    )
    photo_size_px = None if ask.photo is None else (ask.photo.width_px, ask.photo.height_px)
    if asked.choices.loras:  # or two orders at once would both have the pictures that are free of a fee
        await ledger.lock_account(tx, user_id=ask.user_id)
    sale = ONE_BY_ONE if asked.series is None else sale_of_series(limits)
    quoted = await quote(tx, asked.choices, user_id=ask.user_id, photo_size_px=photo_size_px, sale=sale)
    await require_engine(tx, quoted)
    wording = _word(asked, line, [each.trigger_word for each in quoted.loras])
    await _require_allowed(tx, ask, wording.texts, limits)
    price = quoted.price_stars if price_stars is None else price_stars
    return asked, _new_order(ask, asked, quoted, wording, limits, price_stars=price)


def sale_of_series(limits: Limits) -> Sale:
    """How a series is sold."""
    return Sale(most_pictures=MOST_IN_SERIES, discount_percent=limits.series_discount_percent)


def _word(asked: Asked, line: Line, triggers: Sequence[str]) -> Wording:
    seeds = _choose_seeds(asked.choices)
    if asked.series is None:
        return word_pictures(line, seeds, trigger_words=triggers)
    return word_series(asked.series.prompts, seeds, trigger_words=triggers)


async def _require_allowed(tx: Tx, ask: PictureRequest, texts: Sequence[str], limits: Limits) -> None:
    """Refuse what the operator's rules do not allow. What was ordered before they changed stays ordered.

    The negative prompt is not looked at: it names what the guest does not want to see.
    """
    try:
        await require_allowed(
            tx, texts, user_id=ask.user_id, request_key=ask.request_key, leniency=limits.leniency
        )
    except (PromptRefused, PromptsPaused):
        if not await is_placed(tx, user_id=ask.user_id, request_key=ask.request_key):
            raise


def _new_order(
    ask: PictureRequest, asked: Asked, quoted: Quote, wording: Wording, limits: Limits, *, price_stars: int
) -> NewOrder:
    fees = quoted.fees(share_percent=limits.maker_share_percent)
    pictures_stars = quoted.price_stars - fees_stars(fees, asked.choices.count)
    return NewOrder(
        request_key=ask.request_key,
        user_id=ask.user_id,
        kind=OrderKind.GENERATION,
        source=ask.source,
        endpoint=quoted.endpoint,
        asked=asked.to_json(),
        frozen={**_frozen(asked, quoted), **wording.to_json(asked.prompt)},
        seeds=wording.seeds,
        price_stars=price_stars,
        # As long as it takes with the few that engines have of an order at one time.
        deadline=limits.deadline * -(-asked.choices.count // _PICTURES_PER_DEADLINE),
        active_limit=limits.active_orders,
        fees=fit_fees(fees, asked.choices.count, most_stars=price_stars - pictures_stars),
    )


def _frozen(asked: Asked, quoted: Quote) -> dict[str, Any]:
    """What we decided for the order, beside its words."""
    width_px, height_px = quoted.size_px
    return {
        "base_model_id": quoted.offer.base_model_id,
        "base_model": quoted.offer.kind.value,
        "model_name": quoted.offer.name,
        "endpoint": quoted.endpoint,
        "engines": list(quoted.engines),
        "width_px": width_px,
        "height_px": height_px,
        "steps": quoted.steps,
        "guidance": quoted.guidance,
        **({"negative": asked.choices.negative} if asked.choices.negative else {}),
        **({"photo_key": asked.photo.key, "strength": quoted.strength} if asked.photo else {}),
        **({"loras": [asdict(each) for each in quoted.loras]} if quoted.loras else {}),
    }


def _wish(ask: PictureRequest, asked: Asked, recipient: Recipient | None, *, price_stars: int) -> Wish:
    """What was asked for, as the cart keeps it; `generations.cart` reads it."""
    waiting = None if recipient is None else asdict(recipient)
    return Wish(
        request_key=ask.request_key,
        user_id=ask.user_id,
        request={**asked.to_json(), "source": ask.source.value, "recipient": waiting},
        price_stars=price_stars,
    )


def _choose_seeds(choices: Choices) -> tuple[int, ...]:
    first = secrets.randbelow(2**63) if choices.seed is None else choices.seed
    return tuple((first + number) % 2**63 for number in range(choices.count))
