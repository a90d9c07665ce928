"""Making a picture again: the same choices as a new order, asked for like any other."""

from dataclasses import dataclass, replace

from starbooth.base.database import Tx, sql
from starbooth.domain.gallery.pictures import KeptPicture
from starbooth.domain.generations.asking import Asked, read_asked
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.generations.quote import quote

_ASKED = sql("SELECT request -> 'asked' FROM starbooth.orders WHERE id = :id AND user_id = :user_id")


@dataclass(frozen=True, kw_only=True)
class AgainOffer:
    """What would be ordered, as often as before, and what it costs now."""

    asked: Asked
    price_stars: int


async def read_again(tx: Tx, recipe: KeptPicture) -> Asked:
    """What to ask for to have this picture's order made again, by its model, with seeds that we choose anew.

    Its order remembers every choice. A picture without one, that another program wrote, tells them itself.
    """
    known = None
    if recipe.order_id is not None:
        known = await tx.scalar(_ASKED, {"id": recipe.order_id, "user_id": recipe.user_id})
    asked = _from_recipe(recipe) if known is None else read_asked(known)
    if asked.series is not None:
        asked = asked.of_picture(recipe.number or 0)
    return replace(asked, choices=replace(asked.choices, base_model_id=recipe.base_model_id, seed=None))


async def offer_again(tx: Tx, recipe: KeptPicture) -> AgainOffer:
    """`read_again` with its price. Raises: what `quote` raises, where it cannot be had any more."""
    asked = await read_again(tx, recipe)
    photo_size_px = None if asked.photo is None else (asked.photo.width_px, asked.photo.height_px)
    quoted = await quote(tx, asked.choices, user_id=recipe.user_id, photo_size_px=photo_size_px)
    return AgainOffer(asked=asked, price_stars=quoted.price_stars)


def _from_recipe(recipe: KeptPicture) -> Asked:
    loras = tuple(
        LoraChoice(lora_id=each.lora_id, weight=each.weight)
        for each in recipe.loras
        if each.lora_id is not None
    )
    choices = Choices(
        base_model_id=recipe.base_model_id,
        loras=loras,
        steps=recipe.steps,
        guidance=recipe.guidance,
        negative=recipe.negative,
    )
    return Asked(prompt=recipe.prompt, choices=choices)
