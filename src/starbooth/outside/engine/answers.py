"""What an engine's answers mean: results, progress in logs, and errors (fal's protocol, no network).

Everything here comes from a server that may lie: each field is checked, and nothing that could hold a
guest's prompt goes into an error's `detail`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starbooth.outside.engine.contract import (
    EnginePicture,
    EngineRefused,
    EngineResult,
    EngineUnavailable,
    RunFailed,
    TicketLost,
    TrainedLora,
    Working,
)

EngineFailure = EngineRefused | EngineUnavailable


def result_from_payload(
    payload: object, *, billable_units: float | None = None, inference_s: float | None = None
) -> EngineResult:
    """Read a model's JSON, from a result call or a webhook. Raises: EngineUnavailable("rubbish")."""
    body = _mapping(payload)
    if "diffusers_lora_file" in body:
        return _training_result(body, billable_units=billable_units, inference_s=inference_s)
    images = body.get("images")
    if not isinstance(images, list) or len(images) > _MAX_PICTURES:
        raise EngineUnavailable("rubbish", "the result has no list of images")
    withheld = body.get("has_nsfw_concepts")
    flags = withheld if isinstance(withheld, list) else []
    measured = _measured_s(body)
    return EngineResult(
        pictures=tuple(
            _picture(image, is_withheld=index < len(flags) and flags[index] is True)
            for index, image in enumerate(images)
        ),
        seed=_whole(body.get("seed")),
        billable_units=billable_units,
        inference_s=measured if measured is not None else inference_s,
    )


def _training_result(
    body: Mapping[str, Any], *, billable_units: float | None, inference_s: float | None
) -> EngineResult:
    weights_url = _file_url(body.get("diffusers_lora_file"))
    if weights_url is None:
        raise EngineUnavailable("rubbish", "a LoRA without an address")
    measured, steps_ran = _measured_s(body), _whole(body.get("steps_ran"))
    lora = TrainedLora(
        weights_url=weights_url,
        config_url=_file_url(body.get("config_file")),
        steps_ran=steps_ran if steps_ran is not None and steps_ran >= 0 else None,
    )
    return EngineResult(
        pictures=(),
        seed=None,
        billable_units=billable_units,
        inference_s=measured if measured is not None else inference_s,
        lora=lora,
    )


def _measured_s(body: Mapping[str, Any]) -> float | None:
    timings = body.get("timings")
    return _number(timings.get("inference")) if isinstance(timings, Mapping) else None


def _file_url(file: object) -> str | None:
    url = file.get("url") if isinstance(file, Mapping) else None
    return url if isinstance(url, str) and url else None


def working_by(logs: object, preview_url: object = None) -> Working:
    """How far the newest telling log line is, and in which step where it tells.

    The darkroom labels lines with `step` and `steps`; fal.ai's models print tqdm bars.
    preview_url: as the status has it, or nothing.
    """
    preview = preview_url if isinstance(preview_url, str) and preview_url else None
    lines: list[object] = logs[-_LINES_READ:] if isinstance(logs, list) else []
    for line in reversed(lines):
        if isinstance(line, Mapping) and (told := _told_by(line)) is not None:
            progress, step, steps = told
            return Working(progress=progress, step=step, steps=steps, preview_url=preview)
    return Working(progress=None, preview_url=preview)


def failure_of(
    status: int,
    headers: Mapping[str, str],
    body: object,
    *,
    is_submit: bool = False,
) -> EngineFailure:
    """The exception for an HTTP answer that is not a success. `body` is the parsed JSON, or None.

    `headers` must be looked up in any case (as httpx does).
    """
    facts = body if isinstance(body, Mapping) else {}
    kind = _word(facts.get("error_type")) or _word(headers.get("x-fal-error-type"))
    is_accident = kind in _ACCIDENTS and status not in _FOR_THE_OPERATOR
    if status in _BY_STATUS and not is_accident:
        return _BY_STATUS[status](headers, facts, is_submit)
    if status == 504 and headers.get("x-fal-request-timeout-type"):
        return EngineUnavailable("start_timeout", "HTTP 504")
    if kind == "client_cancelled":
        return EngineRefused("cancelled")
    if status == 400 and "in progress" in _text(facts.get("detail")):
        return EngineUnavailable("not_finished")
    if 400 <= status < 500 and status not in (408, 409, 425) and not is_accident:
        return EngineRefused(kind or f"http_{status}")
    return EngineUnavailable(
        kind or f"http_{status}",
        f"HTTP {status}",
        retry_after_s=_retry_after(headers),
        may_have_bought=is_submit and status in (502, 504),
    )


