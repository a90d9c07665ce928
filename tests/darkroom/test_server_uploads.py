"""Uploads in all their forms, as raw calls: what the official clients send, and what they never would."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest

from tests.darkroom.conftest import MakeDarkroom
from tests.darkroom.serving import Darkroom, fetch

PNG = b"\x89PNG\r\n\x1a\n rest"


async def bearer(http: httpx.AsyncClient) -> dict[str, str]:
    """The header of a fresh upload token."""
    answer = await http.post("/storage/auth/token", params={"storage_type": "fal-cdn-v3"}, json={})
    assert answer.status_code == 200
    assert "+00:00" in answer.json()["expires_at"]
    return {"Authorization": f"{answer.json()['token_type']} {answer.json()['token']}"}


async def initiate(http: httpx.AsyncClient, *, kind: str = "initiate", **wish: Any) -> tuple[str, str]:
    """Where to put an upload, and where it will be served."""
    answer = await http.post(
        f"/storage/upload/{kind}", json={"content_type": "image/png", "file_name": "a.png", **wish}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["upload_url"], answer.json()["file_url"]


class TestWhole:
    @pytest.mark.parametrize("path", ["/files/upload", "/cdn/files/upload"])
    async def test_a_file_comes_back_as_it_was(self, http: httpx.AsyncClient, path: str) -> None:
        headers = {**await bearer(http), "Content-Type": "image/png", "X-Fal-File-Name": "a.png"}
        answer = await http.post(path, content=PNG, headers=headers)
        served = await fetch(answer.json()["access_url"])
        assert (served.content, served.headers["content-type"]) == (PNG, "image/png")

    async def test_a_large_file_comes_back_as_it_was(self, http: httpx.AsyncClient) -> None:
        content = bytes(range(256)) * 20_000
        answer = await http.post("/files/upload", content=content, headers=await bearer(http))
        assert (await fetch(answer.json()["access_url"])).content == content

    async def test_a_page_is_never_shown_as_one(self, http: httpx.AsyncClient) -> None:
        headers = {**await bearer(http), "Content-Type": "text/html", "X-Fal-File-Name": "a.html"}
        answer = await http.post("/files/upload", content=b"<script>", headers=headers)
        served = await fetch(answer.json()["access_url"])
        assert served.headers["content-type"] == "application/octet-stream"
        assert served.headers["content-disposition"] == "attachment"
        assert "sandbox" in served.headers["content-security-policy"]

    async def test_more_than_100_mib_is_refused_before_it_is_sent(
        self, quick: Darkroom, http: httpx.AsyncClient
    ) -> None:
        token = (await bearer(http))["Authorization"]
        reader, writer = await asyncio.open_connection("127.0.0.1", quick.port)
        head = f"POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        writer.write(f"{head}Content-Length: {100 * 1024 * 1024 + 1}\r\n\r\nx".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()

    async def test_a_lifetime_may_be_asked_for(self, make_darkroom: MakeDarkroom) -> None:
        async with make_darkroom().client() as http:
            headers = {**await bearer(http), "X-Fal-Object-Lifecycle": '{"expiration_duration_seconds": 100}'}
            answer = await http.post("/files/upload", content=b"x", headers=headers)
            name = answer.json()["access_url"].rpartition("/")[2]
            token_expiry = int((await bearer(http))["Authorization"].split()[1].split(".")[0])
            now = token_expiry - 3600
            assert 95 <= int(name.partition("-")[0], 16) - now <= 101

    @pytest.mark.parametrize("token", ["x", "99999999999.0000", "."])
    async def test_a_wrong_token_is_refused(self, quick: Darkroom, token: str) -> None:
        async with quick.client() as http:
            answer = await http.post(
                "/files/upload", content=b"x", headers={"Authorization": f"Bearer {token}"}
            )
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        "name", ["x", "..%2Fjournal.sqlite", "6b05387d-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.png"]
    )
    async def test_unknown_files_are_not_found(self, quick: Darkroom, name: str) -> None:
        assert (await fetch(f"{quick.url}/files/{name}")).status_code == 404


class TestPythonParts:
    async def test_parts_in_any_order_make_the_file(self, http: httpx.AsyncClient) -> None:
        headers = {**await bearer(http), "Content-Type": "image/png"}
        begun = (await http.post("/files/upload/multipart", headers=headers)).json()
        base = f"{begun['access_url']}/multipart/{begun['uploadId']}"
        parts = []
        for number, content in ((2, b"two"), (1, b"one"), (3, b"three")):
            answer = await http.put(f"{base}/{number}", content=content, headers=headers)
            assert answer.headers["etag"].strip('"') == hashlib.sha256(content).hexdigest()
            parts.append({"partNumber": number, "etag": answer.headers["etag"]})
        assert (await fetch(begun["access_url"])).status_code == 404
        for _ in range(2):
            answer = await http.post(f"{base}/complete", json={"parts": parts}, headers=headers)
            assert answer.status_code == 200
        assert (await fetch(begun["access_url"])).content == b"onetwothree"

    async def test_a_part_sent_twice_counts_once_as_sent_last(self, http: httpx.AsyncClient) -> None:
        headers = await bearer(http)
        begun = (await http.post("/files/upload/multipart", headers=headers)).json()
        base = f"{begun['access_url']}/multipart/{begun['uploadId']}"
        first = (await http.put(f"{base}/1", content=b"old", headers=headers)).headers["etag"]
        second = (await http.put(f"{base}/1", content=b"new", headers=headers)).headers["etag"]
        for etag, status in ((first, 400), (second, 200)):
            wish = {"parts": [{"partNumber": 1, "etag": etag}]}
            assert (await http.post(f"{base}/complete", json=wish, headers=headers)).status_code == status
        assert (await fetch(begun["access_url"])).content == b"new"

    async def test_nothing_works_without_the_token(self, quick: Darkroom, http: httpx.AsyncClient) -> None:
        begun = (await http.post("/files/upload/multipart", headers=await bearer(http))).json()
        base = f"{begun['access_url']}/multipart/{begun['uploadId']}"
        async with httpx.AsyncClient() as stranger:
            assert (await stranger.put(f"{base}/1", content=b"x")).status_code == 401
            assert (await stranger.post(f"{base}/complete", json={"parts": []})).status_code == 401


class TestJavaScriptUploads:
    async def test_whole(self, http: httpx.AsyncClient) -> None:
        upload_url, file_url = await initiate(http)
        async with httpx.AsyncClient() as bare:
            for _ in range(2):
                assert (await bare.put(upload_url, content=PNG)).status_code == 200
        served = await fetch(file_url)
        assert (served.content, served.headers["content-type"]) == (PNG, "image/png")

    async def test_in_parts(self, http: httpx.AsyncClient) -> None:
        upload_url, file_url = await initiate(http, kind="initiate-multipart")
        async with httpx.AsyncClient() as bare:
            parts = [(await bare.put(f"{upload_url}/{n}", content=b"%d" % n)).json() for n in (1, 2)]
            assert [part["partNumber"] for part in parts] == [1, 2]
            answer = await bare.post(f"{upload_url}/complete", json={"parts": parts})
            assert answer.status_code == 200
        assert (await fetch(file_url)).content == b"12"

    async def test_an_unknown_ticket_is_not_found(self, quick: Darkroom) -> None:
        async with httpx.AsyncClient(base_url=quick.url) as bare:
            for ticket in ("x", "A" * 32, "..%2f..%2fjournal"):
                assert (await bare.put(f"/storage/upload/{ticket}", content=b"x")).status_code == 404

    @pytest.mark.parametrize("number", ["0", "201", "-1", "one"])
    async def test_strange_part_numbers_are_refused(self, http: httpx.AsyncClient, number: str) -> None:
        upload_url, _ = await initiate(http, kind="initiate-multipart")
        assert (await http.put(f"{upload_url}/{number}", content=b"x")).status_code in {400, 422}

    @pytest.mark.parametrize(
        "parts",
        [
            [],
            [{"partNumber": 1, "etag": "../../../x"}],
            [{"partNumber": 1, "etag": "0" * 64}],
            [{"partNumber": 2, "etag": "0" * 64}],
            [{"etag": "0" * 64}],
            "all",
        ],
    )
    async def test_a_wrong_list_of_parts_is_refused(self, http: httpx.AsyncClient, parts: Any) -> None:
        upload_url, file_url = await initiate(http, kind="initiate-multipart")
        await http.put(f"{upload_url}/1", content=b"x")
        answer = await http.post(f"{upload_url}/complete", json={"parts": parts})
        assert answer.status_code in {400, 422}
        assert (await fetch(file_url)).status_code == 404

    async def test_a_part_too_large_is_refused_and_leaves_nothing(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom()
        async with darkroom.client() as http:
            upload_url, _ = await initiate(http, kind="initiate-multipart")
            answer = await http.put(f"{upload_url}/1", content=b"x" * (32 * 1024 * 1024 + 1))
            assert answer.status_code == 413
            (ticket,) = (darkroom.folder / "uploads").iterdir()
            assert [path.name for path in ticket.iterdir()] == ["ticket.json"]

    async def test_a_huge_wish_is_refused(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/storage/upload/initiate", content=b" " * (1024 * 1024 + 1))
        assert answer.status_code == 413
