"""How calls reach the engine: one connection pool, limited repeats, time and size, every failure by its name.

Knows HTTP and fal's hosts; knows no order. The retrying of `fal-client` itself is never used: it would send
a purchase up to ten times after a lost answer. Every failure leaves here as an exception of ours, which
`fal-client` does not catch, so that the one place deciding about repeats is `EngineHTTP.request`.
"""

import asyncio
import json
from typing import Any

import httpx
from fal_client import client as fal

from starbooth.outside.engine.answers import end_of, failure_of
from starbooth.outside.engine.contract import EngineRefused, EngineUnavailable, FileGone

FAL_HOSTS = frozenset(
    httpx.URL(address).host
    for address in (fal.RUN_URL_FORMAT, fal.QUEUE_URL_FORMAT, fal.REST_URL, fal.CDN_URL)
)
TIMES = httpx.Timeout(15.0, connect=5.0)
CALL_S = 20.0
FETCH_S = 60.0
ANSWER_BYTES = 4 * 1024 * 1024
_SLOWEST_FETCH = 1024 * 1024  # bytes per second


class Rewrite(httpx.AsyncBaseTransport):
    """Sends what is meant for fal's hosts to `base_url` instead, and everything else where it says."""

    def __init__(self, base_url: str) -> None:
        self._base = httpx.URL(base_url)
        self._prefix = self._base.raw_path.rstrip(b"/")
        self._host = self._base.netloc.decode("ascii")
        # Few idle connections: httpcore asks the system about every one of them at every call.
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=8, keepalive_expiry=30.0)
        self._inner = httpx.AsyncHTTPTransport(limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises httpx's transport errors."""
        if request.url.host in FAL_HOSTS:
            request.url = self._base.copy_with(raw_path=self._prefix + request.url.raw_path)
            request.headers["Host"] = self._host
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the pool."""
        await self._inner.aclose()


class EngineHTTP(httpx.AsyncClient):
    """The HTTP client that `fal-client` is given. Answers are successes; all else is raised by its name.

    A POST is sent once unless `is_deduplicating`. Other methods, which are harmless to repeat, and the
    POSTs of a deduplicating engine are sent once more where the connection broke.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport,
        key: str,
        is_deduplicating: bool,
        call_s: float = CALL_S,
    ) -> None:
        headers = {"Authorization": f"Key {key}", "User-Agent": fal.USER_AGENT}
        super().__init__(transport=transport, timeout=TIMES, headers=headers, follow_redirects=False)
        self._is_deduplicating = is_deduplicating
        self._call_s = call_s

    async def request(
        self, method: str, url: httpx.URL | str, *, result_of: str | None = None, **options: Any
    ) -> httpx.Response:
        """One call within `call_s` and 4 MiB. result_of: the request whose result is asked for.

        Raises: EngineRefused, EngineUnavailable, TicketLost; of a result also RunFailed.
        """
        options["timeout"] = TIMES  # fal-client asks for two minutes
        is_submit = method == "POST"
        request = self.build_request(method, url, **options)
        is_repeatable = self._is_deduplicating or not is_submit
        try:
            response = await self._exchange(request, is_submit=is_submit, is_repeatable=is_repeatable)
        except _TooLarge as error:
            raise EngineUnavailable("rubbish", str(error), may_have_bought=is_submit) from error
        if response.is_success:
            return response
        failure = failure_of(response.status_code, response.headers, body_of(response), is_submit=is_submit)
        raise failure if result_of is None else end_of(failure, response.headers, result_of)

    async def fetch(self, url: str, *, limit_bytes: int) -> bytes:
        """A file within 60 s, a second more for each MiB above 60 that it may have; without our key.

        It is not followed elsewhere.

        Raises: EngineRefused("too_large"), FileGone, EngineUnavailable.
        """
        request = self.build_request("GET", url)
        del request.headers["Authorization"]
        try:
            total_s = max(FETCH_S, limit_bytes / _SLOWEST_FETCH)
            response = await self._exchange(request, limit_bytes=limit_bytes, total_s=total_s)
        except _TooLarge as error:
            raise EngineRefused("too_large", str(error)) from error
        if response.status_code in _GONE:
            raise FileGone(f"http_{response.status_code}", "of a file")
        if not response.is_success:
            raise EngineUnavailable(f"http_{response.status_code}", "of a file")
        return response.content

    async def _exchange(
        self,
        request: httpx.Request,
        *,
        is_submit: bool = False,
        is_repeatable: bool = True,
        limit_bytes: int = ANSWER_BYTES,
        total_s: float | None = None,
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(self._call_s if total_s is None else total_s):
                try:
                    return await self._send_once(request, limit_bytes=limit_bytes)
                except _BROKEN:
                    if not is_repeatable:
                        raise
                    return await self._send_once(request, limit_bytes=limit_bytes)
        except TimeoutError as error:
            raise EngineUnavailable("timed_out", may_have_bought=is_submit) from error
        except httpx.HTTPError as error:
            raise transport_failure(error, is_submit=is_submit) from error

    async def _send_once(self, request: httpx.Request, *, limit_bytes: int) -> httpx.Response:
        response = await self.send(request, stream=True)
        try:
            if int(response.headers.get("content-length", 0)) > limit_bytes:
                raise _TooLarge(f"more than {limit_bytes} bytes")
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > limit_bytes:
                    raise _TooLarge(f"more than {limit_bytes} bytes")
        finally:
            await response.aclose()
        headers = [
            (name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_STREAM
        ]
        return httpx.Response(response.status_code, headers=headers, content=bytes(content), request=request)


class _TooLarge(Exception):
    """An answer beyond its limit; the rest was not read."""


# Hosts of files answer also with 403 for what they do not have.
_GONE = frozenset({httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND, httpx.codes.GONE})
_BROKEN = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
_OF_THE_STREAM = (b"content-encoding", b"content-length", b"transfer-encoding")


def body_of(response: httpx.Response) -> object:
    """The parsed JSON of a whole answer, None where it is not JSON."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def transport_failure(error: httpx.HTTPError, *, is_submit: bool) -> EngineUnavailable:
    """Name a failure below HTTP. Only before the connection stood is it sure that nothing was sent."""
    kind = type(error).__name__
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return EngineUnavailable("unreachable", kind)
    if isinstance(error, httpx.DecodingError):
        return EngineUnavailable("rubbish", kind, may_have_bought=is_submit)
    cause = "timed_out" if isinstance(error, httpx.TimeoutException) else "dropped"
    return EngineUnavailable(cause, kind, may_have_bought=is_submit)
