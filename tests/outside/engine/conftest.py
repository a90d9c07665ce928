"""The client under test against a scripted counterpart, and the values that every test needs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from starbooth.base.settings import read_settings
from starbooth.outside.engine.client import FalEngine, open_engines
from starbooth.outside.engine.contract import Engine, PaintOrder, Ticket
from tests.outside.scripted import ScriptedServer


@pytest.fixture
async def darkroom_client(scripted: ScriptedServer) -> AsyncIterator[Engine]:
    """A client that believes `scripted` to be a darkroom: one that deduplicates."""
    engine = next(
        iter(open_engines(read_settings(engine_url=scripted.url, engine_key="key-id:key-secret")).values())
    )
    yield engine
    await engine.aclose()


@pytest.fixture
async def fal_client(scripted: ScriptedServer) -> AsyncIterator[Engine]:
    """A client that treats `scripted` as fal.ai is treated: nobody deduplicates there."""
    engine = FalEngine(
        name="fal", key="key-id:key-secret", base_url=scripted.url, is_deduplicating=False, account=None
    )
    yield engine
    await engine.aclose()


@pytest.fixture
def paint() -> PaintOrder:
    return PaintOrder(prompt="a red boat", width_px=256, height_px=128, steps=7, guidance=3.5, seed=2**63 - 1)


@pytest.fixture
def ticket() -> Ticket:
    return Ticket(engine="darkroom", endpoint="fal-ai/flux/dev", request_id="0f-1")


@pytest.fixture
def accepted() -> dict[str, Any]:
    where = "http://localhost/fal-ai/flux/requests/0f-1"
    return {
        "request_id": "0f-1",
        "status": "IN_QUEUE",
        "queue_position": 0,
        "response_url": where,
        "status_url": f"{where}/status",
        "cancel_url": f"{where}/cancel",
    }
