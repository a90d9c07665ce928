"""The noes of pictures."""

from enum import StrEnum
from typing import ClassVar

from starbooth.base.errors import Refusal


class PhotoFlaw(StrEnum):
    """What is wrong with a photo, so that whoever sent it can send a better one."""

    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"
    NOT_A_PICTURE = "not_a_picture"


class PhotoUnreadable(Refusal):
    """A guest's photo cannot be taken as it is. Nothing was stored or charged.

    limit: what the photo broke, in megabytes (too_large), megapixels (too_many_pixels) or pixels of the
    shorter side (too_small); 0 for not_a_picture.
    """

    code: ClassVar[str] = "photo_unreadable"

    def __init__(self, reason: PhotoFlaw, *, limit: int = 0) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.limit = limit
