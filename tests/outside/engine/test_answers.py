"""Reading answers: pure functions over what an engine may say."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starbooth.outside.engine.answers import (
    failure_of,
    result_from_payload,
    working_by,
)
from starbooth.outside.engine.contract import (
    EngineRefused,
    EngineUnavailable,
    TicketLost,
)

LOCKED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def failure(status: int, body: object = None, **headers: str) -> EngineRefused | EngineUnavailable:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return failure_of(status, httpx.Headers(named), body)


def detail(kind: str) -> dict[str, Any]:
    return {"detail": [{"loc": ["body", "prompt"], "msg": "secret words", "type": kind}]}


class TestFailureOf:
    @pytest.mark.parametrize(
        ("status", "body", "cause", "alarms"),
        [
            (401, None, "unauthorised", True),
            (403, {"detail": LOCKED}, "exhausted_balance", True),
            (403, {"detail": "User is locked. Reason: Admin lock"}, "exhausted_balance", True),
            (403, {"detail": "User is locked. Reason: TOP_UP."}, "exhausted_balance", True),
            (403, None, "forbidden", True),
            (404, {"detail": "Path /x not found"}, "ticket_lost", False),
            (408, None, "http_408", False),
            (409, None, "http_409", False),
            (429, None, "rate_limited", False),
            (500, None, "http_500", False),
            (500, {"detail": "x", "error_type": "internal_error"}, "internal_error", False),
            (502, None, "http_502", False),
            (503, {"error_type": "runner_disconnected"}, "runner_disconnected", False),
            (504, {"error_type": "request_timeout"}, "request_timeout", False),
            (302, None, "http_302", False),
            (422, detail("generation_timeout"), "generation_timeout", False),
            (422, detail("downstream_service_unavailable"), "downstream_service_unavailable", False),
        ],
    )
    def test_what_may_mend_is_unavailable(self, status: int, body: object, cause: str, alarms: bool) -> None:
        failed = failure(status, body)
        assert isinstance(failed, EngineUnavailable)
        assert (failed.cause, failed.alarms) == (cause, alarms)

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (422, detail("content_policy_violation"), "content_policy_violation"),
            (422, detail("file_too_large"), "file_too_large"),
            (422, detail("missing"), "invalid_input"),
            (422, detail("greater_than_equal"), "invalid_input"),
            (422, {"detail": "The prompt goes against our content policy"}, "content_policy_violation"),
            (422, {"detail": "bad"}, "invalid_input"),
            (422, {"detail": []}, "invalid_input"),
            (422, None, "invalid_input"),
            (400, {"detail": "x", "error_type": "bad_request"}, "bad_request"),
            (400, None, "http_400"),
            (413, None, "http_413"),
            (499, {"detail": "Request cancelled by the client."}, "cancelled"),
            (500, {"error_type": "client_cancelled"}, "cancelled"),
        ],
    )
    def test_what_no_repeat_can_mend_is_refused(self, status: int, body: object, code: str) -> None:
        failed = failure(status, body)
        assert isinstance(failed, EngineRefused)
        assert failed.code == code

    def test_the_vendors_time_limit_has_its_own_name(self) -> None:
        failed = failure(504, {"error_type": "request_timeout"}, x_fal_request_timeout_type="user")
        assert isinstance(failed, EngineUnavailable)
        assert failed.cause == "start_timeout"

    def test_the_error_type_may_come_in_a_header(self) -> None:
        failed = failure(503, None, X_Fal_Error_Type="runner_connection_timeout")
        assert isinstance(failed, EngineUnavailable)
        assert failed.cause == "runner_connection_timeout"

    @pytest.mark.parametrize(
        ("header", "seconds"), [("7", 7.0), ("99999999", 3600.0), ("-1", None), ("soon", None), ("nan", None)]
    )
    def test_the_asked_for_rest_is_kept_within_an_hour(self, header: str, seconds: float | None) -> None:
        failed = failure(429, None, retry_after=header)
        assert isinstance(failed, EngineUnavailable)
        assert failed.retry_after_s == seconds

    def test_an_endpoint_that_is_not_there_alarms(self) -> None:
        failed = failure_of(404, {}, {"detail": "Path /x not found"}, is_submit=True)
        assert isinstance(failed, EngineUnavailable)
        assert (failed.cause, failed.alarms) == ("unknown_endpoint", True)

    def test_a_forgotten_ticket_is_told_apart(self) -> None:
        assert isinstance(failure(404), TicketLost)

    def test_the_place_of_the_fault_is_kept_and_the_words_are_not(self) -> None:
        failed = failure(
            422, {"detail": [{"loc": ["body", "image_size", "width"], "type": "less_than_equal"}]}
        )
        assert isinstance(failed, EngineRefused)
        assert failed.detail == "body.image_size.width: less_than_equal"
        assert "secret" not in str(failure(422, detail("missing")))

    @given(status=st.integers(300, 599), body=ANY_JSON)
    def test_any_answer_has_a_name(self, status: int, body: object) -> None:
        failed = failure(status, body)
        assert len(str(failed)) < 400

    @given(words=st.text(min_size=8, alphabet=st.characters(categories=["Lu", "Lo"])))
    def test_no_text_of_a_422_gets_through(self, words: str) -> None:
        entry = {"loc": [words], "msg": words, "type": words, "input": words, "ctx": {"x": words}}
        assert words not in str(failure(422, {"detail": [entry]}))
        assert words not in str(failure(422, {"detail": words}))
        assert words not in str(failure(400, {"detail": words, "error_type": words}))


class TestResultFromPayload:
    def test_only_the_marked_picture_is_withheld(self) -> None:
        body = {"images": [{"url": "a"}, {"url": "b"}], "has_nsfw_concepts": [False, True]}
        result = result_from_payload(body)
        assert [picture.is_withheld for picture in result.pictures] == [False, True]

    def test_fewer_facts_are_unknown_facts(self) -> None:
        result = result_from_payload({"images": [{"url": "a", "width": "64", "content_type": 7}]})
        (picture,) = result.pictures
        assert (picture.width_px, picture.content_type, picture.is_withheld) == (None, None, False)
        assert (result.seed, result.inference_s) == (None, None)

    def test_no_pictures_are_no_pictures(self) -> None:
        assert result_from_payload({"images": []}).pictures == ()

    def test_seeds_keep_every_digit(self) -> None:
        body = json.loads('{"images": [], "seed": 17454220438242315174}')
        assert result_from_payload(body).seed == 17454220438242315174

    @given(body=ANY_JSON.filter(lambda body: not isinstance(body, dict) or body.get("images") != []))
    def test_rubbish_has_a_name(self, body: object) -> None:
        with pytest.raises(EngineUnavailable, match="rubbish"):
            result_from_payload(body)


class TestProgressIn:
    @pytest.mark.parametrize(
        ("message", "progress"),
        [
            ("14/28", 0.5),
            (" 50%|█████     | 14/28 [00:01<00:01, 9.9it/s]", 0.5),
            ("  7%|▋         | 2/28\r 25%|██▌       | 7/28 [00:01<00:03]", 0.25),
            (" 50%|", 0.5),
            ("100%", 1.0),
            ("30/28", 1.0),
            ("0/0", None),
            ("loading weights", None),
            ("version 1.2/3", None),
        ],
    )
    def test_bars_are_read(self, message: str, progress: float | None) -> None:
        assert working_by([{"message": message, "labels": {}}]).progress == progress

    def test_labels_are_read_first(self) -> None:
        assert working_by([{"message": "1/2", "labels": {"step": "3", "steps": "4"}}]).progress == 0.75

    def test_the_newest_telling_line_counts(self) -> None:
        assert working_by([{"message": "1/4"}, {"message": "2/4"}, {"message": "decoding"}]).progress == 0.5

    @pytest.mark.parametrize(
        "logs", [None, [], {}, "14/28", [None], [{"message": None}], [{"labels": {"step": 1, "steps": 0}}]]
    )
    def test_nothing_told_is_unknown(self, logs: object) -> None:
        assert working_by(logs).progress is None

    @given(logs=ANY_JSON)
    def test_any_log_gives_a_fraction_or_nothing(self, logs: object) -> None:
        progress = working_by(logs).progress
        assert progress is None or 0 <= progress <= 1
