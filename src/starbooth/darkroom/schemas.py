"""The inputs of the endpoints: names, defaults and ranges as fal has them, and fal's shape of a refusal
(422).

Knows what a valid input is; knows nothing of queues, and of painting only that a `Scene` describes it.
"""

import json
import math
import secrets
from enum import StrEnum
from typing import Annotated, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from starbooth.darkroom.jobs import Json
from starbooth.darkroom.painter import Lora, Scene

LARGEST_SEED = 2**64 - 1
LARGEST_CHOSEN_SEED = 2**63 - 1
LARGEST_SIDE_PX = 14142
LARGEST_AREA_PX = 4 * 1024 * 1024
LONGEST_PROMPT = 20_000
MOST_LORAS = 3


class InvalidInput(Exception):
    """The input is refused. `details` is the list that goes into fal's `detail`."""

    def __init__(self, details: list[Json]) -> None:
        super().__init__(json.dumps(details))
        self.details = details


class Preset(StrEnum):
    """fal's names of picture sizes."""

    SQUARE_HD = "square_hd"
    SQUARE = "square"
    PORTRAIT_4_3 = "portrait_4_3"
    PORTRAIT_16_9 = "portrait_16_9"
    LANDSCAPE_4_3 = "landscape_4_3"
    LANDSCAPE_16_9 = "landscape_16_9"


PRESET_SIZES_PX = {
    Preset.SQUARE_HD: (1024, 1024),
    Preset.SQUARE: (512, 512),
    Preset.PORTRAIT_4_3: (768, 1024),
    Preset.PORTRAIT_16_9: (576, 1024),
    Preset.LANDSCAPE_4_3: (1024, 768),
    Preset.LANDSCAPE_16_9: (1024, 576),
}


class Size(BaseModel):
    """A custom picture size in pixels."""

    width: int = Field(default=512, ge=1, le=LARGEST_SIDE_PX)
    height: int = Field(default=512, ge=1, le=LARGEST_SIDE_PX)


def _size_tag(value: object) -> str:
    return "custom" if isinstance(value, dict | Size) else "preset"


ImageSize = Annotated[
    Annotated[Size, Tag("custom")] | Annotated[Preset, Tag("preset")], Discriminator(_size_tag)
]


class LoraWeight(BaseModel):
    """A LoRA to be used: where its file is, and how strongly."""

    path: str = Field(min_length=1, max_length=4096)
    scale: float = Field(default=1.0, ge=0, le=4)


