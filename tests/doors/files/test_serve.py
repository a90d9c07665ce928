"""Stored files open for whoever holds a fresh signature, and for nobody else."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from starbooth.base.clock import now
from starbooth.doors.files.serve import stored_files
from starbooth.outside.storage.contract import Storage
from starbooth.outside.storage.links import sign
from starbooth.outside.storage.store import open_storage

SECRET = b"a secret of at least thirty-two characters"
KEY = "pictures/corder/0.png"
WEIGHTS_KEY = "loras/corder.safetensors"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(f"file://{tmp_path / 'storage'}")


@pytest.fixture
async def web(storage: Storage) -> AsyncIterator[httpx.AsyncClient]:
    await storage.put(KEY, b"picture", "image/png")
    await storage.put(WEIGHTS_KEY, b"weights", "application/octet-stream")
    await storage.put("secrets/key.pem", b"key", "text/plain")
    app = FastAPI()
    app.include_router(stored_files(storage, SECRET))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://booth") as client:
        yield client


def link(key: str = KEY, *, minutes: int = 5, secret: bytes = SECRET) -> str:
    return sign(f"/files/{key}", secret=secret, expires_at=now() + timedelta(minutes=minutes))


class TestSignedLinks:
    async def test_a_fresh_signature_opens_the_file_and_nothing_may_run_in_it(
        self, web: httpx.AsyncClient
    ) -> None:
        answer = await web.get(link())
        assert (answer.status_code, answer.content) == (200, b"picture")
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"

    async def test_a_copy_in_a_browser_lives_no_longer_than_the_link(self, web: httpx.AsyncClient) -> None:
        caching = [(await web.get(link(minutes=each))).headers["cache-control"] for each in (2, 600)]
        assert caching[1] == "private, max-age=3600"
        assert int(caching[0].removeprefix("private, max-age=")) <= 120
        assert (await web.get(link(WEIGHTS_KEY))).headers["cache-control"] == "no-store"

    async def test_a_large_file_comes_whole(self, web: httpx.AsyncClient, storage: Storage) -> None:
        body = bytes(range(256)) * 20_000
        await storage.put("exports/ca/1.zip", body, "application/zip")
        answer = await web.get(link("exports/ca/1.zip"))
        assert answer.content == body
        assert answer.headers["content-length"] == str(len(body))
        assert answer.headers["cache-control"] == "no-store"

    async def test_guests_photos_open_by_no_link_at_all(
        self, web: httpx.AsyncClient, storage: Storage
    ) -> None:
        for key in ("photos/cdraft.jpg", "training/cset/cphoto.jpg"):
            await storage.put(key, b"a face", "image/jpeg")
            answer = await web.get(link(key))
            assert answer.status_code == 404

    async def test_lora_weights_go_out_as_plain_bytes(self, web: httpx.AsyncClient) -> None:
        answer = await web.get(link(WEIGHTS_KEY))
        assert (answer.status_code, answer.content) == (200, b"weights")
        assert answer.headers["content-type"] == "application/octet-stream"

    async def test_every_no_is_the_same_not_found(self, web: httpx.AsyncClient) -> None:
        refused = [
            f"/files/{KEY}",
            link(minutes=-1),
            link(secret=b"another secret of thirty-two characters"),
            link().replace("/0.png", "/1.png"),
            link("pictures/corder/1.png"),
            link("secrets/key.pem"),
            link("pictures/../secrets/key.pem"),
            link() + "&expires=99999999999",
        ]
        answers = [await web.get(path) for path in refused]
        assert [answer.status_code for answer in answers] == [404] * len(refused)
        assert len({answer.content for answer in answers}) == 1
