"""The control API of inline mode: type `@bot words`, look at the results, send one."""

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from starbooth.playground import inline
from starbooth.playground.control import MAX_WAIT_S, TheSeat, TheWorld
from starbooth.playground.errors import GuestError, Json

router = APIRouter(prefix="/control/users/{user_id}/inline")


class NewQuery(BaseModel):
    """offset: the `next_offset` of an earlier answer, for more."""

    text: str = ""
    offset: str = ""
    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = 10


class Picked(BaseModel):
    result_id: str


@router.post("")
async def ask(world: TheWorld, seat: TheSeat, new: NewQuery) -> Json:
    """`answer` is what the bot answered, or null when it did not in time."""
    query = inline.ask(world, seat, new.text, offset=new.offset)
    world.commit()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + new.wait_s
    while query.answer is None and (left_s := deadline - loop.time()) > 0:
        if not await world.feed.wait(seat.user_id, left_s):
            break
    return asdict(query)


@router.post("/{query_id}/pick", status_code=201)
async def pick(world: TheWorld, seat: TheSeat, query_id: str, picked: Picked) -> Json:
    """Send a result into the chat; answers with the message."""
    message = await inline.pick(world, seat, query_id, picked.result_id)
    world.commit()
    return message


@router.get("/{query_id}/{result_id}/thumbnail")
async def read_thumbnail(world: TheWorld, seat: TheSeat, query_id: str, result_id: str) -> Response:
    """The small picture of a result that lies at an address of this machine, for the page."""
    _, result = inline.find_result(world, seat.user_id, query_id, result_id)
    if "thumbnail_url" not in result:
        raise GuestError(404, "this result is shown by its file id")
    picture = await inline.fetch_picture(result["thumbnail_url"])
    return Response(picture.content, media_type="image/jpeg", headers={"x-content-type-options": "nosniff"})
