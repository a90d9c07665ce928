"""Asking for pictures: check, quote, hold, write, enqueue; one transaction."""

import secrets
import unicodedata
from dataclasses import asdict, dataclass
from datetime import timedelta

from starbooth.base.database import Tx
from starbooth.base.jobs import Job, enqueue
from starbooth.domain.catalog.offers import Offer, default_offer
from starbooth.domain.delivery.owe import open_delivery
from starbooth.domain.generations.errors import CountRefused, PromptEmpty, PromptTooLong, StarsMissing
from starbooth.domain.orders.cart import Wish
from starbooth.domain.orders.place import NewOrder, OrderKind, PlacedOrder, Source, place
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.domain.users.guests import Language

LONGEST_PROMPT = 2000
MOST_PICTURES = 4
START = "start"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the operator allows: active orders of one guest, and how long an order may take."""

    active_orders: int
    deadline: timedelta


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """The chat that waits for the pictures, and the message that asked."""

    chat_id: int
    reply_to_message_id: int | None
    language: Language


@dataclass(frozen=True, kw_only=True)
class PictureRequest:
    """What a guest asks for. `seed` None: we choose; given, picture i has seed + i."""

    request_key: str
    user_id: str
    source: Source
    prompt: str
    count: int = 1
    seed: int | None = None


def clean_prompt(prompt: str) -> str:
    """The prompt in Unicode NFC, without control characters and outer blanks; its words stay as they are.

    Raises: PromptEmpty, PromptTooLong.
    """
    kept = "".join(letter for letter in unicodedata.normalize("NFC", prompt) if _is_kept(letter)).strip()
    if not any(unicodedata.category(letter)[0] in "LNS" for letter in kept):
        raise PromptEmpty
    if len(kept) > LONGEST_PROMPT:
        raise PromptTooLong(length=len(kept), limit=LONGEST_PROMPT)
    return kept


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
    Raises: PromptEmpty, PromptTooLong, CountRefused, StarsMissing, TooManyOrders, RequestKeyReused; after
    any of them `tx` must be rolled back.
    """
    prompt = clean_prompt(ask.prompt)
    if not 1 <= ask.count <= MOST_PICTURES:
        raise CountRefused(limit=MOST_PICTURES)
    offer = await default_offer(tx)
    price = offer.price_stars * ask.count if price_stars is None else price_stars
    try:
        placed = await place(tx, _new_order(ask, prompt, offer, limits, price_stars=price))
    except NotEnoughStars as refusal:
        wish = _wish(ask, prompt, recipient, price_stars=price)
        raise StarsMissing(wish=wish, balance_stars=refusal.balance_stars) from refusal
    if placed.is_repeat:
        return placed
    if recipient is not None:
        await open_delivery(
            tx,
            order_id=placed.order_id,
            chat_id=recipient.chat_id,
            reply_to_message_id=recipient.reply_to_message_id,
            language=recipient.language,
        )
    await enqueue(tx, Job(name=START, facts={"order": placed.order_id}))
    return placed


def _new_order(
    ask: PictureRequest, prompt: str, offer: Offer, limits: Limits, *, price_stars: int
) -> NewOrder:
    return NewOrder(
        request_key=ask.request_key,
        user_id=ask.user_id,
        kind=OrderKind.GENERATION,
        source=ask.source,
        endpoint=offer.endpoint,
        asked={"prompt": prompt, "count": ask.count, "seed": ask.seed},
        frozen={
            "base_model_id": offer.base_model_id,
            "base_model": offer.kind.value,
            "width_px": offer.width_px,
            "height_px": offer.height_px,
            "steps": offer.steps,
            "guidance": offer.guidance,
        },
        seeds=_choose_seeds(ask),
        price_stars=price_stars,
        deadline=limits.deadline,
        active_limit=limits.active_orders,
    )


def _wish(ask: PictureRequest, prompt: str, recipient: Recipient | None, *, price_stars: int) -> Wish:
    """What was asked for, as the cart keeps it; `generations.cart` reads it."""
    return Wish(
        request_key=ask.request_key,
        user_id=ask.user_id,
        request={
            "source": ask.source.value,
            "prompt": prompt,
            "count": ask.count,
            "seed": ask.seed,
            "recipient": None if recipient is None else asdict(recipient),
        },
        price_stars=price_stars,
    )


def _choose_seeds(ask: PictureRequest) -> tuple[int, ...]:
    first = secrets.randbelow(2**63) if ask.seed is None else ask.seed
    return tuple((first + number) % 2**63 for number in range(ask.count))
