"""The noes of the studio. Nothing is charged by any of them."""

from typing import ClassVar

from starbooth.base.errors import Refusal


class NoSuchDraft(Refusal):
    """This guest has no such draft: it was ordered, put away, or lay open for too long."""

    code: ClassVar[str] = "no_such_draft"


class NoSuchPreset(Refusal):
    """This guest has no such preset."""

    code: ClassVar[str] = "no_such_preset"


class PresetNameRefused(Refusal):
    """A preset's name is one line of 1 to `limit` characters."""

    code: ClassVar[str] = "preset_name_refused"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class PresetsFull(Refusal):
    """The guest has as many presets as there may be."""

    code: ClassVar[str] = "presets_full"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit
