"""The server with the real painter and the model that ships in the package."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import psutil
import pytest
from PIL import Image

from tests.darkroom.serving import Darkroom, fetch, finished, submit

MOST_MEMORY_BYTES = 800_000_000


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A darkroom with the tiny FLUX, shared: loading takes seconds."""
    darkroom = Darkroom(tmp_path_factory.mktemp("real"), ("--device", "cpu"))
    darkroom.start()
    yield darkroom
    darkroom.stop()


@pytest.fixture
async def http(real: Darkroom) -> AsyncIterator[httpx.AsyncClient]:
    """Its client."""
    async with real.client() as client:
        yield client


@pytest.mark.slow
class TestPainting:
    async def test_a_request_waits_for_the_model_and_is_painted(self, http: httpx.AsyncClient) -> None:
        size = {"width": 256, "height": 256}
        request_id = await submit(
            http, prompt="a red boat on the beach", image_size=size, num_inference_steps=8
        )
        status = await finished(http, request_id)
        assert [line["message"] for line in status["logs"]] == [f"step {step}/8" for step in range(1, 9)]
        result = (await http.get(f"/fal-ai/flux/requests/{request_id}")).json()
        picture = Image.open(io.BytesIO((await fetch(result["images"][0]["url"])).content))
        assert picture.size == (256, 256)
        assert len(set(picture.convert("L").tobytes())) > 20
        health = (await http.get("/health")).json()
        assert health == {"status": "ready", "ready": True, "painter": "flux", "device": "cpu"}

    async def test_it_answers_quickly_while_it_paints_and_stops_between_steps(
        self, http: httpx.AsyncClient
    ) -> None:
        request_id = await submit(http, image_size="landscape_4_3", num_inference_steps=50, num_images=4)
        slowest_s = 0.0
        for _ in range(40):
            started = time.monotonic()
            answer = await http.get(f"/fal-ai/flux/requests/{request_id}/status", params={"logs": "1"})
            slowest_s = max(slowest_s, time.monotonic() - started)
            assert answer.status_code == 202
            await asyncio.sleep(0.05)
        assert slowest_s < 1.0
        await http.put(f"/fal-ai/flux/requests/{request_id}/cancel")
        assert (await finished(http, request_id))["error_type"] == "client_cancelled"
        await finished(http, await submit(http, image_size={"width": 256, "height": 256}))

    async def test_it_needs_at_most_800_mb(self, real: Darkroom, http: httpx.AsyncClient) -> None:
        await finished(http, await submit(http, image_size="square_hd", num_images=4, num_inference_steps=8))
        assert real.process is not None
        assert psutil.Process(real.process.pid).memory_info().rss < MOST_MEMORY_BYTES
