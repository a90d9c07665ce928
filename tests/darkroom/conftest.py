"""Darkrooms that several tests share, and ones that a test has for itself."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.darkroom.serving import Darkroom, Listener, listening

MakeDarkroom = Callable[..., Darkroom]


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A darkroom that paints at once, shared: nobody may stop it or set its faults."""
    darkroom = Darkroom(tmp_path_factory.mktemp("quick"))
    darkroom.start()
    yield darkroom
    darkroom.stop()


@pytest.fixture
def make_darkroom(tmp_path: Path) -> Iterator[MakeDarkroom]:
    """Makes darkrooms of this test's own, started, all on one folder; they are killed afterwards."""
    made: list[Darkroom] = []

    def make(*options: str, folder: Path = tmp_path / "darkroom", **environment: str) -> Darkroom:
        darkroom = Darkroom(folder, ("--painter", "instant", *options), environment)
        made.append(darkroom)
        darkroom.start()
        return darkroom

    yield make
    for darkroom in made:
        darkroom.kill()


@pytest.fixture
async def http(quick: Darkroom) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shared darkroom, with the key."""
    async with quick.client() as client:
        yield client


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """Something to send webhooks to."""
    async with listening() as receiver:
        yield receiver
