"""Bad luck on purpose: each rule does what it says, as often as it says."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image, UnidentifiedImageError

from starbooth.darkroom.faults import Faults, Place, Rule, place_of
from starbooth.darkroom.troubles import Trouble, answer_of
from tests.darkroom.conftest import MakeDarkroom
from tests.darkroom.serving import Darkroom, Listener, fetch, finished, flux, submit, until
from tests.darkroom.test_server_webhooks import is_signed, submit_with

REQUESTS = "/fal-ai/flux/requests"
EXHAUSTED = {
    "detail": "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
}


@pytest.fixture
def faulty(make_darkroom: MakeDarkroom) -> Darkroom:
    """A darkroom of this test's own whose luck can be set."""
    return make_darkroom("--faults")


@pytest.fixture
async def http(faulty: Darkroom) -> AsyncIterator[httpx.AsyncClient]:
    """Its client."""
    async with faulty.client() as client:
        yield client


async def set_rules(http: httpx.AsyncClient, *rules: dict[str, Any]) -> None:
    """Replace all rules."""
    answer = await http.put("/darkroom/faults", json=list(rules))
    assert answer.status_code == 200, answer.text


class TestStrike:
    def test_a_rule_strikes_as_often_as_it_says_after_what_it_lets_pass(self) -> None:
        faults = Faults()
        faults.set([Rule(place=Place.SUBMIT, times=2, after=1)])
        struck = [faults.strike(Place.SUBMIT) is not None for _ in range(5)]
        assert struck == [False, True, True, False, False]
        assert faults.rules == []

    def test_a_rule_without_times_strikes_always_and_only_at_its_place(self) -> None:
        faults = Faults()
        faults.set([Rule(place=Place.STATUS)])
        assert all(faults.strike(Place.STATUS) for _ in range(100))
        assert faults.strike(Place.RESULT) is None

    @pytest.mark.parametrize(
        ("method", "path", "place"),
        [
            ("POST", "/fal-ai/flux/dev", Place.SUBMIT),
            ("POST", "/run/fal-ai/flux/dev", Place.RUN),
            ("GET", "/fal-ai/flux/requests/1/status", Place.STATUS),
            ("GET", "/fal-ai/flux/requests/1/status/", Place.STATUS),
            ("GET", "/fal-ai/flux/requests/1/status/stream", Place.STREAM),
            ("GET", "/fal-ai/flux/requests/1", Place.RESULT),
            ("PUT", "/fal-ai/flux/requests/1/cancel", Place.CANCEL),
            ("POST", "/storage/auth/token", Place.UPLOAD),
            ("POST", "/files/upload", Place.UPLOAD),
            ("PUT", "/files/x/multipart/u/1", Place.UPLOAD),
            ("GET", "/files/x", Place.FILE),
            ("PUT", "/darkroom/faults", None),
            ("GET", "/health", None),
        ],
    )
    def test_every_call_has_its_place(self, method: str, path: str, place: Place | None) -> None:
        assert place_of(method, path) is place


