"""The engine client against a real darkroom process: every call, and `fal-client`'s own six.

These calls use private attributes of `fal-client`; an upgrade that moves them fails here.
"""

import asyncio
import dataclasses
import io
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from PIL import Image

from starbooth.base.settings import read_settings
from starbooth.outside.engine.client import FalEngine, open_engines, result_from_payload
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineResult,
    EngineUnavailable,
    Finished,
    HookRefused,
    PaintOrder,
    Ticket,
    TicketLost,
    Waiting,
    Working,
)
from tests.outside.scripted import Reply, ScriptedServer
from tests.outside.servers import started

KEY = "contract-key:contract-secret"
ENDPOINTS = ["fal-ai/flux/dev", "fal-ai/flux/schnell", "fal-ai/flux-lora"]
ENDPOINTS_FROM_A_PHOTO = ["fal-ai/flux/dev/image-to-image", "fal-ai/flux-lora/image-to-image"]


@pytest.fixture(scope="module")
def darkroom_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = str(tmp_path_factory.mktemp("darkroom"))
    arguments = ("--painter", "instant", "--folder", folder, "--user-id", "account-1", "--faults")
    with started("starbooth.darkroom", *arguments, DARKROOM_KEY=KEY) as url:
        yield url


@pytest.fixture
async def engine(darkroom_url: str) -> AsyncIterator[Engine]:
    engine = next(
        iter(
            open_engines(
                read_settings(engine_url=darkroom_url, engine_key=KEY, engine_account="account-1")
            ).values()
        )
    )
    yield engine
    await engine.aclose()


@pytest.fixture
async def admin(darkroom_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=darkroom_url, headers={"Authorization": f"Key {KEY}"}) as admin:
        yield admin
        (await admin.put("/darkroom/faults", json=[])).raise_for_status()


def lora(fill: int) -> bytes:
    """A safetensors file of one pair of matrices."""
    shapes = {"a.lora_A.weight": [1, 2], "a.lora_B.weight": [2, 1]}
    header = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [8 * number, 8 * number + 8]}
        for number, (name, shape) in enumerate(shapes.items())
    }
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes([fill]) * 16


async def submit(engine: Engine, order: PaintOrder, *, endpoint: str = ENDPOINTS[0], key: str) -> Ticket:
    return await engine.submit(endpoint, order, request_key=key, webhook_url=None)


async def finished(engine: Engine, ticket: Ticket) -> EngineResult:
    for _ in range(400):
        if isinstance(await engine.status(ticket), Finished):
            return await engine.result(ticket)
        await asyncio.sleep(0.05)
    raise AssertionError("not finished in 20 s")


