"""The noes of photo packs."""

from typing import ClassVar

from starbooth.base.errors import Refusal


class NoSuchPack(Refusal):
    """There is no pack of this name and size for models of this type. Nothing was charged."""

    code: ClassVar[str] = "no_such_pack"
