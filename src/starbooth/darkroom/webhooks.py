"""Sends the webhooks that the journal owes, signed, until they are taken or given up. Content never differs
by try.

Only the status of an answer is looked at; redirects are not followed. Delivery may repeat after a crash:
receivers tell repeats by `request_id`, as with fal.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import httpx

from starbooth.darkroom import records
from starbooth.darkroom.faults import Faults, Place, WebhookFault
from starbooth.darkroom.journal import Journal
from starbooth.darkroom.records import Webhook
from starbooth.darkroom.signing import WebhookKey

log = logging.getLogger(__name__)

DELAYS_S = (1.0, 5.0, 15.0, 60.0, 180.0, 420.0, 900.0, 1800.0, 3600.0)
"""Pauses between the 10 tries; together just under fal's two hours."""

MOST_AT_ONCE = 32
TIMEOUT_S = 15.0


class Webhooks:
    """Belongs to one event loop. `now` gives Unix time; `delays_s` are the pauses after each failed try."""

    def __init__(
        self,
        journal: Journal,
        key: WebhookKey,
        stranger: WebhookKey,
        faults: Faults,
        *,
        now: Callable[[], float],
        delays_s: tuple[float, ...] = DELAYS_S,
    ) -> None:
        self._journal = journal
        self._key = key
        self._stranger = stranger
        self._faults = faults
        self._now = now
        self._delays_s = delays_s
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        limits = httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE)
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, trust_env=False)

    def recover(self) -> int:
        """Take up what an earlier process still owed. Returns how many."""
        owed = records.webhooks_owed(self._journal)
        for webhook in owed:
            self.owe(webhook)
        return len(owed)

    def owe(self, webhook: Webhook) -> None:
        """Begin to deliver a webhook that is in the journal."""
        task = asyncio.create_task(self._deliver(webhook), name=f"webhook {webhook.request_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop; what is still owed stays in the journal."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def _deliver(self, webhook: Webhook) -> None:
        while True:
            await asyncio.sleep(max(0.0, webhook.due_at - self._now()))
            if await self._is_taken(webhook):
                break
            tries = webhook.tries + 1
            if tries > len(self._delays_s):
                log.warning("webhook of %s given up after %d tries", webhook.request_id, tries)
                break
            webhook = replace(webhook, tries=tries, due_at=self._now() + self._delays_s[tries - 1])
            await self._journal.write(partial(records.put_off_webhook, webhook=webhook))
        await self._journal.write(partial(records.drop_webhook, request_id=webhook.request_id))

    async def _is_taken(self, webhook: Webhook) -> bool:
        rule = self._faults.strike(Place.WEBHOOK)
        fault = rule.webhook if rule else None
        if fault is WebhookFault.LOST:
            return True
        if rule is not None and fault is WebhookFault.LATE:
            await asyncio.sleep(rule.delay_s)
        key = self._stranger if fault is WebhookFault.FORGED else self._key
        is_taken = await self._post(webhook, key)
        if fault is WebhookFault.TWICE:
            is_taken = await self._post(webhook, key)
        return is_taken

    async def _post(self, webhook: Webhook, key: WebhookKey) -> bool:
        signature = key.headers(request_id=webhook.request_id, body=webhook.body, at=int(self._now()))
        headers = {"Content-Type": "application/json", "User-Agent": "starbooth-darkroom", **signature}
        try:
            async with (
                self._places,
                self._http.stream("POST", webhook.url, content=webhook.body, headers=headers) as answer,
            ):
                return answer.is_success
        except httpx.HTTPError as error:
            log.info("webhook of %s not delivered: %s", webhook.request_id, type(error).__name__)
            return False
