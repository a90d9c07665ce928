"""One guest's training on an engine in memory, looked at when a test says so."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.gallery.pictures import delete_doomed_files
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.sweep import sweep
from starbooth.domain.trainings.read import TrainingView, read_training
from starbooth.domain.trainings.stop import ask_to_stop
from starbooth.domain.trainings.zips import take_back_zips
from starbooth.domain.users.guests import Language
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest, read_stars
from tests.make.orders import let_pass, make_outside
from tests.make.storage import MemoryStorage
from tests.make.trainings import (
    make_photo_set,
    place_training,
)

PRICE = 24
FUNDS = 1000


@dataclass
class Scene:
    """One guest's training on an engine in memory."""

    database: Database
    guest: str
    set_id: str
    order_id: str
    engine: MemoryEngine
    other: MemoryEngine
    storage: MemoryStorage
    outside: Outside

    async def look(self, *, later: float = 2.0) -> None:
        await let_pass(self.database, later)
        await sweep(self.database, self.outside)

    async def view(self) -> TrainingView:
        async with self.database.transaction() as tx:
            view = await read_training(tx, self.order_id)
        assert view is not None
        return view

    async def stop(self) -> bool:
        async with self.database.transaction() as tx:
            return await ask_to_stop(tx, order_id=self.order_id, user_id=self.guest)

    async def stars(self) -> int:
        return (await read_stars(self.database, self.guest))[0]

    async def tidy(self) -> Sequence[str]:
        """What lies in storage beside the photos, once all that is due is gone."""
        await take_back_zips(self.database, self.outside)
        await delete_doomed_files(self.database, self.storage, limit=100)
        return sorted(key for key in self.storage.files if not key.startswith("training/"))

    async def lent(self) -> int:
        async with self.database.transaction() as tx:
            return int(await tx.scalar(text("SELECT count(*) FROM starbooth.lent_zips")))


async def open_scene(
    database: Database, *, lora_type: LoraType = LoraType.STYLE, steps: int = 100, photos: int = 4
) -> Scene:
    guest = await make_guest(database, stars=FUNDS, telegram_id=7)
    engine, other = MemoryEngine(), MemoryEngine(name="other", can_stop_early=False)
    storage = MemoryStorage()
    outside = make_outside(engine, storage, other)
    set_id = await make_photo_set(database, guest, storage, lora_type=lora_type, steps=steps, photos=photos)
    chat = Recipient(chat_id=7, reply_to_message_id=None, language=Language.ENGLISH)
    placed = await place_training(database, guest, set_id, recipient=chat)
    return Scene(database, guest, set_id, placed.order_id, engine, other, storage, outside)
