"""The noes of the gallery."""

from typing import ClassVar

from starbooth.base.errors import Refusal


class NoSuchPicture(Refusal):
    """There is no such picture, it was deleted, or it is somebody else's. Nothing was charged."""

    code: ClassVar[str] = "no_such_picture"


class NoSuchGallery(Refusal):
    """This gallery was opened long ago and is forgotten, or it is somebody else's."""

    code: ClassVar[str] = "no_such_gallery"


class NothingToSearch(Refusal):
    """There is no letter and no digit in what is looked for."""

    code: ClassVar[str] = "nothing_to_search"


class NoFile(Refusal):
    """The picture's file is not in our storage: another program wrote the row, or the file was lost."""

    code: ClassVar[str] = "no_file"
