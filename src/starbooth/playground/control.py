"""The control API under `/control`: act as a guest, look at chats, wait, switch faults on. JSON, for tests
and the page.

Parses and answers; what a guest can do is in `guests`, what costs Stars in `control_stars`. It has
no login: bind it to this machine only.
"""

import asyncio
import re
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Depends, File, Form, Query, Request, UploadFile
from pydantic import BaseModel, Field

from starbooth.playground import guests, profile
from starbooth.playground.chats import Chat, Room
from starbooth.playground.errors import GuestError, Json
from starbooth.playground.faults import FaultKind
from starbooth.playground.files import MAX_DOCUMENT_BYTES
from starbooth.playground.params import Upload
from starbooth.playground.seats import Seat, take_seat
from starbooth.playground.world import World

MAX_WAIT_S = 120.0

Answer = TypeVar("Answer")

router = APIRouter(prefix="/control")


class NewGuest(BaseModel):
    first_name: Annotated[str, Field(min_length=1, max_length=64)]
    last_name: Annotated[str, Field(max_length=64)] = ""
    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{0,32}$")] = ""
    language_code: Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z]{2,4})?)?$")] = "en"
    user_id: Annotated[int, Field(ge=0, lt=2**52)] = 0


class NewText(BaseModel):
    text: str
    reply_to: int | None = None


class NewSticker(BaseModel):
    emoji: Annotated[str, Field(min_length=1, max_length=16)] = "👍"


class NewVoice(BaseModel):
    duration_s: Annotated[int, Field(ge=1, le=60)] = 2


class NewLocation(BaseModel):
    latitude: Annotated[float, Field(ge=-90, le=90)] = 40.4168
    longitude: Annotated[float, Field(ge=-180, le=180)] = -3.7038


class NewContact(BaseModel):
    phone_number: Annotated[str, Field(min_length=3, max_length=32)] = "+100000000"
    first_name: Annotated[str, Field(min_length=1, max_length=64)] = "Ada"


class Press(BaseModel):
    message_id: int
    callback_data: str
    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = 0


class Wanted(BaseModel):
    """What `wait` looks for: the first message that meets every condition given."""

    text_matches: str = ""
    has: str = ""
    from_bot: bool = True
    after_message_id: int = 0
    timeout_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = 10


class NewFault(BaseModel):
    kind: FaultKind
    method: str = "*"
    chat_id: int | None = None
    count: Annotated[int | None, Field(ge=1)] = 1
    probability: Annotated[float, Field(gt=0, le=1)] = 1
    seconds: Annotated[float, Field(ge=0, le=300)] = 1
    seed: int = 0


def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


def _chat(request: Request, user_id: int) -> Chat:
    return _world(request).guest(user_id)


def _seat(request: Request, user_id: int, chat: int = 0, thread: int = 0) -> Seat:
    return take_seat(_world(request), user_id, chat_id=chat, thread_id=thread)


TheWorld = Annotated[World, Depends(_world)]
TheChat = Annotated[Chat, Depends(_chat)]
TheSeat = Annotated[Seat, Depends(_seat)]


@router.get("/state")
async def read_state(world: TheWorld) -> Json:
    """The bot and all guests with their last message; `change` is where to follow the events from."""
    return {
        "change": world.feed.last_number,
        "bot": {**world.bot.as_user(), "about": profile.text_for(world, "short_description", "")},
        "guests": [chat.summary() for chat in world.chats.values()],
        "groups": [group.summary() for group in world.groups.values()],
        "pending_updates": len(world.updates),
        "has_webhook": bool(world.webhook),
    }


@router.post("/users", status_code=201)
async def add_guest(world: TheWorld, new: NewGuest) -> Json:
    chat = world.add_guest(
        new.first_name,
        last_name=new.last_name,
        username=new.username,
        language_code=new.language_code,
        user_id=new.user_id,
    )
    world.commit()
    return chat.user


@router.get("/users")
async def list_guests(world: TheWorld) -> list[Json]:
    return [chat.summary() for chat in world.chats.values()]


