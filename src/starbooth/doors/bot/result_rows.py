"""The buttons under finished pictures. Facts in, rows of buttons out.

One picture has its own right below it. An album has those of the order, and a button per picture that opens
that picture's own. What needs no price and no choice is a sign alone, so that all of it fits a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from starbooth.domain.catalog.offers import Offer
from starbooth.domain.delivery.screen import Button
from starbooth.domain.generations.choices import SIZES_PX, Shape
from starbooth.domain.orders.fees import Fee, fees_stars
from starbooth.domain.orders.read import OrderView
from starbooth.doors.bot.actions import Action
from starbooth.doors.bot.actions import Verb as OrderVerb
from starbooth.doors.bot.packs_moves import pack_model_of, packs_button
from starbooth.doors.bot.panel_pieces import name_shape
from starbooth.doors.bot.pieces import BIN, FILE, KEPT, NOT_KEPT, SHARE
from starbooth.doors.bot.result_moves import Move, Verb, share_query
from starbooth.doors.bot.words import Words

Row = tuple[Button, ...]
_IN_ROW = 5  # so that a number and its sign fit a phone


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished order, and its model as it is sold now; None where it is not any more. fees: what models of
    others ask for another one.
    """

    view: OrderView
    offer: Offer | None
    fees: Sequence[Fee] = ()

    @property
    def again_stars(self) -> int:
        """What the whole order costs now, or cost where it cannot be had."""
        if self.offer is None:
            return self.view.price_stars
        return self.offer.price_stars * self.view.parts + fees_stars(self.fees, self.view.parts)

    @property
    def one_stars(self) -> int:
        """The same for one picture."""
        if self.offer is None:
            return self.view.price_stars // self.view.parts
        return self.offer.price_stars + fees_stars(self.fees, 1)

    @property
    def can_vary(self) -> bool:
        """Whether the model can start from a picture, with the LoRAs that this one has."""
        has_loras = bool(self.view.request["frozen"].get("loras"))
        return (
            self.offer is not None
            and self.offer.endpoint_for(has_photo=True, has_loras=has_loras) is not None
        )

    @property
    def has_photo(self) -> bool:
        """Whether it was painted from a photo, whose shape it has."""
        return "photo_key" in self.view.request["frozen"]


def numbers_of(view: OrderView) -> Sequence[int]:
    """The places of the pictures that came out."""
    return [each.number for each in view.pictures if each.file_key is not None]


def first_rows(words: Words, result: Result) -> tuple[Row, ...]:
    """What stands below a result that has just come."""
    if result.view.parts == 1:
        return picture_rows(words, result, 0, is_favourite=False)
    return overview_rows(words, result)


def overview_rows(words: Words, result: Result) -> tuple[Row, ...]:
    """Below an album: the whole once more, or other packs of its model, and each picture by its number."""
    lora_id = pack_model_of(result.view)
    first = again_button(words, result) if lora_id is None else packs_button(words, lora_id)
    return ((first,), *_pick_rows(result))


def _pick_rows(result: Result, shown: int | None = None) -> tuple[Row, ...]:
    """Buttons for the pictures of an album; the one that is shown bears a mark."""
    buttons = [
        _button(result, number, f"{'✓ ' if number == shown else '🖼 '}{number + 1}", Verb.VIEW)
        for number in numbers_of(result.view)
    ]
    return tuple(tuple(buttons[start : start + _IN_ROW]) for start in range(0, len(buttons), _IN_ROW))


def again_button(words: Words, result: Result) -> Button:
    """The same order once more, with new seeds."""
    label = words.plain("Again · {price} ⭐", price=result.again_stars)
    action = Action(verb=OrderVerb.AGAIN, order_id=result.view.order_id, price_stars=result.again_stars)
    return Button(label=label, action=str(action))


def picture_rows(words: Words, result: Result, number: int, *, is_favourite: bool) -> tuple[Row, ...]:
    """What can be done with one picture."""
    is_alone = result.view.parts == 1
    heart = (KEPT, "0") if is_favourite else (NOT_KEPT, "1")
    vary = (
        _button(
            result,
            number,
            words.plain("Vary · {price} ⭐", price=result.one_stars),
            Verb.VARY,
            str(result.one_stars),
        ),
    )
    shape = (_button(result, number, words.plain("Other shape"), Verb.SHAPES),)
    rows: tuple[Row, ...] = (
        *(() if is_alone else _pick_rows(result, number)),
        ((again_button(words, result),) if is_alone else ()) + (vary if result.can_vary else ()),
        (_button(result, number, words.plain("Other words"), Verb.WORDS),)
        + (() if result.has_photo else shape),
        (
            _button(result, number, heart[0], Verb.KEEP, heart[1]),
            _button(result, number, FILE, Verb.ORIGINAL),
            Button(label=SHARE, share=share_query(result.view.order_id, number)),
            _button(result, number, BIN, Verb.DELETE),
        ),
        () if is_alone else (_button(result, number, words.plain("‹ Back"), Verb.OVERVIEW),),
    )
    return tuple(row for row in rows if row)


def shape_rows(words: Words, result: Result, number: int) -> tuple[Row, ...]:
    """The shapes to have the same seed painted in, each with its price; two in a row."""
    price = result.one_stars
    now_px = result.view.request["frozen"]["width_px"], result.view.request["frozen"]["height_px"]
    buttons = [
        _button(
            result,
            number,
            f"{name_shape(words, shape)} · {price} ⭐",
            Verb.SHAPE,
            f"{shape.value}:{price}",
        )
        for shape in Shape
        if SIZES_PX[shape] != now_px
    ]
    back = _button(result, number, words.plain("‹ Back"), Verb.VIEW)
    return (*(tuple(buttons[place : place + 2]) for place in range(0, len(buttons), 2)), (back,))


def delete_rows(words: Words, result: Result, number: int) -> tuple[Row, ...]:
    """Asking once more."""
    return (
        (_button(result, number, words.plain("Delete it for good"), Verb.DELETE_NOW),),
        (_button(result, number, words.plain("Keep it"), Verb.VIEW),),
    )


def _button(result: Result, number: int, label: str, verb: Verb, value: str = "") -> Button:
    move = Move(verb=verb, order_id=result.view.order_id, number=number, value=value)
    return Button(label=label, action=str(move))
