"""Act as a guest of a running playground: say, press, pay, wait. A copy-and-go client that needs nothing but
httpx.

    async with Guest("http://127.0.0.1:8600", "Ada") as ada:
        await ada.say("/start")
        welcome = await ada.wait_for(lambda message: "Welcome" in message.text)
        await ada.press(welcome, "Balance")
        invoice = await ada.wait_for(lambda message: bool(message.invoice))
        assert (await ada.pay(invoice)).status == "paid"

`Stars` looks at the bot's own Stars and takes the part of Telegram's support.
"""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

Json = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """One message of the chat; `raw` is the Bot API's object."""

    raw: Json

    @property
    def message_id(self) -> int:
        return int(self.raw["message_id"])

    @property
    def text(self) -> str:
        """Text or caption, empty when there is neither."""
        return str(self.raw.get("text") or self.raw.get("caption") or "")

    @property
    def is_from_bot(self) -> bool:
        return bool(self.raw["from"]["is_bot"])

    @property
    def photo_id(self) -> str:
        """The file id of the largest size of the photo, empty when there is none."""
        sizes = self.raw.get("photo") or [{"file_id": ""}]
        return str(sizes[-1]["file_id"])

    @property
    def document_id(self) -> str:
        return str(self.raw.get("document", {}).get("file_id", ""))

    @property
    def invoice(self) -> Json:
        """title, description, currency, total_amount ...; empty when the message is no invoice."""
        return dict(self.raw.get("invoice", {}))

    @property
    def payment(self) -> Json:
        """The `successful_payment` of a service message, empty for any other."""
        return dict(self.raw.get("successful_payment", {}))

    @property
    def refunded_payment(self) -> Json:
        return dict(self.raw.get("refunded_payment", {}))

    @property
    def buttons(self) -> list[Json]:
        """All buttons of the inline keyboard, row by row."""
        rows = self.raw.get("reply_markup", {}).get("inline_keyboard", [])
        return [button for row in rows for button in row]

    @property
    def labels(self) -> list[str]:
        return [str(button["text"]) for button in self.buttons]


@dataclass(frozen=True)
class Payment:
    """How a payment ended. status: paid, failed or (not waited for) pending; charge_id is empty unless paid.

    reason: what the guest is told after `failed`, e.g. the bot's own error message.
    """

    status: str
    reason: str
    charge_id: str


@dataclass(frozen=True)
class Wallet:
    """What a guest has: Telegram Stars, and the running subscriptions as the control API shows them."""

    xtr: int
    subscriptions: list[Json]


@dataclass(frozen=True)
class InlineAnswer:
    """What the bot offers for `@bot words`; `raw` is as the bot answered: results, next_offset, ..."""

    query_id: str
    raw: Json

    @property
    def ids(self) -> list[str]:
        return [str(result["id"]) for result in self.raw["results"]]