class TestPainting:
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    async def test_a_picture_from_submit_to_bytes(
        self, engine: Engine, paint: PaintOrder, endpoint: str
    ) -> None:
        order = dataclasses.replace(paint, width_px=32, height_px=16)
        result = await finished(engine, await submit(engine, order, endpoint=endpoint, key=endpoint))
        (picture,) = result.pictures
        assert result.seed == order.seed == 2**63 - 1
        assert (picture.width_px, picture.height_px, picture.is_withheld) == (32, 16, False)
        body = await engine.fetch(picture.url, limit_bytes=1_000_000)
        assert body.startswith(b"\x89PNG")

    @pytest.mark.parametrize("endpoint", ENDPOINTS_FROM_A_PHOTO)
    async def test_a_picture_from_a_photo_that_was_lent(
        self, engine: Engine, paint: PaintOrder, endpoint: str
    ) -> None:
        photo = io.BytesIO()
        Image.new("RGB", (20, 30), "teal").save(photo, "PNG")
        url = await engine.upload(photo.getvalue(), "image/png", lifetime_s=3600)
        order = dataclasses.replace(paint, photo_url=url, strength=0.5)
        result = await finished(engine, await submit(engine, order, endpoint=endpoint, key=endpoint))
        (picture,) = result.pictures
        assert (picture.width_px, picture.height_px) == (20, 30)

    async def test_loras_that_were_lent_are_used(self, engine: Engine, paint: PaintOrder) -> None:
        loras = [
            (await engine.upload(lora(fill), "application/octet-stream", lifetime_s=3600), 0.8)
            for fill in (0, 1)
        ]
        pictures = []
        for number, wanted in enumerate(([], loras[:1], loras)):
            order = dataclasses.replace(paint, loras=tuple(wanted))
            ticket = await submit(engine, order, endpoint="fal-ai/flux-lora", key=f"loras {number}")
            (picture,) = (await finished(engine, ticket)).pictures
            pictures.append(await engine.fetch(picture.url, limit_bytes=1_000_000))
        assert len(set(pictures)) == 3

    async def test_a_photo_anywhere_else_is_refused(self, engine: Engine, paint: PaintOrder) -> None:
        order = dataclasses.replace(paint, photo_url="https://example.com/photo.png")
        with pytest.raises(EngineRefused) as refused:
            await submit(engine, order, endpoint=ENDPOINTS_FROM_A_PHOTO[0], key="foreign photo")
        assert refused.value.code == "file_download_error"

    async def test_the_same_key_buys_once(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder
    ) -> None:
        before = (await admin.get("/darkroom/stats")).json()
        first = await submit(engine, paint, key="same")
        assert await submit(engine, paint, key="same") == first
        assert await submit(engine, paint, key="other") != first
        after = (await admin.get("/darkroom/stats")).json()
        assert after["accepted"] - before["accepted"] == 2

    async def test_an_answer_lost_after_the_work_is_asked_for_again_and_bought_once(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder
    ) -> None:
        before = (await admin.get("/darkroom/stats")).json()
        await admin.put("/darkroom/faults", json=[{"place": "submit", "drop": "after", "times": 1}])
        await finished(engine, await submit(engine, paint, key="dropped"))
        after = (await admin.get("/darkroom/stats")).json()
        assert after["accepted"] - before["accepted"] == 1

    async def test_asked_too_early_it_is_not_finished(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder
    ) -> None:
        await admin.put("/darkroom/faults", json=[{"place": "painting", "painting": "never", "times": 1}])
        ticket = await submit(engine, paint, key="never")
        assert isinstance(await engine.status(ticket), Waiting | Working)
        with pytest.raises(EngineUnavailable) as failed:
            await engine.result(ticket)
        assert failed.value.cause == "not_finished"
        await engine.cancel(ticket)
        await engine.cancel(ticket)
        with pytest.raises(EngineRefused) as refused:
            await finished(engine, ticket)
        assert refused.value.code == "cancelled"

    async def test_a_withheld_picture_is_told(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder
    ) -> None:
        await admin.put("/darkroom/faults", json=[{"place": "painting", "painting": "nsfw", "times": 1}])
        result = await finished(engine, await submit(engine, paint, key="nsfw"))
        assert [picture.is_withheld for picture in result.pictures] == [True]


