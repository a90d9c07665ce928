"""The noes of models."""

from typing import ClassVar

from starbooth.base.errors import Refusal


class NoSuchModel(Refusal):
    """There is no such model, it was deleted, or it is somebody else's and not public."""

    code: ClassVar[str] = "no_such_model"


class NoSuchList(Refusal):
    """This list of models was opened long ago and is forgotten, or it is somebody else's."""

    code: ClassVar[str] = "no_such_list"


class ModelUnfinished(Refusal):
    """The model has no weights: its training has not ended, or failed."""

    code: ClassVar[str] = "model_unfinished"


class ModelInTraining(Refusal):
    """The model is being trained; that has to end first."""

    code: ClassVar[str] = "model_in_training"


class ModelReported(Refusal):
    """Somebody reported the model, and no operator has looked at it yet."""

    code: ClassVar[str] = "model_reported"


class ModelHidden(Refusal):
    """Operators took the model out of the catalogue."""

    code: ClassVar[str] = "model_hidden"


class OwnModel(Refusal):
    """This is for models of others."""

    code: ClassVar[str] = "own_model"


class ModelNameRefused(Refusal):
    """The name is empty, too long, or against the operator's word list."""

    code: ClassVar[str] = "model_name_refused"

    def __init__(self, *, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class PenNameRefused(Refusal):
    """The pen name is too short, too long, not made of letters, or against the operator's word list."""

    code: ClassVar[str] = "pen_name_refused"


class PenNameTaken(Refusal):
    """Somebody else has this pen name, or it is somebody's username."""

    code: ClassVar[str] = "pen_name_taken"


class FeeRefused(Refusal):
    """The fee is below nothing or beyond the limit."""

    code: ClassVar[str] = "fee_refused"


class NothingToSearch(Refusal):
    """There is no letter and no digit in what is looked for."""

    code: ClassVar[str] = "nothing_to_search"


class WeightsMissing(Refusal):
    """The weights are not in our storage: another program wrote the row, or the file was lost."""

    code: ClassVar[str] = "weights_missing"


class OrderNotPaid(Refusal):
    """There is no such order, it has not ended, or nothing was paid for it. Nothing moved."""

    code: ClassVar[str] = "order_not_paid"
