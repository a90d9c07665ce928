"""The queue protocol over HTTP, as fal's reference describes it."""

import asyncio
import io
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.darkroom.conftest import MakeDarkroom
from tests.darkroom.serving import KEY, Darkroom, fetch, finished, flux, submit

REQUESTS = "/fal-ai/flux/requests"


@pytest.fixture
async def slow(make_darkroom: MakeDarkroom) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a darkroom of this test's own that takes 1.2 s for a picture."""
    async with make_darkroom("--instant-seconds", "1.2").client() as http:
        yield http


@pytest.fixture
async def busy(make_darkroom: MakeDarkroom) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a darkroom of this test's own that has begun a picture and is far from its end."""
    async with make_darkroom("--instant-seconds", "300").client() as http:
        await running(http, await submit(http))
        yield http


async def running(http: httpx.AsyncClient, request_id: str) -> None:
    """Wait until it is being painted."""
    for _ in range(1000):
        if (await http.get(f"{REQUESTS}/{request_id}/status")).json()["status"] != "IN_QUEUE":
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{request_id} did not begin")


class TestKey:
    @pytest.mark.parametrize(
        "header", [None, "", "Key", "Key wrong", f"Bearer {KEY}", KEY, f"Key {KEY}x", "Key \xe9"]
    )
    async def test_nothing_works_without_the_key(self, quick: Darkroom, header: str | None) -> None:
        headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
        calls = [
            ("POST", "/fal-ai/flux/dev"),
            ("POST", "/run/fal-ai/flux/dev"),
            ("GET", f"{REQUESTS}/x/status"),
            ("GET", f"{REQUESTS}/x/status/stream"),
            ("GET", f"{REQUESTS}/x"),
            ("PUT", f"{REQUESTS}/x/cancel"),
            ("GET", "/darkroom/stats"),
            ("POST", "/storage/auth/token"),
            ("POST", "/storage/upload/initiate"),
            ("POST", "/files/upload"),
        ]
        async with httpx.AsyncClient(base_url=quick.url, headers=headers) as http:
            answers = [await http.request(method, path) for method, path in calls]
        assert [answer.status_code for answer in answers] == [401] * len(calls)
        assert all("Authorization" in answer.json()["detail"] for answer in answers)

    async def test_the_scheme_may_be_written_in_any_case(self, quick: Darkroom) -> None:
        answer = await fetch(f"{quick.url}/darkroom/stats", Authorization=f"key {KEY}")
        assert answer.status_code == 200

    async def test_faults_cannot_be_set_unless_the_server_was_started_for_it(
        self, http: httpx.AsyncClient
    ) -> None:
        assert (await http.put("/darkroom/faults", json=[])).status_code == 404


class TestSubmit:
    async def test_it_answers_with_id_and_absolute_links(
        self, quick: Darkroom, http: httpx.AsyncClient
    ) -> None:
        answer = await http.post("/fal-ai/flux/dev", json=flux())
        body = answer.json()
        base = f"{quick.url}{REQUESTS}/{body['request_id']}"
        assert body == {
            "request_id": body["request_id"],
            "status": "IN_QUEUE",
            "queue_position": 0,
            "response_url": base,
            "status_url": f"{base}/status",
            "cancel_url": f"{base}/cancel",
        }
        assert answer.headers["x-fal-request-id"] == body["request_id"]

    @pytest.mark.parametrize("prefix", ["", "/queue"])
    @pytest.mark.parametrize("endpoint", ["fal-ai/flux/dev", "fal-ai/flux/schnell", "fal-ai/flux-lora"])
    async def test_every_endpoint_paints(self, http: httpx.AsyncClient, prefix: str, endpoint: str) -> None:
        request_id = await submit(http, endpoint=f"{prefix}/{endpoint}".lstrip("/"))
        app = f"{prefix}/{'/'.join(endpoint.split('/')[:2])}".lstrip("/")
        assert "error" not in await finished(http, request_id, app=app)
        assert (await http.get(f"/{app}/requests/{request_id}")).status_code == 200


