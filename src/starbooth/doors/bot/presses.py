"""What a pressed button does. One button makes one order at a time: fingers are quicker than thoughts.

A press is the same as an earlier one of that button while the earlier one's order is on its way, or
was placed less than five seconds ago. After that, pressing again is an honest wish for one more.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from starbooth.base.database import Tx
from starbooth.domain.crafts import all_crafts
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.generations.asking import Asked, read_asked
from starbooth.domain.generations.quote import ONE_BY_ONE, quote
from starbooth.domain.generations.request import (
    Limits,
    PictureRequest,
    request_pictures,
    sale_of_series,
)
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.errors import NoSuchOrder
from starbooth.domain.orders.place import Source
from starbooth.domain.orders.read import OrderView, read_earlier, read_order
from starbooth.domain.running.finish import cancel_waiting
from starbooth.domain.users.guests import Guest
from starbooth.doors.bot.actions import Action, Verb
from starbooth.doors.bot.answers import cancelled, render_dearer
from starbooth.doors.bot.pieces import plain_stars
from starbooth.doors.bot.words import words_for

SAME_PRESS_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """What to answer: a short text where the button is, and a message of its own where one is needed."""

    toast: str
    is_alert: bool = False
    screen: Screen | None = None


async def press(
    tx: Tx, action: Action, *, guest: Guest, query_id: str, recipient: Recipient, limits: Limits
) -> Pressed:
    """Do what the button says, for the guest who pressed it. recipient: where a new order is answered.

    Locks: as cancelling or placing an order does. Repeat: the same `query_id` does nothing new.
    Raises: NoSuchOrder (also for somebody else's), TooLateToCancel, and what placing an order raises; after
    any of them `tx` must be rolled back.
    """
    view = await read_order(tx, action.order_id, slots=1)
    if view is None or view.user_id != guest.user_id:
        raise NoSuchOrder
    words = words_for(guest.language)
    if action.verb is Verb.CANCEL:
        if view.state is not OrderState.CANCELLED:  # else it was this button, pressed or handled twice
            await cancel_waiting(tx, order_id=action.order_id, user_id=guest.user_id, crafts=all_crafts())
        return Pressed(toast=cancelled(words, returned_stars=view.price_stars).striptags())
    return await _again(tx, action, view, query_id=query_id, recipient=recipient, limits=limits)


async def _again(
    tx: Tx, action: Action, view: OrderView, *, query_id: str, recipient: Recipient, limits: Limits
) -> Pressed:
    again = Again(
        asked=again_of(view),
        user_id=view.user_id,
        button=f"cb:{action.verb}:{action.order_id}:",
        query_id=query_id,
        price_stars=action.price_stars,
    )
    return await order_once(
        tx,
        again,
        repriced=lambda price_stars: str(replace(action, price_stars=price_stars)),
        recipient=recipient,
        limits=limits,
    )


def again_of(view: OrderView, number: int | None = None) -> Asked:
    """What to ask for to have an order once more: the same model, also where another is the default now.

    number: only what this picture of it was asked for; its count may be more than one all the same.
    """
    asked = read_asked(view.request["asked"])
    if number is not None:
        asked = asked.of_picture(number)
    model_id = view.request["frozen"]["base_model_id"]
    return replace(asked, choices=replace(asked.choices, base_model_id=model_id, seed=None))


@dataclass(frozen=True, kw_only=True)
class Again:
    """What a button orders. button: its name, with which its orders' keys begin. price_stars: on it."""

    asked: Asked
    user_id: str
    button: str
    query_id: str
    price_stars: int | None


async def order_once(
    tx: Tx, again: Again, *, repriced: Callable[[int], str], recipient: Recipient, limits: Limits
) -> Pressed:
    """Order what a button says, unless that is under way, or dearer than the button says by now.

    repriced: what the same button says with another price. Locks, raises and repeat: as `press`.
    """
    words = words_for(recipient.language)
    request_key = f"{again.button}{again.query_id}"
    earlier = await read_earlier(tx, user_id=again.user_id, request_key=request_key, key_prefix=again.button)
    if earlier.has_this_key:
        return Pressed(toast=words.plain("On its way."))
    if earlier.is_any_active or earlier.is_any_younger_than(SAME_PRESS_WITHIN):
        return Pressed(toast=words.plain("One is already on its way. Press again when it is there."))
    asked = again.asked
    photo_size_px = None if asked.photo is None else (asked.photo.width_px, asked.photo.height_px)
    sale = ONE_BY_ONE if asked.series is None else sale_of_series(limits)
    quoted = await quote(tx, asked.choices, user_id=again.user_id, photo_size_px=photo_size_px, sale=sale)
    if again.price_stars is not None and quoted.price_stars > again.price_stars:
        screen = render_dearer(words, press=repriced(quoted.price_stars), price_stars=quoted.price_stars)
        return Pressed(toast=words.plain("The price has changed."), screen=screen)
    ask = PictureRequest(
        request_key=request_key,
        user_id=again.user_id,
        source=Source.BOT,
        prompt=asked.prompt,
        choices=asked.choices,
        photo=asked.photo,
        series=asked.series,
    )
    placed = await request_pictures(
        tx, ask, limits=limits, recipient=recipient, price_stars=quoted.price_stars
    )
    return Pressed(toast=words.plain("On its way: {stars}.", stars=plain_stars(words, placed.price_stars)))
