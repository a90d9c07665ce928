"""What a request names besides words: checked when it is accepted, opened when it is painted or trained."""

from dataclasses import dataclass
from pathlib import Path

from starbooth.darkroom.jobs import Json
from starbooth.darkroom.lora_training.archive import FIELD, Archives
from starbooth.darkroom.lora_training.recipe import Recipe, recipe_of
from starbooth.darkroom.loras import Loras
from starbooth.darkroom.painter import Scene
from starbooth.darkroom.photos import Photos
from starbooth.darkroom.schemas import InvalidInput, scene_of

START = "resume_from_checkpoint"


@dataclass(frozen=True, kw_only=True)
class Materials:
    """All but `gather` and `drop` read files and decode pictures, hence block: call them in a thread."""

    photos: Photos
    archives: Archives
    loras: Loras

    def take_in(self, arguments: Json) -> Json:
        """The arguments of a request that is about to be accepted, with what they name checked and kept.

        Raises: InvalidInput.
        """
        self._check_loras(arguments)
        if FIELD in arguments:
            return self.archives.take_in(arguments)
        if "image_url" not in arguments:
            return arguments
        return {**arguments, "image_url": self.photos.take_in(arguments["image_url"])}

    async def gather(self, arguments: Json) -> None:
        """Fetch what is not here yet. Call it before `scene` or `recipe`. Raises: InvalidInput."""
        try:
            await self.loras.gather(_wanted(arguments))
        except InvalidInput as error:
            raise _in_place(error, arguments) from error

    def scene(self, arguments: Json) -> Scene:
        """What to paint for arguments that were taken in. Raises: InvalidInput where a file has expired."""
        address = arguments.get("image_url")
        photo = None if address is None else self.photos.open(address)
        return scene_of(arguments, photo, self.loras.open(arguments.get("loras", [])))

    def recipe(self, arguments: Json) -> Recipe:
        """How to train for arguments that were taken in and gathered.

        Photos that are gone are for the trainer to miss: it may have read them before.
        Raises: InvalidInput where the weights to go on from have expired.
        """
        archive: Path | None
        try:
            archive = self.archives.open(arguments[FIELD])
        except InvalidInput:
            archive = None
        try:
            first = self.loras.open(_wanted(arguments))
        except InvalidInput as error:
            raise _in_place(error, arguments) from error
        return recipe_of(arguments, archive=archive, first_weights=first[0].path if first else None)

    def drop(self, arguments: Json) -> None:
        """Delete what belongs to this request alone, after its end. Safe to repeat."""
        if FIELD in arguments:
            self.archives.drop(arguments)

    def _check_loras(self, arguments: Json) -> None:
        try:
            self.loras.check(_wanted(arguments))
        except InvalidInput as error:
            raise _in_place(error, arguments) from error


def _wanted(arguments: Json) -> list[Json]:
    """The LoRAs of a picture, or the one that a training goes on from."""
    start = arguments.get(START)
    return [{"path": start, "scale": 1.0}] if start else list(arguments.get("loras", []))


def _in_place(error: InvalidInput, arguments: Json) -> InvalidInput:
    """The same refusal, said of the field in which the training names its weights."""
    if not arguments.get(START):
        return error
    return InvalidInput([{**detail, "loc": ["body", START]} for detail in error.details])