class TestStatus:
    async def test_it_goes_from_queue_to_progress_to_completed(self, slow: httpx.AsyncClient) -> None:
        first, second = await submit(slow), await submit(slow)
        await running(slow, first)
        waiting = await slow.get(f"{REQUESTS}/{second}/status", params={"logs": "1"})
        assert waiting.status_code == 202
        assert (waiting.json()["status"], waiting.json()["queue_position"]) == ("IN_QUEUE", 0)
        painting = await slow.get(f"{REQUESTS}/{first}/status")
        assert painting.status_code == 202
        assert (painting.json()["status"], painting.json()["logs"]) == ("IN_PROGRESS", None)
        done = await finished(slow, first)
        assert done["status"] == "COMPLETED"
        assert 1.0 < done["metrics"]["inference_time"] < 10.0
        assert done["request_id"] == first
        assert "error" not in done

    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.parametrize(
        ("logs", "wanted"), [("1", True), ("true", True), ("0", False), ("false", False)]
    )
    async def test_all_spellings_of_both_clients(
        self, http: httpx.AsyncClient, slash: str, logs: str, wanted: bool
    ) -> None:
        request_id = await submit(http)
        await finished(http, request_id)
        answer = await http.get(f"{REQUESTS}/{request_id}/status{slash}", params={"logs": logs})
        assert answer.status_code == 200
        assert (answer.json()["logs"] is not None) == wanted
        assert (await http.get(f"{REQUESTS}/{request_id}{slash}")).status_code == 200

    async def test_log_lines_tell_each_step_and_come_all_at_every_poll(self, slow: httpx.AsyncClient) -> None:
        request_id = await submit(slow, num_inference_steps=3)
        logs = (await finished(slow, request_id))["logs"]
        assert [line["message"] for line in logs] == ["step 1/3", "step 2/3", "step 3/3"]
        assert logs[0]["labels"] == {"step": "1", "steps": "3"}
        assert (logs[0]["level"], logs[0]["source"]) == ("INFO", "darkroom")
        again = await slow.get(f"{REQUESTS}/{request_id}/status", params={"logs": "true"})
        assert again.json()["logs"] == logs

    @pytest.mark.parametrize("tail", ["/status", "", "/status/stream"])
    async def test_unknown_ids_and_ids_of_another_app_are_not_found(
        self, http: httpx.AsyncClient, tail: str
    ) -> None:
        request_id = await submit(http)
        await finished(http, request_id)
        for path in (f"{REQUESTS}/{uuid.uuid4()}", f"/fal-ai/flux-lora/requests/{request_id}"):
            answer = await http.get(path + tail)
            assert answer.status_code == 404
            assert "not found" in answer.json()["detail"]

    async def test_200_is_never_seen_before_the_result_is_there(self, http: httpx.AsyncClient) -> None:
        for _ in range(40):
            request_id = await submit(http)
            while (await http.get(f"{REQUESTS}/{request_id}/status")).status_code != 200:
                pass
            assert (await http.get(f"{REQUESTS}/{request_id}")).status_code == 200


def events_of(text: str) -> list[dict[str, Any]]:
    """The status objects of a whole event stream."""
    return [
        json.loads(event.removeprefix("data: ")) for event in text.split("\n\n") if event.startswith("data: ")
    ]


class TestStream:
    async def test_each_log_line_comes_once_and_it_closes_at_the_end(self, slow: httpx.AsyncClient) -> None:
        request_id = await submit(slow, num_inference_steps=4)
        answer = await slow.get(f"{REQUESTS}/{request_id}/status/stream", params={"logs": "1"})
        events = events_of(answer.text)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert events[-1]["status"] == "COMPLETED"
        lines = [line["message"] for event in events for line in event.get("logs") or []]
        assert lines == ["step 1/4", "step 2/4", "step 3/4", "step 4/4"]
        assert len(events) > 3

    async def test_without_logs_there_are_none(self, slow: httpx.AsyncClient) -> None:
        request_id = await submit(slow)
        answer = await slow.get(f"{REQUESTS}/{request_id}/status/stream")
        events = events_of(answer.text)
        assert [event.get("logs") for event in events] == [None] * len(events)

    async def test_of_a_finished_request_it_is_one_event(self, http: httpx.AsyncClient) -> None:
        request_id = await submit(http)
        await finished(http, request_id)
        answer = await http.get(f"{REQUESTS}/{request_id}/status/stream", params={"logs": "1"})
        (event,) = events_of(answer.text)
        assert (event["status"], event["request_id"]) == ("COMPLETED", request_id)


