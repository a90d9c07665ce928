"""The Bot API over HTTP: `/bot<token>/<method>` and `/file/bot<token>/<path>`, with the faults that are
switched on.

A bare ASGI application, since a benchmark measures through it. Knows the table of methods, none of their
rules.
"""

import asyncio
import hmac
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Scope, Send

from starbooth.playground import editing, inline, invoices, profile, receiving, sending, star_methods
from starbooth.playground.errors import ApiError, too_many_requests
from starbooth.playground.faults import Fault, FaultKind
from starbooth.playground.params import Params, read_params, to_integer
from starbooth.playground.receiving import RawJson
from starbooth.playground.world import World

Method = Callable[[World, Params], Any]

METHODS: dict[str, Method] = {
    "getme": profile.get_me,
    "getupdates": receiving.get_updates,
    "setwebhook": receiving.set_webhook,
    "deletewebhook": receiving.delete_webhook,
    "getwebhookinfo": receiving.get_webhook_info,
    "sendmessage": sending.send_message,
    "sendphoto": sending.send_photo,
    "senddocument": sending.send_document,
    "sendmediagroup": sending.send_media_group,
    "sendchataction": sending.send_chat_action,
    "getfile": sending.get_file,
    "editmessagetext": editing.edit_message_text,
    "editmessagecaption": editing.edit_message_caption,
    "editmessagemedia": editing.edit_message_media,
    "editmessagereplymarkup": editing.edit_message_reply_markup,
    "deletemessage": editing.delete_message,
    "deletemessages": editing.delete_messages,
    "answercallbackquery": editing.answer_callback_query,
    "answerinlinequery": inline.answer_inline_query,
    "sendinvoice": invoices.send_invoice,
    "createinvoicelink": invoices.create_invoice_link,
    "answerprecheckoutquery": star_methods.answer_pre_checkout_query,
    "refundstarpayment": star_methods.refund_star_payment,
    "getstartransactions": star_methods.get_star_transactions,
    "getmystarbalance": star_methods.get_my_star_balance,
    "edituserstarsubscription": star_methods.edit_user_star_subscription,
    "setmycommands": profile.set_my_commands,
    "getmycommands": profile.get_my_commands,
    "deletemycommands": profile.delete_my_commands,
    "setmydescription": profile.set_my_description,
    "setmyshortdescription": profile.set_my_short_description,
    "setchatmenubutton": profile.set_chat_menu_button,
}
_LIMITED = ("send", "editmessage", "copy", "forward")


def _chat_id(params: Params) -> int:
    """Whom a call is about, 0 for nobody: the methods of Stars name the user."""
    return to_integer(params.text("chat_id") or params.text("user_id"))


class ConnectionDropped(Exception):
    """The fault that ends a call without an answer."""


class BotApi:
    """The ASGI application for one bot's token."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, token, name = scope["path"].split("/", 2)
        try:
            reply = await self._answer(token.removeprefix("bot"), name, scope, receive)
        except ConnectionDropped:
            await _drop_connection(receive, send)
            return
        await reply.send(send)

    async def _answer(self, token: str, name: str, scope: Scope, receive: Receive) -> "_Reply":
        method = name.lower()
        chat_id = 0
        try:
            if not hmac.compare_digest(token.encode(), self.world.bot.token.encode()):
                raise ApiError(401, "Unauthorized")
            params = await read_params(scope, receive)
            chat_id = _chat_id(params)
            result = await self.call(method, params)
        except ApiError as problem:
            self._note(method, chat_id, problem.code)
            return _error_reply(problem)
        self._note(method, chat_id, 200)
        text = result.text if isinstance(result, RawJson) else json.dumps(result, ensure_ascii=False)
        return _Reply(200, b'{"ok":true,"result":' + text.encode() + b"}")

    async def call(self, method: str, params: Params) -> Any:
        """Run one method with the faults and limits that apply to it.

        Raises: ApiError as the client is to see it; ConnectionDropped.
        """
        handler = METHODS.get(method)
        if handler is None:
            raise ApiError(404, "method not found")
        chat_id = _chat_id(params)
        faults = self.world.faults.strike(method, chat_id)
        for fault in faults:
            await self._before(fault, params)
        if self.world.limits is not None and method.startswith(_LIMITED):
            self.world.limits.take(chat_id, self.world.now())
        try:
            result = handler(self.world, params)
            if inspect.isawaitable(result):
                result = await result
        finally:
            self.world.commit()
        if any(fault.kind is FaultKind.DROPPED_AFTER for fault in faults):
            self._note(method, chat_id, 0)
            raise ConnectionDropped
        return result

    async def _before(self, fault: Fault, params: Params) -> None:
        match fault.kind:
            case FaultKind.TOO_MANY_REQUESTS:
                raise too_many_requests(max(1, round(fault.seconds)))
            case FaultKind.SERVER_ERROR:
                raise ApiError(500, "a fault was switched on in the playground")
            case FaultKind.BLOCKED:
                raise ApiError(403, "bot was blocked by the user")
            case FaultKind.DROPPED_BEFORE:
                raise ConnectionDropped
            case FaultKind.SLOW:
                await asyncio.sleep(fault.seconds)
            case FaultKind.MESSAGE_DELETED:
                chat = self.world.room(to_integer(params.text("chat_id")))
                if chat is not None:
                    self.world.delete(chat, to_integer(params.text("message_id")))

    def _note(self, method: str, chat_id: int, status: int) -> None:
        """Count a call; status 0 means that the work was done and the connection dropped."""
        if method not in METHODS:
            return
        counts = self.world.call_counts
        key = f"{method} {status}"
        counts[key] = counts.get(key, 0) + 1
        if method != "getupdates":
            self.world.calls.append(
                {"method": method, "chat_id": chat_id, "status": status, "at": self.world.now()}
            )


class FileApi:
    """The ASGI application for downloads by the bot."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        _, _, token, path = scope["path"].split("/", 3)
        expected = f"bot{self.world.bot.token}"
        if not hmac.compare_digest(token.encode(), expected.encode()):
            await _error_reply(ApiError(401, "Unauthorized")).send(send)
            return
        found = self.world.files.find_by_path(path)
        if found is None:
            await _error_reply(ApiError(404, "file not found")).send(send)
            return
        try:
            content = await asyncio.to_thread(self.world.files.content, *found)
        except ApiError as problem:
            await _error_reply(problem).send(send)
            return
        await _Reply(200, content, content_type=b"application/octet-stream").send(send)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    content: bytes
    retry_after_s: int | None = None
    content_type: bytes = b"application/json"

    async def send(self, send: Send) -> None:
        headers = [(b"content-type", self.content_type), (b"content-length", str(len(self.content)).encode())]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", str(self.retry_after_s).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.content})


def _error_reply(problem: ApiError) -> _Reply:
    content = json.dumps(problem.body(), ensure_ascii=False).encode()
    return _Reply(problem.code, content, problem.retry_after_s)


async def _drop_connection(receive: Receive, send: Send) -> None:
    """Close the connection without a byte of an answer.

    ASGI has no message for that, so the transport is taken from uvicorn's request cycle, whose method `send`
    is.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionDropped
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
