"""The noes of trainings."""

from enum import StrEnum
from typing import ClassVar

from starbooth.base.errors import Refusal
from starbooth.domain.orders.cart import Wish
from starbooth.domain.orders.errors import TooManyOrders
from starbooth.domain.stars.errors import NotEnoughStars


class NoSuchSet(Refusal):
    """There are no such photos, or they are somebody else's, or they are in use or deleted by now."""

    code: ClassVar[str] = "no_such_set"


class NoSuchPhoto(Refusal):
    """There is no photo of this number in the set, or not any more."""

    code: ClassVar[str] = "no_such_photo"


class SetFull(Refusal):
    """The set has as many photos as one can have. Nothing was stored."""

    code: ClassVar[str] = "set_full"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class SetTooHeavy(Refusal):
    """The photos of the set come to more megabytes than one may have. Nothing was stored."""

    code: ClassVar[str] = "set_too_heavy"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class OtherSetOpen(Refusal):
    """The guest gathers other photos at the moment."""

    code: ClassVar[str] = "other_set_open"


class NameRefused(Refusal):
    """A model's name has 1 to `limit` characters."""

    code: ClassVar[str] = "name_refused"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class CaptionTooLong(Refusal):
    """A photo's caption has at most `limit` characters."""

    code: ClassVar[str] = "caption_too_long"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class TriggerFlaw(StrEnum):
    """What is wrong with a trigger word."""

    LENGTH = "length"
    SPACE = "space"
    LETTERS = "letters"
    COMMON = "common"
    TAKEN = "taken"


class TriggerRefused(Refusal):
    """This cannot be a trigger word. least, most: the lengths that can."""

    code: ClassVar[str] = "trigger_refused"

    def __init__(self, reason: TriggerFlaw, *, least: int, most: int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.least = least
        self.most = most


class TrainingRefused(Refusal):
    """This kind of training is not sold, or no engine of this booth can do it. Nothing was charged."""

    code: ClassVar[str] = "training_refused"


class SetUnfinished(Refusal):
    """Something is not chosen yet. `what`: lora_type, name or trigger_word."""

    code: ClassVar[str] = "set_unfinished"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class ConsentMissing(Refusal):
    """The guest has not agreed to training on these photos, or has taken it back."""

    code: ClassVar[str] = "consent_missing"


class PhotosRefused(Refusal):
    """The photos are too few or too many: least to most."""

    code: ClassVar[str] = "photos_refused"

    def __init__(self, *, count: int, least: int, most: int) -> None:
        super().__init__(f"{count} of {least} to {most}")
        self.count = count
        self.least = least
        self.most = most


class RecipeRefused(Refusal):
    """A number is out of its range. `name`: steps or learning_rate."""

    code: ClassVar[str] = "recipe_refused"

    def __init__(self, name: str, *, least: float, most: float) -> None:
        super().__init__(f"{name}: {least:g} to {most:g}")
        self.name = name
        self.least = least
        self.most = most


class TrainingPriceChanged(Refusal):
    """The button said another price than this training has now. Nothing was charged."""

    code: ClassVar[str] = "training_price_changed"

    def __init__(self, *, price_stars: int) -> None:
        super().__init__(str(price_stars))
        self.price_stars = price_stars


class TooManyTrainings(TooManyOrders):
    """The guest has as many trainings under way as the operator allows. Nothing was charged."""

    code: ClassVar[str] = "too_many_trainings"


class TrainingStarsMissing(NotEnoughStars):
    """The stars do not cover the training: `wish`, as the cart keeps it. Nothing was charged."""

    def __init__(self, *, wish: Wish, balance_stars: int) -> None:
        super().__init__(price_stars=wish.price_stars, balance_stars=balance_stars)
        self.wish = wish


class TooLateToStop(Refusal):
    """The training has ended."""

    code: ClassVar[str] = "too_late_to_stop"
