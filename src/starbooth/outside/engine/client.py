"""The engine client: fal.ai and the darkroom through the official `fal-client`.

Overrides private attributes of `fal-client` 1.0.3 (`_client`, `_token_manager`, `_cdn_client`), which is
why that version is pinned and `tests/outside/engine/test_darkroom.py` drives all its calls.
"""

import base64
import re
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import fal_client
import httpx
from fal_client import client as fal

from starbooth.base.errors import SettingError
from starbooth.base.settings import Settings
from starbooth.outside.engine import hooks
from starbooth.outside.engine.answers import failure_of, result_from_payload, working_by
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineResult,
    EngineUnavailable,
    Finished,
    HookAnswer,
    Order,
    Ticket,
    TicketLost,
    Waiting,
    Working,
)
from starbooth.outside.engine.inputs import arguments
from starbooth.outside.engine.prices import list_cost_usd, list_training_cost_usd
from starbooth.outside.engine.wire import CALL_S, EngineHTTP, Rewrite, body_of

__all__ = ["FalEngine", "open_engines", "result_from_payload"]

REQUEST_KEY = "X-Starbooth-Request-Key"

Answer = TypeVar("Answer")


def open_engines(settings: Settings) -> dict[str, Engine]:
    """The engines that the settings name, in order of preference: those of our own, then fal.ai.

    Opens no connection yet. Use them on one event loop only and `aclose` each. Raises: SettingError.
    """
    own = [("darkroom", settings.engine_url)] if settings.engine_url is not None else []
    key = settings.engine_key.get_secret_value() if settings.engine_key else "none"
    engines: dict[str, Engine] = {
        name: FalEngine(
            name=name,
            key=key,
            base_url=url,
            is_deduplicating=True,
            account=settings.engine_account,
            usd_per_hour=settings.engine_usd_per_hour,
        )
        for name, url in (*own, *settings.engines)
    }
    if settings.fal_key is not None:
        engines["fal"] = FalEngine(
            name="fal",
            key=settings.fal_key.get_secret_value(),
            base_url=settings.fal_url,
            is_deduplicating=False,
            account=settings.fal_account,
        )
    if not engines:
        raise SettingError(
            "STARBOOTH_ENGINE_URL",
            "is missing and so is FAL_KEY; set one: the address of a darkroom, or a key of fal.ai.",
        )
    return engines


