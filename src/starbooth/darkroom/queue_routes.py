"""fal's queue protocol over HTTP: submit, status, stream, result, cancel, finish, and the blocking run."""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from starbooth.darkroom import answers
from starbooth.darkroom.gate import LARGEST_INPUT_BYTES, Gate, small_body
from starbooth.darkroom.jobqueue import Cancelling, JobQueue
from starbooth.darkroom.jobs import TRAINERS, Ending, Job, Json, LiveJob
from starbooth.darkroom.line import Priority
from starbooth.darkroom.lora_training.archive import LARGEST_INLINE_ZIP_BYTES
from starbooth.darkroom.lora_training.inputs import parse_training
from starbooth.darkroom.photos import LARGEST_PHOTO_BYTES
from starbooth.darkroom.records import Accepted
from starbooth.darkroom.schemas import (
    ENDPOINTS,
    PHOTO_ENDPOINTS,
    InvalidInput,
    choose_seed,
    names_files,
    parse_arguments,
)

PICTURE_LIFETIME_S = 24 * 3600
LONGEST_LIFETIME_S = 365 * 24 * 3600
LARGEST_PHOTO_INPUT_BYTES = LARGEST_PHOTO_BYTES * 4 // 3 + LARGEST_INPUT_BYTES
"""A photo can lie in the input as a data URL, a third larger than itself."""

LARGEST_TRAINING_INPUT_BYTES = LARGEST_INLINE_ZIP_BYTES * 4 // 3 + LARGEST_INPUT_BYTES
LONGEST_KEY = 255
LONGEST_WEBHOOK_URL = 2048
WEB_ADDRESS = TypeAdapter(AnyHttpUrl)
PING_S = 15.0
LOOK_S = 1.0
"""So often a stream looks whether its place in the line has changed."""

CANCEL_STATUS = {
    Cancelling.OK: 200,
    Cancelling.REQUESTED: 202,
    Cancelling.TOO_LATE: 400,
    Cancelling.UNKNOWN: 404,
}


