"""What the buttons of photo packs say: which model, which pack, how many and for how much. In 64 bytes."""

import re
from dataclasses import dataclass
from enum import StrEnum

from starbooth.domain.delivery.screen import Button
from starbooth.domain.orders.read import OrderView
from starbooth.doors.bot.words import Words

PREFIX = "k:"
_LORA = "[A-Za-z0-9_-]{1,30}"
_PACK = "[a-z]{1,12}"
_FORM = re.compile(
    rf"k:(?:m|[ln]:{_LORA}|p:{_LORA}:{_PACK}|o:{_LORA}:{_PACK}:[0-9]{{1,2}}:[0-9]{{1,6}})", re.ASCII
)


class Verb(StrEnum):
    """MODELS: choose one. MODEL: choose a pack of it; SHOW: the same in a message of its own.

    PACK: choose how many. ORDER: so many, for a price.
    """

    MODELS = "m"
    MODEL = "l"
    SHOW = "n"
    PACK = "p"
    ORDER = "o"


@dataclass(frozen=True, kw_only=True)
class Move:
    """One press."""

    verb: Verb
    lora_id: str = ""
    pack: str = ""
    size: int = 0
    price_stars: int = 0

    def __str__(self) -> str:
        parts = [self.lora_id, self.pack, str(self.size), str(self.price_stars)]
        told = {Verb.MODELS: 0, Verb.MODEL: 1, Verb.SHOW: 1, Verb.PACK: 2, Verb.ORDER: 4}[self.verb]
        return ":".join([PREFIX + self.verb, *parts[:told]])


def parse_move(text: str | None) -> Move | None:
    """Read what came back from a button; None for anything that no button of ours says."""
    if text is None or not _FORM.fullmatch(text):
        return None
    _, verb, *told = text.split(":")
    lora_id, pack, size, price = [*told, *("", "", "0", "0")[len(told) :]]
    return Move(verb=Verb(verb), lora_id=lora_id, pack=pack, size=int(size), price_stars=int(price))


def packs_button(words: Words, lora_id: str) -> Button:
    """Shows the packs that can be made of a model, from under any message."""
    return Button(label=words.plain("📸 Photo pack"), action=str(Move(verb=Verb.SHOW, lora_id=lora_id)))


def pack_model_of(view: OrderView) -> str | None:
    """The model that a pack was made of; None for an order that is no pack."""
    if "series" not in view.request["asked"]:
        return None
    return str(view.request["asked"]["loras"][0]["lora_id"])
