"""What a training is to make, and what it tells while it runs. Values only; knows no torch."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from starbooth.darkroom.jobs import Json

RANK = 16
WEIGHTS_FILE = "pytorch_lora_weights.safetensors"
PLACEHOLDER = "[trigger]"


class Diverged(Exception):
    """The numbers ran away: the learning rate is too high for these photos."""


class UnfitStart(Exception):
    """The weights to go on from are none for this model; `reason` completes a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train. archive: the zip of photos, None where it is gone (fine once they were read).

    learning_rate: as asked for; a model may scale it. has_many_sizes: learn from each photo in several sizes.
    first_weights: a LoRA to go on from. The same recipe gives the same LoRA, on the same machine.
    """

    archive: Path | None
    trigger: str
    steps: int
    learning_rate: float
    seed: int
    has_many_sizes: bool = False
    first_weights: Path | None = None

    def caption_for(self, written: str) -> str:
        """The words to learn a photo by: its caption with the trigger filled in, or the trigger alone."""
        return written.replace(PLACEHOLDER, self.trigger).strip() if written else self.trigger


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Something was done. `step` steps have run of `steps`; 0 while the photos are being read.

    note: what else there is to tell. sample: a picture with what was learned so far.
    is_kept: a kill from now on loses nothing up to here. is_over: the weights lie in the folder.
    """

    step: int
    steps: int
    note: str = ""
    sample: Image.Image | None = None
    is_kept: bool = False
    is_over: bool = False


@dataclass(kw_only=True)
class Wishes:
    """What the outside wants of a training that runs. Set on the event loop, read in the painter's thread.

    is_enough: make the weights of what was learned so far. is_leaving: keep everything, and make none.
    """

    is_enough: bool = False
    is_leaving: bool = False


class Trainer(Protocol):
    """A painter that can learn, one training at a time. It may paint between two pieces of work."""

    def train(self, recipe: Recipe, folder: Path, wishes: Wishes) -> Generator[Progress]:
        """Learn, in pieces of about a second at most, and tell after each. Closing it early is fine.

        folder: belongs to this training; what lies in it from an earlier process is gone on from. At the end
        `WEIGHTS_FILE` lies in it, and the last that is told is over and names the steps that ran, of which
        there is one at least where the wish is that it be enough.
        Raises: InvalidInput where the archive is needed and gone, Diverged, UnfitStart.
        """
        ...

    def about_training(self) -> Json:
        """What of the model's own counts for a LoRA: goes into its config."""
        ...


def trigger_of(arguments: Json) -> str:
    """The trigger word or phrase of a training's arguments, "" for none."""
    return (arguments.get("trigger_word") or arguments.get("trigger_phrase") or "").strip()


def recipe_of(arguments: Json, *, archive: Path | None, first_weights: Path | None) -> Recipe:
    """The recipe for arguments that were taken in."""
    return Recipe(
        archive=archive,
        trigger=trigger_of(arguments),
        steps=arguments["steps"],
        learning_rate=arguments["learning_rate"],
        seed=arguments["seed"],
        has_many_sizes=arguments.get("multiresolution_training", False),
        first_weights=first_weights,
    )
