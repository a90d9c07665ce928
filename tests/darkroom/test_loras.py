"""LoRA files: where they may come from, what is fetched, and what is refused before a model sees it."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from starbooth.darkroom import loras
from starbooth.darkroom.files import FileStore
from starbooth.darkroom.loras import KEEP_S, Loras
from starbooth.darkroom.schemas import InvalidInput
from tests.darkroom.serving import Darkroom, finished, flux, submit
from tests.outside.scripted import Reply, ScriptedServer

LORA = "fal-ai/flux-lora"
NOW = 1_000_000.0


def safetensors(shapes: dict[str, tuple[int, ...]], *, fill: int = 0, dtype: str = "F32") -> bytes:
    """A file of tensors of these shapes, all of whose bytes are `fill`."""
    header: dict[str, Any] = {}
    at = 0
    for name, shape in shapes.items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes([fill]) * at


PAIR: dict[str, tuple[int, ...]] = {"a.lora_A.weight": (2, 8), "a.lora_B.weight": (8, 2)}
WEIGHTS = safetensors(PAIR)


@pytest.fixture
async def origin() -> AsyncIterator[ScriptedServer]:
    """A server whose files may be fetched."""
    server = ScriptedServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    server.will_answer(Reply(body=WEIGHTS))
    yield server
    listening.close()


@pytest.fixture
async def shelf(tmp_path: Path, origin: ScriptedServer) -> AsyncIterator[Loras]:
    """The files of a server that may fetch from `origin`."""
    opened = Loras(
        tmp_path / "loras",
        FileStore(tmp_path / "files", now=lambda: NOW),
        files_url="http://engine/files/",
        origins=(origin.url + "/ignored/path",),
        now=lambda: NOW,
    )
    yield opened
    await opened.close()


def wish(path: str, scale: float = 1.0) -> list[dict[str, Any]]:
    """One LoRA, as in the arguments."""
    return [{"path": path, "scale": scale}]


def kind(refused: pytest.ExceptionInfo[InvalidInput], number: int = 0) -> str:
    """fal's type of the refusal of the LoRA of this number."""
    (detail,) = refused.value.details
    assert detail["loc"] == ["body", "loras", number, "path"]
    found: str = detail["type"]
    return found


def own(shelf: Loras, content: bytes) -> str:
    """The address of an uploaded file."""
    name = shelf._files.new_name("application/octet-stream", lifetime_s=60)
    shelf._files.keep(name, content)
    return f"http://engine/files/{name}"


class TestCheck:
    async def test_an_uploaded_file_is_fine_and_opened_where_it_lies(self, shelf: Loras) -> None:
        wanted = wish(own(shelf, WEIGHTS), 0.7)
        shelf.check(wanted)
        await shelf.gather(wanted)
        (lora,) = shelf.open(wanted)
        assert (lora.path.read_bytes(), lora.scale) == (WEIGHTS, 0.7)

    async def test_an_allowed_address_is_not_fetched_yet(self, shelf: Loras, origin: ScriptedServer) -> None:
        shelf.check(wish(f"{origin.url}/files/l.safetensors?signature=x"))
        assert origin.asked == []

    @pytest.mark.parametrize(
        "address",
        [
            "https://example.com/l.safetensors",
            "http://user:word@{host}/l.safetensors",
            "http://{host}.example.com/l.safetensors",
            "https://{host}/l.safetensors",
            "http://127.0.0.1/l.safetensors",
            "http://engine/files/../journal.sqlite",
            "http://engine/files/ff-nothing.bin",
            "data:application/octet-stream;base64,AAAA",
            "/etc/passwd",
            "http://[/",
            "x",
        ],
    )
    async def test_every_other_address_is_refused(
        self, shelf: Loras, origin: ScriptedServer, address: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            shelf.check(wish(address.replace("{host}", origin.url.removeprefix("http://"))))
        assert kind(refused) == "file_download_error"

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"PK\x03\x04 a pickle in a zip, as torch.save writes it",
            b"\x80\x02}q\x00.",
            WEIGHTS[:-1],
            WEIGHTS + b"\0",
            WEIGHTS[:20],
            (2**40).to_bytes(8, "little") + b"{}",
            (2).to_bytes(8, "little") + b"{}",
            (2).to_bytes(8, "little") + b"[]",
            (4).to_bytes(8, "little") + b"\xff\xff\xff\xff",
            safetensors({"weight": (2, 2)}),
            safetensors({**PAIR, "a.bias": (2,)}),
            safetensors(PAIR, dtype="I64"),
        ],
    )
    async def test_what_is_no_safetensors_file_of_a_lora_is_refused(
        self, shelf: Loras, content: bytes
    ) -> None:
        address = own(shelf, content)
        with pytest.raises(InvalidInput) as refused:
            shelf.check([*wish(own(shelf, WEIGHTS)), *wish(address)])
        assert kind(refused, number=1) == "lora_load_error"

    async def test_one_of_too_many_bytes_is_refused(
        self, shelf: Loras, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loras, "LARGEST_LORA_BYTES", len(WEIGHTS) - 1)
        with pytest.raises(InvalidInput) as refused:
            shelf.check(wish(own(shelf, WEIGHTS)))
        assert kind(refused) == "file_too_large"