class TestResult:
    async def test_it_is_fals_and_its_pictures_are_served(self, http: httpx.AsyncClient) -> None:
        request_id = await submit(
            http, num_images=2, output_format="png", seed=2**64 - 1, prompt="ein Boot ⛵"
        )
        await finished(http, request_id)
        answer = await http.get(f"{REQUESTS}/{request_id}")
        body = answer.json()
        assert answer.headers["x-fal-request-id"] == request_id
        assert (body["seed"], body["prompt"]) == (2**64 - 1, "ein Boot ⛵")
        assert body["has_nsfw_concepts"] == [False, False]
        assert body["timings"]["inference"] >= 0
        for image in body["images"]:
            picture = await fetch(image["url"])
            assert picture.status_code == 200
            assert picture.content.startswith(b"\x89PNG")
            assert len(picture.content) == image["file_size"]
            assert picture.headers["content-type"] == image["content_type"] == "image/png"
            assert picture.headers["x-content-type-options"] == "nosniff"
            assert image["url"].endswith(image["file_name"])
            assert (image["width"], image["height"]) == (128, 128)
        assert body["images"][0]["url"] != body["images"][1]["url"]

    async def test_jpeg_is_the_default(self, http: httpx.AsyncClient) -> None:
        body = (await http.post("/run/fal-ai/flux/dev", json=flux())).json()
        assert body["images"][0]["content_type"] == "image/jpeg"
        assert (await fetch(body["images"][0]["url"])).content.startswith(b"\xff\xd8\xff")

    async def test_with_sync_mode_the_picture_travels_in_the_answer(self, http: httpx.AsyncClient) -> None:
        body = (await http.post("/run/fal-ai/flux/dev", json=flux(sync_mode=True))).json()
        assert body["images"][0]["url"].startswith("data:image/jpeg;base64,/9j/")

    async def test_the_same_seed_gives_the_same_picture(self, http: httpx.AsyncClient) -> None:
        pictures = []
        for seed in (5, 5, 6):
            body = (await http.post("/run/fal-ai/flux/dev", json=flux(seed=seed))).json()
            pictures.append((await fetch(body["images"][0]["url"])).content)
        assert pictures[0] == pictures[1] != pictures[2]

    async def test_before_the_end_it_is_400(self, slow: httpx.AsyncClient) -> None:
        request_id = await submit(slow)
        answer = await slow.get(f"{REQUESTS}/{request_id}")
        assert (answer.status_code, answer.json()) == (400, {"detail": "Request is still in progress"})


