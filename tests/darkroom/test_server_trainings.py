"""Trainings over HTTP, with the painter that only pretends: their line, their ends, their files, bad luck."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fal_client
import httpx
import pytest

from starbooth.darkroom.loras import LARGEST_LORA_BYTES
from tests.darkroom.albums import album, inline
from tests.darkroom.conftest import MakeDarkroom
from tests.darkroom.fal_recipe import EngineClient
from tests.darkroom.serving import KEY, Darkroom, Listener, fetch, finished, flux, submit, until
from tests.darkroom.test_server_faults import set_rules

FAST = "fal-ai/flux-lora-fast-training"
PORTRAIT = "fal-ai/flux-lora-portrait-trainer"
ALBUM = album()


@pytest.fixture
async def slow(make_darkroom: MakeDarkroom) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a darkroom of this test's own that takes over a second for a picture or a training."""
    async with make_darkroom("--instant-seconds", "1.2").client() as client:
        yield client


@pytest.fixture
async def slowest(make_darkroom: MakeDarkroom) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one that takes twenty seconds: whatever is asked for, it is in the middle of something."""
    async with make_darkroom("--instant-seconds", "20").client() as client:
        yield client


async def upload(http: httpx.AsyncClient, content: bytes = ALBUM) -> str:
    """The address of an uploaded zip."""
    answer = await http.post("/files/upload", content=content, headers={"content-type": "application/zip"})
    url: str = answer.json()["access_url"]
    return url


async def train(http: httpx.AsyncClient, *, endpoint: str = FAST, **changes: Any) -> str:
    """Submit a training of an uploaded zip; the request id."""
    wish = {"images_data_url": await upload(http), "steps": 100, **changes}
    answer = await http.post(f"/{endpoint}", json=wish)
    assert answer.status_code == 200, answer.text
    request_id: str = answer.json()["request_id"]
    return request_id


async def result(http: httpx.AsyncClient, request_id: str, *, app: str = FAST) -> httpx.Response:
    """The result of a training, when it has ended."""
    await finished(http, request_id, app=app)
    return await http.get(f"/{app}/requests/{request_id}")


async def begun(http: httpx.AsyncClient, request_id: str) -> dict[str, Any]:
    """The status of a training of which some steps have run."""
    for _ in range(3000):
        status: dict[str, Any] = (
            await http.get(f"/{FAST}/requests/{request_id}/status", params={"logs": "1"})
        ).json()
        if len(status.get("logs") or []) > 3:
            return status
        await asyncio.sleep(0.02)
    raise AssertionError("it did not begin")


async def end_early(http: httpx.AsyncClient, request_id: str, how: str = "finish") -> tuple[int, str]:
    """Ask for it; the status code and word of the answer."""
    answer = await http.put(f"/{FAST}/requests/{request_id}/{how}")
    return answer.status_code, answer.json()["status"]


def left_in(darkroom: Darkroom) -> list[str]:
    """The names of what trainings have left in the darkroom's folder."""
    return [path.name for path in (darkroom.folder / "trainings").iterdir()]


