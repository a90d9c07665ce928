"""fal's storage over HTTP: upload tokens, uploads of both clients, and the files that are given out."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field, TypeAdapter

from starbooth.darkroom.files import UNKNOWN_TYPE, FileStore, content_type_of, is_shown
from starbooth.darkroom.gate import Gate, limited, parsed_body
from starbooth.darkroom.queue_routes import lifetime_s
from starbooth.darkroom.signing import UploadTokens
from starbooth.darkroom.uploads import (
    LARGEST_PART_BYTES,
    LARGEST_WHOLE_BYTES,
    MOST_PARTS,
    Uploads,
)

UPLOAD_LIFETIME_S = 7 * 24 * 3600
TOKEN_LIFETIME_S = 3600
SMALL_FILE_BYTES = 256 * 1024
"""Read at once; three thread switches for a larger one cost more than its reading."""

FILE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=3600",
}


class Initiation(BaseModel):
    """What both clients send to begin an upload."""

    content_type: str = Field(default=UNKNOWN_TYPE, max_length=255)
    file_name: str = Field(default="", max_length=1024)


class Part(BaseModel):
    """A part as its sender remembers it."""

    part_number: int = Field(alias="partNumber", ge=1, le=MOST_PARTS)
    etag: str = Field(max_length=100)


class Completion(BaseModel):
    """The list of all parts, in any order."""

    parts: list[Part] = Field(min_length=1, max_length=MOST_PARTS)


INITIATION = TypeAdapter(Initiation)
COMPLETION = TypeAdapter(Completion)


@dataclass(frozen=True, kw_only=True)
class StorageApi:
    """The calls; the names of their parameters are those in the paths."""

    files: FileStore
    uploads: Uploads
    tokens: UploadTokens
    public_url: str

    def file_url(self, name: str) -> str:
        """Where a file is served."""
        return f"{self.public_url}/files/{name}"

    async def issue_token(self) -> Any:
        """The token answer of `storage/auth/token`."""
        expires_at = int(time.time()) + TOKEN_LIFETIME_S
        return {
            "token": self.tokens.issue(expires_at=expires_at),
            "token_type": "Bearer",
            "base_url": self.public_url,
            "expires_at": datetime.fromtimestamp(expires_at, tz=UTC).isoformat(),
        }

    async def upload_whole(self, request: Request) -> Any:
        """The single-part upload of the Python client."""
        content_type = request.headers.get("content-type", UNKNOWN_TYPE)
        ticket = self.uploads.begin(content_type, lifetime_s=self._lifetime_s(request))
        await self.uploads.put_whole(ticket, limited(request, largest_bytes=LARGEST_WHOLE_BYTES))
        return {"access_url": self.file_url(ticket.name)}

    async def begin_parts(self, request: Request) -> Any:
        """The multipart upload of the Python client."""
        content_type = request.headers.get("content-type", UNKNOWN_TYPE)
        ticket = self.uploads.begin(content_type, lifetime_s=self._lifetime_s(request))
        return {"access_url": self.file_url(ticket.name), "uploadId": ticket.id}

    async def initiate(self, request: Request) -> Any:
        """Both uploads of the JavaScript client, and the `fal` repository of the Python client."""
        wish = await parsed_body(request, INITIATION)
        ticket = self.uploads.begin(wish.content_type, lifetime_s=self._lifetime_s(request))
        return {
            "upload_url": f"{self.public_url}/storage/upload/{ticket.id}",
            "file_url": self.file_url(ticket.name),
        }

    async def put_whole(self, request: Request, ticket_id: str) -> Any:
        """The file of an initiated upload."""
        ticket = self.uploads.find(ticket_id)
        await self.uploads.put_whole(ticket, limited(request, largest_bytes=LARGEST_WHOLE_BYTES))
        return {"file_url": self.file_url(ticket.name)}

    async def put_part(self, request: Request, ticket_id: str, number: int) -> Response:
        """One part: its etag goes into the header for Python and into the body for JavaScript."""
        ticket = self.uploads.find(ticket_id)
        pieces = limited(request, largest_bytes=LARGEST_PART_BYTES)
        etag = await self.uploads.put_part(ticket, number, pieces)
        return JSONResponse({"partNumber": number, "etag": etag}, headers={"ETag": f'"{etag}"'})

    async def complete(self, request: Request, ticket_id: str) -> Any:
        """All parts are there."""
        ticket = self.uploads.find(ticket_id)
        wish = await parsed_body(request, COMPLETION)
        await self.uploads.complete(ticket, {part.part_number: part.etag for part in wish.parts})
        return {"access_url": self.file_url(ticket.name), "file_url": self.file_url(ticket.name)}

    async def serve(self, name: str) -> Response:
        """A file; who knows its name may have it."""
        path = self.files.find(name)
        if path is None:
            raise HTTPException(404, "File not found or expired")
        headers = FILE_HEADERS if is_shown(name) else {**FILE_HEADERS, "Content-Disposition": "attachment"}
        if path.stat().st_size <= SMALL_FILE_BYTES:
            return Response(path.read_bytes(), media_type=content_type_of(name), headers=headers)
        return FileResponse(path, media_type=content_type_of(name), headers=headers)

    async def delete(self, name: str) -> Response:
        """Delete a file before it expires: uploads, pictures and weights alike. fal has no such call."""
        if not self.files.delete(name):
            raise HTTPException(404, "File not found or expired")
        return Response(status_code=204)

    def _lifetime_s(self, request: Request) -> int:
        return lifetime_s(request.headers, default_s=UPLOAD_LIFETIME_S)


def storage_router(api: StorageApi, gate: Gate) -> APIRouter:
    """The paths of rest.fal.ai's storage and of fal's file host."""
    router = APIRouter()
    by_key = [Depends(gate.require_key)]
    by_token = [Depends(gate.require_upload_right)]
    add = router.add_api_route
    add("/files/{name}", api.serve, methods=["GET", "HEAD"])
    add("/files/{name}", api.delete, methods=["DELETE"], dependencies=by_key)
    add("/storage/auth/token", api.issue_token, methods=["POST"], dependencies=by_key)
    add("/storage/upload/initiate", api.initiate, methods=["POST"], dependencies=by_key)
    add("/storage/upload/initiate-multipart", api.initiate, methods=["POST"], dependencies=by_key)
    # Both clients send no key along with what they put here: the ticket in the path is the right to do so.
    add("/storage/upload/{ticket_id}", api.put_whole, methods=["PUT"])
    add("/storage/upload/{ticket_id}/{number}", api.put_part, methods=["PUT"])
    add("/storage/upload/{ticket_id}/complete", api.complete, methods=["POST"])
    add("/files/upload", api.upload_whole, methods=["POST"], dependencies=by_token)
    add("/files/upload/multipart", api.begin_parts, methods=["POST"], dependencies=by_token)
    parts = "/files/{name}/multipart/{ticket_id}"
    add(parts + "/{number}", api.put_part, methods=["PUT"], dependencies=by_token)
    add(parts + "/complete", api.complete, methods=["POST"], dependencies=by_token)
    return router
