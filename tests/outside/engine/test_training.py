"""Trainings by the engine's contract: in fal's words, against a scripted counterpart and a real darkroom."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from PIL import Image

from starbooth.base.settings import read_settings
from starbooth.domain.trainings.material import zip_photos
from starbooth.domain.trainings.weights import examine_weights, strip_config
from starbooth.outside.engine.answers import result_from_payload, working_by
from starbooth.outside.engine.client import open_engines
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineResult,
    EngineUnavailable,
    FileGone,
    Finished,
    PaintOrder,
    Ticket,
    TrainedLora,
    TrainOrder,
    Working,
)
from starbooth.outside.engine.inputs import arguments
from starbooth.outside.engine.prices import list_training_cost_usd
from tests.outside.scripted import Reply, ScriptedServer
from tests.outside.servers import started

KEY = "contract-key:contract-secret"
FAST, PORTRAIT = "fal-ai/flux-lora-fast-training", "fal-ai/flux-lora-portrait-trainer"
STYLE = TrainOrder(
    images_url="https://v3.fal.media/a.zip", trigger_word="qyzo", steps=100, learning_rate=9e-5, is_style=True
)
PERSON = replace(STYLE, is_style=False)


class TestInputs:
    def test_a_style_in_the_words_of_the_fast_trainer(self) -> None:
        assert arguments(FAST, STYLE) == {
            "images_data_url": "https://v3.fal.media/a.zip",
            "trigger_word": "qyzo",
            "steps": 100,
            "is_style": True,
            "create_masks": False,
        }

    def test_a_person_in_the_words_of_the_portrait_trainer(self) -> None:
        assert arguments(PORTRAIT, PERSON) == {
            "images_data_url": "https://v3.fal.media/a.zip",
            "trigger_phrase": "qyzo",
            "steps": 100,
            "learning_rate": 9e-5,
            "subject_crop": False,
            "create_masks": False,
        }

    @pytest.mark.parametrize(
        ("endpoint", "order"),
        [(PORTRAIT, STYLE), ("fal-ai/flux/dev", STYLE), ("fal-ai/flux-2-trainer", PERSON)],
    )
    def test_who_cannot_train_so_is_not_asked(self, endpoint: str, order: TrainOrder) -> None:
        with pytest.raises(EngineRefused, match="unsupported_endpoint"):
            arguments(endpoint, order)

    @pytest.mark.parametrize("endpoint", [FAST, PORTRAIT])
    def test_a_trainer_paints_nothing(self, endpoint: str, paint: PaintOrder) -> None:
        with pytest.raises(EngineRefused, match="unsupported_endpoint"):
            arguments(endpoint, paint)


class TestAnswers:
    def test_files_and_steps_of_a_training(self) -> None:
        payload = {
            "diffusers_lora_file": {"url": "https://v3.fal.media/w.safetensors", "file_size": 9},
            "config_file": {"url": "https://v3.fal.media/c.json"},
            "steps_ran": 57,
        }
        result = result_from_payload(payload, billable_units=1.0)
        assert result.pictures == ()
        assert result.lora == TrainedLora(
            weights_url="https://v3.fal.media/w.safetensors",
            config_url="https://v3.fal.media/c.json",
            steps_ran=57,
        )

    @pytest.mark.parametrize("told", [None, True, -1, "57", 5.7])
    def test_steps_that_are_no_number_are_not_told(self, told: object) -> None:
        payload = {"diffusers_lora_file": {"url": "https://a/b"}, "config_file": None, "steps_ran": told}
        lora = result_from_payload(payload).lora
        assert lora == TrainedLora(weights_url="https://a/b", config_url=None, steps_ran=None)

    @pytest.mark.parametrize("file", [None, {}, {"url": ""}, {"url": 7}, "https://a/b"])
    def test_a_lora_without_an_address_is_rubbish(self, file: object) -> None:
        with pytest.raises(EngineUnavailable, match="rubbish"):
            result_from_payload({"diffusers_lora_file": file})

    def test_a_bar_in_the_log_tells_steps_too(self) -> None:
        told = working_by([{"message": " 30%|███       | 300/1000 [02:11<05:07]"}])
        assert told == Working(progress=0.3, step=300, steps=1000)

    def test_per_cent_alone_tell_no_steps(self) -> None:
        assert working_by([{"message": "42%"}], 7) == Working(progress=0.42)

    def test_the_price_of_a_portrait_has_a_floor(self) -> None:
        assert list_training_cost_usd(FAST, steps=100) == Decimal("0.2")
        assert list_training_cost_usd(PORTRAIT, steps=100) == Decimal("2.4")
        assert list_training_cost_usd("fal-ai/flux-2-trainer", steps=100) is None


class TestCalls:
    async def test_a_sample_is_told_with_the_status(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        line = {"message": "step", "labels": {"step": 25, "steps": 100}}
        said: dict[str, Any] = {"status": "IN_PROGRESS", "logs": [line], "preview_url": "http://x/previews/1"}
        scripted.will_say(said, status=202)
        assert await darkroom_client.status(ticket) == Working(
            progress=0.25, step=25, steps=100, preview_url="http://x/previews/1"
        )

    async def test_an_engine_of_our_own_finishes_early(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_say({"status": "FINISHING"}, status=202)
        await darkroom_client.stop(ticket)
        (asked,) = scripted.asked
        assert (asked.method, asked.target) == ("PUT", "/fal-ai/flux/requests/0f-1/finish")
        assert darkroom_client.can_stop_early

    async def test_fal_can_only_cancel(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_say({"status": "CANCELLATION_REQUESTED"}, status=202)
        await fal_client.stop(ticket)
        (asked,) = scripted.asked
        assert asked.target.endswith("/cancel")
        assert not fal_client.can_stop_early

    @pytest.mark.parametrize("status", [400, 404])
    async def test_what_ended_before_needs_no_end(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket, status: int
    ) -> None:
        scripted.will_say({"status": "ALREADY_COMPLETED"}, status=status)
        await darkroom_client.stop(ticket)

    async def test_an_upload_is_deleted_where_that_can_be(
        self, darkroom_client: Engine, scripted: ScriptedServer
    ) -> None:
        scripted.will_answer(Reply(status=204), Reply(status=404))
        url = f"{scripted.url}/files/a.zip"
        assert await darkroom_client.delete_upload(url)
        assert await darkroom_client.delete_upload(url)  # it was gone
        assert [(each.method, each.target) for each in scripted.asked] == [("DELETE", "/files/a.zip")] * 2

    async def test_a_file_anywhere_else_is_left_alone(
        self, darkroom_client: Engine, fal_client: Engine, scripted: ScriptedServer
    ) -> None:
        assert not await darkroom_client.delete_upload("https://elsewhere.invalid/files/a.zip")
        assert not await fal_client.delete_upload(f"{scripted.url}/files/a.zip")
        assert scripted.asked == []


@pytest.fixture(scope="module")
def darkroom_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = str(tmp_path_factory.mktemp("darkroom"))
    painter = ("--painter", "instant", "--instant-seconds", "1.5", "--folder", folder)
    with started("starbooth.darkroom", *painter, DARKROOM_KEY=KEY) as url:
        yield url


@pytest.fixture
async def engine(darkroom_url: str) -> AsyncIterator[Engine]:
    settings = read_settings(engine_url=darkroom_url, engine_key=KEY)
    engine = next(iter(open_engines(settings).values()))
    yield engine
    await engine.aclose()


def photos() -> bytes:
    bodies = []
    for colour in ("teal", "tomato", "navy", "olive"):
        body = io.BytesIO()
        Image.new("RGB", (256, 256), colour).save(body, "JPEG")
        bodies.append((body.getvalue(), f"a {colour} square, qyzo"))
    return zip_photos(bodies)


async def buy(engine: Engine, order: TrainOrder, endpoint: str, *, key: str) -> tuple[Ticket, str]:
    url = await engine.upload(photos(), "application/zip", lifetime_s=3600)
    order = replace(order, images_url=url)
    return await engine.submit(endpoint, order, request_key=key, webhook_url=None), url


async def finished(engine: Engine, ticket: Ticket) -> EngineResult:
    for _ in range(400):
        if isinstance(await engine.status(ticket), Finished):
            return await engine.result(ticket)
        await asyncio.sleep(0.05)
    raise AssertionError("not finished in 20 s")


async def working(engine: Engine, ticket: Ticket) -> Working:
    """The first status that tells a step and has a sample."""
    for _ in range(400):
        status = await engine.status(ticket)
        if isinstance(status, Working) and status.step and status.preview_url:
            return status
        assert not isinstance(status, Finished)
        await asyncio.sleep(0.02)
    raise AssertionError("not at work in 8 s")


class TestDarkroom:
    @pytest.mark.parametrize(("endpoint", "order"), [(FAST, STYLE), (PORTRAIT, PERSON)])
    async def test_a_lora_from_submit_to_bytes(
        self, engine: Engine, endpoint: str, order: TrainOrder
    ) -> None:
        ticket, _ = await buy(engine, order, endpoint, key=endpoint)
        on_the_way = await working(engine, ticket)
        assert on_the_way.steps == 100
        assert on_the_way.preview_url is not None
        assert len(await engine.fetch(on_the_way.preview_url, limit_bytes=1_000_000)) > 100
        lora = (await finished(engine, ticket)).lora
        assert lora is not None
        assert lora.config_url is not None
        weights = await engine.fetch(lora.weights_url, limit_bytes=10_000_000)
        assert (examine_weights(weights).tensors, examine_weights(weights).rank) == (2, 16)
        config = strip_config(await engine.fetch(lora.config_url, limit_bytes=100_000))
        assert config is not None
        assert "qyzo" in str(config["instance_prompt"])
        assert not any("url" in name and value for name, value in config.items())

    async def test_one_that_is_finished_early_hands_out_what_it_has(self, engine: Engine) -> None:
        ticket, _ = await buy(engine, STYLE, FAST, key="early")
        seen = await working(engine, ticket)
        await engine.stop(ticket)
        lora = (await finished(engine, ticket)).lora
        assert lora is not None
        assert lora.steps_ran is not None
        assert seen.step is not None
        assert seen.step <= lora.steps_ran < 100
        examine_weights(await engine.fetch(lora.weights_url, limit_bytes=10_000_000))
        await engine.stop(ticket)  # once more hurts nothing

    async def test_a_cancelled_one_is_refused(self, engine: Engine) -> None:
        ticket, _ = await buy(engine, STYLE, FAST, key="cancelled")
        await working(engine, ticket)
        await engine.cancel(ticket)
        with pytest.raises(EngineRefused, match="cancelled"):
            await finished(engine, ticket)

    async def test_the_zip_is_gone_as_soon_as_it_is_taken_back(self, engine: Engine) -> None:
        url = await engine.upload(photos(), "application/zip", lifetime_s=3600)
        assert await engine.fetch(url, limit_bytes=1_000_000) == photos()
        async with httpx.AsyncClient() as stranger:
            assert (await stranger.delete(url)).status_code == 401
        assert await engine.delete_upload(url)
        with pytest.raises(FileGone):
            await engine.fetch(url, limit_bytes=1_000_000)
        assert await engine.delete_upload(url)