def end_of(failure: EngineFailure, headers: Mapping[str, str], request_id: str) -> EngineFailure:
    """What a failed call for a result says of the request itself: RunFailed where it is the run's own end.

    A proxy on the way may fail the call too, and the picture be there all the same. What is sure is fal's
    word for an accident at the runner, or any failure that is passed on under the request's own id.
    """
    if not isinstance(failure, EngineUnavailable) or failure.cause in _OF_THE_CALL:
        return failure
    if failure.cause in _AT_THE_RUNNER or headers.get("x-fal-request-id") == request_id:
        return RunFailed(failure.cause, failure.detail)
    return failure


def _unauthorised(_headers: Mapping[str, str], _facts: Mapping[str, Any], _is_submit: bool) -> EngineFailure:
    return EngineUnavailable("unauthorised", "HTTP 401: the key is wrong or absent", alarms=True)


def _forbidden(_headers: Mapping[str, str], facts: Mapping[str, Any], _is_submit: bool) -> EngineFailure:
    detail = _text(facts.get("detail"))
    is_locked = any(word in detail for word in ("balance", "locked", "top_up"))
    return EngineUnavailable(
        "exhausted_balance" if is_locked else "forbidden", f"HTTP 403: {detail[:_DETAIL]}", alarms=True
    )


def _not_found(_headers: Mapping[str, str], _facts: Mapping[str, Any], is_submit: bool) -> EngineFailure:
    if is_submit:
        return EngineUnavailable("unknown_endpoint", "HTTP 404", alarms=True)
    return TicketLost("HTTP 404")


def _invalid(_headers: Mapping[str, str], facts: Mapping[str, Any], _is_submit: bool) -> EngineFailure:
    detail = facts.get("detail")
    if not isinstance(detail, list):
        return EngineRefused(_policy_in(_text(detail)) or "invalid_input", "HTTP 422")
    found = [
        (_word(entry.get("type")), entry) for entry in detail[:_DETAILS_READ] if isinstance(entry, Mapping)
    ]
    kinds = [kind or "unknown" for kind, _ in found]
    places = "; ".join(f"{_place(entry)}: {kind}" for kind, (_, entry) in zip(kinds, found, strict=True))
    passing = next((kind for kind in kinds if kind in _PASSING), None)
    if passing is not None:
        return EngineUnavailable(passing, f"HTTP 422: {places[:_DETAIL]}")
    final = next((kind for kind in kinds if kind in _FINAL), "invalid_input")
    return EngineRefused(final, places[:_DETAIL])


def _limited(headers: Mapping[str, str], _facts: Mapping[str, Any], _is_submit: bool) -> EngineFailure:
    return EngineUnavailable("rate_limited", "HTTP 429", retry_after_s=_retry_after(headers))


def _cancelled(_headers: Mapping[str, str], _facts: Mapping[str, Any], _is_submit: bool) -> EngineFailure:
    return EngineRefused("cancelled")


