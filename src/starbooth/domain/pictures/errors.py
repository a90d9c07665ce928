"""The noes of pictures."""

from enum import StrEnum
from typing import ClassVar

from starbooth.base.errors import Refusal


class PhotoFlaw(StrEnum):
    """What is wrong with a photo, or a zip of photos, so that whoever sent it can send a better one."""

    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"
    NOT_A_PICTURE = "not_a_picture"
    MOVING = "moving"
    NOT_A_ZIP = "not_a_zip"
    ZIP_IN_A_ZIP = "zip_in_a_zip"
    ENCRYPTED = "encrypted"
    TOO_MANY_FILES = "too_many_files"


class PhotoUnreadable(Refusal):
    """A guest's photo cannot be taken as it is. Nothing was stored or charged.

    limit: what the photo broke, in megabytes (too_large), megapixels (too_many_pixels), pixels of the
    shorter side (too_small) or files of a zip (too_many_files); else 0.
    """

    code: ClassVar[str] = "photo_unreadable"

    def __init__(self, reason: PhotoFlaw, *, limit: int = 0) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.limit = limit
