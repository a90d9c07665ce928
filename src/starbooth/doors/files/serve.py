"""Stored files, for whoever has a link that is signed and has not expired."""

from datetime import datetime

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from starbooth.base.clock import now
from starbooth.outside.storage.contract import Storage, StorageUnavailable, StoredFileMissing
from starbooth.outside.storage.links import is_valid

_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "safetensors": "application/octet-stream",
    "json": "application/json",
    "zip": "application/zip",
}
# Guests' own photos go to engines as copies, and to nobody by an address: no link opens them.
_NEVER = ("photos/", "training/")
# What a browser may keep for a while; weights and exports it may not.
_CACHED = ("pictures/", "thumbnails/")
_LONGEST_CACHE_S = 3600
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


def stored_files(storage: Storage, secret: bytes) -> APIRouter:
    """The route. Every no is the same 404, so that nobody learns which files exist."""
    router = APIRouter()

    @router.get("/files/{key:path}", include_in_schema=False)
    async def serve(key: str, request: Request) -> Response:
        moment = now()
        if not is_valid(f"/files/{key}", dict(request.query_params), secret=secret, now=moment):
            raise HTTPException(404)
        content_type = _TYPES.get(key.rpartition(".")[2])
        if content_type is None or key.startswith(_NEVER):
            raise HTTPException(404)
        try:
            found = await storage.look_at(key)
        except (StoredFileMissing, ValueError) as error:
            raise HTTPException(404) from error
        except StorageUnavailable as error:
            raise HTTPException(503) from error
        headers = {
            **_HEADERS,
            "Content-Length": str(found.size_bytes),
            "Cache-Control": _cache(key, request.query_params["expires"], moment),
        }
        return StreamingResponse(storage.stream(key), media_type=content_type, headers=headers)

    return router


def _cache(key: str, expires: str, moment: datetime) -> str:
    """A copy in a browser lives no longer than the link that it was had by."""
    if not key.startswith(_CACHED):
        return "no-store"
    left_s = int(expires) - int(moment.timestamp())
    return f"private, max-age={max(0, min(_LONGEST_CACHE_S, left_s))}"