class TestRules:
    @pytest.mark.parametrize(
        "rule",
        [
            {"place": "moon"},
            {"place": "submit", "status": 99},
            {"place": "submit", "times": 0},
            {"place": "submit", "colour": "red"},
            {"place": "painting", "painting": "sad"},
            {"place": "painting", "painting": "nsfw", "pictures": [4]},
            {"place": "submit", "error": "bad mood"},
            {},
        ],
    )
    async def test_a_rule_without_sense_is_refused(
        self, http: httpx.AsyncClient, rule: dict[str, Any]
    ) -> None:
        assert (await http.put("/darkroom/faults", json=[rule])).status_code == 422

    async def test_they_can_be_read_and_cleared(self, http: httpx.AsyncClient) -> None:
        await set_rules(http, {"place": "submit", "status": 500, "times": 3})
        await http.post("/fal-ai/flux/dev", json=flux())
        assert (await http.get("/darkroom/faults")).json()[0]["times"] == 2
        await set_rules(http)
        assert (await http.post("/fal-ai/flux/dev", json=flux())).status_code == 200


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (403, EXHAUSTED),
            (429, {"detail": "Too many requests"}),
            (500, {"detail": "Internal server error"}),
            (422, {"detail": [{"loc": ["body", "prompt"], "msg": "no", "type": "content_policy_violation"}]}),
            (200, "<html>not what you wanted</html>"),
        ],
    )
    async def test_a_submit_is_answered_as_told_and_nothing_is_accepted(
        self, http: httpx.AsyncClient, status: int, body: Any
    ) -> None:
        await set_rules(http, {"place": "submit", "status": status, "body": body, "times": 1})
        answer = await http.post("/fal-ai/flux/dev", json=flux())
        assert answer.status_code == status
        assert (answer.text if isinstance(body, str) else answer.json()) == body
        assert (await http.get("/darkroom/stats")).json()["accepted"] == 0
        assert (await http.post("/fal-ai/flux/dev", json=flux())).status_code == 200

    async def test_status_result_and_file_can_go_wrong_too(self, http: httpx.AsyncClient) -> None:
        request_id = await submit(http)
        await finished(http, request_id)
        url = (await http.get(f"{REQUESTS}/{request_id}")).json()["images"][0]["url"]
        for place, path in (
            ("status", f"{REQUESTS}/{request_id}/status"),
            ("result", f"{REQUESTS}/{request_id}"),
            ("file", url),
        ):
            await set_rules(http, {"place": place, "status": 404, "body": {"detail": "gone"}, "times": 1})
            assert (await http.get(path)).status_code == 404
            assert (await http.get(path)).status_code == 200

    async def test_a_delay_delays(self, http: httpx.AsyncClient) -> None:
        await set_rules(http, {"place": "submit", "delay_s": 0.5, "times": 1})
        started = time.monotonic()
        await submit(http)
        assert time.monotonic() - started >= 0.5

    @pytest.mark.parametrize(("drop", "accepted"), [("before", 0), ("after", 1)])
    async def test_the_connection_is_cut_before_or_after_the_work(
        self, http: httpx.AsyncClient, drop: str, accepted: int
    ) -> None:
        await set_rules(http, {"place": "submit", "drop": drop, "times": 1})
        with pytest.raises(httpx.TransportError):
            await http.post("/fal-ai/flux/dev", json=flux())
        assert (await http.get("/darkroom/stats")).json()["accepted"] == accepted

    async def test_a_repeat_after_a_cut_buys_nothing_if_it_has_a_key(self, http: httpx.AsyncClient) -> None:
        headers = {"X-Starbooth-Request-Key": "order 1"}
        await set_rules(http, {"place": "submit", "drop": "after", "times": 1})
        with pytest.raises(httpx.TransportError):
            await http.post("/fal-ai/flux/dev", json=flux(), headers=headers)
        await finished(http, await submit(http, headers=headers))
        stats = (await http.get("/darkroom/stats")).json()
        assert (stats["accepted"], stats["runs"]) == (1, 1)


class TestPainting:
    async def spoilt(
        self, http: httpx.AsyncClient, fault: str, **rule: Any
    ) -> tuple[dict[str, Any], httpx.Response]:
        """Last status and result of a request under a painting fault."""
        await set_rules(http, {"place": "painting", "painting": fault, "times": 1, **rule})
        request_id = await submit(http)
        return await finished(http, request_id), await http.get(f"{REQUESTS}/{request_id}")

    async def test_never_stays_in_progress_delays_nobody_and_can_be_cancelled(
        self, http: httpx.AsyncClient
    ) -> None:
        await set_rules(http, {"place": "painting", "painting": "never", "times": 1})
        stuck = await submit(http)
        await finished(http, await submit(http))
        await asyncio.sleep(0.3)
        assert (await http.get(f"{REQUESTS}/{stuck}/status")).json()["status"] == "IN_PROGRESS"
        assert (await http.put(f"{REQUESTS}/{stuck}/cancel")).status_code == 202
        assert (await finished(http, stuck))["error_type"] == "client_cancelled"

    async def test_error_is_a_lost_runner_unless_told_otherwise(self, http: httpx.AsyncClient) -> None:
        status, result = await self.spoilt(http, "error")
        assert (status["status"], status["error_type"]) == ("COMPLETED", "runner_disconnected")
        assert result.status_code == 503
        detail = [{"loc": ["body", "prompt"], "msg": "no", "type": "content_policy_violation"}]
        status, result = await self.spoilt(http, "error", status=422, body={"detail": detail})
        assert (result.status_code, result.json()) == (422, {"detail": detail})
        assert (await http.get("/darkroom/stats")).json()["failed"] == 2

    async def test_empty_delivers_no_image(self, http: httpx.AsyncClient) -> None:
        _, result = await self.spoilt(http, "empty")
        assert (result.status_code, result.json()["images"]) == (200, [])

    @pytest.mark.parametrize("fault", ["broken", "wrong"])
    async def test_broken_and_wrong_deliver_what_is_no_picture(
        self, http: httpx.AsyncClient, fault: str
    ) -> None:
        _, result = await self.spoilt(http, fault)
        picture = await fetch(result.json()["images"][0]["url"])
        assert picture.headers["content-type"] == "image/jpeg"
        with pytest.raises((UnidentifiedImageError, OSError)):
            Image.open(io.BytesIO(picture.content)).load()

    async def test_expired_delivers_dead_links(self, http: httpx.AsyncClient) -> None:
        _, result = await self.spoilt(http, "expired")
        assert (await fetch(result.json()["images"][0]["url"])).status_code == 404

    async def test_nsfw_is_flagged_and_black(self, http: httpx.AsyncClient) -> None:
        _, result = await self.spoilt(http, "nsfw")
        assert result.json()["has_nsfw_concepts"] == [True]
        picture = Image.open(io.BytesIO((await fetch(result.json()["images"][0]["url"])).content))
        assert set(picture.convert("L").tobytes()) == {0}