class Guest:
    """One person in the playground at `base_url`; entering the context creates the person.

    Give `user_id` to act as somebody who is already there. Refused requests raise `httpx.HTTPStatusError`.
    """

    def __init__(
        self, base_url: str, first_name: str = "Ada", *, language_code: str = "en", user_id: int = 0
    ) -> None:
        self.user_id = user_id
        self._first_name = first_name
        self._language_code = language_code
        self._place: Json = {}
        self._http = _client(base_url)

    async def __aenter__(self) -> Self:
        if not self.user_id:
            wanted = {"first_name": self._first_name, "language_code": self._language_code}
            user = await self._ask("POST", "/users", json=wanted)
            self.user_id = int(user["id"])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def in_chat(self, chat_id: int, thread_id: int = 0) -> "Guest":
        """The same person in a group, or in a topic of it; it ends with this one."""
        seat = copy.copy(self)
        seat._place = {"chat": chat_id, "thread": thread_id}
        return seat

    async def say(self, text: str, *, reply_to: Message | None = None) -> Message:
        """Send a text message; returns it as it lies in the chat."""
        wanted = {"text": text, "reply_to": reply_to.message_id if reply_to else None}
        return Message(await self._ask("POST", self._path("messages"), json=wanted))

    async def send_photo(self, content: bytes, *, name: str = "photo.jpg", caption: str = "") -> Message:
        files = {"file": (name, content)}
        return Message(await self._ask("POST", self._path("photo"), files=files, data={"caption": caption}))

    async def send_album(self, contents: Sequence[bytes]) -> list[Message]:
        """Send two to ten photos as one album; its messages."""
        files = [("file", (f"photo-{number}.jpg", body)) for number, body in enumerate(contents)]
        sent = await self._ask("POST", self._path("photo"), files=files, data={"caption": ""})
        return [Message(raw) for raw in sent]

    async def send_document(self, content: bytes, *, name: str = "file.bin", caption: str = "") -> Message:
        files = {"file": (name, content)}
        return Message(
            await self._ask("POST", self._path("document"), files=files, data={"caption": caption})
        )

    async def send(self, kind: str, **fields: Any) -> Message:
        """Send a `sticker`, `voice`, `location` or `contact`; the fields are those of the control API."""
        return Message(await self._ask("POST", self._path(kind), json=fields))

    async def messages(self) -> list[Message]:
        """The whole chat, oldest first."""
        answer = await self._ask("GET", self._path("messages"))
        return [Message(raw) for raw in answer["messages"]]

    async def wait_for(
        self, is_wanted: Callable[[Message], bool], *, timeout_s: float = 10, after: Message | None = None
    ) -> Message:
        """The first message of the bot that `is_wanted` holds for, also when an edit makes it so.

        after: look only at later messages. Raises: TimeoutError, with the chat as it then is.
        """
        deadline = time.monotonic() + timeout_s
        change = 0
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            query = {"after": change, "wait_s": min(left_s, 100)}
            answer = await self._ask("GET", self._path("messages"), params=query)
            change = answer["change"]
            for message in (Message(raw) for raw in answer["messages"]):
                is_later = after is None or message.message_id > after.message_id
                if is_later and message.is_from_bot and is_wanted(message):
                    return message
            if left_s == 0:
                raise TimeoutError(f"no such message within {timeout_s} s; the chat: {await self._texts()}")

    async def press(self, message: Message, label: str, *, timeout_s: float = 10) -> Json | None:
        """Press the button whose text contains `label`; returns the bot's answer: text, show_alert, url.

        None when the bot did not answer in time. Raises: LookupError when there is no such button.
        """
        found = next((button for button in message.buttons if label in button["text"]), None)
        if found is None or "callback_data" not in found:
            raise LookupError(f"no button {label!r} to press among {message.labels}")
        wanted = {
            "message_id": message.message_id,
            "callback_data": found["callback_data"],
            "wait_s": timeout_s,
        }
        answer = await self._ask("POST", self._path("press"), json=wanted)
        result: Json | None = answer["answer"]
        return result

    async def ask_inline(self, text: str, *, offset: str = "", timeout_s: float = 10) -> InlineAnswer | None:
        """Type `@bot text` in this chat; None when the bot did not answer in time."""
        wanted = {"text": text, "offset": offset, "wait_s": timeout_s}
        answer = await self._ask("POST", self._path("inline"), json=wanted)
        return None if answer["answer"] is None else InlineAnswer(answer["query_id"], answer["answer"])

    async def pick(self, answer: InlineAnswer, result_id: str) -> Message:
        """Send one of the results into this chat, "via @bot"."""
        path = self._path(f"inline/{answer.query_id}/pick")
        return Message(await self._ask("POST", path, json={"result_id": result_id}))

    async def edit(self, message: Message, text: str) -> Message:
        path = self._path(f"messages/{message.message_id}")
        return Message(await self._ask("PATCH", path, json={"text": text}))

    async def delete(self, message: Message) -> None:
        """Delete any message of the chat for both sides; the bot is not told."""
        await self._ask("DELETE", self._path(f"messages/{message.message_id}"))

    async def pay(self, invoice: Message | str, *, wait: bool = True) -> Payment:
        """Confirm a payment of an invoice message of this chat, or of a link `https://t.me/$slug`.

        Returns how it ended; without `wait` at once, as pending, while the bot is still asked. A payment that
        fails is an answer; refused requests (no such invoice, the bot is blocked) raise.
        """
        if isinstance(invoice, Message):
            wanted: Json = {"message_id": invoice.message_id}
        else:
            wanted = {"slug": invoice.removeprefix("https://t.me/").removeprefix("$")}
        return _payment(await self._ask("POST", self._path("pay"), json={**wanted, "wait": wait}))

    async def wallet(self) -> Wallet:
        return Wallet(**await self._ask("GET", self._path("wallet")))

    async def add_xtr(self, amount_xtr: int) -> Wallet:
        """Put Telegram Stars into the wallet, or take some out; below zero is refused with 409."""
        return Wallet(**await self._ask("POST", self._path("wallet"), json={"add_xtr": amount_xtr}))

    async def forward(self, message: Message, from_guest: "Guest") -> Message:
        """Get a copy of an invoice message that lies in another guest's chat; returns the copy."""
        wanted = {"from_user": from_guest.user_id, "message_id": message.message_id}
        return Message(await self._ask("POST", self._path("forward"), json=wanted))

    async def next_month(self, charge_id: str) -> Payment:
        """Let time pass to the renewal of a subscription, named by the charge id of its first payment.

        status: paid (with a new charge id), failed (too few Stars), or cancelled: it has ended.
        """
        return _payment(await self._ask("POST", self._path(f"subscriptions/{charge_id}/next-month")))

    async def cancel_subscription(self, charge_id: str) -> None:
        await self._ask("POST", self._path(f"subscriptions/{charge_id}/cancel"))

    async def enable_subscription(self, charge_id: str) -> None:
        """Let a subscription that this guest cancelled go on; 409 when it was the bot that cancelled it."""
        await self._ask("POST", self._path(f"subscriptions/{charge_id}/enable"))

    async def block(self) -> None:
        await self._ask("POST", self._path("block"))

    async def unblock(self) -> None:
        await self._ask("POST", self._path("unblock"))

    async def download(self, file_id: str) -> bytes:
        """The bytes of a photo or document of the chat."""
        answer = await self._http.get(f"{str(self._http.base_url).removesuffix('/control/')}/media/{file_id}")
        answer.raise_for_status()
        return answer.content

    async def add_fault(self, kind: str, **fields: Any) -> Json:
        """Switch a fault on, for all guests unless `chat_id` is given; see docs/playground.md."""
        return dict(await self._ask("POST", "/faults", json={"kind": kind, **fields}))

    async def clear_faults(self) -> None:
        await self._ask("DELETE", "/faults")

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """Any call of the control API."""
        return await _ask(self._http, method, path, **options)

    def _path(self, name: str) -> str:
        return f"/users/{self.user_id}/{name}"

    async def _texts(self) -> list[str]:
        return [
            f"{'bot' if message.is_from_bot else 'guest'}: {message.text[:80]}"
            for message in await self.messages()
        ]

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        params = {**options.pop("params", {}), **self._place}
        return await _ask(self._http, method, path, params=params, **options)


