"""The JSON and headers that go over the wire, as fal words them. Pure: values in, values out."""

from fastapi.responses import JSONResponse

from starbooth.darkroom.jobs import Ending, Job, Json, LiveJob, State

IN_PROGRESS = "Request is still in progress"


def links(job: Job, public_url: str) -> Json:
    """The id and the three absolute links that every answer about a request carries."""
    base = f"{public_url}/{job.app}/requests/{job.id}"
    return {
        "request_id": job.id,
        "response_url": base,
        "status_url": f"{base}/status",
        "cancel_url": f"{base}/cancel",
    }


def live_status(
    live: LiveJob, *, position: int, with_logs: bool, public_url: str, logs_from: int = 0
) -> Json:
    """Status of a job that has not ended; `logs_from` skips lines that were sent before.

    `preview_url` is not fal's; its clients pass over names that they do not know.
    """
    if not live.is_running:
        return {"status": "IN_QUEUE", "queue_position": position}
    status: Json = {
        "status": "IN_PROGRESS",
        "logs": live.logs[logs_from:] if with_logs else None,
        "metrics": {},
    }
    if live.preview is not None:
        status["preview_url"] = f"{public_url}/previews/{live.job.id}/{live.preview.name}"
    return status


def ended_status(ending: Ending, *, with_logs: bool, logs_from: int = 0) -> Json:
    """Status of a job that ended, well or not: always COMPLETED."""
    status: Json = {
        "status": "COMPLETED",
        "logs": list(ending.logs[logs_from:]) if with_logs else None,
        "metrics": {} if ending.inference_s is None else {"inference_time": ending.inference_s},
    }
    if ending.error is not None:
        status |= {"error": ending.error, "error_type": ending.error_type}
    return status


def result(job: Job, ending: Ending) -> JSONResponse:
    """The model's own status, headers and body."""
    answer = JSONResponse(ending.answer, ending.status_code, headers={"x-fal-request-id": job.id})
    if ending.state is State.FAILED and ending.error_type is not None:
        answer.headers["X-Fal-Error-Type"] = ending.error_type
    if ending.error_type == "request_timeout":
        answer.headers["X-Fal-Request-Timeout-Type"] = "user"
    return answer
