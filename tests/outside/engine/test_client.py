"""The engine client over a real socket: what it sends, how often, and what each answer becomes."""

import json
import time
from typing import Any

import pytest

from starbooth.base.errors import SettingError, Unavailable
from starbooth.base.settings import read_settings
from starbooth.outside.engine import wire
from starbooth.outside.engine.client import FalEngine, open_engines
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineUnavailable,
    Finished,
    PaintOrder,
    Ticket,
    TicketLost,
    Waiting,
    Working,
)
from tests.outside.scripted import Reply, ScriptedServer

HTML = Reply(body=b"<html><body>nginx</body></html>", headers={"content-type": "text/html"})


def ok(body: object, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(body=json.dumps(body).encode(), headers=named)


class TestOpenEngine:
    def test_an_engine_url_counts_as_a_darkroom_and_wins_over_fal(self) -> None:
        engine = next(
            iter(open_engines(read_settings(engine_url="http://127.0.0.1:1", fal_key="a:b")).values())
        )
        assert (engine.name, engine.is_deduplicating) == ("darkroom", True)

    def test_a_fal_key_alone_means_fal(self) -> None:
        engine = next(iter(open_engines(read_settings(fal_key="a:b")).values()))
        assert (engine.name, engine.is_deduplicating) == ("fal", False)

    def test_without_either_the_setting_to_mend_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FAL_KEY", raising=False)
        with pytest.raises(SettingError, match="FAL_KEY") as refused:
            next(iter(open_engines(read_settings()).values()))
        assert refused.value.setting == "STARBOOTH_ENGINE_URL"

    async def test_the_key_of_fal_is_never_sent_to_another_engine(
        self, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        engine = next(
            iter(open_engines(read_settings(engine_url=scripted.url, fal_key="fal-id:fal-secret")).values())
        )
        scripted.will_say({"status": "COMPLETED", "logs": None})
        await engine.status(ticket)
        await engine.aclose()
        assert "fal-secret" not in str(scripted.asked[0].headers)


class TestSubmit:
    async def test_the_full_id_gets_the_bare_input_and_the_webhook(
        self, darkroom_client: Engine, scripted: ScriptedServer, paint: PaintOrder, accepted: dict[str, Any]
    ) -> None:
        scripted.will_say(accepted)
        ticket = await darkroom_client.submit(
            "fal-ai/flux/dev", paint, request_key="order-1", webhook_url="http://booth/h?o=1&s=2"
        )
        (asked,) = scripted.asked
        assert ticket == Ticket(engine="darkroom", endpoint="fal-ai/flux/dev", request_id="0f-1")
        assert asked.method == "POST"
        assert asked.target == "/fal-ai/flux/dev?fal_webhook=http%3A%2F%2Fbooth%2Fh%3Fo%3D1%26s%3D2"
        assert asked.headers["authorization"] == "Key key-id:key-secret"
        assert asked.headers["host"] == scripted.url.removeprefix("http://")
        assert json.loads(asked.body)["seed"] == 2**63 - 1

    async def test_a_deduplicating_engine_is_told_the_request_key(
        self, darkroom_client: Engine, scripted: ScriptedServer, paint: PaintOrder, accepted: dict[str, Any]
    ) -> None:
        scripted.will_say(accepted)
        await darkroom_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert scripted.asked[0].headers["x-starbooth-request-key"] == "order-1"

    async def test_fal_is_not_told_the_request_key(
        self, fal_client: Engine, scripted: ScriptedServer, paint: PaintOrder, accepted: dict[str, Any]
    ) -> None:
        scripted.will_say(accepted)
        await fal_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert "x-starbooth-request-key" not in scripted.asked[0].headers

    async def test_after_a_dropped_answer_fal_is_not_asked_again(
        self, fal_client: Engine, scripted: ScriptedServer, paint: PaintOrder, accepted: dict[str, Any]
    ) -> None:
        scripted.will_answer(Reply(is_dropped=True), ok(accepted))
        with pytest.raises(EngineUnavailable) as failed:
            await fal_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert (failed.value.cause, failed.value.may_have_bought) == ("dropped", True)
        assert len(scripted.asked) == 1

    async def test_after_a_dropped_answer_the_darkroom_is_asked_once_more_with_the_same_key(
        self, darkroom_client: Engine, scripted: ScriptedServer, paint: PaintOrder, accepted: dict[str, Any]
    ) -> None:
        scripted.will_answer(Reply(is_dropped=True), ok(accepted))
        await darkroom_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert [asked.headers["x-starbooth-request-key"] for asked in scripted.asked] == ["order-1"] * 2
        assert scripted.asked[0].body == scripted.asked[1].body

    async def test_a_darkroom_that_always_drops_is_asked_twice(
        self, darkroom_client: Engine, scripted: ScriptedServer, paint: PaintOrder
    ) -> None:
        scripted.will_answer(Reply(is_dropped=True))
        with pytest.raises(EngineUnavailable):
            await darkroom_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert len(scripted.asked) == 2

    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
    async def test_what_fal_client_itself_would_repeat_is_sent_once(
        self, fal_client: Engine, scripted: ScriptedServer, paint: PaintOrder, status: int
    ) -> None:
        scripted.will_answer(Reply(status=status, body=HTML.body, headers=HTML.headers))
        with pytest.raises(EngineUnavailable):
            await fal_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert len(scripted.asked) == 1

    @pytest.mark.parametrize(
        ("status", "may_have_bought"), [(429, False), (500, False), (502, True), (503, False), (504, True)]
    )
    async def test_a_gateway_that_lost_the_answer_may_have_bought(
        self,
        fal_client: Engine,
        scripted: ScriptedServer,
        paint: PaintOrder,
        status: int,
        may_have_bought: bool,
    ) -> None:
        scripted.will_answer(Reply(status=status))
        with pytest.raises(EngineUnavailable) as failed:
            await fal_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert failed.value.may_have_bought is may_have_bought

    @pytest.mark.parametrize(
        "reply",
        [
            HTML,
            ok([]),
            ok("yes"),
            ok(None),
            ok({"status": "IN_QUEUE"}),
            ok({"request_id": "../../admin", "response_url": "", "status_url": "", "cancel_url": ""}),
            Reply(body=b""),
            Reply(body=b"\xff\xfe\x00"),
            Reply(body=b"[" * 100_000),
            Reply(body=b'{"request_id": "0f-1"}', headers={"content-encoding": "gzip"}),
        ],
    )
    async def test_rubbish_as_a_yes_may_have_bought(
        self, fal_client: Engine, scripted: ScriptedServer, paint: PaintOrder, reply: Reply
    ) -> None:
        scripted.will_answer(reply)
        with pytest.raises(EngineUnavailable) as failed:
            await fal_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert (failed.value.cause, failed.value.may_have_bought) == ("rubbish", True)

    async def test_an_engine_that_is_not_there_has_sold_nothing(self, paint: PaintOrder) -> None:
        engine = FalEngine(
            name="fal", key="a:b", base_url="http://127.0.0.1:1", is_deduplicating=False, account=None
        )
        with pytest.raises(EngineUnavailable) as failed:
            await engine.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        await engine.aclose()
        assert (failed.value.cause, failed.value.may_have_bought) == ("unreachable", False)

    async def test_an_engine_that_never_answers_is_given_up_in_time(
        self, scripted: ScriptedServer, paint: PaintOrder
    ) -> None:
        engine = FalEngine(
            name="fal", key="a:b", base_url=scripted.url, is_deduplicating=False, account=None, call_s=0.3
        )
        scripted.will_answer(Reply(wait_s=5))
        began = time.monotonic()
        with pytest.raises(EngineUnavailable) as failed:
            await engine.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        await engine.aclose()
        assert time.monotonic() - began < 2
        assert (failed.value.cause, failed.value.may_have_bought) == ("timed_out", True)

    async def test_a_key_or_prompt_is_never_in_what_is_raised(
        self, fal_client: Engine, scripted: ScriptedServer, paint: PaintOrder
    ) -> None:
        detail = [
            {"loc": ["body", "prompt"], "msg": paint.prompt, "type": "value_error", "input": paint.prompt}
        ]
        scripted.will_say({"detail": detail}, status=422)
        with pytest.raises(EngineRefused) as refused:
            await fal_client.submit("fal-ai/flux/dev", paint, request_key="order-1", webhook_url=None)
        assert refused.value.code == "invalid_input"
        assert refused.value.detail == "body.prompt: value_error"
        assert "secret" not in repr(refused.value)


class TestStatus:
    async def test_a_place_in_the_queue(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_answer(Reply(status=202, body=b'{"status":"IN_QUEUE","queue_position":3}'))
        assert await darkroom_client.status(ticket) == Waiting(position=3)
        assert scripted.asked[0].target == "/fal-ai/flux/requests/0f-1/status?logs=true"

    async def test_progress_is_read_from_the_log(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        line = {"message": "step", "labels": {"step": 7, "steps": 28}}
        scripted.will_say({"status": "IN_PROGRESS", "logs": [line]}, status=202)
        assert await darkroom_client.status(ticket) == Working(progress=0.25, step=7, steps=28)

    async def test_without_progress_no_log_is_asked_for(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_say({"status": "IN_PROGRESS", "logs": None}, status=202)
        assert await darkroom_client.status(ticket, with_progress=False) == Working(progress=None)
        assert scripted.asked[0].target.endswith("?logs=false")

    async def test_an_end_is_an_end_well_or_badly(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_say({"status": "COMPLETED", "logs": None, "metrics": {}, "error": "Runner lost"})
        assert await darkroom_client.status(ticket) == Finished(has_failed=True)
        scripted.will_say({"status": "COMPLETED", "logs": None, "metrics": {}})
        assert await darkroom_client.status(ticket) == Finished()

    async def test_a_forgotten_request_is_a_lost_ticket(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_say({"detail": "Request not found"}, status=404)
        with pytest.raises(TicketLost):
            await darkroom_client.status(ticket)

    @pytest.mark.parametrize(
        "reply", [HTML, ok([1]), ok({"status": "DANCING"}), ok({"status": "IN_QUEUE"}), ok({}), Reply()]
    )
    async def test_rubbish_is_named_rubbish(
        self, darkroom_client: Engine, scripted: ScriptedServer, ticket: Ticket, reply: Reply
    ) -> None:
        scripted.will_answer(reply)
        with pytest.raises(EngineUnavailable) as failed:
            await darkroom_client.status(ticket)
        assert failed.value.cause == "rubbish"

    async def test_a_dropped_connection_is_tried_once_more(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_answer(Reply(is_dropped=True), ok({"status": "IN_QUEUE", "queue_position": 0}))
        assert await fal_client.status(ticket) == Waiting(position=0)

    async def test_an_answer_that_ends_in_the_middle_is_dropped(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_answer(Reply(body=b'{"status"', claimed_length=100))
        with pytest.raises(EngineUnavailable) as failed:
            await fal_client.status(ticket)
        assert failed.value.cause == "dropped"

    async def test_an_id_that_is_a_path_is_never_sent(
        self, fal_client: Engine, scripted: ScriptedServer
    ) -> None:
        with pytest.raises(EngineUnavailable, match="rubbish"):
            await fal_client.status(Ticket(engine="fal", endpoint="fal-ai/flux", request_id="../x"))
        assert scripted.asked == []

    async def test_a_redirect_is_not_followed(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_answer(Reply(status=307, headers={"location": f"{scripted.url}/elsewhere"}))
        with pytest.raises(EngineUnavailable) as failed:
            await fal_client.status(ticket)
        assert (failed.value.cause, len(scripted.asked)) == ("http_307", 1)


class TestResult:
    async def test_pictures_seed_units_and_time(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        image = {"url": "http://x/1.png", "width": 64, "height": 32, "content_type": "image/png"}
        body = {
            "images": [image],
            "seed": 17454220438242315174,
            "has_nsfw_concepts": [True],
            "timings": {"inference": 2.5},
        }
        scripted.will_say(body, x_fal_billable_units="1.5")
        result = await fal_client.result(ticket)
        assert scripted.asked[0].target == "/fal-ai/flux/requests/0f-1"
        assert len(scripted.asked) == 1
        assert result.seed == 17454220438242315174
        assert (result.billable_units, result.inference_s) == (1.5, 2.5)
        (picture,) = result.pictures
        assert (picture.url, picture.width_px, picture.height_px) == ("http://x/1.png", 64, 32)
        assert picture.is_withheld

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(status=202, body=b'{"status":"IN_PROGRESS"}'),
            Reply(status=400, body=b'{"detail":"Request is still in progress"}'),
        ],
    )
    async def test_asked_too_early_is_not_the_end(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket, reply: Reply
    ) -> None:
        scripted.will_answer(reply)
        with pytest.raises(EngineUnavailable) as failed:
            await fal_client.result(ticket)
        assert failed.value.cause == "not_finished"

    @pytest.mark.parametrize(
        "reply",
        [HTML, ok([]), ok({}), ok({"images": "x"}), ok({"images": [{}]}), ok({"images": [{"url": 7}]})],
    )
    async def test_rubbish_is_named_rubbish(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket, reply: Reply
    ) -> None:
        scripted.will_answer(reply)
        with pytest.raises(EngineUnavailable) as failed:
            await fal_client.result(ticket)
        assert failed.value.cause == "rubbish"

    async def test_an_endless_answer_is_cut_off(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_answer(Reply(body=b" " * (wire.ANSWER_BYTES + 1)))
        with pytest.raises(EngineUnavailable) as failed:
            await fal_client.result(ticket)
        assert failed.value.cause == "rubbish"


class TestCancel:
    async def test_it_is_a_put_without_a_body(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_say({"status": "CANCELLATION_REQUESTED"}, status=202)
        await fal_client.cancel(ticket)
        (asked,) = scripted.asked
        assert (asked.method, asked.target, asked.body) == ("PUT", "/fal-ai/flux/requests/0f-1/cancel", b"")

    @pytest.mark.parametrize("status", [400, 404])
    async def test_what_ended_before_needs_no_stopping(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket, status: int
    ) -> None:
        scripted.will_say({"status": "ALREADY_COMPLETED"}, status=status)
        await fal_client.cancel(ticket)
        assert len(scripted.asked) == 1

    async def test_an_engine_that_could_not_be_asked_is_told(
        self, fal_client: Engine, scripted: ScriptedServer, ticket: Ticket
    ) -> None:
        scripted.will_answer(Reply(status=500))
        with pytest.raises(EngineUnavailable):
            await fal_client.cancel(ticket)


class TestHealth:
    async def test_not_knowing_the_request_is_good_health(
        self, darkroom_client: Engine, scripted: ScriptedServer
    ) -> None:
        scripted.will_say({"detail": "Request not found"}, status=404)
        assert "takes the key" in await darkroom_client.health()

    async def test_a_wrong_key_alarms(self, darkroom_client: Engine, scripted: ScriptedServer) -> None:
        scripted.will_say({"detail": "Unauthorized"}, status=401)
        with pytest.raises(EngineUnavailable) as failed:
            await darkroom_client.health()
        assert (failed.value.cause, failed.value.alarms) == ("unauthorised", True)
        assert isinstance(failed.value, Unavailable)