class TestPaintingOfABatch:
    async def spoilt(self, http: httpx.AsyncClient, fault: str, *pictures: int) -> dict[str, Any]:
        """The result of four pictures of which these are hit."""
        rule = {"place": "painting", "painting": fault, **({"pictures": pictures} if pictures else {})}
        await set_rules(http, rule)
        request_id = await submit(http, num_images=4)
        await finished(http, request_id)
        answer: dict[str, Any] = (await http.get(f"{REQUESTS}/{request_id}")).json()
        return answer

    async def test_only_the_named_pictures_are_flagged(self, http: httpx.AsyncClient) -> None:
        answer = await self.spoilt(http, "nsfw", 1, 3)
        assert answer["has_nsfw_concepts"] == [False, True, False, True]

    @pytest.mark.parametrize(("pictures", "left"), [((), 3), ((0, 2), 2)])
    async def test_short_delivers_fewer(
        self, http: httpx.AsyncClient, pictures: tuple[int, ...], left: int
    ) -> None:
        answer = await self.spoilt(http, "short", *pictures)
        assert len(answer["images"]) == len(answer["has_nsfw_concepts"]) == left

    async def test_huge_has_more_than_40_megapixels_in_few_bytes(self, http: httpx.AsyncClient) -> None:
        answer = await self.spoilt(http, "huge", 0)
        content = (await fetch(answer["images"][0]["url"])).content
        width_px, height_px = Image.open(io.BytesIO(content)).size
        assert width_px * height_px > 40_000_000
        assert len(content) < 1_000_000


class TestTroubles:
    async def test_each_is_answered_in_its_form(self, http: httpx.AsyncClient) -> None:
        for trouble in Trouble:
            await set_rules(http, {"place": "submit", "error": trouble, "times": 1})
            answer = await http.post("/fal-ai/flux/dev", json=flux())
            expected = answer_of(trouble)
            assert answer.status_code == expected.status
            assert (answer.text if isinstance(expected.body, str) else answer.json()) == expected.body
            assert all(answer.headers[name] == value for name, value in expected.headers.items())

    async def test_painting_can_end_with_one(self, http: httpx.AsyncClient) -> None:
        rule = {"place": "painting", "painting": "error", "error": "startup_timeout"}
        await set_rules(http, rule)
        request_id = await submit(http)
        assert (await finished(http, request_id))["error_type"] == "startup_timeout"
        result = await http.get(f"{REQUESTS}/{request_id}")
        assert (result.status_code, result.headers["x-fal-error-type"]) == (504, "startup_timeout")


class TestWebhookFaults:
    async def test_lost_is_never_sent(self, http: httpx.AsyncClient, listener: Listener) -> None:
        await set_rules(http, {"place": "webhook", "webhook": "lost", "times": 1})
        lost, told = await submit_with(http, listener), await submit_with(http, listener)
        await until(lambda: bool(listener.deliveries))
        await asyncio.sleep(0.3)
        assert (
            [json.loads(delivery.body)["request_id"] for delivery in listener.deliveries] == [told] != [lost]
        )

    async def test_twice_is_sent_twice(self, http: httpx.AsyncClient, listener: Listener) -> None:
        await set_rules(http, {"place": "webhook", "webhook": "twice", "times": 1})
        await submit_with(http, listener)
        await until(lambda: len(listener.deliveries) == 2)
        assert listener.deliveries[0].body == listener.deliveries[1].body

    async def test_forged_has_a_signature_of_nobody(
        self, faulty: Darkroom, http: httpx.AsyncClient, listener: Listener
    ) -> None:
        await set_rules(http, {"place": "webhook", "webhook": "forged", "times": 1})
        await submit_with(http, listener)
        await until(lambda: bool(listener.deliveries))
        assert not await is_signed(listener.deliveries[0], faulty)

    async def test_late_is_sent_late(self, http: httpx.AsyncClient, listener: Listener) -> None:
        await set_rules(http, {"place": "webhook", "webhook": "late", "delay_s": 0.5, "times": 1})
        request_id = await submit_with(http, listener)
        await finished(http, request_id)
        assert listener.deliveries == []
        await until(lambda: bool(listener.deliveries))
