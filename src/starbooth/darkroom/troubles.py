"""Every error that fal is known to answer with, by its name: status, body and headers, for faults.

Where fal's own status of an `error_type` is not known, the one that its meaning suggests is used.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Trouble(StrEnum):
    """fal's word for what went wrong, or ours where fal has a sentence only."""

    UNAUTHORISED = "unauthorised"
    EXHAUSTED_BALANCE = "exhausted_balance"
    ADMIN_LOCK = "admin_lock"
    TOP_UP = "top_up"
    PATH_NOT_FOUND = "path_not_found"
    RATE_LIMITED = "rate_limited"
    NGINX_502 = "nginx_502"
    NGINX_503 = "nginx_503"
    NGINX_504 = "nginx_504"
    WRONG_PAGE = "wrong_page"

    REQUEST_TIMEOUT = "request_timeout"
    START_TIMEOUT = "start_timeout"
    STARTUP_TIMEOUT = "startup_timeout"
    RUNNER_SCHEDULING_FAILURE = "runner_scheduling_failure"
    RUNNER_CONNECTION_TIMEOUT = "runner_connection_timeout"
    RUNNER_DISCONNECTED = "runner_disconnected"
    RUNNER_CONNECTION_REFUSED = "runner_connection_refused"
    RUNNER_CONNECTION_ERROR = "runner_connection_error"
    RUNNER_INCOMPLETE_RESPONSE = "runner_incomplete_response"
    RUNNER_SERVER_ERROR = "runner_server_error"
    CLIENT_DISCONNECTED = "client_disconnected"
    CLIENT_CANCELLED = "client_cancelled"
    BAD_REQUEST = "bad_request"
    INTERNAL_ERROR = "internal_error"

    INTERNAL_SERVER_ERROR = "internal_server_error"
    GENERATION_TIMEOUT = "generation_timeout"
    DOWNSTREAM_SERVICE_ERROR = "downstream_service_error"
    DOWNSTREAM_SERVICE_UNAVAILABLE = "downstream_service_unavailable"
    MISSING = "missing"
    LESS_THAN_EQUAL = "less_than_equal"
    CONTENT_POLICY_VIOLATION = "content_policy_violation"
    NO_MEDIA_GENERATED = "no_media_generated"
    IMAGE_TOO_SMALL = "image_too_small"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_LOAD_ERROR = "image_load_error"
    FILE_DOWNLOAD_ERROR = "file_download_error"
    FACE_DETECTION_ERROR = "face_detection_error"
    FILE_TOO_LARGE = "file_too_large"
    UNSUPPORTED_IMAGE_FORMAT = "unsupported_image_format"
    FEATURE_NOT_SUPPORTED = "feature_not_supported"
    POLICY_IN_WORDS = "policy_in_words"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; a text is sent as HTML, all else as JSON."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def answer_of(trouble: Trouble) -> Answer:
    """How fal words it."""
    if trouble in _SENTENCES:
        return _SENTENCES[trouble]
    if trouble in _REQUEST_ERRORS:
        status, message = _REQUEST_ERRORS[trouble]
        body = {"detail": message, "error_type": trouble.value}
        return Answer(status, body, {"X-Fal-Error-Type": trouble.value})
    entry = {"loc": ["body", "prompt"], "msg": f"This cannot be painted: {trouble}", "type": trouble.value}
    return Answer(422, {"detail": [entry]})


def _locked(reason: str) -> Answer:
    return Answer(403, {"detail": f"User is locked. Reason: {reason}"})


def _nginx(status: int, words: str) -> Answer:
    return Answer(status, f"<html><head><title>{status} {words}</title></head><body>nginx</body></html>")


_SENTENCES = {
    Trouble.UNAUTHORISED: Answer(401, {"detail": "Cannot access application. Authentication is required."}),
    Trouble.EXHAUSTED_BALANCE: _locked("Exhausted balance. Top up your balance at fal.ai/dashboard/billing."),
    Trouble.ADMIN_LOCK: _locked("Admin lock."),
    Trouble.TOP_UP: _locked("TOP_UP."),
    Trouble.PATH_NOT_FOUND: Answer(404, {"detail": "Path /x not found"}),
    Trouble.RATE_LIMITED: Answer(429, {"detail": "Too many requests"}, {"Retry-After": "7"}),
    Trouble.NGINX_502: _nginx(502, "Bad Gateway"),
    Trouble.NGINX_503: _nginx(503, "Service Temporarily Unavailable"),
    Trouble.NGINX_504: _nginx(504, "Gateway Time-out"),
    Trouble.WRONG_PAGE: Answer(200, "<!doctype html><title>Something else entirely</title>"),
    Trouble.START_TIMEOUT: Answer(
        504,
        {"detail": "Request timed out", "error_type": "request_timeout"},
        {"X-Fal-Error-Type": "request_timeout", "X-Fal-Request-Timeout-Type": "user"},
    ),
    Trouble.CLIENT_CANCELLED: Answer(499, {"detail": "Request cancelled by the client."}),
    Trouble.POLICY_IN_WORDS: Answer(422, {"detail": "The prompt goes against our content policy."}),
}
_REQUEST_ERRORS = {
    Trouble.REQUEST_TIMEOUT: (504, "Request timed out"),
    Trouble.STARTUP_TIMEOUT: (504, "Runner did not start in time"),
    Trouble.RUNNER_SCHEDULING_FAILURE: (503, "No runner could be scheduled"),
    Trouble.RUNNER_CONNECTION_TIMEOUT: (503, "Connection to runner timed out"),
    Trouble.RUNNER_DISCONNECTED: (503, "Runner lost"),
    Trouble.RUNNER_CONNECTION_REFUSED: (503, "Runner refused the connection"),
    Trouble.RUNNER_CONNECTION_ERROR: (503, "Connection to runner failed"),
    Trouble.RUNNER_INCOMPLETE_RESPONSE: (502, "Runner did not answer to the end"),
    Trouble.RUNNER_SERVER_ERROR: (500, "Runner failed"),
    Trouble.CLIENT_DISCONNECTED: (499, "Client disconnected"),
    Trouble.BAD_REQUEST: (400, "Bad request"),
    Trouble.INTERNAL_ERROR: (500, "Internal server error"),
}