@router.get("/users/{user_id}/messages")
async def read_messages(
    world: TheWorld,
    seat: TheSeat,
    after: int = 0,
    wait_s: Annotated[float, Query(ge=0, le=MAX_WAIT_S)] = 0,
) -> Json:
    """Messages changed since `after`, which is a `change` of an earlier answer; waits for the first such
    change.
    """
    change = world.feed.last_number
    messages = _changed(seat.room, after)
    if after and not messages and wait_s and await world.feed.wait(seat.room.chat_id, wait_s):
        change = world.feed.last_number
        messages = _changed(seat.room, after)
    return {"change": change, "messages": messages}


@router.get("/users/{user_id}/profile")
async def read_profile(world: TheWorld, seat: TheSeat) -> Json:
    """What the bot set up for this guest here: commands and descriptions in the guest's language."""
    language_code = seat.person.user.get("language_code", "")
    return {
        "commands": profile.commands_for(world, seat.room.chat_id, language_code),
        "description": profile.text_for(world, "description", language_code),
        "short_description": profile.text_for(world, "short_description", language_code),
    }


@router.post("/users/{user_id}/wait")
async def wait_for_message(world: TheWorld, seat: TheSeat, wanted: Wanted) -> Json:
    """The first message that is as wanted; 408 when there is none in time."""
    try:
        pattern = re.compile(wanted.text_matches)
    except re.error as problem:
        raise GuestError(400, f"text_matches is no regular expression: {problem}") from None
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wanted.timeout_s
    while True:
        for message in seat.room.messages.values():
            if _is_wanted(world, message, wanted, pattern):
                return message
        left_s = deadline - loop.time()
        if left_s <= 0 or not await world.feed.wait(seat.room.chat_id, left_s):
            raise GuestError(408, "no such message came in time")


@router.post("/users/{user_id}/messages", status_code=201)
async def say(world: TheWorld, seat: TheSeat, new: NewText) -> Json:
    return _done(world, guests.say(world, seat, new.text, reply_to=new.reply_to))


@router.post("/users/{user_id}/photo", status_code=201)
async def send_photo(
    world: TheWorld,
    seat: TheSeat,
    file: Annotated[list[UploadFile], File()],
    caption: Annotated[str, Form()] = "",
    reply_to: Annotated[int | None, Form()] = None,
) -> Any:
    """One file gives one photo (and its message), two to ten an album (and the list of its messages)."""
    uploads = [await _uploaded(part) for part in file[:10]]
    if len(uploads) == 1:
        sent = guests.send_photo(world, seat, uploads[0], caption=caption, reply_to=reply_to)
        return _done(world, sent)
    return _done(world, guests.send_album(world, seat, uploads, caption=caption))


@router.post("/users/{user_id}/document", status_code=201)
async def send_document(
    world: TheWorld,
    seat: TheSeat,
    file: Annotated[UploadFile, File()],
    caption: Annotated[str, Form()] = "",
    reply_to: Annotated[int | None, Form()] = None,
) -> Json:
    upload = await _uploaded(file)
    return _done(world, guests.send_document(world, seat, upload, caption=caption, reply_to=reply_to))


@router.post("/users/{user_id}/sticker", status_code=201)
async def send_sticker(world: TheWorld, seat: TheSeat, new: NewSticker) -> Json:
    return _done(world, guests.send_sticker(world, seat, new.emoji))


@router.post("/users/{user_id}/voice", status_code=201)
async def send_voice(world: TheWorld, seat: TheSeat, new: NewVoice) -> Json:
    return _done(world, guests.send_voice(world, seat, duration_s=new.duration_s))


@router.post("/users/{user_id}/location", status_code=201)
async def send_location(world: TheWorld, seat: TheSeat, new: NewLocation) -> Json:
    return _done(world, guests.send_location(world, seat, latitude=new.latitude, longitude=new.longitude))


@router.post("/users/{user_id}/contact", status_code=201)
async def send_contact(world: TheWorld, seat: TheSeat, new: NewContact) -> Json:
    sent = guests.send_contact(world, seat, phone_number=new.phone_number, first_name=new.first_name)
    return _done(world, sent)