class TestRefusals:
    async def test_impossible_input_is_refused_with_its_place(
        self, engine: Engine, paint: PaintOrder
    ) -> None:
        with pytest.raises(EngineRefused) as refused:
            await finished(engine, await submit(engine, dataclasses.replace(paint, steps=0), key="bad"))
        assert refused.value.code == "invalid_input"
        assert "num_inference_steps" in refused.value.detail
        assert paint.prompt not in str(refused.value)

    async def test_an_endpoint_it_does_not_have_alarms(self, engine: Engine, paint: PaintOrder) -> None:
        with pytest.raises(EngineUnavailable) as failed:
            await submit(engine, paint, endpoint="fal-ai/nothing", key="nothing")
        assert (failed.value.cause, failed.value.alarms) == ("unknown_endpoint", True)

    async def test_a_request_it_never_had_is_a_lost_ticket(self, engine: Engine) -> None:
        ticket = Ticket(engine="darkroom", endpoint=ENDPOINTS[0], request_id="no-such-request")
        with pytest.raises(TicketLost):
            await engine.status(ticket)
        with pytest.raises(TicketLost):
            await engine.result(ticket)
        await engine.cancel(ticket)

    async def test_a_wrong_key_alarms(self, darkroom_url: str) -> None:
        stranger = next(
            iter(open_engines(read_settings(engine_url=darkroom_url, engine_key="wrong-key:wrong")).values())
        )
        with pytest.raises(EngineUnavailable) as failed:
            await stranger.health()
        await stranger.aclose()
        assert (failed.value.cause, failed.value.alarms) == ("unauthorised", True)

    @pytest.mark.parametrize(
        ("fault", "cause", "alarms"),
        [
            ({"status": 429, "headers": {"Retry-After": "7"}}, "rate_limited", False),
            ({"status": 500}, "http_500", False),
            ({"status": 200, "body": "<html>"}, "rubbish", False),
            ({"status": 403, "body": {"detail": "Reason: Exhausted balance."}}, "exhausted_balance", True),
        ],
    )
    async def test_faults_have_their_names(
        self,
        engine: Engine,
        admin: httpx.AsyncClient,
        paint: PaintOrder,
        fault: dict[str, Any],
        cause: str,
        alarms: bool,
    ) -> None:
        await admin.put("/darkroom/faults", json=[{"place": "submit", "times": 1, **fault}])
        with pytest.raises(EngineUnavailable) as failed:
            await submit(engine, paint, key=cause)
        assert (failed.value.cause, failed.value.alarms) == (cause, alarms)


class TestHooks:
    async def hooked(self, engine: Engine, scripted: ScriptedServer, order: PaintOrder, key: str) -> Ticket:
        scripted.will_answer(Reply())
        ticket = await engine.submit(
            ENDPOINTS[0], order, request_key=key, webhook_url=f"{scripted.url}/hooks/1?token=a%20b"
        )
        await asyncio.wait_for(scripted.was_asked.wait(), 20)
        return ticket

    async def test_its_own_webhook_is_believed_and_holds_the_result(
        self, engine: Engine, scripted: ScriptedServer, paint: PaintOrder
    ) -> None:
        ticket = await self.hooked(engine, scripted, paint, "hook-1")
        posted = scripted.asked[0]
        assert posted.target == "/hooks/1?token=a%20b"
        answer = await engine.check_hook(posted.headers, posted.body, now=datetime.now(UTC))
        assert (answer.request_id, answer.is_ok) == (ticket.request_id, True)
        assert result_from_payload(answer.payload).pictures == (await engine.result(ticket)).pictures

    async def test_a_forged_webhook_is_not(
        self, engine: Engine, admin: httpx.AsyncClient, scripted: ScriptedServer, paint: PaintOrder
    ) -> None:
        await admin.put("/darkroom/faults", json=[{"place": "webhook", "webhook": "forged", "times": 1}])
        await self.hooked(engine, scripted, paint, "hook-2")
        posted = scripted.asked[0]
        with pytest.raises(HookRefused, match="signature"):
            await engine.check_hook(posted.headers, posted.body, now=datetime.now(UTC))


class TestHealth:
    async def test_it_answers_and_takes_the_key(self, engine: Engine, darkroom_url: str) -> None:
        assert await engine.health()
        assert darkroom_url in await engine.health()


class TestFalClient:
    """What other code may call through the official client, to the same server."""

    async def test_subscribe(self, engine: Engine) -> None:
        assert isinstance(engine, FalEngine)
        seen: list[Any] = []
        result = await engine._fal.subscribe(
            "fal-ai/flux/schnell", {"prompt": "a boat"}, with_logs=True, on_queue_update=seen.append
        )
        assert result["images"][0]["url"].startswith("http://127.0.0.1")
        assert seen

    async def test_upload(self, engine: Engine, darkroom_url: str) -> None:
        assert isinstance(engine, FalEngine)
        url = await engine._fal.upload(b"some photo", "image/png", file_name="photo.png")
        assert url.startswith(darkroom_url)
        assert await engine.fetch(url, limit_bytes=100) == b"some photo"