_BY_STATUS = {
    401: _unauthorised,
    403: _forbidden,
    404: _not_found,
    422: _invalid,
    429: _limited,
    499: _cancelled,
}
_FOR_THE_OPERATOR = frozenset({401, 403, 404, 429})
# fal's `error_type` where something broke on the way to the model, whatever the status: worth another try.
_ACCIDENTS = frozenset(
    {
        "request_timeout",
        "startup_timeout",
        "runner_scheduling_failure",
        "runner_connection_timeout",
        "runner_disconnected",
        "runner_connection_refused",
        "runner_connection_error",
        "runner_incomplete_response",
        "runner_server_error",
        "client_disconnected",
        "internal_error",
    }
)
# `detail[].type` of a 422 as fal's error page divides them: worth another try, and final.
_PASSING = frozenset(
    {
        "internal_server_error",
        "generation_timeout",
        "downstream_service_error",
        "downstream_service_unavailable",
    }
)
# What may go wrong with a call about a request, whatever became of the request.
_OF_THE_CALL = frozenset(
    {"unauthorised", "exhausted_balance", "forbidden", "ticket_lost", "rate_limited", "not_finished"}
)
_AT_THE_RUNNER = (
    _PASSING | {"start_timeout"} | {kind for kind in _ACCIDENTS if "runner" in kind or "start" in kind}
)
_FINAL = frozenset(
    {
        "content_policy_violation",
        "no_media_generated",
        "image_too_small",
        "image_too_large",
        "image_load_error",
        "file_download_error",
        "face_detection_error",
        "file_too_large",
        "unsupported_image_format",
        "feature_not_supported",
    }
)
_DETAIL = 200
_DETAILS_READ = 5
_LINES_READ = 50
_MAX_PICTURES = 64
_STEPS = re.compile(r"(?<![\d.])(\d{1,6})\s?/\s?(\d{1,6})(?![\d.])")
_PERCENT = re.compile(r"(?<![\d.])(\d{1,3})(?:\.\d+)?%\|?")


def _picture(image: object, *, is_withheld: bool) -> EnginePicture:
    facts = _mapping(image)
    url = facts.get("url")
    if not isinstance(url, str) or not url:
        raise EngineUnavailable("rubbish", "an image has no address")
    content_type = facts.get("content_type")
    return EnginePicture(
        url=url,
        width_px=_whole(facts.get("width")),
        height_px=_whole(facts.get("height")),
        content_type=content_type if isinstance(content_type, str) else None,
        is_withheld=is_withheld,
    )


_Told = tuple[float, int | None, int | None]


def _told_by(line: Mapping[str, Any]) -> _Told | None:
    labels = line.get("labels")
    if isinstance(labels, Mapping):
        step, steps = _number(labels.get("step")), _number(labels.get("steps"))
        if step is not None and steps and (told := _steps_told(step, steps)) is not None:
            return told
    message = line.get("message")
    if not isinstance(message, str):
        return None
    message = message[-500:]  # a bar that redraws itself ends with the newest state
    if bars := _STEPS.findall(message):
        done, total = bars[-1]
        return _steps_told(float(done), float(total))
    if percents := _PERCENT.findall(message):
        progress = _fraction(float(percents[-1]), 100)
        return None if progress is None else (progress, None, None)
    return None


def _steps_told(step: float, steps: float) -> _Told | None:
    progress = _fraction(step, steps)
    if progress is None:
        return None
    return progress, int(min(max(step, 0), steps)), int(steps)


def _fraction(done: float, total: float) -> float | None:
    return min(max(done / total, 0.0), 1.0) if total > 0 else None


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise EngineUnavailable("rubbish", "the answer is not a JSON object")
    return value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _word(value: object) -> str | None:
    """A machine's word such as `missing` or `value_error.missing`; None for anything that could be prose."""
    return value if isinstance(value, str) and re.fullmatch(r"[a-z0-9_.]{1,60}", value) else None


def _place(entry: Mapping[str, Any]) -> str:
    where = entry.get("loc")
    parts: Sequence[object] = where[:6] if isinstance(where, list) else ()
    named = [str(part) for part in parts if isinstance(part, int) or _word(part)]
    return ".".join(named) or "?"


def _policy_in(detail: str) -> str | None:
    is_policy = any(word in detail for word in ("content policy", "content_policy", "nsfw", "safety"))
    return "content_policy_violation" if is_policy else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    seconds = _number(headers.get("retry-after"))
    return min(seconds, 3600.0) if seconds is not None and seconds >= 0 else None
