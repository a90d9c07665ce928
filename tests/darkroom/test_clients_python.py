"""The official Python client, unchanged but for the address."""

import json
from collections.abc import AsyncIterator
from typing import Any

import fal_client
import pytest
from fal_client.client import AsyncMultipartUpload, FalClientHTTPError, FalClientTimeoutError
from PIL import Image

from tests.darkroom.conftest import MakeDarkroom
from tests.darkroom.fal_recipe import EngineClient
from tests.darkroom.serving import KEY, Darkroom, Listener, fetch, flux, until
from tests.darkroom.test_loras import WEIGHTS
from tests.darkroom.test_server_webhooks import is_signed

DEV = "fal-ai/flux/dev"


@pytest.fixture
async def client(quick: Darkroom) -> AsyncIterator[EngineClient]:
    """A client of the shared darkroom."""
    opened = EngineClient(quick.url, KEY)
    yield opened
    await opened.aclose()


@pytest.fixture
async def slow_client(make_darkroom: MakeDarkroom) -> AsyncIterator[EngineClient]:
    """A client of a darkroom of this test's own that takes 1.2 s for a picture."""
    opened = EngineClient(make_darkroom("--instant-seconds", "1.2").url, KEY)
    yield opened
    await opened.aclose()


class TestQueue:
    async def test_submit_status_and_result(self, slow_client: EngineClient) -> None:
        handle = await slow_client.submit(DEV, flux())
        second = await slow_client.submit(DEV, flux(), priority="low", hint="x", start_timeout=60)
        queued = await second.status()
        assert isinstance(queued, fal_client.Queued)
        assert queued.position in {0, 1}
        seen = [event async for event in handle.iter_events(with_logs=True)]
        assert any(isinstance(event, fal_client.InProgress) and event.logs for event in seen)
        assert isinstance(seen[-1], fal_client.Completed)
        assert [line["message"] for line in seen[-1].logs or []] == [f"step {n}/4" for n in (1, 2, 3, 4)]
        assert seen[-1].error is None
        result = await handle.get()
        assert result["prompt"] == "a red boat"
        assert (await fetch(result["images"][0]["url"])).status_code == 200

    async def test_by_id_alone(self, client: EngineClient) -> None:
        handle = await client.submit(DEV, flux(seed=11))
        await handle.get()
        again = await client.get_handle(DEV, handle.request_id)
        assert (await again.get())["seed"] == 11
        assert isinstance(await client.status(DEV, handle.request_id, with_logs=True), fal_client.Completed)
        assert (await client.result(DEV, handle.request_id))["seed"] == 11

    async def test_subscribe_with_logs(self, slow_client: EngineClient) -> None:
        ids: list[str] = []
        updates: list[fal_client.Status] = []
        result = await slow_client.subscribe(
            DEV, flux(), with_logs=True, on_enqueue=ids.append, on_queue_update=updates.append
        )
        assert len(ids) == 1
        assert isinstance(updates[-1], fal_client.Completed)
        assert len(updates[-1].logs or []) == 4
        assert len(result["images"]) == 1

    async def test_the_blocking_run(self, client: EngineClient) -> None:
        assert len((await client.run(DEV, flux(num_images=2)))["images"]) == 2

    async def test_cancel_while_waiting(self, slow_client: EngineClient) -> None:
        await slow_client.submit(DEV, flux())
        handle = await slow_client.submit(DEV, flux())
        await handle.cancel()
        status = await handle.status()
        assert isinstance(status, fal_client.Completed)
        assert status.error_type == "client_cancelled"
        with pytest.raises(FalClientHTTPError) as refused:
            await handle.get()
        assert refused.value.status_code == 499

    async def test_cancel_while_painting(self, slow_client: EngineClient) -> None:
        handle = await slow_client.submit(DEV, flux())
        async for event in handle.iter_events(with_logs=True):
            if isinstance(event, fal_client.InProgress):
                await handle.cancel()
                break
        *_, last = [event async for event in handle.iter_events()]
        assert isinstance(last, fal_client.Completed)
        assert last.error_type == "client_cancelled"

    async def test_an_impatient_subscriber_leaves_nothing_behind(self, slow_client: EngineClient) -> None:
        with pytest.raises(FalClientTimeoutError) as failed:
            await slow_client.subscribe(DEV, flux(num_inference_steps=50), client_timeout=1.1)
        assert failed.value.request_id is not None
        handle = await slow_client.get_handle(DEV, failed.value.request_id)
        with pytest.raises(FalClientHTTPError) as refused:
            await handle.get()
        assert refused.value.status_code == 499

    async def test_a_preview_in_a_status_is_passed_over(self, slow_client: EngineClient) -> None:
        handle = await slow_client.submit(DEV, flux())
        http = await slow_client._get_http()
        raw: list[dict[str, Any]] = []
        while not raw or raw[-1]["status"] != "COMPLETED":
            assert isinstance(await handle.status(with_logs=True), fal_client.Status)
            raw.append((await http.get(handle.status_url)).json())
        assert any("preview_url" in status for status in raw)

    async def test_a_repeat_with_our_key_is_the_first_request(self, client: EngineClient) -> None:
        headers = {"X-Starbooth-Request-Key": "python 1"}
        first = await client.submit(DEV, flux(), headers=headers)
        assert (await client.submit(DEV, flux(), headers=headers)).request_id == first.request_id


