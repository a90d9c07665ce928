"""The inputs of the two trainers: names, defaults and ranges as fal has them.

Three of fal's switches need eyes that this engine has not. They are off here where nobody asks for them, and
refused where somebody does.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from starbooth.darkroom.jobs import Json
from starbooth.darkroom.schemas import refusal, refused_by

FAST = "fal-ai/flux-lora-fast-training"
PORTRAIT = "fal-ai/flux-lora-portrait-trainer"
FAST_STEPS = 1000
MOST_STEPS = 10_000
LONGEST_TRIGGER = 200
BLIND_TO = {
    "create_masks": "This engine makes no masks of faces or things",
    "subject_crop": "This engine does not look for the subject: crop the photos before",
}


class TrainerInput(BaseModel):
    """What both trainers share. Unknown names are ignored, as fal does."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    images_data_url: str = Field(min_length=1)
    create_masks: bool = False
    data_archive_format: Literal["zip"] | None = None


class FastInput(TrainerInput):
    """`fal-ai/flux-lora-fast-training`. learning_rate is a name of our own; fal chooses it."""

    trigger_word: str | None = Field(default=None, max_length=LONGEST_TRIGGER)
    steps: int | None = Field(default=None, ge=1, le=MOST_STEPS)
    is_style: bool = False
    is_input_format_already_preprocessed: bool = False
    learning_rate: float = Field(default=1e-4, ge=1e-6, le=1e-3)


class PortraitInput(TrainerInput):
    """`fal-ai/flux-lora-portrait-trainer`."""

    trigger_phrase: str | None = Field(default=None, max_length=LONGEST_TRIGGER)
    steps: int = Field(default=2500, ge=1, le=MOST_STEPS)
    learning_rate: float = Field(default=9e-5, ge=1e-6, le=1e-3)
    multiresolution_training: bool = True
    subject_crop: bool = False
    resume_from_checkpoint: str = Field(default="", max_length=4096)


SCHEMAS: dict[str, type[TrainerInput]] = {FAST: FastInput, PORTRAIT: PortraitInput}


def parse_training(endpoint: str, body: bytes) -> Json:
    """The input with all defaults filled in. An empty body means `{}`.

    Raises: KeyError for an unknown endpoint; InvalidInput with every fault of the input.
    """
    try:
        given = SCHEMAS[endpoint].model_validate_json(body or b"{}")
    except ValidationError as error:
        raise refused_by(error) from error
    arguments = given.model_dump(mode="json")
    for name, problem in BLIND_TO.items():
        # A style is trained without masks at fal, too, whatever the switch says.
        if arguments.get(name) and not (name == "create_masks" and arguments.get("is_style")):
            raise refusal(name, problem, "feature_not_supported")
    return {**arguments, "steps": arguments["steps"] or FAST_STEPS}
