"""Webhooks: only what the engine signed, just now, about the request it names."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from starbooth.outside.engine.client import FalEngine
from starbooth.outside.engine.contract import Engine, EngineUnavailable, HookAnswer, HookRefused
from starbooth.outside.engine.hooks import HookKeys, check, keys_of
from tests.outside.scripted import Reply, ScriptedServer

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OK: dict[str, Any] = {"request_id": "0f-1", "status": "OK", "error": None, "payload": {"images": []}}


def page(*keys: Ed25519PrivateKey) -> dict[str, Any]:
    points = [base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=") for key in keys]
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": point.decode()} for point in points]}


def signed(
    key: Ed25519PrivateKey,
    body: bytes,
    *,
    at: datetime = NOW,
    request_id: str = "0f-1",
    user_id: str = "account-1",
) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    message = "\n".join((request_id, user_id, timestamp, hashlib.sha256(body).hexdigest())).encode()
    return {
        "X-Fal-Webhook-Request-Id": request_id,
        "X-Fal-Webhook-User-Id": user_id,
        "X-Fal-Webhook-Timestamp": timestamp,
        "X-Fal-Webhook-Signature": key.sign(message).hex(),
    }


class Pages:
    """Stands for the engine's page of keys; counts how often it was asked."""

    def __init__(self, *pages: object) -> None:
        self.pages = list(pages)
        self.count = 0

    async def __call__(self) -> object:
        self.count += 1
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        if isinstance(page, Exception):
            raise page
        return page


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def body() -> bytes:
    return json.dumps(OK).encode()


async def checked(
    headers: Mapping[str, str], body: bytes, pages: Pages, *, account: str | None = None
) -> HookAnswer:
    return await check(headers, body, keys=HookKeys(pages), now=NOW, account=account)


class TestCheck:
    async def test_the_engines_own_webhook_is_read(self, key: Ed25519PrivateKey, body: bytes) -> None:
        answer = await checked(signed(key, body), body, Pages(page(key)), account="account-1")
        assert answer == HookAnswer(request_id="0f-1", is_ok=True, payload={"images": []}, error=None)

    async def test_a_failure_is_read(self, key: Ed25519PrivateKey) -> None:
        body = json.dumps(
            {"request_id": "0f-1", "status": "ERROR", "error": "Invalid status code: 422"}
        ).encode()
        answer = await checked(signed(key, body), body, Pages(page(key)))
        assert (answer.is_ok, answer.error, answer.payload) == (False, "Invalid status code: 422", None)

    async def test_any_of_several_keys_may_fit(self, key: Ed25519PrivateKey, body: bytes) -> None:
        pages = Pages(page(Ed25519PrivateKey.generate(), key))
        assert (await checked(signed(key, body), body, pages)).is_ok

    async def test_header_names_in_any_case(self, key: Ed25519PrivateKey, body: bytes) -> None:
        headers = {name.upper(): value for name, value in signed(key, body).items()}
        assert (await checked(headers, body, Pages(page(key)))).is_ok

    async def test_another_key_is_refused(self, key: Ed25519PrivateKey, body: bytes) -> None:
        with pytest.raises(HookRefused, match="signature"):
            await checked(signed(Ed25519PrivateKey.generate(), body), body, Pages(page(key)))

    async def test_a_changed_byte_is_refused(self, key: Ed25519PrivateKey, body: bytes) -> None:
        with pytest.raises(HookRefused, match="signature"):
            await checked(signed(key, body), body + b" ", Pages(page(key)))

    @pytest.mark.parametrize("name", ["Request-Id", "User-Id", "Timestamp"])
    async def test_a_changed_header_is_refused(self, key: Ed25519PrivateKey, body: bytes, name: str) -> None:
        headers = signed(key, body)
        headers[f"X-Fal-Webhook-{name}"] += "1" if name != "Timestamp" else ""
        if name == "Timestamp":
            headers["X-Fal-Webhook-Timestamp"] = str(int(NOW.timestamp()) + 1)
        with pytest.raises(HookRefused, match="signature"):
            await checked(headers, body, Pages(page(key)))

    @pytest.mark.parametrize("name", ["Request-Id", "User-Id", "Timestamp", "Signature"])
    async def test_a_missing_header_is_refused(self, key: Ed25519PrivateKey, body: bytes, name: str) -> None:
        headers = signed(key, body)
        del headers[f"X-Fal-Webhook-{name}"]
        with pytest.raises(HookRefused, match=name.lower()):
            await checked(headers, body, Pages(page(key)))

    @pytest.mark.parametrize("away_s", [-301, 301])
    async def test_too_old_or_too_early_is_refused(
        self, key: Ed25519PrivateKey, body: bytes, away_s: int
    ) -> None:
        headers = signed(key, body, at=NOW + timedelta(seconds=away_s))
        with pytest.raises(HookRefused, match="timestamp"):
            await checked(headers, body, Pages(page(key)))

    @pytest.mark.parametrize("away_s", [-300, 300])
    async def test_five_minutes_away_is_accepted(
        self, key: Ed25519PrivateKey, body: bytes, away_s: int
    ) -> None:
        headers = signed(key, body, at=NOW + timedelta(seconds=away_s))
        assert (await checked(headers, body, Pages(page(key)))).is_ok

    @pytest.mark.parametrize("timestamp", ["soon", "-1", "1e9", "9" * 100, "١٢٣", " 1"])
    async def test_a_time_that_is_not_a_number_is_refused(
        self, key: Ed25519PrivateKey, body: bytes, timestamp: str
    ) -> None:
        headers = signed(key, body) | {"X-Fal-Webhook-Timestamp": timestamp}
        with pytest.raises(HookRefused, match="timestamp"):
            await checked(headers, body, Pages(page(key)))

    @pytest.mark.parametrize("signature", ["zz", "abc", "00", "é" * 128])
    async def test_a_broken_signature_is_refused(
        self, key: Ed25519PrivateKey, body: bytes, signature: str
    ) -> None:
        headers = signed(key, body) | {"X-Fal-Webhook-Signature": signature}
        with pytest.raises(HookRefused, match="signature"):
            await checked(headers, body, Pages(page(key)))

    async def test_another_account_is_refused(self, key: Ed25519PrivateKey, body: bytes) -> None:
        with pytest.raises(HookRefused, match="account"):
            await checked(signed(key, body), body, Pages(page(key)), account="account-2")

    async def test_a_header_about_another_request_than_the_body_is_refused(
        self, key: Ed25519PrivateKey, body: bytes
    ) -> None:
        with pytest.raises(HookRefused, match="another request"):
            await checked(signed(key, body, request_id="0f-2"), body, Pages(page(key)))

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
    async def test_a_signed_body_that_says_nothing_is_refused(
        self, key: Ed25519PrivateKey, body: bytes
    ) -> None:
        with pytest.raises(HookRefused):
            await checked(signed(key, body), body, Pages(page(key)))