class FluxInput(BaseModel):
    """What all FLUX endpoints share. Unknown names are ignored, as fal does.

    negative_prompt: what should not be seen; these endpoints of fal have no such input.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    prompt: str = Field(max_length=LONGEST_PROMPT)
    num_inference_steps: int = Field(default=28, ge=1, le=50)
    guidance_scale: float = Field(default=3.5, ge=1, le=20)
    seed: int | None = Field(default=None, ge=0, le=LARGEST_SEED)
    num_images: int = Field(default=1, ge=1, le=4)
    negative_prompt: str = Field(default="", max_length=LONGEST_PROMPT)
    enable_safety_checker: bool = True
    sync_mode: bool = False
    output_format: Literal["jpeg", "png"] = "jpeg"


class WordsInput(FluxInput):
    """A picture from words alone: its size is asked for."""

    image_size: ImageSize = Preset.LANDSCAPE_4_3


class PhotoInput(FluxInput):
    """A picture that begins with a photo, whose size it gets. `strength`: how far it may leave the photo."""

    image_url: str = Field(min_length=1)
    strength: float = Field(default=0.95, ge=0.01, le=1)
    num_inference_steps: int = Field(default=40, ge=1, le=50)


class FluxDevInput(WordsInput):
    """`fal-ai/flux/dev`."""

    acceleration: Literal["none", "regular", "high"] = "none"


class FluxDevPhotoInput(PhotoInput):
    """`fal-ai/flux/dev/image-to-image`."""

    acceleration: Literal["none", "regular", "high"] = "none"


class FluxSchnellInput(FluxDevInput):
    """`fal-ai/flux/schnell`: a model distilled to few steps."""

    num_inference_steps: int = Field(default=4, ge=1, le=12)


class WithLoras(FluxInput):
    """What both LoRA endpoints share."""

    guidance_scale: float = Field(default=3.5, ge=0, le=35)
    acceleration: Literal["none", "regular"] = "none"
    loras: Annotated[list[LoraWeight], Field(max_length=MOST_LORAS)] = Field(default_factory=list)


class FluxLoraInput(WithLoras, WordsInput):
    """`fal-ai/flux-lora`."""


class FluxLoraPhotoInput(WithLoras, PhotoInput):
    """`fal-ai/flux-lora/image-to-image`."""

    strength: float = Field(default=0.85, ge=0.01, le=1)
    num_inference_steps: int = Field(default=28, ge=1, le=50)


ENDPOINTS: dict[str, type[FluxInput]] = {
    "fal-ai/flux-lora": FluxLoraInput,
    "fal-ai/flux-lora/image-to-image": FluxLoraPhotoInput,
    "fal-ai/flux/dev": FluxDevInput,
    "fal-ai/flux/dev/image-to-image": FluxDevPhotoInput,
    "fal-ai/flux/schnell": FluxSchnellInput,
}
PHOTO_ENDPOINTS = frozenset(name for name, schema in ENDPOINTS.items() if issubclass(schema, PhotoInput))


def parse_arguments(endpoint: str, body: bytes) -> Json:
    """The input with all defaults filled in, the seed still as it was given. An empty body means `{}`.

    Raises: KeyError for an unknown endpoint; InvalidInput with every fault of the input.
    """
    schema = ENDPOINTS[endpoint]
    try:
        given = schema.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise refused_by(error) from error
    if isinstance(given, WordsInput) and math.prod(size_px(given.image_size)) > LARGEST_AREA_PX:
        message = f"The picture may have at most {LARGEST_AREA_PX} pixels"
        raise refusal("image_size", message, "image_too_large", {"max_pixels": LARGEST_AREA_PX})
    return given.model_dump(mode="json")


def names_files(arguments: Json) -> bool:
    """Whether they name photos or LoRAs, which are to be looked at."""
    return any(
        arguments.get(name) for name in ("image_url", "loras", "images_data_url", "resume_from_checkpoint")
    )


def choose_seed(arguments: Json) -> Json:
    """The same arguments with a seed: the given one, or a new one below 2⁶³."""
    if arguments.get("seed") is not None:
        return arguments
    return {**arguments, "seed": secrets.randbelow(LARGEST_CHOSEN_SEED + 1)}


def size_px(image_size: Size | Preset | Json | str) -> tuple[int, int]:
    """Width and height in pixels of a validated `image_size`, parsed or as JSON."""
    if isinstance(image_size, Size):
        return image_size.width, image_size.height
    if isinstance(image_size, dict):
        return image_size["width"], image_size["height"]
    return PRESET_SIZES_PX[Preset(image_size)]


def scene_of(arguments: Json, photo: Image.Image | None = None, loras: tuple[Lora, ...] = ()) -> Scene:
    """What the painter is to paint for complete arguments; `photo` and `loras` are those that they name."""
    width_px, height_px = size_px(arguments["image_size"]) if photo is None else photo.size
    return Scene(
        prompt=arguments["prompt"],
        width_px=width_px,
        height_px=height_px,
        steps=arguments["num_inference_steps"],
        guidance=arguments["guidance_scale"],
        seed=arguments["seed"],
        count=arguments["num_images"],
        negative=arguments.get("negative_prompt", ""),
        photo=photo,
        strength=arguments.get("strength", 1.0),
        loras=loras,
    )


def refused_by(error: ValidationError) -> InvalidInput:
    """pydantic's errors with `body` in front of the path; neither our tags nor the input are repeated."""
    details: list[Json] = json.loads(error.json(include_url=False, include_input=False))
    for detail in details:
        path = detail["loc"]
        if path[:1] == ["image_size"]:
            path = [part for part in path if part not in {"custom", "preset"}]
        detail["loc"] = ["body", *path]
    return InvalidInput(details)


def refusal(field: str, message: str, kind: str, context: Json | None = None) -> InvalidInput:
    """The refusal of one field of the input. `kind` is fal's `type`; `context` goes into `ctx`."""
    return InvalidInput([{"loc": ["body", field], "msg": message, "type": kind, "ctx": context or {}}])