class TestGather:
    async def test_a_link_that_is_signed_anew_is_fetched_once(
        self, shelf: Loras, origin: ScriptedServer
    ) -> None:
        for signature in "abc":
            wanted = wish(f"{origin.url}/files/l.safetensors?signature={signature}")
            await shelf.gather(wanted)
            assert shelf.open(wanted)[0].path.read_bytes() == WEIGHTS
        assert [asked.target for asked in origin.asked] == ["/files/l.safetensors?signature=a"]
        assert "authorization" not in origin.asked[0].headers

    @pytest.mark.parametrize(
        ("reply", "expected"),
        [
            (Reply(status=404), "file_download_error"),
            (Reply(status=302, headers={"location": "http://169.254.169.254/"}), "file_download_error"),
            (Reply(status=503), "downstream_service_unavailable"),
            (Reply(is_dropped=True), "downstream_service_unavailable"),
            (Reply(body=WEIGHTS, claimed_length=len(WEIGHTS) + 9), "downstream_service_unavailable"),
            (Reply(body=b"<html>"), "lora_load_error"),
        ],
    )
    async def test_what_does_not_arrive_is_refused_and_leaves_nothing(
        self, shelf: Loras, origin: ScriptedServer, reply: Reply, expected: str
    ) -> None:
        origin.will_answer(reply)
        wanted = wish(f"{origin.url}/files/l.safetensors")
        with pytest.raises(InvalidInput) as refused:
            await shelf.gather(wanted)
        assert kind(refused) == expected
        with pytest.raises(InvalidInput):
            shelf.open(wanted)
        assert list(shelf._folder.iterdir()) == []

    async def test_it_stops_at_the_largest_size(
        self, shelf: Loras, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loras, "LARGEST_LORA_BYTES", len(WEIGHTS) - 1)
        with pytest.raises(InvalidInput) as refused:
            await shelf.gather(wish(f"{origin.url}/l.safetensors"))
        assert kind(refused) == "file_too_large"


class TestSweep:
    async def test_yesterdays_files_go(
        self, shelf: Loras, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted = wish(f"{origin.url}/l.safetensors")
        await shelf.gather(wanted)
        shelf.sweep()
        assert shelf.open(wanted)
        shelf._now = lambda: NOW + KEEP_S + 1
        shelf.sweep()
        assert list(shelf._folder.iterdir()) == []

    async def test_the_oldest_go_where_all_together_are_too_large(
        self, shelf: Loras, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loras, "LARGEST_SHELF_BYTES", len(WEIGHTS))
        old, new = wish(f"{origin.url}/old"), wish(f"{origin.url}/new")
        await shelf.gather(old)
        shelf._now = lambda: NOW + 5
        await shelf.gather(new)
        shelf.sweep()
        assert shelf.open(new)
        with pytest.raises(InvalidInput):
            shelf.open(old)


class TestOverHttp:
    @pytest.fixture
    def darkroom(self, tmp_path: Path, origin: ScriptedServer) -> Iterator[Darkroom]:
        darkroom = Darkroom(tmp_path / "room", ("--painter", "instant", "--lora-origin", origin.url))
        darkroom.start()
        yield darkroom
        darkroom.kill()

    @pytest.fixture
    async def http(self, darkroom: Darkroom) -> AsyncIterator[httpx.AsyncClient]:
        async with darkroom.client() as http:
            yield http

    async def painted(self, http: httpx.AsyncClient, wanted: list[dict[str, Any]]) -> str:
        """The picture as a data URL: equal for equal pictures."""
        wishes: dict[str, Any] = {"seed": 1, "sync_mode": True, "output_format": "png", "loras": wanted}
        request_id = await submit(http, endpoint=LORA, **wishes)
        await finished(http, request_id, app=LORA)
        url: str = (await http.get(f"/{LORA}/requests/{request_id}")).json()["images"][0]["url"]
        return url

    async def test_every_file_and_every_scale_counts(
        self, http: httpx.AsyncClient, origin: ScriptedServer
    ) -> None:
        other = await http.post("/files/upload", content=safetensors(PAIR, fill=1))
        elsewhere, uploaded = f"{origin.url}/l.safetensors", other.json()["access_url"]
        wishes = [[], wish(elsewhere), wish(elsewhere, 0.5), wish(uploaded), wish(elsewhere) + wish(uploaded)]
        pictures = [await self.painted(http, wanted) for wanted in wishes]
        assert len(set(pictures)) == len(wishes)
        assert await self.painted(http, wishes[1]) == pictures[1]

    async def test_a_foreign_address_is_refused_at_submit(self, http: httpx.AsyncClient) -> None:
        answer = await http.post(f"/{LORA}", json=flux(loras=wish("https://example.com/l.safetensors")))
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["type"] == "file_download_error"

    async def test_one_that_cannot_be_fetched_ends_its_request_and_the_line_goes_on(
        self, http: httpx.AsyncClient, origin: ScriptedServer
    ) -> None:
        origin.will_answer(Reply(status=404))
        request_id = await submit(http, endpoint=LORA, loras=wish(f"{origin.url}/gone.safetensors"))
        await finished(http, request_id, app=LORA)
        result = await http.get(f"/{LORA}/requests/{request_id}")
        assert (result.status_code, result.json()["detail"][0]["type"]) == (422, "file_download_error")
        await finished(http, await submit(http))

    async def test_a_request_is_cancelled_while_its_lora_is_on_the_way(
        self, http: httpx.AsyncClient, origin: ScriptedServer
    ) -> None:
        origin.will_answer(Reply(body=WEIGHTS, wait_s=60))
        request_id = await submit(http, endpoint=LORA, loras=wish(f"{origin.url}/slow.safetensors"))
        await asyncio.wait_for(origin.was_asked.wait(), 20)
        assert (await http.put(f"/{LORA}/requests/{request_id}/cancel")).status_code == 202
        assert (await finished(http, request_id, app=LORA))["error_type"] == "client_cancelled"
        await finished(http, await submit(http))
