"""Webhooks: signed so that fal's own recipe verifies them, tried again, the same at every try."""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from starbooth.darkroom import records
from starbooth.darkroom.faults import Faults
from starbooth.darkroom.jobs import Job
from starbooth.darkroom.journal import Journal
from starbooth.darkroom.records import Webhook
from starbooth.darkroom.signing import WebhookKey
from starbooth.darkroom.webhooks import DELAYS_S, Webhooks
from tests.darkroom.conftest import MakeDarkroom
from tests.darkroom.serving import Darkroom, Delivery, Listener, fetch, finished, flux, submit, until


async def is_signed(delivery: Delivery, darkroom: Darkroom) -> bool:
    """fal's recipe: any published key verifies id, user, time and the hash of the bytes received."""
    headers = delivery.headers
    assert abs(time.time() - int(headers["x-fal-webhook-timestamp"])) < 300
    parts = ("request-id", "user-id", "timestamp")
    signed = [headers[f"x-fal-webhook-{part}"] for part in parts]
    message = "\n".join([*signed, hashlib.sha256(delivery.body).hexdigest()]).encode()
    for key in (await fetch(f"{darkroom.url}/.well-known/jwks.json")).json()["keys"]:
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=="))
        try:
            public.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), message)
        except InvalidSignature:
            continue
        return True
    return False


async def submit_with(http: httpx.AsyncClient, listener: Listener, **changes: object) -> str:
    """Submit with a webhook to the listener."""
    answer = await http.post("/fal-ai/flux/dev", json=flux(**changes), params={"fal_webhook": listener.url})
    assert answer.status_code == 200, answer.text
    request_id: str = answer.json()["request_id"]
    return request_id


class TestContent:
    async def test_a_good_end_is_told_signed_and_once(
        self, quick: Darkroom, http: httpx.AsyncClient, listener: Listener
    ) -> None:
        request_id = await submit_with(http, listener)
        await until(lambda: bool(listener.deliveries))
        (delivery,) = listener.deliveries
        body = json.loads(delivery.body)
        result = (await http.get(f"/fal-ai/flux/requests/{request_id}")).json()
        assert body == {
            "request_id": request_id,
            "gateway_request_id": request_id,
            "status": "OK",
            "error": None,
            "payload": result,
        }
        assert delivery.headers["x-fal-webhook-request-id"] == request_id
        assert delivery.headers["x-fal-webhook-user-id"] == "darkroom"
        assert await is_signed(delivery, quick)

    async def test_a_changed_body_is_not_signed(
        self, quick: Darkroom, http: httpx.AsyncClient, listener: Listener
    ) -> None:
        await submit_with(http, listener)
        await until(lambda: bool(listener.deliveries))
        (delivery,) = listener.deliveries
        assert not await is_signed(Delivery(delivery.headers, delivery.body + b" "), quick)

    async def test_a_cancelled_request_is_told_as_an_error(
        self, make_darkroom: MakeDarkroom, listener: Listener
    ) -> None:
        async with make_darkroom("--instant-seconds", "2").client() as http:
            await submit(http)
            request_id = await submit_with(http, listener)
            await http.put(f"/fal-ai/flux/requests/{request_id}/cancel")
            await until(lambda: bool(listener.deliveries))
        body = json.loads(listener.deliveries[0].body)
        assert (body["status"], body["error"]) == ("ERROR", "Invalid status code: 499")
        assert body["payload"] == {"detail": "Request cancelled by the client."}


class TestTries:
    async def test_a_refused_webhook_comes_again_with_the_same_body(
        self, quick: Darkroom, http: httpx.AsyncClient, listener: Listener
    ) -> None:
        listener.answers = [500]
        await submit_with(http, listener)
        await until(lambda: len(listener.deliveries) == 2)
        first, second = listener.deliveries
        assert first.body == second.body
        assert await is_signed(second, quick)

    async def test_a_webhook_that_nobody_takes_delays_nobody(
        self, http: httpx.AsyncClient, listener: Listener
    ) -> None:
        await http.post("/fal-ai/flux/dev", json=flux(), params={"fal_webhook": "http://127.0.0.1:9/"})
        await submit_with(http, listener)
        await until(lambda: bool(listener.deliveries))

    async def test_what_was_owed_at_a_kill_is_sent_after_it(
        self, make_darkroom: MakeDarkroom, listener: Listener
    ) -> None:
        listener.answers = [503]
        darkroom = make_darkroom()
        async with darkroom.client() as http:
            request_id = await submit_with(http, listener)
            await finished(http, request_id)
        await until(lambda: bool(listener.deliveries))
        darkroom.kill()
        darkroom.start()
        await until(lambda: len(listener.deliveries) >= 2)
        assert len({delivery.body for delivery in listener.deliveries}) == 1
        assert await is_signed(listener.deliveries[-1], darkroom)

    def test_there_are_ten_tries_with_growing_pauses_within_two_hours(self) -> None:
        assert len(DELAYS_S) == 9
        assert list(DELAYS_S) == sorted(DELAYS_S)
        assert 3600 < sum(DELAYS_S) < 7200


class TestGivingUp:
    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Journal]:
        opened = Journal(tmp_path)
        yield opened
        opened.close()

    async def test_after_the_last_try_nothing_is_owed(self, journal: Journal, listener: Listener) -> None:
        key = WebhookKey(Ed25519PrivateKey.generate(), user_id="me")
        webhooks = Webhooks(journal, key, key, Faults(), now=time.time, delays_s=(0.01,) * 9)
        listener.answers = [500] * 50
        webhook = Webhook(request_id="a", url=listener.url, body=b"{}", due_at=0.0)
        job = Job(id="a", endpoint="x/y", arguments={}, picture_lifetime_s=1, accepted_at=0.0)
        await journal.write(partial(records.accept, job=job))
        webhooks.owe(webhook)
        await until(lambda: len(listener.deliveries) == 10)
        await until(lambda: not records.webhooks_owed(journal))
        await webhooks.close()
        assert len(listener.deliveries) == 10