@dataclass(frozen=True, kw_only=True)
class QueueApi:
    """The calls; the names of their parameters are those in the paths."""

    queue: JobQueue
    take_in: Callable[[Json], Json]
    """`Materials.take_in`, called in a thread."""

    drop: Callable[[Json], None]
    """`Materials.drop`: what was taken in was not needed."""

    public_url: str
    ping_s: float = PING_S

    async def submit(self, request: Request, endpoint: str) -> Response:
        """Accept a request; 200 means that it is on the disk."""
        accepted = await self._accept(request, endpoint)
        job = accepted.job
        live = self.queue.find(job.id)
        state = {"status": "COMPLETED"}
        if live is not None:
            position = self.queue.position(live)
            state = answers.live_status(live, position=position, with_logs=False, public_url=self.public_url)
        body = {"queue_position": 0, **state, **answers.links(job, self.public_url)}
        return JSONResponse(body, headers={"x-fal-request-id": job.id})

    async def run(self, request: Request, endpoint: str) -> Response:
        """Accept a request and answer with its result.

        When the caller hangs up it is cancelled, but not if it has a request key: the caller may come back.
        """
        job = (await self._accept(request, endpoint)).job
        while live := self.queue.find(job.id):
            is_over = await _is_set_within(live.next_change, LOOK_S)
            if not is_over and job.request_key is None and await request.is_disconnected():
                await self.queue.cancel(job.id)
        return answers.result(*self._ended(job.app, job.id))

    async def status(self, owner: str, alias: str, request_id: str, logs: bool = False) -> Response:
        """202 while it is not finished, 200 not before it is."""
        live = self._live(f"{owner}/{alias}", request_id)
        if live is not None:
            position = self.queue.position(live)
            body = answers.live_status(live, position=position, with_logs=logs, public_url=self.public_url)
            job, status_code = live.job, 202
        else:
            job, ending = self._ended(f"{owner}/{alias}", request_id)
            body, status_code = answers.ended_status(ending, with_logs=logs), 200
        body |= answers.links(job, self.public_url)
        return JSONResponse(body, status_code, headers={"x-fal-request-id": job.id})

    async def stream(self, owner: str, alias: str, request_id: str, logs: bool = False) -> Response:
        """Status as server-sent events, until it is finished; each log line comes once."""
        live = self._live(f"{owner}/{alias}", request_id)
        job = live.job if live is not None else self._ended(f"{owner}/{alias}", request_id)[0]
        headers = {"x-fal-request-id": job.id, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(job, logs), media_type="text/event-stream", headers=headers)

    async def result(self, owner: str, alias: str, request_id: str) -> Response:
        """The result, or 400 while there is none."""
        if self._live(f"{owner}/{alias}", request_id) is not None:
            body = {"detail": answers.IN_PROGRESS}
            return JSONResponse(body, 400, headers={"x-fal-request-id": request_id})
        return answers.result(*self._ended(f"{owner}/{alias}", request_id))

    async def cancel(self, owner: str, alias: str, request_id: str) -> Response:
        """Take it out of the line, or ask the painter to stop."""
        return await self._ended_early(self.queue.cancel, f"{owner}/{alias}", request_id)

    async def finish(self, owner: str, alias: str, request_id: str) -> Response:
        """Have a training end well with what it has learned so far. Not fal's."""
        return await self._ended_early(self.queue.finish, f"{owner}/{alias}", request_id)

    async def _ended_early(
        self, end: Callable[[str], Awaitable[Cancelling]], app: str, request_id: str
    ) -> Response:
        live = self.queue.find(request_id)
        is_of_app = live is None or live.job.app == app
        answer = await end(request_id) if is_of_app else Cancelling.UNKNOWN
        headers = {"x-fal-request-id": request_id} if answer is not Cancelling.UNKNOWN else {}
        return JSONResponse({"status": answer}, CANCEL_STATUS[answer], headers=headers)

    async def preview(self, request_id: str, name: str) -> Response:
        """A preview, or 404: only the last few are kept, and none outlives the painting."""
        live = self.queue.find(request_id)
        asked = name.encode()
        fitting = (
            preview
            for preview in (live.previews if live is not None else ())
            if hmac.compare_digest(preview.name.encode(), asked)
        )
        preview = next(fitting, None)
        if preview is None:
            raise HTTPException(404, "There is no such preview, or no more")
        headers = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
        return Response(preview.content, media_type="image/jpeg", headers=headers)

    async def _accept(self, request: Request, endpoint: str) -> Accepted:
        endpoint = endpoint.strip("/")
        given = await _parsed(request, endpoint)
        headers, now = request.headers, time.time()
        start_within_s = _start_within_s(headers)
        job = Job(
            id=str(uuid.uuid4()),
            endpoint=endpoint,
            arguments=given,
            priority=_priority(headers),
            request_key=_request_key(headers),
            fingerprint=_fingerprint(endpoint, given),
            webhook_url=_webhook_url(request.query_params.get("fal_webhook")),
            picture_lifetime_s=lifetime_s(headers, default_s=PICTURE_LIFETIME_S),
            start_by=None if start_within_s is None else now + start_within_s,
            accepted_at=now,
        )
        longest_line = _longest_line(request.query_params)
        arguments = await asyncio.to_thread(self.take_in, given) if names_files(given) else given
        job = replace(job, arguments=choose_seed(arguments))
        is_new = False
        try:
            accepted = await self.queue.accept(job, longest_line=longest_line)
            is_new = accepted.is_new
        finally:
            if not is_new:
                self.drop(arguments)
        return accepted

    def _live(self, app: str, request_id: str) -> LiveJob | None:
        live = self.queue.find(request_id)
        return live if live is not None and live.job.app == app else None

    def _ended(self, app: str, request_id: str) -> tuple[Job, Ending]:
        found = self.queue.find_ended(request_id)
        if found is None or found[0].app != app:
            raise HTTPException(404, f"Request {request_id} not found")
        return found

    async def _events(self, job: Job, with_logs: bool) -> AsyncIterator[str]:
        logs_sent, last_sent_at, last_seen = 0, time.monotonic(), None
        while live := self.queue.find(job.id):
            change = live.next_change
            position = self.queue.position(live)
            seen = (live.is_running, position, len(live.logs) if with_logs else 0, live.preview)
            if seen != last_seen:
                body = answers.live_status(
                    live,
                    position=position,
                    with_logs=with_logs,
                    public_url=self.public_url,
                    logs_from=logs_sent,
                )
                logs_sent = len(live.logs) if live.is_running else 0
                last_seen, last_sent_at = seen, time.monotonic()
                yield self._event(job, body)
            elif time.monotonic() - last_sent_at >= self.ping_s:
                last_sent_at = time.monotonic()
                yield ": ping\n\n"
            await _is_set_within(change, LOOK_S)
        _, ending = self._ended(job.app, job.id)
        yield self._event(job, answers.ended_status(ending, with_logs=with_logs, logs_from=logs_sent))

    def _event(self, job: Job, body: Json) -> str:
        return f"data: {json.dumps(body | answers.links(job, self.public_url))}\n\n"


