"""Trainings that wait or run."""

import pytest

from starbooth.base.database import Database
from starbooth.domain.running.buying import start_orders
from tests.make.training_scene import Scene, open_scene


@pytest.fixture
async def waiting(database: Database) -> Scene:
    return await open_scene(database)


@pytest.fixture
async def running(waiting: Scene) -> Scene:
    assert await start_orders(waiting.database, waiting.outside) == 1
    return waiting
