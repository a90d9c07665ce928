"""What a request names besides words: checked when it is accepted, opened when it is painted."""

from dataclasses import dataclass

from starbooth.darkroom.jobs import Json
from starbooth.darkroom.loras import Loras
from starbooth.darkroom.painter import Scene
from starbooth.darkroom.photos import Photos
from starbooth.darkroom.schemas import scene_of


@dataclass(frozen=True, kw_only=True)
class Materials:
    """`take_in` and `scene` read files and decode pictures, hence block: call them in a thread."""

    photos: Photos
    loras: Loras

    def take_in(self, arguments: Json) -> Json:
        """The arguments of a request that is about to be accepted, with what they name checked and kept.

        Raises: InvalidInput.
        """
        self.loras.check(arguments.get("loras", []))
        if "image_url" not in arguments:
            return arguments
        return {**arguments, "image_url": self.photos.take_in(arguments["image_url"])}

    async def gather(self, arguments: Json) -> None:
        """Fetch what is not here yet. Call it before `scene`. Raises: InvalidInput."""
        await self.loras.gather(arguments.get("loras", []))

    def scene(self, arguments: Json) -> Scene:
        """What to paint for arguments that were taken in. Raises: InvalidInput where a file has expired."""
        address = arguments.get("image_url")
        photo = None if address is None else self.photos.open(address)
        return scene_of(arguments, photo, self.loras.open(arguments.get("loras", [])))
