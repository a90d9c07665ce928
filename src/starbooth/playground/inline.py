"""Inline mode: a guest types `@bot words` in any chat, the bot offers results, the guest sends one of them.

Results are photos, by a file id or by an address on this machine, without keyboards.
"""

import re
import secrets
from typing import Any

import httpx

from starbooth.playground.chats import Chat
from starbooth.playground.errors import GuestError, Json, bad_request
from starbooth.playground.files import MAX_PHOTO_BYTES, photo_sizes
from starbooth.playground.formatted_text import caption_text
from starbooth.playground.inline_desk import InlineQuery
from starbooth.playground.params import Params, Upload
from starbooth.playground.seats import Seat, check_can_write, place_fields, tell_bot
from starbooth.playground.world import World

MAX_RESULTS = 50
MAX_QUERY_LENGTH = 256
QUERY_LIFETIME_S = 30.0
DEFAULT_CACHE_S = 300
_FETCH_S = 10.0
_LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/\S*")


def ask(world: World, seat: Seat, text: str, *, offset: str = "") -> InlineQuery:
    """A guest types `@bot text`; answered at once where the bot's last answer may be shown again.

    Raises: GuestError 400 for too long a text.
    """
    if len(text) > MAX_QUERY_LENGTH:
        raise GuestError(400, f"the query is longer than {MAX_QUERY_LENGTH} characters")
    query_id = str(secrets.randbits(62))
    query = InlineQuery(query_id, seat.user_id, text, offset, world.now() + QUERY_LIFETIME_S)
    world.inline.keep(query)
    query.answer = world.inline.cached(query, world.now())
    if query.answer is None:
        is_private = isinstance(seat.room, Chat)
        payload = {
            "id": query_id,
            "from": seat.person.user,
            "query": text,
            "offset": offset,
            "chat_type": "sender" if is_private else seat.room.as_chat()["type"],
        }
        world.send_update("inline_query", payload, chat_id=seat.user_id)
    return query


def answer_inline_query(world: World, params: Params) -> bool:
    query = world.inline.queries.get(params.text("inline_query_id"))
    if query is None or query.answer is not None or query.expires_at <= world.now():
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    next_offset = params.text("next_offset")
    if len(next_offset.encode()) > 64:
        raise bad_request("NEXT_OFFSET_INVALID")
    answer: Json = {
        "results": _read_results(world, params),
        "next_offset": next_offset,
        "cache_time": params.integer("cache_time", DEFAULT_CACHE_S, low=0),
        "is_personal": params.boolean("is_personal"),
        "button": _read_button(params),
    }
    query.answer = answer
    world.inline.remember(query, answer, world.now())
    world.feed.add("inline_answer", query.user_id, {"query_id": query.query_id})
    return True


async def pick(world: World, seat: Seat, query_id: str, result_id: str) -> Json:
    """A guest sends a result into the chat, "via @bot". Raises: GuestError 404, 409, 502."""
    query, result = find_result(world, seat.user_id, query_id, result_id)
    check_can_write(seat)
    photo = await _photo_of(world, result)
    caption = result.get("caption_fields", {})
    content = {"photo": photo, **caption, "via_bot": world.bot.as_user(), **place_fields(seat, None)}
    message = world.post(seat.room, content, sender=seat.person.user)
    tell_bot(world, seat, "message", message)
    chosen = {"result_id": result_id, "from": seat.person.user, "query": query.text}
    world.send_update("chosen_inline_result", chosen, chat_id=seat.user_id)
    return message


def find_result(world: World, user_id: int, query_id: str, result_id: str) -> tuple[InlineQuery, Json]:
    """Raises: GuestError 404 for a query of others, one without an answer, or no such result."""
    query = world.inline.queries.get(query_id)
    if query is None or query.user_id != user_id or query.answer is None:
        raise GuestError(404, "there is no such answer")
    for result in query.answer["results"]:
        if result["id"] == result_id:
            return query, result
    raise GuestError(404, f"there is no result {result_id}")


async def fetch_picture(url: str) -> Upload:
    """What lies at an address of this machine, as Telegram would fetch it. Raises: GuestError 502."""
    if not _LOOPBACK.fullmatch(url):
        raise GuestError(502, "the playground fetches from this machine only")
    try:
        async with httpx.AsyncClient(timeout=_FETCH_S, trust_env=False) as http:
            got = await http.get(url)
    except httpx.HTTPError as problem:
        raise GuestError(502, f"the picture cannot be fetched: {type(problem).__name__}") from None
    if not got.is_success or len(got.content) > MAX_PHOTO_BYTES:
        raise GuestError(502, f"the picture cannot be fetched: {got.status_code}, {len(got.content)} bytes")
    return Upload("photo.jpg", got.content)


async def _photo_of(world: World, result: Json) -> list[Json]:
    if "photo_file_id" in result:
        stored, _ = world.files.find(result["photo_file_id"])
    else:
        stored = world.keep_file(world.files.add_photo(await fetch_picture(result["photo_url"])))
    return photo_sizes(stored)


def _read_results(world: World, params: Params) -> list[Json]:
    results = params.json("results", "can't parse inline query results JSON object")
    if not isinstance(results, list):
        raise bad_request("expected an Array of inline query results")
    if len(results) > MAX_RESULTS:
        raise bad_request("RESULTS_TOO_MUCH")
    read = [_read_result(world, result) for result in results]
    if len({result["id"] for result in read}) < len(read):
        raise bad_request("RESULT_ID_DUPLICATE")
    return read


def _read_result(world: World, result: Any) -> Json:
    where = "can't parse inline query result: "
    if not isinstance(result, dict):
        raise bad_request(f"{where}InlineQueryResult must be an Object")
    result_id = result.get("id")
    if not isinstance(result_id, str) or not 0 < len(result_id.encode()) <= 64:
        raise bad_request("RESULT_ID_INVALID")
    if result.get("type") != "photo" or "reply_markup" in result or "input_message_content" in result:
        raise bad_request(f"{where}the playground has photos without keyboards only")
    caption = caption_text(
        str(result.get("caption", "")),
        parse_mode=str(result.get("parse_mode", "")),
        entities=result.get("caption_entities"),
    )
    kept: Json = {"id": result_id, "type": "photo", "caption_fields": caption.fields("caption")}
    kept |= {name: str(result[name]) for name in ("title", "description") if name in result}
    if "photo_file_id" in result:
        stored, _ = world.files.find(str(result["photo_file_id"]))
        if stored.kind != "photo":
            raise bad_request(f"can't use file of type {stored.kind.title()} as Photo")
        return kept | {"photo_file_id": str(result["photo_file_id"])}
    for name in ("photo_url", "thumbnail_url"):
        if not str(result.get(name, "")).startswith(("http://", "https://")):
            raise bad_request(f'{where}Can\'t find field "{name}"')
    return kept | {name: str(result[name]) for name in ("photo_url", "thumbnail_url")}


def _read_button(params: Params) -> Json | None:
    button = params.json("button", "can't parse inline query results button JSON object")
    if button is None:
        return None
    if not isinstance(button, dict) or not str(button.get("text", "")).strip():
        raise bad_request("can't parse inline query results button: text must be non-empty")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(button.get("start_parameter", ""))):
        raise bad_request("START_PARAM_INVALID")
    return {"text": str(button["text"]), "start_parameter": button["start_parameter"]}
