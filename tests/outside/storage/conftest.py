"""The same storage suite on a disk and on a bucket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from starbooth.outside.storage.contract import Storage
from starbooth.outside.storage.store import open_storage
from tests.outside.storage.bucket import Bucket


@pytest.fixture
async def bucket(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bucket]:
    bucket = Bucket()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        server = uvicorn.Server(uvicorn.Config(bucket.app, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield bucket
        server.should_exit = True
        await serving


@pytest.fixture(params=["disk", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "disk":
        return open_storage(f"file://{tmp_path}/a folder # with 100% odd letters")
    request.getfixturevalue("bucket")
    return open_storage("s3://photos/booth")
