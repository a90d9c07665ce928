"""Whether a webhook is the engine's own: fal's Ed25519 signature over id, account, time and body.

Knows the protocol of fal's webhooks (docs.fal.ai, "Webhooks"); knows no order and sends nothing but the
request for the engine's public keys.
"""

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from starbooth.outside.engine.contract import EngineUnavailable, HookAnswer, HookRefused

TOLERANCE_S = 300
KEYS_LIVE = timedelta(hours=24)
KEYS_REST = timedelta(minutes=1)
KEYS_RETRY = timedelta(seconds=5)
MAX_KEYS = 20

FetchKeys = Callable[[], Awaitable[object]]


class HookKeys:
    """The engine's public keys, kept for a day at most.

    A signature that no key fits makes them be asked for again, but once a minute at most: anybody can
    send us wrong signatures. Where no keys could be had, they are asked for again after five seconds.
    """

    def __init__(self, fetch: FetchKeys) -> None:
        self._fetch = fetch
        self._keys: tuple[Ed25519PublicKey, ...] = ()
        self._had_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def is_signed(self, message: bytes, signature: bytes, *, now: datetime) -> bool:
        """Whether any key fits. Raises: EngineUnavailable where no keys can be had."""
        async with self._lock:
            if self._had_at is None or not timedelta() <= now - self._had_at < KEYS_LIVE:
                await self._ask(now, rest=KEYS_RETRY)
        if _fits_any(self._keys, message, signature):
            return True
        async with self._lock:
            if self._asked_at is not None and abs(now - self._asked_at) < KEYS_REST:
                return _fits_any(self._keys, message, signature)  # another call may just have asked
            await self._ask(now, rest=KEYS_REST)
        return _fits_any(self._keys, message, signature)

    async def _ask(self, now: datetime, *, rest: timedelta) -> None:
        if self._asked_at is not None and abs(now - self._asked_at) < rest:
            raise EngineUnavailable("no_keys", "the engine's keys could not be had a moment ago")
        self._asked_at = now
        self._keys = keys_of(await self._fetch())
        self._had_at = now


async def check(
    headers: Mapping[str, str], body: bytes, *, keys: HookKeys, now: datetime, account: str | None
) -> HookAnswer:
    """The webhook's content, if the engine signed exactly these bytes within 300 s of `now`.

    `account`: the account id that the webhook must name, None for any.
    Raises: HookRefused, EngineUnavailable.
    """
    given = {name.lower(): value for name, value in headers.items()}
    request_id = _header(given, "x-fal-webhook-request-id")
    user_id = _header(given, "x-fal-webhook-user-id")
    timestamp = _header(given, "x-fal-webhook-timestamp")
    signature = _signature(_header(given, "x-fal-webhook-signature"))
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise HookRefused("the timestamp is not a number")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        raise HookRefused("the timestamp is too far from now")
    if account is not None and user_id != account:
        raise HookRefused("it names another account")
    message = "\n".join((request_id, user_id, timestamp, hashlib.sha256(body).hexdigest()))
    if not await keys.is_signed(message.encode(), signature, now=now):
        raise HookRefused("no key fits the signature")
    return _answer(body, request_id=request_id)


def keys_of(page: object) -> tuple[Ed25519PublicKey, ...]:
    """The Ed25519 keys of a JWKS page; other kinds are passed over. Raises: EngineUnavailable without any."""
    listed = page.get("keys") if isinstance(page, Mapping) else None
    entries = listed[:MAX_KEYS] if isinstance(listed, list) else []
    keys = tuple(key for key in map(_key, entries) if key is not None)
    if not keys:
        raise EngineUnavailable("rubbish", "the page of keys holds no Ed25519 key")
    return keys


def _key(entry: object) -> Ed25519PublicKey | None:
    if not isinstance(entry, Mapping) or entry.get("kty") != "OKP" or entry.get("crv") != "Ed25519":
        return None
    point = entry.get("x")
    if not isinstance(point, str) or len(point) > 64:
        return None
    try:
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(point + "=" * (-len(point) % 4)))
    except ValueError:  # also binascii.Error
        return None


def _fits_any(keys: tuple[Ed25519PublicKey, ...], message: bytes, signature: bytes) -> bool:
    for key in keys:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value or len(value) > 512:
        raise HookRefused(f"{name} is missing or too long")
    return value


def _signature(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:  # also binascii.Error
        raise HookRefused("the signature is not hexadecimal") from None


def _answer(body: bytes, *, request_id: str) -> HookAnswer:
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise HookRefused("the body is not JSON") from None
    if not isinstance(content, dict) or content.get("request_id") != request_id:
        raise HookRefused("the body is about another request than the header")
    payload, error = content.get("payload"), content.get("error")
    return HookAnswer(
        request_id=request_id,
        is_ok=content.get("status") == "OK",
        payload=payload if isinstance(payload, dict) else None,
        error=error if isinstance(error, str) else None,
    )