class FalEngine:
    """An Engine over fal's queue protocol. `base_url` None is fal.ai itself."""

    def __init__(
        self,
        *,
        name: str,
        key: str,
        base_url: str | None,
        is_deduplicating: bool,
        account: str | None,
        call_s: float = CALL_S,
        usd_per_hour: Decimal = Decimal(0),
    ) -> None:
        self.name = name
        self._usd_per_hour = usd_per_hour
        self.is_deduplicating = is_deduplicating
        self.can_stop_early = is_deduplicating
        self._base = httpx.URL(base_url) if base_url is not None else None
        self._account = account
        transport = Rewrite(base_url) if base_url is not None else fal.AsyncBackupDomainTransport()
        self._http = EngineHTTP(
            transport=transport, key=key, is_deduplicating=is_deduplicating, call_s=call_s
        )
        self._fal = _Client(key=key, http=self._http, base_url=base_url)
        self._keys = hooks.HookKeys(self._fetch_keys)

    async def submit(
        self, endpoint: str, order: Order, *, request_key: str, webhook_url: str | None
    ) -> Ticket:
        """See Engine.submit."""
        headers = {REQUEST_KEY: request_key} if self.is_deduplicating else {}
        call = self._fal.submit(
            endpoint, arguments(endpoint, order), webhook_url=webhook_url, headers=headers
        )
        try:
            handle = await _read(call)
            return Ticket(engine=self.name, endpoint=endpoint, request_id=_request_id(handle.request_id))
        except EngineUnavailable as error:
            if error.cause == "rubbish":  # it said yes to something
                error.may_have_bought = True
            raise

    async def upload(self, body: bytes, content_type: str, *, lifetime_s: int) -> str:
        """See Engine.upload. To fal's CDN alone: its fallback would leave the file there for ever."""
        lifecycle = fal_client.StorageSettings(expires_in=lifetime_s)
        try:
            url = await self._fal.upload(
                body, content_type, repository="fal_v3", fallback_repository=[], lifecycle=lifecycle
            )
        except httpx.HTTPStatusError as error:
            raise failure_of(error.response.status_code, error.response.headers, None) from error
        except httpx.HTTPError as error:
            raise EngineUnavailable("unreachable", type(error).__name__) from error
        if not isinstance(url, str) or not self._is_own(url):
            raise EngineUnavailable("rubbish", "the upload's address is not the engine's")
        return url

    async def status(self, ticket: Ticket, *, with_progress: bool = True) -> Waiting | Working | Finished:
        """See Engine.status."""
        handle = await self._fal.get_handle(ticket.endpoint, _request_id(ticket.request_id))
        body = body_of(await self._http.request("GET", handle.status_url, params={"logs": with_progress}))
        answer = _parsed_status(handle, body)
        if isinstance(answer, fal.Queued):
            is_position = isinstance(answer.position, int) and not isinstance(answer.position, bool)
            return Waiting(position=answer.position if is_position else None)
        if isinstance(answer, fal.InProgress):
            return working_by(answer.logs, body.get("preview_url") if isinstance(body, Mapping) else None)
        return Finished(
            has_failed=isinstance(answer, fal.Completed) and bool(answer.error or answer.error_type)
        )

    async def result(self, ticket: Ticket) -> EngineResult:
        """See Engine.result. One request: `fal-client` would poll until the end and drop the headers."""
        handle = await self._fal.get_handle(ticket.endpoint, _request_id(ticket.request_id))
        response = await self._http.request("GET", handle.response_url, result_of=ticket.request_id)
        if response.status_code == httpx.codes.ACCEPTED:
            raise EngineUnavailable("not_finished")
        units = response.headers.get("x-fal-billable-units", "")
        is_decimal = re.fullmatch(r"\d{1,9}(\.\d{1,9})?", units)
        return result_from_payload(body_of(response), billable_units=float(units) if is_decimal else None)

    def cost_usd(
        self, endpoint: str, result: EngineResult, *, width_px: int, height_px: int
    ) -> Decimal | None:
        """See Engine.cost_usd."""
        if not self.is_deduplicating:
            return list_cost_usd(
                endpoint, width_px=width_px, height_px=height_px, billable_units=result.billable_units
            )
        return self._time_cost_usd(result)

    def training_cost_usd(self, endpoint: str, result: EngineResult, *, steps: int) -> Decimal | None:
        """See Engine.training_cost_usd."""
        if not self.is_deduplicating:
            return list_training_cost_usd(endpoint, steps=steps)
        return self._time_cost_usd(result)

    def _time_cost_usd(self, result: EngineResult) -> Decimal:
        hours = Decimal(str(result.inference_s or 0)) / 3600
        return round(hours * self._usd_per_hour, 6)

    async def stop(self, ticket: Ticket) -> None:
        """See Engine.stop. fal's protocol knows no such call: the darkroom has it beside `cancel`."""
        if not self.can_stop_early:
            await self.cancel(ticket)
            return
        handle = await self._fal.get_handle(ticket.endpoint, _request_id(ticket.request_id))
        finish_url = handle.cancel_url.removesuffix("/cancel") + "/finish"
        with suppress(EngineRefused, TicketLost):  # it ended before, or was never there
            await self._http.request("PUT", finish_url)

    async def delete_upload(self, url: str) -> bool:
        """See Engine.delete_upload. fal's files have their lifetime only."""
        if not self.is_deduplicating or not self._is_own(url):
            return False
        with suppress(EngineRefused, TicketLost):  # it is gone
            await self._http.request("DELETE", url)
        return True

    async def cancel(self, ticket: Ticket) -> None:
        """See Engine.cancel."""
        try:
            await self._fal.cancel(ticket.endpoint, _request_id(ticket.request_id))
        except (EngineRefused, TicketLost):
            return  # it ended before, or was never there: nothing is left to stop

    async def fetch(self, url: str, *, limit_bytes: int) -> bytes:
        """See Engine.fetch."""
        if url.startswith("data:"):
            return _inline(url, limit_bytes=limit_bytes)
        if not self._is_own(url):
            raise EngineRefused("foreign_address")
        return await self._http.fetch(url, limit_bytes=limit_bytes)

    async def check_hook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> HookAnswer:
        """See Engine.check_hook."""
        return await hooks.check(headers, body, keys=self._keys, now=now, account=self._account)

    async def health(self) -> str:
        """See Engine.health. Asks for a request that never was: with a good key, "not found", for free."""
        began = time.monotonic()
        nobody = Ticket(
            engine=self.name, endpoint="fal-ai/flux", request_id="00000000-0000-4000-8000-000000000000"
        )
        with suppress(TicketLost, EngineRefused):
            await self.status(nobody, with_progress=False)
        where = "fal.ai" if self._base is None else str(self._base)
        return (
            f"{self.name} at {where} answers in {1000 * (time.monotonic() - began):.0f} ms and takes the key"
        )

    async def aclose(self) -> None:
        """See Engine.aclose."""
        await self._http.aclose()

    def _is_own(self, url: str) -> bool:
        try:
            where = httpx.URL(url)
        except httpx.InvalidURL:
            return False
        if where.userinfo:
            return False
        if self._base is not None:
            return (where.scheme, where.host, where.port) == (
                self._base.scheme,
                self._base.host,
                self._base.port,
            )
        is_fal = where.host == "fal.media" or where.host.endswith((".fal.media", ".fal.ai"))
        return where.scheme == "https" and where.port is None and is_fal

    async def _fetch_keys(self) -> object:
        try:
            response = await self._http.request("GET", f"{fal.REST_URL}/.well-known/jwks.json")
        except (TicketLost, EngineRefused) as error:
            raise EngineUnavailable("no_keys", str(error)) from error
        return body_of(response)