@router.patch("/users/{user_id}/messages/{message_id}")
async def edit_text(
    world: TheWorld, seat: TheSeat, message_id: int, text: Annotated[str, Body(embed=True)]
) -> Json:
    return _done(world, guests.edit_text(world, seat, message_id, text))


@router.delete("/users/{user_id}/messages/{message_id}")
async def delete_message(world: TheWorld, seat: TheSeat, message_id: int) -> Json:
    guests.delete(world, seat, message_id)
    return _done(world, {"deleted": message_id})


@router.post("/users/{user_id}/press")
async def press(world: TheWorld, seat: TheSeat, pressed: Press) -> Json:
    """Press a button; with `wait_s`, `answer` is what the bot answered, or null when it did not in time."""
    callback = guests.press(world, seat, pressed.message_id, pressed.callback_data)
    world.commit()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + pressed.wait_s
    while callback.answer is None and (left_s := deadline - loop.time()) > 0:
        if not await world.feed.wait(seat.room.chat_id, left_s):
            break
    return {"query_id": callback.query_id, "answer": callback.answer}


@router.post("/users/{user_id}/block")
async def block(world: TheWorld, chat: TheChat) -> Json:
    guests.set_blocked(world, chat, is_blocked=True)
    return _done(world, chat.record())


@router.post("/users/{user_id}/unblock")
async def unblock(world: TheWorld, chat: TheChat) -> Json:
    guests.set_blocked(world, chat, is_blocked=False)
    return _done(world, chat.record())


@router.post("/users/{user_id}/read")
async def mark_read(world: TheWorld, seat: TheSeat) -> Json:
    guests.mark_read(world, seat)
    return _done(world, seat.room.record())


@router.get("/faults")
async def list_faults(world: TheWorld) -> list[Json]:
    return world.faults.as_json()


@router.post("/faults", status_code=201)
async def add_fault(world: TheWorld, new: NewFault) -> Json:
    return world.faults.add(**new.model_dump()).as_json()


@router.delete("/faults")
async def clear_faults(world: TheWorld) -> Json:
    world.faults.clear()
    return {"cleared": True}


@router.delete("/faults/{number}")
async def remove_fault(world: TheWorld, number: int) -> Json:
    if not world.faults.remove(number):
        raise GuestError(404, f"there is no fault {number}")
    return {"removed": number}


@router.get("/calls")
async def read_calls(world: TheWorld, method: str = "") -> Json:
    """How often the bot called which method with which status, and the last calls (of one method) in
    order.
    """
    wanted = method.lower()
    return {
        "counts": dict(sorted(world.call_counts.items())),
        "calls": [call for call in world.calls if wanted in ("", call["method"])],
    }


@router.post("/reset")
async def reset(world: TheWorld) -> Json:
    """Forget all guests, chats, updates, files, faults and counts; the first guests are there again."""
    world.faults.clear()
    world.calls.clear()
    world.call_counts.clear()
    world.clear()
    return _done(world, {"reset": True})


def _done(world: World, answer: Answer) -> Answer:
    """Write the change through before it is told."""
    world.commit()
    return answer


def _changed(chat: Room, after: int) -> list[Json]:
    if after == 0:
        return list(chat.messages.values())
    return [
        message for message_id, message in chat.messages.items() if chat.changes.get(message_id, 0) > after
    ]


def _is_wanted(world: World, message: Json, wanted: Wanted, pattern: re.Pattern[str]) -> bool:
    is_from_bot = message["from"]["id"] == world.bot.user_id
    return (
        message["message_id"] > wanted.after_message_id
        and is_from_bot == wanted.from_bot
        and (not wanted.has or wanted.has in message)
        and pattern.search(message.get("text") or message.get("caption") or "") is not None
    )


async def _uploaded(part: UploadFile) -> Upload:
    if part.size is not None and part.size > MAX_DOCUMENT_BYTES:
        raise GuestError(413, "the file is larger than 50 MB")
    return Upload(part.filename or "file", await part.read())