class TestRefusals:
    async def test_a_wrong_key(self, quick: Darkroom) -> None:
        stranger = EngineClient(quick.url, "a-wrong-key")
        with pytest.raises(FalClientHTTPError) as refused:
            await stranger.submit(DEV, flux())
        await stranger.aclose()
        assert refused.value.status_code == 401

    async def test_an_invalid_input(self, client: EngineClient) -> None:
        with pytest.raises(FalClientHTTPError) as refused:
            await client.subscribe(DEV, flux(num_images=9))
        assert refused.value.status_code == 422
        details: Any = refused.value.message  # declared as text; it is what the body says in `detail`
        assert details[0]["loc"] == ["body", "num_images"]

    async def test_a_start_timeout(self, slow_client: EngineClient) -> None:
        await slow_client.submit(DEV, flux(num_inference_steps=1))
        await slow_client.submit(DEV, flux(num_inference_steps=1))
        handle = await slow_client.submit(DEV, flux(), start_timeout=1.1)
        with pytest.raises(FalClientHTTPError) as refused:
            await handle.get()
        assert (refused.value.status_code, refused.value.error_type) == (504, "request_timeout")


class TestUpload:
    async def test_a_file(self, client: EngineClient) -> None:
        url = await client.upload(b"some text", "text/plain", file_name="a.txt")
        assert (await fetch(url)).content == b"some text"

    async def test_the_older_repository(self, client: EngineClient) -> None:
        url = await client.upload(b"some text", "text/plain", repository="fal")
        assert (await fetch(url)).content == b"some text"

    async def test_a_file_in_parts(self, client: EngineClient) -> None:
        content = bytes(range(256)) * 4096 * 3
        async with client._cdn_client() as http:
            url = await AsyncMultipartUpload.save(
                client=http,
                token_manager=await client._get_tokens(),
                file_name="photos.zip",
                data=content,
                content_type="application/zip",
                chunk_size=1024 * 1024,
            )
        served = await fetch(url)
        assert (served.content, served.headers["content-type"]) == (content, "application/zip")

    async def test_a_photo_to_paint_from_uploaded_or_inline(self, client: EngineClient) -> None:
        photo = Image.new("RGB", (24, 16), "teal")
        sizes = []
        for url in (await client.upload_image(photo), fal_client.encode_image(photo)):
            wish = {"prompt": "a boat", "image_url": url, "strength": 0.6}
            (image,) = (await client.subscribe(f"{DEV}/image-to-image", wish))["images"]
            sizes.append((image["width"], image["height"]))
        assert sizes == [(24, 16)] * 2

    async def test_weights_to_paint_with(self, client: EngineClient) -> None:
        url = await client.upload(WEIGHTS, "application/octet-stream", file_name="l.safetensors")
        wish = flux(loras=[{"path": url, "scale": 0.8}])
        assert len((await client.subscribe("fal-ai/flux-lora", wish))["images"]) == 1


class TestWebhook:
    async def test_it_is_signed_by_a_published_key_and_holds_the_result(
        self, client: EngineClient, quick: Darkroom, listener: Listener
    ) -> None:
        handle = await client.submit(DEV, flux(), webhook_url=listener.url)
        result = await handle.get()
        await until(lambda: bool(listener.deliveries))
        assert await is_signed(listener.deliveries[0], quick)
        told = json.loads(listener.deliveries[0].body)
        assert (told["request_id"], told["status"], told["payload"]) == (handle.request_id, "OK", result)
