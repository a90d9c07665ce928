"""Serving one stored file to whoever holds a link that is signed and has not expired."""

from fastapi import APIRouter, HTTPException, Request, Response

from starbooth.base.clock import now
from starbooth.outside.storage.contract import Storage, StorageUnavailable, StoredFileMissing
from starbooth.outside.storage.links import is_valid

_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "safetensors": "application/octet-stream",
}
_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
}


def stored_files(storage: Storage, secret: bytes) -> APIRouter:
    """The route. Every no is the same 404, so that nobody learns which files exist."""
    router = APIRouter()

    @router.get("/files/{key:path}", include_in_schema=False)
    async def serve(key: str, request: Request) -> Response:
        if not is_valid(f"/files/{key}", dict(request.query_params), secret=secret, now=now()):
            raise HTTPException(404)
        content_type = _TYPES.get(key.rpartition(".")[2])
        if content_type is None:
            raise HTTPException(404)
        try:
            body = await storage.get(key)
        except (StoredFileMissing, ValueError) as error:
            raise HTTPException(404) from error
        except StorageUnavailable as error:
            raise HTTPException(503) from error
        return Response(body, media_type=content_type, headers=_HEADERS)

    return router
