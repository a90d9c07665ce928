"""Who may come in, and how much they may carry: the key, upload tokens, limits of request bodies."""

import hmac
import time
from collections.abc import AsyncIterator
from typing import TypeVar

from fastapi import HTTPException, Request
from pydantic import TypeAdapter, ValidationError

from starbooth.darkroom.schemas import refused_by
from starbooth.darkroom.signing import UploadTokens

T = TypeVar("T")

LARGEST_INPUT_BYTES = 1024 * 1024
NO_KEY = "Cannot access this engine: send the header 'Authorization: Key <key>' with a valid key."


class Gate:
    """Knows the one key of this server. Comparisons take constant time."""

    def __init__(self, key: str, tokens: UploadTokens) -> None:
        self._key = key.encode()
        self._tokens = tokens

    async def require_key(self, request: Request) -> None:
        """Raises: HTTPException 401 unless the call carries the key."""
        if not self._has_key(request):
            raise HTTPException(401, NO_KEY)

    async def require_upload_right(self, request: Request) -> None:
        """Raises: HTTPException 401 unless the call carries the key or a valid upload token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        is_token = scheme.lower() == "bearer" and self._tokens.is_valid(token, now=time.time())
        if not is_token and not self._has_key(request):
            raise HTTPException(401, NO_KEY)

    def _has_key(self, request: Request) -> bool:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return hmac.compare_digest(key.strip().encode(), self._key) and scheme.lower() == "key"


async def limited(request: Request, *, largest_bytes: int) -> AsyncIterator[bytes]:
    """The body in pieces.

    Raises: HTTPException 413 as soon as it is, or says that it will be, larger than allowed.
    """
    too_large = HTTPException(413, f"The body may have at most {largest_bytes} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > largest_bytes:
        raise too_large
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > largest_bytes:
            raise too_large
        yield piece


async def small_body(request: Request, *, largest_bytes: int = LARGEST_INPUT_BYTES) -> bytes:
    """The whole body of an ordinary call. Raises: HTTPException 413."""
    return b"".join([piece async for piece in limited(request, largest_bytes=largest_bytes)])


async def parsed_body(request: Request, schema: TypeAdapter[T]) -> T:
    """The body of an ordinary call as a value.

    FastAPI itself would read it without a limit, and before it asks for the key.

    Raises: HTTPException 413, InvalidInput.
    """
    try:
        return schema.validate_json(await small_body(request) or b"{}")
    except ValidationError as error:
        raise refused_by(error) from error