class Stars:
    """The bot's Telegram Stars in the playground at `base_url`, and those who may touch them besides the bot.

    Close it or use it as a context. Refused requests raise `httpx.HTTPStatusError`.
    """

    def __init__(self, base_url: str) -> None:
        self._http = _client(base_url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def transactions(self) -> list[Json]:
        """All rows of `getStarTransactions`, newest last."""
        answer = await _ask(self._http, "GET", "/stars")
        return list(answer["transactions"])

    async def balance_xtr(self) -> int:
        answer = await _ask(self._http, "GET", "/stars")
        return int(answer["balance_xtr"])

    async def chargeback(self, charge_id: str) -> None:
        """A store takes the money back: the Stars leave the bot, who is not told."""
        await _ask(self._http, "POST", "/stars/chargeback", json={"charge_id": charge_id})

    async def refund(self, charge_id: str) -> None:
        """Telegram's support refunds a payment: the bot did not ask for it, but is told."""
        await _ask(self._http, "POST", "/stars/refund", json={"charge_id": charge_id})

    async def set_fault(self, kind: str, **fields: Any) -> Json:
        """Switch a fault on, for all guests unless `chat_id` is given; see docs/playground.md."""
        return dict(await _ask(self._http, "POST", "/faults", json={"kind": kind, **fields}))

    async def clear_faults(self) -> None:
        await _ask(self._http, "DELETE", "/faults")


def _client(base_url: str) -> httpx.AsyncClient:
    # Loading the machine's certificates takes longer than a whole conversation; plain HTTP needs none.
    return httpx.AsyncClient(
        base_url=f"{base_url.rstrip('/')}/control",
        timeout=130,
        trust_env=False,
        verify=base_url.startswith("https:"),
    )


async def _ask(http: httpx.AsyncClient, method: str, path: str, **options: Any) -> Any:
    answer = await http.request(method, path, **options)
    if answer.is_error:
        raise httpx.HTTPStatusError(
            f"{answer.status_code}: {answer.text[:300]}", request=answer.request, response=answer
        )
    return answer.json()


def _payment(answer: Json) -> Payment:
    return Payment(str(answer["status"]), str(answer.get("reason", "")), str(answer.get("charge_id", "")))