def requests_router(api: QueueApi, gate: Gate) -> APIRouter:
    """The paths of a request that was accepted."""
    router = APIRouter(dependencies=[Depends(gate.require_key)])
    base = "/{owner}/{alias}/requests/{request_id}"
    router.add_api_route(base + "/status", api.status, methods=["GET"])
    router.add_api_route(base + "/status/", api.status, methods=["GET"])
    router.add_api_route(base, api.result, methods=["GET"])
    router.add_api_route(base + "/", api.result, methods=["GET"])
    router.add_api_route(base + "/status/stream", api.stream, methods=["GET"])
    router.add_api_route(base + "/cancel", api.cancel, methods=["PUT"])
    router.add_api_route(base + "/finish", api.finish, methods=["PUT"])
    return router


def previews_router(api: QueueApi) -> APIRouter:
    """Previews, without a key as pictures are: the name is the right to see it."""
    router = APIRouter()
    router.add_api_route("/previews/{request_id}/{name}", api.preview, methods=["GET"])
    return router


def submit_router(api: QueueApi, gate: Gate) -> APIRouter:
    """Submit and the blocking run. Submit takes every path, so this router is to be included last."""
    router = APIRouter(dependencies=[Depends(gate.require_key)])
    router.add_api_route("/run/{endpoint:path}", api.run, methods=["POST"])
    router.add_api_route("/{endpoint:path}", api.submit, methods=["POST"])
    return router


def lifetime_s(headers: Mapping[str, str], *, default_s: int) -> int:
    """The lifetime of files asked for by fal's lifecycle headers, in seconds, at most a year.

    Raises: InvalidInput when the header is there and says nothing usable.
    """
    for name in ("x-fal-object-lifecycle", "x-fal-object-lifecycle-preference"):
        if name not in headers:
            continue
        try:
            wish = json.loads(headers[name]).get("expiration_duration_seconds")
            return default_s if wish is None else max(1, min(int(wish), LONGEST_LIFETIME_S))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise _invalid_header(name, "expected JSON with expiration_duration_seconds") from error
    return default_s


async def _parsed(request: Request, endpoint: str) -> Json:
    """The input of a request. Raises: HTTPException 404, 413; InvalidInput."""
    if endpoint in TRAINERS:
        return parse_training(endpoint, await small_body(request, largest_bytes=LARGEST_TRAINING_INPUT_BYTES))
    if endpoint not in ENDPOINTS:
        raise HTTPException(404, f"Path /{endpoint} not found")
    largest_bytes = LARGEST_PHOTO_INPUT_BYTES if endpoint in PHOTO_ENDPOINTS else LARGEST_INPUT_BYTES
    return parse_arguments(endpoint, await small_body(request, largest_bytes=largest_bytes))


async def _is_set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return False
    return True


def _priority(headers: Mapping[str, str]) -> Priority:
    try:
        return Priority(headers.get("x-fal-queue-priority", Priority.NORMAL).lower())
    except ValueError as error:
        raise _invalid_header("x-fal-queue-priority", "expected normal or low") from error


def _longest_line(query: Mapping[str, str]) -> int | None:
    text = query.get("fal_max_queue_length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9):
        where = ["query", "fal_max_queue_length"]
        raise InvalidInput([{"loc": where, "msg": "expected a number", "type": "int_parsing"}])
    return int(text)


def _request_key(headers: Mapping[str, str]) -> str | None:
    key = headers.get("x-starbooth-request-key")
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        raise _invalid_header("x-starbooth-request-key", f"expected 1 to {LONGEST_KEY} characters")
    return key


def _start_within_s(headers: Mapping[str, str]) -> float | None:
    for name in ("x-fal-request-start-timeout", "x-fal-request-timeout"):
        if name not in headers:
            continue
        try:
            seconds = float(headers[name])
        except ValueError as error:
            raise _invalid_header(name, "expected seconds") from error
        if not 0 < seconds < LONGEST_LIFETIME_S:
            raise _invalid_header(name, "expected seconds")
        return seconds
    return None


def _webhook_url(text: str | None) -> str | None:
    """Raises: InvalidInput for what is not a plain http(s) address."""
    if not text:
        return None
    problem = InvalidInput(
        [{"loc": ["query", "fal_webhook"], "msg": "expected an http or https URL", "type": "url_parsing"}]
    )
    try:
        url = WEB_ADDRESS.validate_python(text)
    except ValidationError as error:
        raise problem from error
    if url.username or url.password or len(text) > LONGEST_WEBHOOK_URL:
        raise problem
    return text


def _fingerprint(endpoint: str, arguments: Json) -> str:
    """Tells equal requests: of endpoint and input with defaults filled in, before a seed is chosen."""
    return hashlib.sha256(json.dumps([endpoint, arguments], sort_keys=True).encode()).hexdigest()


def _invalid_header(name: str, problem: str) -> InvalidInput:
    return InvalidInput([{"loc": ["header", name], "msg": problem, "type": "value_error"}])