class TestResult:
    @pytest.mark.parametrize("endpoint", [FAST, PORTRAIT])
    async def test_weights_and_config_are_handed_out(self, http: httpx.AsyncClient, endpoint: str) -> None:
        trigger = {"trigger_word" if endpoint == FAST else "trigger_phrase": "zxq"}
        request_id = await train(http, endpoint=endpoint, steps=300, **trigger)
        answer = await result(http, request_id, app=endpoint)
        assert answer.status_code == 200
        made = answer.json()
        assert (made["steps_ran"], made["timings"]["inference"] > 0) == (300, True)
        assert ("debug_preprocessed_output" in made) == (endpoint == FAST)
        weights, config = made["diffusers_lora_file"], made["config_file"]
        assert weights["url"].endswith(".safetensors")
        served = await fetch(weights["url"])
        assert (len(served.content), served.headers["content-type"]) == (
            weights["file_size"],
            weights["content_type"],
        )
        told = (await fetch(config["url"])).json()
        assert (told["instance_prompt"], told["rank"], told["alpha"]) == ("zxq", 16, 16)
        assert (told["steps"], told["steps_ran"]) == (300, 300)
        assert told["learning_rate"] == (1e-4 if endpoint == FAST else 9e-5)
        assert "is_archive_ours" not in told

    async def test_the_weights_can_be_painted_with_where_they_lie(self, http: httpx.AsyncClient) -> None:
        made = (await result(http, await train(http))).json()
        wanted = [{"path": made["diffusers_lora_file"]["url"], "scale": 1.0}]
        lora = "fal-ai/flux-lora"
        await finished(http, await submit(http, endpoint=lora, loras=wanted), app=lora)

    async def test_nothing_of_it_is_left_and_an_inline_zip_is_gone(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom()
        async with darkroom.client() as http:
            made = (await result(http, await train(http, images_data_url=inline(ALBUM)))).json()
            await until(lambda: not left_in(darkroom))
            names = {made[name]["file_name"] for name in ("diffusers_lora_file", "config_file")}
            uploaded = {path.name for path in (darkroom.folder / "files").glob("*.zip")}
            await until(lambda: len([*(darkroom.folder / "files").iterdir()]) == 3)
            assert {path.name for path in (darkroom.folder / "files").iterdir()} == names | uploaded
            config = (await fetch(made["config_file"]["url"])).json()
            assert (await fetch(config["images_data_url"])).status_code == 404

    async def test_a_repeat_by_key_is_the_first_and_leaves_no_second_zip(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom = make_darkroom("--instant-seconds", "1")
        async with darkroom.client() as http:
            wish = {"images_data_url": inline(ALBUM), "steps": 50}
            headers = {"X-Starbooth-Request-Key": "training 1"}
            first, second = [
                (await http.post(f"/{FAST}", json=wish, headers=headers)).json()["request_id"]
                for _ in range(2)
            ]
            assert first == second
            assert len([*(darkroom.folder / "files").iterdir()]) == 1
            await finished(http, first, app=FAST)
            assert (await http.get("/darkroom/stats")).json()["runs"] == 1


class TestProgress:
    async def test_every_step_of_a_short_one_is_told_and_a_sample_is_shown(
        self, slow: httpx.AsyncClient
    ) -> None:
        request_id = await train(slow, steps=40)
        status = await begun(slow, request_id)
        assert (await fetch(status["preview_url"])).headers["content-type"] == "image/jpeg"
        ended = await finished(slow, request_id, app=FAST)
        labels = [line["labels"] for line in ended["logs"]]
        assert labels == [{"step": str(step), "steps": "40"} for step in range(1, 41)]
        assert ended["metrics"]["inference_time"] > 1

    async def test_of_a_long_one_a_few_hundred_are_told(self, slow: httpx.AsyncClient) -> None:
        ended = await finished(slow, await train(slow, steps=2000), app=FAST)
        steps = [int(line["labels"]["step"]) for line in ended["logs"]]
        assert steps == [1, *range(10, 2001, 10)]

    async def test_pictures_are_painted_meanwhile_and_trainings_stand_in_their_own_line(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        async with make_darkroom("--instant-seconds", "3").client() as http:
            training, waiting = await train(http, steps=300), await train(http, steps=300)
            assert (await http.get(f"/{FAST}/requests/{waiting}/status")).json()["queue_position"] == 0
            await finished(http, await submit(http))
            status = await http.get(f"/{FAST}/requests/{training}/status")
            assert (status.status_code, status.json()["status"]) == (202, "IN_PROGRESS")
            assert (await result(http, training)).json()["steps_ran"] == 300
            await begun(http, waiting)
            await end_early(http, waiting)
            assert (await result(http, waiting)).status_code == 200


class TestEarlyEnd:
    async def test_finish_gives_the_weights_so_far(self, slowest: httpx.AsyncClient) -> None:
        request_id = await train(slowest, steps=100)
        await begun(slowest, request_id)
        assert await end_early(slowest, request_id) == (202, "CANCELLATION_REQUESTED")
        answer = await result(slowest, request_id)
        assert answer.status_code == 200
        made = answer.json()
        assert 1 <= made["steps_ran"] < 100
        assert (await fetch(made["diffusers_lora_file"]["url"])).status_code == 200
        assert (await fetch(made["config_file"]["url"])).json()["steps_ran"] == made["steps_ran"]
        assert await end_early(slowest, request_id) == (400, "ALREADY_COMPLETED")

    async def test_one_that_never_began_is_cancelled(self, slowest: httpx.AsyncClient) -> None:
        await train(slowest)
        waiting = await train(slowest)
        assert await end_early(slowest, waiting) == (200, "OK")
        assert (await result(slowest, waiting)).status_code == 499

    async def test_an_inline_zip_goes_with_one_that_never_began(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom("--instant-seconds", "20")
        async with darkroom.client() as http:
            await submit(http)
            request_id = await train(http, images_data_url=inline(ALBUM))
            kept = len([*(darkroom.folder / "files").glob("*.zip")])
            assert (await end_early(http, request_id, "cancel"))[0] == 200
            assert len([*(darkroom.folder / "files").glob("*.zip")]) == kept - 1

    async def test_cancel_ends_it_without_weights_and_without_leavings(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom = make_darkroom("--instant-seconds", "20")
        async with darkroom.client() as http:
            request_id = await train(http)
            await begun(http, request_id)
            assert await end_early(http, request_id, "cancel") == (202, "CANCELLATION_REQUESTED")
            assert (await finished(http, request_id, app=FAST))["error_type"] == "client_cancelled"
            await until(lambda: not left_in(darkroom))

    async def test_pictures_and_strangers_cannot_be_finished(self, slow: httpx.AsyncClient) -> None:
        picture, training = await submit(slow), await train(slow)
        assert (await slow.put(f"/fal-ai/flux/requests/{picture}/finish")).status_code == 404
        assert (await slow.put(f"/{PORTRAIT}/requests/{training}/finish")).status_code == 404
        assert (await end_early(slow, "no-such-request"))[0] == 404


class TestInput:
    async def test_a_bad_photo_is_refused_at_submit_by_name(self, http: httpx.AsyncClient) -> None:
        wish = {"images_data_url": await upload(http, album(2))}
        answer = await http.post(f"/{FAST}", json=wish)
        assert answer.status_code == 422
        (detail,) = answer.json()["detail"]
        assert (detail["loc"], detail["type"]) == (["body", "images_data_url"], "too_short")

    async def test_an_address_elsewhere_is_never_fetched(
        self, http: httpx.AsyncClient, listener: Listener
    ) -> None:
        answer = await http.post(f"/{FAST}", json={"images_data_url": listener.url})
        assert answer.json()["detail"][0]["type"] == "file_download_error"
        assert listener.deliveries == []

    async def test_weights_to_go_on_from_are_looked_at(self, http: httpx.AsyncClient) -> None:
        wish = {"images_data_url": await upload(http), "resume_from_checkpoint": await upload(http, b"x")}
        answer = await http.post(f"/{PORTRAIT}", json=wish)
        (detail,) = answer.json()["detail"]
        assert (detail["loc"], detail["type"]) == (["body", "resume_from_checkpoint"], "lora_load_error")

    async def test_weights_that_were_made_here_can_be_gone_on_from(self, http: httpx.AsyncClient) -> None:
        made = (await result(http, await train(http))).json()
        start = {"resume_from_checkpoint": made["diffusers_lora_file"]["url"]}
        answer = await result(http, await train(http, endpoint=PORTRAIT, **start), app=PORTRAIT)
        assert answer.status_code == 200

    async def test_photos_that_are_deleted_while_they_wait_end_it(self, slowest: httpx.AsyncClient) -> None:
        first = await train(slowest)
        url = await upload(slowest)
        waiting = await train(slowest, images_data_url=url)
        assert (await slowest.delete(url)).status_code == 204
        await begun(slowest, first)
        await end_early(slowest, first)
        answer = await result(slowest, waiting)
        assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "file_download_error")

    async def test_photos_that_are_deleted_while_it_runs_are_not_missed(
        self, slow: httpx.AsyncClient
    ) -> None:
        url = await upload(slow)
        request_id = await train(slow, images_data_url=url)
        await begun(slow, request_id)
        assert (await slow.delete(url)).status_code == 204
        assert (await result(slow, request_id)).status_code == 200


class TestDelete:
    async def test_a_file_is_deleted_once_and_by_the_key_alone(
        self, http: httpx.AsyncClient, quick: Darkroom
    ) -> None:
        url = await upload(http)
        async with quick.client(key="a-wrong-key") as stranger:
            assert (await stranger.delete(url)).status_code == 401
        assert (await fetch(url)).status_code == 200
        assert [(await http.delete(url)).status_code for _ in range(2)] == [204, 404]
        assert (await fetch(url)).status_code == 404
        assert (await http.delete("/files/..%2Fjournal.sqlite")).status_code == 404


@pytest.mark.slow
class TestRestart:
    async def test_after_a_kill_it_goes_on_where_it_was(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom("--instant-seconds", "20")
        async with darkroom.client() as http:
            request_id = await train(http, steps=200)
            await begun(http, request_id)
        darkroom.kill()
        darkroom.start()
        async with darkroom.client() as http:
            await begun(http, request_id)
            await end_early(http, request_id)
            ended = await finished(http, request_id, app=FAST)
            steps = [int(line["labels"]["step"]) for line in ended["logs"]]
            assert steps[0] > 3
            assert steps == [*range(steps[0], steps[-1] + 1)]
            assert (await result(http, request_id)).json()["steps_ran"] == steps[-1]
            await until(lambda: not left_in(darkroom))

    async def test_a_stop_is_quick_and_loses_no_step(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom("--instant-seconds", "20")
        async with darkroom.client() as http:
            request_id = await train(http, steps=200)
            last = int((await begun(http, request_id))["logs"][-1]["labels"]["step"])
        assert darkroom.stop() < 10
        darkroom.start()
        async with darkroom.client() as http:
            status = await begun(http, request_id)
            assert int(status["logs"][0]["labels"]["step"]) > last
            await end_early(http, request_id)
            assert (await result(http, request_id)).json()["steps_ran"] < 200

    async def test_a_finish_that_was_answered_stays(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom("--instant-seconds", "20")
        async with darkroom.client() as http:
            request_id = await train(http, steps=40)
            await begun(http, request_id)
            assert (await end_early(http, request_id))[0] == 202
        darkroom.kill()
        darkroom.start()
        async with darkroom.client() as http:
            assert (await result(http, request_id)).json()["steps_ran"] < 40


class TestFaults:
    @pytest.fixture
    async def faulty(self, make_darkroom: MakeDarkroom) -> AsyncIterator[httpx.AsyncClient]:
        """A client of a darkroom whose luck can be set."""
        async with make_darkroom("--faults").client() as client:
            yield client

    async def answer(self, http: httpx.AsyncClient, **rule: Any) -> httpx.Response:
        """The result of a training under this rule."""
        await set_rules(http, {"place": "training", **rule})
        return await result(http, await train(http, steps=20))

    async def test_an_error_is_worded_as_fal_does(self, faulty: httpx.AsyncClient) -> None:
        answer = await self.answer(faulty, training="error", error="runner_disconnected")
        assert (answer.status_code, answer.headers["x-fal-error-type"]) == (503, "runner_disconnected")
        assert (await self.answer(faulty, training="error")).status_code == 503

    async def test_one_that_hangs_does_so_until_it_is_cancelled(self, make_darkroom: MakeDarkroom) -> None:
        async with make_darkroom("--faults", "--instant-seconds", "1").client() as http:
            rule = {"place": "training", "training": "never", "at_step": 5, "times": 1}
            await set_rules(http, rule)
            request_id = await train(http, steps=20)
            status = await begun(http, request_id)
            while len(status["logs"]) < 5:
                status = await begun(http, request_id)
            await finished(http, await submit(http, num_inference_steps=1))
            assert len((await begun(http, request_id))["logs"]) == 5
            await end_early(http, request_id, "cancel")
            assert (await result(http, request_id)).status_code == 499
            assert (await result(http, await train(http, steps=20))).status_code == 200

    async def test_there_are_no_weights(self, faulty: httpx.AsyncClient) -> None:
        made = (await self.answer(faulty, training="empty")).json()
        assert "diffusers_lora_file" not in made

    @pytest.mark.parametrize(
        ("fault", "begins"), [("pickle", b"\x80\x04"), ("wrong", b"<!doctype"), ("broken", b"")]
    )
    async def test_the_weights_are_none(self, faulty: httpx.AsyncClient, fault: str, begins: bytes) -> None:
        made = (await self.answer(faulty, training=fault)).json()
        content = (await fetch(made["diffusers_lora_file"]["url"])).content
        assert len(content) == made["diffusers_lora_file"]["file_size"]
        assert content.startswith(begins)
        lora = {"prompt": "x", "loras": [{"path": made["diffusers_lora_file"]["url"]}]}
        answer = await faulty.post("/fal-ai/flux-lora", json=lora)
        assert answer.json()["detail"][0]["type"] == "lora_load_error"

    async def test_the_weights_are_larger_than_any(self, faulty: httpx.AsyncClient) -> None:
        file = (await self.answer(faulty, training="huge")).json()["diffusers_lora_file"]
        assert file["file_size"] > LARGEST_LORA_BYTES
        assert int((await faulty.head(file["url"])).headers["content-length"]) == file["file_size"]

    async def test_the_weights_are_gone(self, faulty: httpx.AsyncClient) -> None:
        made = (await self.answer(faulty, training="expired")).json()
        assert (await fetch(made["diffusers_lora_file"]["url"])).status_code == 404
        assert (await fetch(made["config_file"]["url"])).status_code == 200

    async def test_the_config_is_a_page(self, faulty: httpx.AsyncClient) -> None:
        made = (await self.answer(faulty, training="wrong_config")).json()
        assert (await fetch(made["config_file"]["url"])).content.startswith(b"<!doctype")

    async def test_finishing_can_go_wrong_too(self, faulty: httpx.AsyncClient) -> None:
        await set_rules(faulty, {"place": "finish", "status": 503, "body": {"detail": "x"}})
        assert (await faulty.put(f"/{FAST}/requests/x/finish")).status_code == 503

    async def test_pictures_have_their_own_luck(self, faulty: httpx.AsyncClient) -> None:
        await set_rules(faulty, {"place": "training", "training": "error"})
        assert "error" not in await finished(faulty, await submit(faulty))


class TestPythonClient:
    async def test_subscribe_uploads_nothing_by_itself_and_tells_each_step(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom = make_darkroom("--instant-seconds", "1")
        client = EngineClient(darkroom.url, KEY)
        try:
            url = await client.upload(ALBUM, "application/zip", file_name="photos.zip")
            seen: list[fal_client.Status] = []
            made = await client.subscribe(
                FAST,
                {"images_data_url": url, "steps": 10, "trigger_word": "zxq"},
                with_logs=True,
                on_queue_update=seen.append,
            )
        finally:
            await client.aclose()
        assert made["diffusers_lora_file"]["url"].endswith(".safetensors")
        logs = [
            line for status in seen if isinstance(status, fal_client.InProgress) for line in status.logs or []
        ]
        assert {"step": "1", "steps": "10"} in [line["labels"] for line in logs]

    async def test_the_blocking_run(self, quick: Darkroom) -> None:
        client = EngineClient(quick.url, KEY)
        try:
            made = await client.run(PORTRAIT, {"images_data_url": inline(ALBUM), "steps": 10})
        finally:
            await client.aclose()
        assert made["steps_ran"] == 10

    async def test_a_webhook_brings_the_result(self, http: httpx.AsyncClient, listener: Listener) -> None:
        wish = {"images_data_url": await upload(http), "steps": 10}
        await http.post(f"/{FAST}", json=wish, params={"fal_webhook": listener.url})
        await until(lambda: bool(listener.deliveries))
        payload = json.loads(listener.deliveries[0].body)["payload"]
        assert payload["steps_ran"] == 10


class TestUpgrade:
    async def test_a_folder_of_an_earlier_version_is_taken_up(
        self, make_darkroom: MakeDarkroom, tmp_path: Path
    ) -> None:
        darkroom = make_darkroom()
        async with darkroom.client() as http:
            await finished(http, await submit(http, **flux()))
        darkroom.stop()
        (darkroom.folder / "trainings").rmdir()
        darkroom.start()
        async with darkroom.client() as http:
            assert (await result(http, await train(http))).status_code == 200