class TestRun:
    async def test_it_answers_with_the_result(self, slow: httpx.AsyncClient) -> None:
        started = time.monotonic()
        answer = await slow.post("/run/fal-ai/flux/schnell", json=flux())
        assert time.monotonic() - started > 1.0
        assert answer.status_code == 200
        assert len(answer.json()["images"]) == 1
        assert answer.headers["x-fal-request-id"]

    async def test_the_host_fal_run_means_the_blocking_run(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/fal-ai/flux/dev", json=flux(), headers={"Host": "fal.run"})
        assert "images" in answer.json()

    async def test_a_caller_who_hangs_up_is_not_painted_for(self, slow: httpx.AsyncClient) -> None:
        first = await submit(slow)
        with pytest.raises(httpx.ReadTimeout):
            await slow.post("/run/fal-ai/flux/dev", json=flux(), timeout=0.2)
        await finished(slow, first)
        for _ in range(100):
            stats = (await slow.get("/darkroom/stats")).json()
            if stats["cancelled"]:
                break
            await asyncio.sleep(0.05)
        assert stats == {"accepted": 2, "runs": 1, "failed": 0, "cancelled": 1, "waiting": 0, "running": 0}


class TestCancel:
    async def test_a_waiting_request_is_taken_out(self, busy: httpx.AsyncClient) -> None:
        second, third = await submit(busy), await submit(busy)
        answer = await busy.put(f"{REQUESTS}/{second}/cancel")
        assert (answer.status_code, answer.json()) == (200, {"status": "OK"})
        moved_up = await busy.get(f"{REQUESTS}/{third}/status")
        assert moved_up.json()["queue_position"] == 0
        status = await finished(busy, second)
        assert (status["status"], status["error_type"]) == ("COMPLETED", "client_cancelled")
        result = await busy.get(f"{REQUESTS}/{second}")
        assert result.status_code == 499
        assert result.json() == {"detail": "Request cancelled by the client."}

    async def test_a_running_request_stops_between_two_steps(self, make_darkroom: MakeDarkroom) -> None:
        async with make_darkroom("--instant-seconds", "60").client() as http:
            request_id = await submit(http, num_inference_steps=50)
            await running(http, request_id)
            answer = await http.put(f"{REQUESTS}/{request_id}/cancel")
            assert (answer.status_code, answer.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
            assert (await http.put(f"{REQUESTS}/{request_id}/cancel")).status_code in {202, 400}
            status = await finished(http, request_id)
            assert status["error"] == "Request cancelled by the client."
            assert len(status["logs"]) < 10
            assert (await http.get("/darkroom/stats")).json()["cancelled"] == 1

    async def test_a_finished_request_and_an_unknown_one_say_so(self, http: httpx.AsyncClient) -> None:
        request_id = await submit(http)
        await finished(http, request_id)
        late = await http.put(f"{REQUESTS}/{request_id}/cancel")
        assert (late.status_code, late.json()) == (400, {"status": "ALREADY_COMPLETED"})
        unknown = await http.put(f"{REQUESTS}/{uuid.uuid4()}/cancel")
        assert (unknown.status_code, unknown.json()) == (404, {"status": "NOT_FOUND"})

    async def test_of_another_app_it_is_unknown(self, slow: httpx.AsyncClient) -> None:
        request_id = await submit(slow)
        assert (await slow.put(f"/fal-ai/flux-lora/requests/{request_id}/cancel")).status_code == 404
        assert "error" not in await finished(slow, request_id)


class TestPreview:
    @pytest.fixture
    async def slow_steps(self, make_darkroom: MakeDarkroom) -> AsyncIterator[httpx.AsyncClient]:
        async with make_darkroom("--instant-seconds", "6").client() as http:
            yield http

    async def shown(self, http: httpx.AsyncClient, request_id: str) -> str:
        """The address of the first preview."""
        for _ in range(400):
            status = (await http.get(f"{REQUESTS}/{request_id}/status")).json()
            if "preview_url" in status:
                url: str = status["preview_url"]
                return url
            await asyncio.sleep(0.02)
        raise AssertionError("no preview came")

    async def test_a_small_jpeg_is_shown_without_a_key_until_the_request_ends(
        self, slow_steps: httpx.AsyncClient
    ) -> None:
        request_id = await submit(slow_steps, image_size="landscape_4_3", num_inference_steps=8)
        url = await self.shown(slow_steps, request_id)
        answer = await fetch(url)
        assert answer.headers["content-type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(answer.content)).size) <= 256
        assert (await fetch(url.replace(".jpg", "x.jpg"))).status_code == 404
        await slow_steps.put(f"{REQUESTS}/{request_id}/cancel")
        assert "preview_url" not in await finished(slow_steps, request_id)
        assert (await fetch(url)).status_code == 404

    async def test_the_stream_tells_of_it_without_logs_too(self, slow_steps: httpx.AsyncClient) -> None:
        request_id = await submit(slow_steps, num_inference_steps=8)
        path = f"{REQUESTS}/{request_id}/status/stream"
        async with slow_steps.stream("GET", path) as events:
            async for line in events.aiter_lines():
                if "preview_url" in line:
                    break
            else:
                raise AssertionError("the stream ended without a preview")
        await slow_steps.put(f"{REQUESTS}/{request_id}/cancel")

    async def test_a_quick_request_has_none(self, http: httpx.AsyncClient) -> None:
        assert "preview_url" not in await finished(http, await submit(http))


class TestRequestKey:
    async def test_a_repeat_gets_the_first_answer_and_buys_nothing(self, http: httpx.AsyncClient) -> None:
        headers = {"X-Starbooth-Request-Key": f"order {uuid.uuid4()}"}
        before = (await http.get("/darkroom/stats")).json()["accepted"]
        together = await asyncio.gather(*(submit(http, headers=headers) for _ in range(8)))
        await finished(http, together[0])
        later = await submit(http, headers=headers)
        assert {*together, later} == {together[0]}
        assert (await http.get("/darkroom/stats")).json()["accepted"] == before + 1

    async def test_a_repeat_with_another_input_is_refused(self, http: httpx.AsyncClient) -> None:
        headers = {"X-Starbooth-Request-Key": f"order {uuid.uuid4()}"}
        await submit(http, headers=headers)
        for path, changes in (("fal-ai/flux/dev", {"seed": 7}), ("fal-ai/flux/schnell", {})):
            answer = await http.post(f"/{path}", json=flux(**changes), headers=headers)
            assert answer.status_code == 422
            assert answer.json()["detail"][0]["type"] == "request_key_reused"

    async def test_without_a_key_equal_requests_are_two(self, http: httpx.AsyncClient) -> None:
        assert await submit(http) != await submit(http)


class TestLine:
    async def test_low_priority_waits_for_normal_and_positions_are_right(
        self, busy: httpx.AsyncClient
    ) -> None:
        low = await submit(busy, headers={"X-Fal-Queue-Priority": "low"})
        normal = [await submit(busy) for _ in range(3)]
        positions = [
            (await busy.get(f"{REQUESTS}/{request_id}/status")).json()["queue_position"]
            for request_id in (*normal, low)
        ]
        assert positions == [0, 1, 2, 3]

    async def test_a_request_that_does_not_start_in_time_ends_with_504(self, busy: httpx.AsyncClient) -> None:
        request_id = await submit(busy, headers={"X-Fal-Request-Timeout": "0.2"})
        status = await finished(busy, request_id)
        assert status["error_type"] == "request_timeout"
        result = await busy.get(f"{REQUESTS}/{request_id}")
        assert result.status_code == 504
        assert result.json() == {"detail": "Request timed out", "error_type": "request_timeout"}
        assert result.headers["X-Fal-Request-Timeout-Type"] == "user"
        assert result.headers["X-Fal-Error-Type"] == "request_timeout"

    async def test_a_request_that_started_in_time_is_painted_to_its_end(
        self, slow: httpx.AsyncClient
    ) -> None:
        request_id = await submit(slow, headers={"X-Fal-Request-Timeout": "0.5"})
        assert "error" not in await finished(slow, request_id)

    async def test_a_caller_may_refuse_a_long_line(self, busy: httpx.AsyncClient) -> None:
        await submit(busy)
        answers = [
            await busy.post("/fal-ai/flux/dev", json=flux(), params={"fal_max_queue_length": longest})
            for longest in ("0", "1", "1", "many", "9" * 5000)
        ]
        assert [answer.status_code for answer in answers] == [429, 200, 429, 422, 422]
        assert "full" in answers[0].json()["detail"]


class TestOwnPages:
    async def test_health_needs_no_key(self, quick: Darkroom) -> None:
        answer = await fetch(f"{quick.url}/health")
        assert answer.json() == {"status": "ready", "ready": True, "painter": "instant", "device": "none"}

    async def test_the_webhook_key_is_published(self, quick: Darkroom) -> None:
        (key,) = (await fetch(f"{quick.url}/.well-known/jwks.json")).json()["keys"]
        assert (key["kty"], key["crv"], len(key["x"])) == ("OKP", "Ed25519", 43)
        assert (await fetch(f"{quick.url}/rest/.well-known/jwks.json")).json() == {"keys": [key]}

    async def test_unknown_pages_are_not_found_in_fals_words(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/docs")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Path /docs not found"})

    async def test_scripts_of_named_pages_may_call_and_others_may_not(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom = make_darkroom("--allow-origin", "https://booth.example")
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        for origin, allowed in (("https://booth.example", True), ("https://evil.example", False)):
            async with darkroom.client() as http:
                answer = await http.options("/fal-ai/flux/dev", headers={"Origin": origin, **asked})
            assert (answer.headers.get("access-control-allow-origin") == origin) == allowed