class _Client(fal_client.AsyncClient):
    """`fal-client` on our HTTP client, for one engine."""

    def __init__(self, *, key: str, http: EngineHTTP, base_url: str | None) -> None:
        super().__init__(key=key)
        self._http = http
        self._base_url = base_url
        self._tokens: fal.AsyncCDNTokenManager | None = None

    async def _get_http(self) -> httpx.AsyncClient:
        return self._http

    async def _get_tokens(self) -> fal.AsyncCDNTokenManager:
        if self._tokens is None:
            self._tokens = fal.AsyncCDNTokenManager(await self._auth)
            if self._base_url is not None:
                self._tokens._url = self._tokens._url.replace(fal.REST_URL, self._base_url)
        return self._tokens

    _client = property(lambda self: self._get_http())
    _token_manager = property(lambda self: self._get_tokens())

    @asynccontextmanager
    async def _cdn_client(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = Rewrite(self._base_url) if self._base_url is not None else None
        headers = {"User-Agent": fal.USER_AGENT}
        async with httpx.AsyncClient(
            transport=transport, headers=headers, timeout=self.default_timeout
        ) as client:
            yield client


async def _read(call: Coroutine[Any, Any, Answer]) -> Answer:
    """`fal-client` reads answers without checks: what it trips over is the engine's rubbish, not our bug."""
    try:
        return await call
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise EngineUnavailable("rubbish", type(error).__name__) from error


def _parsed_status(handle: fal_client.AsyncRequestHandle, body: object) -> fal.Status:
    """Raises: EngineUnavailable("rubbish")."""
    if not isinstance(body, dict):
        raise EngineUnavailable("rubbish", "the status is not a JSON object")
    try:
        return handle._parse_status(body)
    except (KeyError, TypeError, ValueError) as error:
        raise EngineUnavailable("rubbish", type(error).__name__) from error


def _request_id(value: object) -> str:
    """Ids are put into paths, so they must not hold a path. Raises: EngineUnavailable("rubbish")."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value):
        return value
    raise EngineUnavailable("rubbish", "the request id is not one")


def _inline(url: str, *, limit_bytes: int) -> bytes:
    header, comma, text = url.partition(",")
    if not comma or not header.endswith(";base64"):
        raise EngineUnavailable("rubbish", "a data URL without base64")
    if len(text) > limit_bytes * 4 // 3 + 4:
        raise EngineRefused("too_large", f"more than {limit_bytes} bytes")
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:  # also binascii.Error
        raise EngineUnavailable("rubbish", "a data URL with broken base64") from None
    if len(content) > limit_bytes:
        raise EngineRefused("too_large", f"more than {limit_bytes} bytes")
    return content
