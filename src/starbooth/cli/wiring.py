"""Building the real objects, once per process, and closing them again.

What only some processes need stands in files of its own, so that the others do not load it.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from starbooth.base.database import Database
from starbooth.base.embedded import database_url
from starbooth.base.settings import Settings
from starbooth.domain.generations.request import Limits
from starbooth.domain.prompts.gate import Leniency
from starbooth.domain.trainings.request import TrainingLimits
from starbooth.outside.storage.contract import Storage
from starbooth.outside.storage.store import open_storage


@dataclass(frozen=True, kw_only=True)
class Booth:
    """What every process of the booth works with."""

    settings: Settings
    database: Database
    storage: Storage
    secret: bytes


@asynccontextmanager
async def open_booth(settings: Settings, *, connections: int = 10) -> AsyncIterator[Booth]:
    """The database and storage that the settings name. Raises SettingError where one is wrong."""
    storage = open_storage(settings.storage_url)
    database = Database(await database_url(settings), connections=connections)
    try:
        yield Booth(settings=settings, database=database, storage=storage, secret=settings.signing_secret())
    finally:
        await database.aclose()


def darkroom_key(settings: Settings) -> str:
    """The key of an engine of our own: the setting, or one made from the secret. The same everywhere."""
    if settings.engine_key is not None:
        return settings.engine_key.get_secret_value()
    return hmac.new(settings.signing_secret(), b"darkroom key", hashlib.sha256).hexdigest()[:40]


def training_limits_of(settings: Settings) -> TrainingLimits:
    """What the operator allows of trainings."""
    return TrainingLimits(
        active_trainings=settings.active_trainings_per_guest,
        deadline=timedelta(seconds=settings.training_deadline_s),
        keep_photos=timedelta(days=settings.training_photos_days),
        leniency=_leniency_of(settings),
    )


def limits_of(settings: Settings) -> Limits:
    """What the operator allows."""
    return Limits(
        active_orders=settings.active_orders_per_guest,
        deadline=timedelta(seconds=settings.order_deadline_s),
        leniency=_leniency_of(settings),
        maker_share_percent=settings.maker_share_percent,
        series_discount_percent=settings.photo_pack_discount_percent,
    )


def _leniency_of(settings: Settings) -> Leniency:
    return Leniency(
        refusals_per_hour=settings.prompt_refusals,
        pause=timedelta(minutes=settings.prompt_pause_minutes),
    )
