"""What a pressed button does. One button makes one order at a time: fingers are quicker than thoughts.

A press is the same as an earlier one of that button while the earlier one's order is on its way, or
was placed less than five seconds ago. After that, pressing again is an honest wish for one more.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from starbooth.base.database import Tx
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.generations.asking import read_asked
from starbooth.domain.generations.finish import cancel_waiting
from starbooth.domain.generations.quote import quote
from starbooth.domain.generations.request import Limits, PictureRequest, Recipient, request_pictures
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.errors import NoSuchOrder
from starbooth.domain.orders.place import Source
from starbooth.domain.orders.read import OrderView, read_earlier, read_order
from starbooth.domain.users.guests import Guest
from starbooth.doors.bot.actions import Action, Verb, vary
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
            await cancel_waiting(tx, order_id=action.order_id, user_id=guest.user_id)
        return Pressed(toast=cancelled(words, returned_stars=view.price_stars).striptags())
    return await _order(tx, action, view, query_id=query_id, recipient=recipient, limits=limits)


async def _order(
    tx: Tx, action: Action, view: OrderView, *, query_id: str, recipient: Recipient, limits: Limits
) -> Pressed:
    words = words_for(recipient.language)
    button = f"cb:{action.verb}:{action.order_id}:"
    request_key = f"{button}{query_id}"
    earlier = await read_earlier(tx, user_id=view.user_id, request_key=request_key, key_prefix=button)
    if earlier.has_this_key:
        return Pressed(toast=words.plain("On its way."))
    if earlier.is_any_active or earlier.is_any_younger_than(SAME_PRESS_WITHIN):
        return Pressed(toast=words.plain("One is already on its way. Press again when it is there."))
    ask = _ask(action, view, request_key=request_key, turn=earlier.count)
    photo_size_px = None if ask.photo is None else (ask.photo.width_px, ask.photo.height_px)
    price_stars = (await quote(tx, ask.choices, user_id=ask.user_id, photo_size_px=photo_size_px)).price_stars
    if action.price_stars is not None and price_stars > action.price_stars:
        screen = render_dearer(words, action=action, price_stars=price_stars)
        return Pressed(toast=words.plain("The price has changed."), screen=screen)
    placed = await request_pictures(tx, ask, limits=limits, recipient=recipient)
    return Pressed(toast=words.plain("On its way: {stars}.", stars=plain_stars(words, placed.price_stars)))


def _ask(action: Action, view: OrderView, *, request_key: str, turn: int) -> PictureRequest:
    is_like = action.verb is Verb.LIKE
    asked = read_asked(view.request["asked"])
    return PictureRequest(
        request_key=request_key,
        user_id=view.user_id,
        source=Source.BOT,
        prompt=vary(asked.prompt, turn=turn) if is_like else asked.prompt,
        choices=replace(asked.choices, count=1, seed=view.seeds[0] if is_like else None),
        photo=asked.photo,
    )