class TestHookKeys:
    async def test_keys_are_asked_for_once_and_kept_for_a_day(self, key: Ed25519PrivateKey) -> None:
        pages = Pages(page(key))
        keys = HookKeys(pages)
        for hours in (0, 1, 23):
            assert await keys.is_signed(b"m", key.sign(b"m"), now=NOW + timedelta(hours=hours))
        assert pages.count == 1
        assert await keys.is_signed(b"m", key.sign(b"m"), now=NOW + timedelta(hours=24))
        assert pages.count == 2

    async def test_a_new_key_of_the_engine_is_found(self, key: Ed25519PrivateKey) -> None:
        pages = Pages(page(Ed25519PrivateKey.generate()), page(key))
        keys = HookKeys(pages)
        old = Ed25519PrivateKey.generate()
        assert not await keys.is_signed(b"m", old.sign(b"m"), now=NOW)
        assert await keys.is_signed(b"m", key.sign(b"m"), now=NOW + timedelta(seconds=61))
        assert pages.count == 2

    async def test_wrong_signatures_make_us_ask_once_a_minute_at_most(self, key: Ed25519PrivateKey) -> None:
        pages = Pages(page(key))
        keys = HookKeys(pages)
        wrong = Ed25519PrivateKey.generate().sign(b"m")
        for seconds in range(0, 150, 10):
            assert not await keys.is_signed(b"m", wrong, now=NOW + timedelta(seconds=seconds))
        assert pages.count == 3

    async def test_without_keys_it_is_unavailable_and_asked_for_after_a_rest(
        self, key: Ed25519PrivateKey
    ) -> None:
        pages = Pages(EngineUnavailable("unreachable"), page(key))
        keys = HookKeys(pages)
        for seconds in (0, 1, 4):
            with pytest.raises(EngineUnavailable):
                await keys.is_signed(b"m", key.sign(b"m"), now=NOW + timedelta(seconds=seconds))
        assert pages.count == 1
        assert await keys.is_signed(b"m", key.sign(b"m"), now=NOW + timedelta(seconds=5))

    async def test_keys_older_than_a_day_are_not_used_though_new_ones_cannot_be_had(
        self, key: Ed25519PrivateKey
    ) -> None:
        keys = HookKeys(Pages(page(key), EngineUnavailable("unreachable")))
        assert await keys.is_signed(b"m", key.sign(b"m"), now=NOW)
        with pytest.raises(EngineUnavailable):
            await keys.is_signed(b"m", key.sign(b"m"), now=NOW + timedelta(hours=25))


class TestKeysOf:
    @pytest.mark.parametrize(
        "page",
        [
            None,
            [],
            {},
            {"keys": None},
            {"keys": [None, 7, {}]},
            {"keys": [{"kty": "OKP", "crv": "Ed25519"}]},
            {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]},
            {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "!" * 43}]},
            {"keys": [{"kty": "RSA", "crv": "Ed25519", "x": "A" * 43}]},
        ],
    )
    def test_a_page_without_a_key_is_rubbish(self, page: object) -> None:
        with pytest.raises(EngineUnavailable) as failed:
            keys_of(page)
        assert failed.value.cause == "rubbish"


class TestCheckHookOfTheClient:
    async def test_the_keys_come_from_the_engines_own_page(
        self, darkroom_client: Engine, scripted: ScriptedServer, key: Ed25519PrivateKey, body: bytes
    ) -> None:
        scripted.will_say(page(key))
        answer = await darkroom_client.check_hook(signed(key, body), body, now=NOW)
        assert answer.request_id == "0f-1"
        assert [asked.target for asked in scripted.asked] == ["/.well-known/jwks.json"]

    @pytest.mark.parametrize("status", [400, 404, 500])
    async def test_a_page_that_cannot_be_had_is_unavailable(
        self,
        darkroom_client: Engine,
        scripted: ScriptedServer,
        key: Ed25519PrivateKey,
        body: bytes,
        status: int,
    ) -> None:
        scripted.will_answer(Reply(status=status))
        with pytest.raises(EngineUnavailable):
            await darkroom_client.check_hook(signed(key, body), body, now=NOW)

    async def test_the_configured_account_is_compared(
        self, scripted: ScriptedServer, key: Ed25519PrivateKey, body: bytes
    ) -> None:
        scripted.will_say(page(key))
        engine = FalEngine(
            name="fal", key="a:b", base_url=scripted.url, is_deduplicating=False, account="account-2"
        )
        with pytest.raises(HookRefused, match="account"):
            await engine.check_hook(signed(key, body), body, now=NOW)
        await engine.aclose()
