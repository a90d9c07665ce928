"""The chat page: its HTML, its live events, and the pictures and files that it shows."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape

from starbooth.playground.errors import ApiError, GuestError
from starbooth.playground.world import World

FOLDER = Path(__file__).parent
_QUIET_S = 15.0
_SAFETY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; frame-ancestors 'self';"
        " base-uri 'none'; form-action 'none'; object-src 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

router = APIRouter()
_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=select_autoescape(["html"])
)


@router.get("/", response_class=HTMLResponse)
async def read_page(request: Request) -> HTMLResponse:
    world: World = request.app.state.world
    html = _templates.get_template("chat.html").render(bot=world.bot, note=request.app.state.note)
    return HTMLResponse(html, headers={**_SAFETY_HEADERS, "cache-control": "no-store"})


@router.get("/events")
async def follow_events(
    request: Request,
    after: Annotated[int, Query(ge=0)] = 0,
    last_event_id: Annotated[int | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events from number `after` on, or from where a broken connection ended."""
    world: World = request.app.state.world
    events = _lines(world, last_event_id if last_event_id is not None else after or world.feed.last_number)
    return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-store"})


async def _lines(world: World, after: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for event in world.feed.follow(after, quiet_s=_QUIET_S):
        if event is None:
            yield ": still here\n\n"
            continue
        content = json.dumps({"kind": event.kind, "chat_id": event.chat_id, "content": event.content})
        yield f"id: {event.number}\ndata: {content}\n\n"


@router.get("/media/{file_id}")
async def read_media(request: Request, file_id: str, name: str = "") -> Response:
    """A photo's size, or a file; with `name` as a download of that name. Only photos are ever shown in the
    page.
    """
    world: World = request.app.state.world
    try:
        stored, letter = world.files.find(file_id)
        content = await asyncio.to_thread(world.files.content, stored, letter)
    except ApiError as problem:
        raise GuestError(404, problem.description) from None
    is_photo = stored.kind == "photo"
    headers = {**_SAFETY_HEADERS, "cache-control": "private, max-age=86400, immutable"}
    if name or stored.kind not in ("photo", "voice"):
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(name or stored.name, safe='')}"
    kind = "image/jpeg" if is_photo else "audio/wav" if stored.kind == "voice" else "application/octet-stream"
    return Response(content, media_type=kind, headers=headers)
