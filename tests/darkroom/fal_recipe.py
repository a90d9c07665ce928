"""The official Python client pointed at a darkroom: one class, which changes addresses and nothing else.

It uses private attributes of fal-client 1.0.3; `test_clients_python.py` is the contract that it works.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fal_client
import httpx
from fal_client.client import USER_AGENT, AsyncCDNTokenManager

FAL_HOSTS = {"fal.run": "/run", "queue.fal.run": "", "rest.fal.ai": "", "v3.fal.media": ""}


class Rewrite(httpx.AsyncBaseTransport):
    """Sends what is meant for fal to another server, where the blocking run lies below `/run`."""

    def __init__(self, base: str) -> None:
        self.base, self.inner = httpx.URL(base), httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Change scheme, host, port and, for the blocking run, the path."""
        prefix = FAL_HOSTS.get(request.url.host)
        if prefix is not None:
            request.url = request.url.copy_with(
                scheme=self.base.scheme,
                host=self.base.host,
                port=self.base.port,
                raw_path=prefix.encode() + request.url.raw_path,
            )
            request.headers["Host"] = request.url.netloc.decode()
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.inner.aclose()


class EngineClient(fal_client.AsyncClient):
    """fal's asynchronous client for one darkroom."""

    def __init__(self, base_url: str, key: str) -> None:
        super().__init__(key=key)
        self.base_url = base_url.rstrip("/")
        self._http: httpx.AsyncClient | None = None
        self._tokens: AsyncCDNTokenManager | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    def _make(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=Rewrite(self.base_url),
            timeout=self.default_timeout,
            headers={"User-Agent": USER_AGENT, **headers},
        )

    async def _get_http(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = self._make(Authorization=(await self._auth).header_value)
        return self._http

    async def _get_tokens(self) -> AsyncCDNTokenManager:
        if self._tokens is None:
            self._tokens = AsyncCDNTokenManager(await self._auth)
            self._tokens._url = self._tokens._url.replace("https://rest.fal.ai", self.base_url)
        return self._tokens

    _client: Any = property(lambda self: self._get_http())
    _token_manager: Any = property(lambda self: self._get_tokens())

    @asynccontextmanager
    async def _cdn_client(self) -> AsyncIterator[httpx.AsyncClient]:
        async with self._make() as client:
            yield client
