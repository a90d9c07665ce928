"""The noes of generations."""

from typing import ClassVar

from starbooth.base.errors import Refusal
from starbooth.domain.orders.cart import Wish
from starbooth.domain.stars.errors import NotEnoughStars


class PromptEmpty(Refusal):
    """There is nothing in the prompt to paint. Nothing was charged."""

    code: ClassVar[str] = "prompt_empty"


class PromptTooLong(Refusal):
    """The prompt has more characters than we take. Nothing was charged."""

    code: ClassVar[str] = "prompt_too_long"

    def __init__(self, *, length: int, limit: int) -> None:
        super().__init__(f"{length} > {limit}")
        self.length = length
        self.limit = limit


class TooManyOptions(Refusal):
    """The prompt's groups have more options than are looked through. Nothing was charged."""

    code: ClassVar[str] = "too_many_options"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class CountRefused(Refusal):
    """So many pictures cannot be asked for at once. Nothing was charged."""

    code: ClassVar[str] = "count_refused"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class ModelRefused(Refusal):
    """There is no such model, it is not sold any more, or no engine here paints it. Nothing was charged."""

    code: ClassVar[str] = "model_refused"


class PhotoRefused(Refusal):
    """This model, with these LoRAs, cannot start from a photo. Nothing was charged."""

    code: ClassVar[str] = "photo_refused"


class NegativeRefused(Refusal):
    """No engine here that paints this model knows negative prompts. Nothing was charged."""

    code: ClassVar[str] = "negative_refused"


class LorasRefused(Refusal):
    """This model takes no LoRAs. Nothing was charged."""

    code: ClassVar[str] = "loras_refused"


class LoraNotFound(Refusal):
    """There is no such LoRA, or it is somebody else's and private. Nothing was charged."""

    code: ClassVar[str] = "lora_not_found"


class LoraUnfinished(Refusal):
    """The LoRA is still being trained, or its training failed. Nothing was charged."""

    code: ClassVar[str] = "lora_unfinished"


class LoraOfOtherModel(Refusal):
    """The LoRA was made for another base model. Nothing was charged."""

    code: ClassVar[str] = "lora_of_other_model"


class OutOfRange(Refusal):
    """A choice lies outside of what the model takes. Nothing was charged.

    name: "steps", "guidance", "strength", "weight", "seed", "loras" or "negative" (its length).
    """

    code: ClassVar[str] = "out_of_range"

    def __init__(self, name: str, *, least: float, most: float) -> None:
        super().__init__(f"{name}: {least:g} to {most:g}")
        self.name = name
        self.least = least
        self.most = most


class StarsMissing(NotEnoughStars):
    """The stars do not cover what was wanted: `wish`, as the cart keeps it. Nothing was charged."""

    def __init__(self, *, wish: Wish, balance_stars: int) -> None:
        super().__init__(price_stars=wish.price_stars, balance_stars=balance_stars)
        self.wish = wish
