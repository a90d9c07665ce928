"""Pushes updates to the bot's webhook: one chat's in order, different chats at the same time, until each is
taken.

Waits between attempts follow the official server: at once, then 2, 4, 8 ... seconds up to a random 60 to 120.
Not carried over: closing a webhook that has answered 410 for 23 hours.
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from starbooth.playground.errors import ApiError
from starbooth.playground.params import Params
from starbooth.playground.updates import Update
from starbooth.playground.world import World

_ANSWER_TIMEOUT_S = 60.0
_FORBIDDEN_ANSWERS = ("setwebhook", "deletewebhook", "close", "logout")


class WebhookSender:
    """Runs while a webhook is set. call: runs a Bot API method that a webhook answered with.

    first_wait_s: the wait after the second failed attempt; doubled with each further one.
    """

    def __init__(
        self, world: World, *, call: Callable[[str, Params], Awaitable[Any]], first_wait_s: float = 2.0
    ) -> None:
        self._world = world
        self._call = call
        self._first_wait_s = first_wait_s
        self._queues: dict[int, deque[Update]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(1)
        self._client: httpx.AsyncClient | None = None
        world.on_update = self._added
        world.on_webhook = self.restart

    def restart(self) -> None:
        """Begin with the webhook that is now set, from the oldest update; with none, stop."""
        for task in self._tasks:
            task.cancel()
        self._queues = {}
        if not self._world.webhook:
            return
        self._client = self._client or httpx.AsyncClient(timeout=_ANSWER_TIMEOUT_S, trust_env=False)
        self._slots = asyncio.Semaphore(self._world.webhook["max_connections"])
        for update in self._world.updates.pending():
            self._added(update)

    async def close(self) -> None:
        """Stop at once; what was not taken stays pending."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _added(self, update: Update) -> None:
        if not self._world.webhook:
            return
        queue = self._queues.get(update.chat_id)
        if queue is not None:
            queue.append(update)
            return
        self._queues[update.chat_id] = deque([update])
        task = asyncio.get_running_loop().create_task(self._deliver_chat(update.chat_id, self._queues))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_chat(self, chat_id: int, queues: dict[int, deque[Update]]) -> None:
        while queues[chat_id]:
            update = queues[chat_id][0]
            await self._deliver(update)
            if update.is_doubled:
                await self._deliver(update)
            queues[chat_id].popleft()
        del queues[chat_id]

    async def _deliver(self, update: Update) -> None:
        attempt = 0
        while update.expires_at > self._world.now():
            async with self._slots:
                wait_s = await self._attempt(update)
            if wait_s is None:
                self._world.updates.confirm(update)
                self._world.commit()
                return
            longest_s = random.uniform(60, 120)  # noqa: S311 - spreads load, no secret
            own_wait_s = min(self._first_wait_s * 2 ** (attempt - 1), longest_s) if attempt else 0.0
            attempt = min(attempt + 1, 30)
            await asyncio.sleep(max(wait_s, own_wait_s))

    async def _attempt(self, update: Update) -> float | None:
        """One POST; None when it was taken, else the seconds that the answer asks to wait at least."""
        webhook = self._world.webhook
        headers = {"content-type": "application/json"}
        if webhook["secret_token"]:
            headers["x-telegram-bot-api-secret-token"] = webhook["secret_token"]
        if self._client is None:
            raise AssertionError("the client is made when the webhook is set")
        try:
            answer = await self._client.post(webhook["url"], content=update.text.encode(), headers=headers)
        except httpx.HTTPError as problem:
            return self._failed(f"{type(problem).__name__}: {problem}"[:200])
        if not answer.is_success:
            self._failed(f"Wrong response from the webhook: {answer.status_code} {answer.reason_phrase}")
            wanted = answer.headers.get("retry-after", "")
            return float(min(int(wanted), 3600)) if wanted.isdigit() else 0.0
        await self._run_answer(answer)
        return None

    def _failed(self, text: str) -> float:
        self._world.webhook |= {"last_error_date": int(self._world.now()), "last_error_message": text}
        self._world.keep_settings()
        self._world.commit()
        return 0.0

    async def _run_answer(self, answer: httpx.Response) -> None:
        """The bot may answer with one method call; its result goes nowhere, as with Telegram."""
        try:
            body = answer.json()
        except ValueError:
            return
        if not isinstance(body, dict) or not isinstance(body.get("method"), str):
            return
        method = body.pop("method").lower()
        if method.startswith("get") or method in _FORBIDDEN_ANSWERS:
            return
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
        try:
            await self._call(method, Params(texts))
        except ApiError as problem:
            self._failed(f"The method in the webhook's answer failed: {problem.description}")
