"""All kinds of orders with the crafts that make them. Who runs or ends orders of any kind gets these."""

from starbooth.domain.generations.craft import PictureCraft
from starbooth.domain.orders.place import OrderKind
from starbooth.domain.running.craft import Crafts
from starbooth.domain.trainings.craft import TrainingCraft


def all_crafts() -> Crafts:
    """The craft of every kind."""
    return {OrderKind.GENERATION: PictureCraft(), OrderKind.TRAINING: TrainingCraft()}
