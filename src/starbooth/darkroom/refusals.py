"""Every refusal of the server in fal's words: which exception becomes which status and body."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from starbooth.darkroom.jobqueue import LineFull
from starbooth.darkroom.records import KeyReused
from starbooth.darkroom.schemas import InvalidInput
from starbooth.darkroom.uploads import UploadRefused


def add_refusals(app: FastAPI) -> None:
    """Teach the application to word them."""

    @app.exception_handler(InvalidInput)
    async def invalid(_: Request, error: InvalidInput) -> Response:
        return _refusal(422, error.details)

    @app.exception_handler(RequestValidationError)
    async def invalid_call(_: Request, error: RequestValidationError) -> Response:
        details = [{name: detail[name] for name in ("loc", "msg", "type")} for detail in error.errors()]
        return _refusal(422, details)

    @app.exception_handler(UploadRefused)
    async def upload_refused(_: Request, error: UploadRefused) -> Response:
        return _refusal(error.status_code, str(error))

    app.add_exception_handler(KeyReused, _key_reused)
    app.add_exception_handler(LineFull, _line_full)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _bug)


async def _key_reused(_: Request, __: Exception) -> Response:
    message = "This request key was used before with another endpoint or input"
    where = ["header", "x-starbooth-request-key"]
    return _refusal(422, [{"loc": where, "msg": message, "type": "request_key_reused"}])


async def _line_full(_: Request, __: Exception) -> Response:
    return _refusal(429, "The queue is full; try again later")


async def _plain(request: Request, error: Exception) -> Response:
    """What has a status of its own. Submit takes every path, by POST: another method found no page."""
    assert isinstance(error, HTTPException)
    if error.detail in {"Not Found", "Method Not Allowed"}:
        return _refusal(404, f"Path {request.url.path} not found")
    return _refusal(error.status_code, error.detail)


async def _bug(_: Request, __: Exception) -> Response:
    """Anything unforeseen; the server logs it."""
    return JSONResponse({"detail": "Internal server error", "error_type": "internal_error"}, 500)


def _refusal(status_code: int, detail: object) -> Response:
    return JSONResponse({"detail": detail}, status_code)
