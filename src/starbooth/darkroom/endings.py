"""How a job ends without pictures, in fal's words. Pure: facts in, endings out."""

from starbooth.darkroom.faults import Rule
from starbooth.darkroom.jobs import Ending, Json, failed


def internal_error() -> Ending:
    """A bug of ours."""
    message = "Internal server error"
    return _named(status_code=500, message=message, error_type="internal_error")


def runner_lost(message: str = "Runner lost") -> Ending:
    """The process that painted died."""
    return _named(status_code=503, message=message, error_type="runner_disconnected")


def refused(details: list[Json]) -> Ending:
    """The input turned out to be impossible when the painter looked at it: fal's 422, only later."""
    return failed(
        status_code=422, answer={"detail": details}, error="Invalid input", error_type="bad_request"
    )


def by_rule(rule: Rule) -> Ending:
    """The end that a fault wants, or that of a lost runner where it says nothing."""
    answer = rule.answer
    if answer is None:
        return runner_lost()
    body = answer.body if isinstance(answer.body, dict) else {"detail": answer.body or "Runner lost"}
    error_type = answer.headers.get("X-Fal-Error-Type") or body.get("error_type") or "runner_server_error"
    is_ours = answer.status == 422  # a model's answer, not an accident on the way to it
    return failed(
        status_code=answer.status,
        answer=body,
        error="Invalid input" if is_ours else "Runner lost",
        error_type="bad_request" if is_ours else error_type,
    )


def _named(*, status_code: int, message: str, error_type: str) -> Ending:
    answer = {"detail": message, "error_type": error_type}
    return failed(status_code=status_code, answer=answer, error=message, error_type=error_type)
